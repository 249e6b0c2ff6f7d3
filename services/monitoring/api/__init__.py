"""Monitoring over HTTP: alerts and what people do with them, borrowers' indicators, loans' classes, the portfolio."""
