"""Every metric of a service's worker: kind, unit, meaning; and what is read for them before a scrape."""

from collections.abc import Mapping
from typing import Any

from shared.streams.processor import Counts, Processor
from shared.streams.relay import PartitionRelay
from shared.telemetry import counter, gauge, histogram

EVENTS = counter("lendlog_stream_events_total", "events", "Events accepted")
DUPLICATES = counter("lendlog_stream_duplicates_total", "events", "Events dropped because their id was accepted before")
REDELIVERED = counter("lendlog_stream_redelivered_total", "records", "Records below the position, dropped")
HOLES = counter("lendlog_stream_holes_total", "offsets", "Offsets without a record: transaction markers")
CONFLICTS = counter(
    "lendlog_stream_conflicts_total", "events", "Events set aside: their id was accepted before with another body"
)
FOUND = counter(
    "lendlog_stream_ambiguous_commits_total",
    "transactions",
    "Commits without an answer that the position row confirmed",
)
DEAD = counter("lendlog_stream_dead_letters_total", "records", "Records that could not be read")
FENCED = counter("lendlog_stream_fenced_total", "claims", "Claims lost to another owner")
RETRIED = counter(
    "lendlog_stream_retried_total", "transactions", "Transactions tried again after an error that may pass"
)
STALE = counter("lendlog_stream_stale_batches_total", "batches", "Batches of a lost claim or an ended run, dropped")
TRANSACTIONS = counter("lendlog_stream_transactions_total", "transactions", "Committed batch transactions")
TRANSACTION_SECONDS = histogram("lendlog_stream_batch_seconds", "seconds", "Time to take one batch in")
STAGE_SECONDS = gauge(
    "lendlog_stream_stage_seconds", "seconds", "Wall time spent so far in a stage of taking batches in", "stage"
)
POSITION = gauge(
    "lendlog_stream_position_offset", "offset", "Next offset of the topic that the tables need", "partition"
)
LAST_EVENT = gauge(
    "lendlog_stream_last_event_timestamp_seconds",
    "seconds",
    "Broker timestamp of the last record taken in",
    "partition",
)
RELAY_BACKLOG = gauge(
    "lendlog_stream_relay_backlog_messages", "messages", "Derived messages not yet published", "partition"
)
PARKED = gauge("lendlog_stream_parked", "loans or borrowers", "Parked in the claimed partitions", "partition")
HALTED = gauge("lendlog_stream_halted_partitions", "partitions", "Partitions that stopped with a named error")
CLAIMED = gauge("lendlog_stream_claimed_partitions", "partitions", "Partitions this worker owns")
EPOCH = gauge("lendlog_stream_epoch", "epoch", "Epoch of the claim", "partition")
CACHED = gauge("lendlog_stream_cached", "states", "States in memory", "partition")


def refresh(processor: Processor, relays: Mapping[int, PartitionRelay], exported: Counts) -> None:
    """Bring counters and gauges up to date before a scrape; `exported`: the counts as of the last one, kept here."""
    now = processor.counts
    for name, target in (
        ("events", EVENTS), ("duplicates", DUPLICATES), ("redelivered", REDELIVERED), ("holes", HOLES), ("dead", DEAD),
        ("retried", RETRIED), ("stale", STALE), ("transactions", TRANSACTIONS), ("conflicts", CONFLICTS),
        ("found", FOUND),
    ):  # fmt: skip
        target.inc(getattr(now, name) - getattr(exported, name))
        setattr(exported, name, getattr(now, name))
    for stage, seconds in now.seconds.items():
        STAGE_SECONDS.labels(stage).set(seconds)
    for one in (POSITION, EPOCH, PARKED, CACHED, RELAY_BACKLOG):
        one.clear()  # a partition that another worker owns by now is that one's to tell of
    HALTED.set(len(processor.halted))
    CLAIMED.set(len(processor.owned))
    for partition, owned in processor.owned.items():
        hosted: Any = owned.hosted
        POSITION.labels(partition).set(owned.position.next_offset)
        EPOCH.labels(partition).set(owned.position.epoch)
        PARKED.labels(partition).set(len(hosted.intake.parked))
        CACHED.labels(partition).set(hosted.cached_count)
        if relay := relays.get(partition):
            RELAY_BACKLOG.labels(partition).set(relay.backlog)
