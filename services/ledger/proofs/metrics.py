"""What the notary says of itself."""

from shared.telemetry import counter, gauge

SIZE = gauge("lendlog_checkpoint_size_records", "records", "Records below the last signed head", "partition")
SIGNED_AT = gauge(
    "lendlog_checkpoint_timestamp_seconds", "seconds", "When the last head was signed since the start", "partition"
)
REFUSED = gauge(
    "lendlog_checkpoint_refused",
    "0 or 1",
    "Whether the notary refuses to sign: books, log and last head differ",
    "partition",
)
FAILED = counter("lendlog_checkpoint_failures_total", "rounds", "Rounds that broker or database did not let finish")
