"""The books. Reads `loans.lifecycle.v1`; writes `ledger.events.v1` and `ledger.accounts.v1`; owns the schemas `ledger`
(what a replay recomputes) and `ledger_api` (tokens, idempotency keys and the API's outbox)."""
