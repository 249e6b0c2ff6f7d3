"""Checks of the books against the log: nothing is missing, nothing is more, nothing is another (D6, D7, D14)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from services.ledger.reading import read
from services.ledger.verify.rows import Books, Finding
from shared.events.ledger import DeadLetterRetried
from shared.merkle import leaf_hash, record_of
from shared.streams.intake import NotUnderstood, Unreadable


def position_agrees(books: Books) -> Iterator[Finding]:
    """The position follows the last record taken in, and remembers that record's hash."""
    position, log = books.tables.position, books.log
    last, hashed = (log[-1][0], leaf_hash(log[-1][1])) if log else (None, None)
    if not log and books.mark is not None:
        last, hashed = books.mark.last_offset, books.mark.last_leaf
    if last != position["last_offset"]:
        problem = f"last_offset is {position['last_offset']}, the last record below it is {last}"
        yield _position(books, problem, "last_offset")
    elif hashed != position["last_leaf"]:
        yield _position(books, f"last_leaf is not the hash of the record at {last}", "last_leaf")
    elif position["next_offset"] <= (-1 if last is None else last):
        yield _position(books, f"next_offset is {position['next_offset']}, after a record at {last}", "next_offset")
    elif (
        position["next_offset"] and not books.open_day and any(event.loan is not None for event in books.tables.events)
    ):
        yield _position(books, "open_date is null, and loans have events", "open_date")


def counts_add_up(books: Books) -> Iterator[Finding]:
    """events, duplicates and holes of the position = what stands in the tables and on the log."""
    position = books.tables.position
    counted = {
        "events": len(books.tables.events),
        "holes": position["next_offset"] - len(books.log),
        "tree_size": len(books.log),
        "duplicates": sum(1 for _ in _repetitions(books)),
    }
    for name, number in counted.items():
        if position[name] != number:
            yield _position(books, f"{name} is {position[name]}, tables and log give {number}", name)


def tree_is_recomputed(books: Books) -> Iterator[Finding]:
    """The Merkle tree of the log's records has the frontier that the position holds."""
    tree = books.tree_before()
    tree.append(leaf_hash(leaf) for _, leaf in books.log)
    if tree.frontier() != books.tables.position["tree_frontier"]:
        yield _position(books, f"tree_frontier is not that of the {tree.size} records on the log", "tree_frontier")


def records_are_the_logs(books: Books) -> Iterator[Finding]:
    """Stored records are the log's, byte for byte."""
    log = dict(books.log)
    tables = books.tables
    for table, rows in _kept(books):
        for offset, record in rows:
            if offset < books.start:
                continue
            if offset not in log:
                yield Finding(table, books.at(offset), "the log has no record at this offset")
            elif log[offset] != record:
                yield Finding(table, books.at(offset), "record differs from the log's", "record")
    accepted = {event.offset for event in tables.events}
    for row in (*tables.parked_events, *tables.conflicts):
        if row["offset"] in accepted:
            table = "parked_event" if "arrived" in row else "conflict"
            yield Finding(table, books.at(row["offset"]), "the record is accepted, too")


def ids_are_the_records(books: Books) -> Iterator[Finding]:
    """Each row's event id is that of its record, where that is the log's."""
    tables, log = books.tables, dict(books.log)
    for event in books.sound_events:
        if (said := _id_of_accepted(event.record)) != event.event_id:
            problem = f"event_id is {event.event_id}, the record says {said}"
            yield Finding("event", books.at(event.offset), problem, "event_id")
    for table, rows in (("parked_event", tables.parked_events), ("conflict", tables.conflicts)):
        for row in rows:
            if log.get(row["offset"]) == row["record"] and (said := event_id_of(row["record"])) != str(row["event_id"]):
                problem = f"event_id is {row['event_id']}, the record says {said}"
                yield Finding(table, books.at(row["offset"]), problem, "event_id")


