"""The published facts, one module per writing service, and the envelope they travel in (D4, D5)."""
