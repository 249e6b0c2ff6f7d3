"""Every metric of the ledger worker: kind, unit, meaning."""

from shared.telemetry import counter, gauge, histogram

EVENTS = counter("lendlog_ledger_events_total", "events", "Events accepted into the books")
DUPLICATES = counter("lendlog_ledger_duplicates_total", "events", "Events dropped because their id was accepted before")
REDELIVERED = counter("lendlog_ledger_redelivered_total", "records", "Records below the position, dropped")
HOLES = counter("lendlog_ledger_holes_total", "offsets", "Offsets without a record: transaction markers")
CONFLICTS = counter(
    "lendlog_ledger_conflicts_total", "events", "Events set aside: their id was accepted before with another body"
)
FOUND = counter(
    "lendlog_ledger_ambiguous_commits_total",
    "transactions",
    "Commits without an answer that the position row confirmed",
)
DEAD = counter("lendlog_ledger_dead_letters_total", "records", "Records that could not be read")
FENCED = counter("lendlog_ledger_fenced_total", "claims", "Claims lost to another owner")
RETRIED = counter(
    "lendlog_ledger_retried_total", "transactions", "Transactions tried again after an error that may pass"
)
STALE = counter("lendlog_ledger_stale_batches_total", "batches", "Batches of a lost claim or an ended run, dropped")
TRANSACTIONS = counter("lendlog_ledger_transactions_total", "transactions", "Committed batch transactions")
TRANSACTION_SECONDS = histogram("lendlog_ledger_batch_seconds", "seconds", "Time to take one batch in")
STAGE_SECONDS = gauge(
    "lendlog_ledger_stage_seconds", "seconds", "Wall time spent so far in a stage of taking batches in", "stage"
)
POSITION = gauge("lendlog_ledger_position_offset", "offset", "Next offset of the log that the books need", "partition")
LAST_EVENT = gauge(
    "lendlog_ledger_last_event_timestamp_seconds",
    "seconds",
    "Broker timestamp of the last record taken in",
    "partition",
)
RELAY_BACKLOG = gauge(
    "lendlog_ledger_relay_backlog_messages", "messages", "Derived messages not yet published", "partition"
)
PARKED = gauge("lendlog_ledger_parked_loans", "loans", "Parked loans of the claimed partitions", "partition")
HALTED = gauge("lendlog_ledger_halted_partitions", "partitions", "Partitions that stopped with a named error")
CLAIMED = gauge("lendlog_ledger_claimed_partitions", "partitions", "Partitions this worker owns")
EPOCH = gauge("lendlog_ledger_epoch", "epoch", "Epoch of the claim", "partition")
CACHED = gauge("lendlog_ledger_cached_loans", "loans", "Loan states in memory", "partition")