def nothing_is_missing(books: Books) -> Iterator[Finding]:
    """Every record below the position is accepted, held, dead, in conflict, or the repetition of an accepted one."""
    accepted: dict[str, bytes | None] | None = None
    for offset, leaf in _unplaced(books):
        if accepted is None:
            accepted = {event.event_id: record_of(event.record).value for event in books.sound_events}
        event_id = event_id_of(leaf)
        if event_id is None:
            yield Finding("dead_letter", books.at(offset), "an unreadable record of the log is nowhere in the books")
        elif event_id not in accepted:
            yield Finding("event", books.at(offset), f"event {event_id} of the log is nowhere in the books")
        elif accepted[event_id] != record_of(leaf).value:
            yield Finding("conflict", books.at(offset), f"another body under event id {event_id} was not set aside")


def outbox_is_contiguous(books: Books) -> Iterator[Finding]:
    """The outbox holds every sequence from the relay's mark up to the position's next one, and no other."""
    first, following = books.tables.relay["outbox_mark"], books.tables.position["outbox_next"]
    span = f"[{first}, {following})"
    expected = first
    for row in books.tables.outbox:
        if (sequence := row["sequence"]) != expected:
            yield _outbox(
                books, min(sequence, expected), "is missing" if expected < sequence else f"is outside of {span}"
            )
            return
        expected += 1
    if expected < following:
        yield _outbox(books, expected, "is missing")
    elif expected > following and books.tables.outbox:
        yield _outbox(books, expected - 1, f"is outside of {span}")
    elif expected > following:
        problem = f"outbox_mark is {first}, beyond the position's outbox_next, {following}"
        yield Finding("relay", {"partition": books.partition}, problem, "outbox_mark")


def _outbox(books: Books, sequence: int, problem: str) -> Finding:
    key = {"partition": books.partition, "sequence": sequence}
    return Finding("outbox", key, f"the row of sequence {sequence} {problem}", "sequence")


def _position(books: Books, problem: str, column: str) -> Finding:
    return Finding("position", {"partition": books.partition}, problem, column)


def _kept(books: Books) -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    tables = books.tables
    yield "event", [(event.offset, event.record) for event in tables.events]
    for table, rows in (
        ("parked_event", tables.parked_events),
        ("dead_letter", tables.dead_letters),
        ("conflict", tables.conflicts),
    ):
        yield table, [(row["offset"], row["record"]) for row in rows]


def _unplaced(books: Books) -> Iterator[tuple[int, bytes]]:
    """Records of the log that stand in no table."""
    placed = {offset for _, rows in _kept(books) for offset, _ in rows}
    return ((offset, leaf) for offset, leaf in books.log if offset not in placed)


def _repetitions(books: Books) -> Iterator[int]:
    """Offsets of records dropped as repetitions: in no table, or dead letters that were repeated when read again."""
    yield from (offset for offset, _ in _unplaced(books))
    tables = books.tables
    retries = {event.event_id: event for event in tables.events if event.loan is None}
    kept = {event.offset for event in tables.events}
    kept.update(row["offset"] for row in (*tables.parked_events, *tables.conflicts))
    for row in tables.dead_letters:
        settled = retries.get(str(row["settled_by"]))
        if settled is None or row["offset"] in kept:
            continue
        retry: Any = read(record_of(settled.record))
        if isinstance(retry, DeadLetterRetried) and retry.data.replaced_by is None:
            yield row["offset"]


class _Identified(msgspec.Struct):
    id: str


_identified = msgspec.json.Decoder(_Identified).decode


def _id_of_accepted(leaf: bytes) -> str | None:
    """The event id of a record that was understood when it was accepted: quicker."""
    record = record_of(leaf)
    if record.headers or record.value is None:
        return event_id_of(leaf)
    try:
        return _identified(record.value).id
    except msgspec.MsgspecError:
        return None


def event_id_of(leaf: bytes) -> str | None:
    """The event id of a record, or None where no envelope can be read."""
    try:
        return read(record_of(leaf)).id
    except NotUnderstood as unknown:
        return unknown.envelope.id
    except Unreadable:
        return None
