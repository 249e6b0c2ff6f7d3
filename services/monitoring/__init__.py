"""Monitoring: watches borrowers' loans, accounts and markets; raises alerts by levels that follow borrower and market.

Owns the schemas `monitoring` (what a replay of its inbox recomputes) and `monitoring_api`. Reads `ledger.events.v1`,
`borrowers.signals.v1`, `market.indicators.v1`, `borrowers.parties.v1`, merged into `monitoring.inbox.v1`. Writes
`monitoring.alerts.v1` and `monitoring.thresholds.v1`.
"""
