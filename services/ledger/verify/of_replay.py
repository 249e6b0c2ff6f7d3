"""Checks of the tables against a fold of the log: every row is there, no other, and each column is what the fold says.

These name the column. The other checks look at the same rows without the fold, so that both would have to be wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.ledger.engine.account import GENERAL_NUMBER, encode_loan
from services.ledger.messages import Topics
from services.ledger.store.set_aside import date_of
from services.ledger.verify.recomputed import Recomputed, Told, told_by
from services.ledger.verify.rows import Books, Finding, LoanRow
from shared.streams.outbox_rows import pack, unpack
from shared.streams.ports import Message
from shared.topics import LEDGER_ACCOUNTS, LEDGER_EVENTS, LIFECYCLE, LIFECYCLE_DEAD_LETTERS

Rows = Mapping[Any, tuple[Any, ...]]
Findings = dict[str, list[Finding]]
"""By table."""
HELD_BACK = "held until it is read again"
"""The reason of a dead letter where a replay, told of its retry, put it aside."""


def position_is_replayed(books: Books) -> Iterator[Finding]:
    """The position is where the fold is after the last record: offset, open date, a closing under way, counts."""
    yield from _of(books, "position")


def events_are_replayed(books: Books) -> Iterator[Finding]:
    """Accepted events, with loan and both dates."""
    yield from _of(books, "event")


def postings_are_replayed(books: Books) -> Iterator[Finding]:
    """Postings, line by line."""
    yield from _of(books, "posting")


def loans_are_replayed(books: Books) -> Iterator[Finding]:
    """Loans and accrual groups, their states to the byte."""
    yield from _of(books, "loan")


def periods_are_replayed(books: Books) -> Iterator[Finding]:
    """Closed periods, with the offset of the close."""
    yield from _of(books, "closed_period")


def asides_are_replayed(books: Books) -> Iterator[Finding]:
    """What is parked, held, waiting, dead or in conflict, with reasons and dates."""
    for table in ("parked_loan", "parked_event", "suspense", "dead_letter", "conflict"):
        yield from _of(books, table)


def rates_are_replayed(books: Books) -> Iterator[Finding]:
    """What was published of reference rates."""
    yield from _of(books, "reference_rate")


def outbox_is_replayed(books: Books) -> Iterator[Finding]:
    """What waits for the broker is the end of what the fold derives, in rows as they are packed."""
    said: list[tuple[int, list[Message]]] = []
    for row in books.tables.outbox:
        try:
            messages = unpack(row["messages"])
        except Exception:  # noqa: BLE001 - whatever the decompressor and the decoder say of bytes that are not theirs
            messages = []
        if not messages or pack(messages) != row["messages"]:
            yield _outbox(books, row["sequence"], "messages can't be unpacked, or are not as they are packed")
            return
        said.append((row["sequence"], messages))
    wanted = list(_compared(books)[0].messages)[-sum(len(messages) for _, messages in said) :] if said else []
    at = 0
    for sequence, messages in said:
        if messages != wanted[at : at + len(messages)]:
            yield _outbox(books, sequence, "messages are not those that the log's events give")
            return
        at += len(messages)


def _outbox(books: Books, sequence: int, problem: str) -> Finding:
    return Finding("outbox", {"partition": books.partition, "sequence": sequence}, problem, "messages")


def _of(books: Books, table: str) -> Iterator[Finding]:
    yield from _compared(books)[1][table]


def _compared(books: Books) -> tuple[Recomputed, Findings]:
    """The fold that the books agree with best, as a worker would have it or told what a replay is told; and where they
    differ."""
    if books.compared is None:
        books.compared = _compare(books)
    found: tuple[Recomputed, Findings] = books.compared
    return found


def _compare(books: Books) -> tuple[Recomputed, Findings]:
    plain = _fold(books, Told())
    differences = _differences(books, plain)
    if not any(differences.values()):
        return plain, differences
    told = told_by(books.log, books.tables, plain)
    if not told.holds and not told.retried:
        return plain, differences
    second = _fold(books, told)
    others = _differences(books, second)
    if sum(map(len, others.values())) < sum(map(len, differences.values())):
        return second, others
    return plain, differences


def _fold(books: Books, told: Told) -> Recomputed:
    if (done := books.folds.get(told.key)) is not None:
        return done  # type: ignore[no-any-return]
    outgoing = [message for row in books.tables.outbox for message in _messages(row["messages"])]
    made = Recomputed(books.partition, _topics(books, outgoing), told, len(outgoing))
    made.fold(books.log)
    resume = books.tables.position["resume_loan"]
    if resume is not None and books.following is not None:
        made.close_up_to(books.tables.position["next_offset"], books.following, resume)
    books.folds[told.key] = made
    return made


def _messages(packed: bytes) -> list[Message]:
    try:
        return unpack(packed)
    except Exception:  # noqa: BLE001 - as above
        return []


def _topics(books: Books, outgoing: Sequence[Message]) -> Topics:
    """The topics' names: with the prefix that the caller gave, else with the one that messages in the outbox have."""
    prefix = books.prefix
    for message in outgoing[:1] if prefix is None else ():
        for topic in (LIFECYCLE_DEAD_LETTERS, LEDGER_EVENTS):
            if message.topic.endswith(topic.name):
                prefix = message.topic.removesuffix(topic.name)
    before = prefix or ""
    return Topics(
        lifecycle=before + LIFECYCLE.name,
        events=before + LEDGER_EVENTS.name,
        accounts=before + LEDGER_ACCOUNTS.name,
        dead_letters=before + LIFECYCLE_DEAD_LETTERS.name,
        partitions=books.partitions,
    )


def _differences(books: Books, replayed: Recomputed) -> Findings:
    return {table: list(_unlike(books, table, *sides)) for table, sides in _sides(books, replayed)}


Sides = tuple[Rows, Rows, Sequence[str], Sequence[str]]
"""The books' rows and the fold's by key, the names of the key's columns, those of the others."""


def _sides(books: Books, replayed: Recomputed) -> Iterator[tuple[str, Sides]]:
    tables = books.tables
    yield "position", ({(): _position(books)}, {(): _wanted_position(books, replayed)}, (), _POSITION)
    events = {(e.offset,): (e.event_id, e.loan, e.effective, e.booked) for e in tables.events}
    wanted: Rows = {(offset,): row for offset, row in replayed.events.items()}
    yield "event", (events, wanted, ("offset",), ("event_id", "loan", "effective_date", "booking_date"))
    postings = {
        (p.loan, p.offset, p.n): (p.debit, p.credit, p.amount, p.currency, p.effective, p.booked, p.open_from)
        for p in tables.postings
    }
    yield "posting", (postings, replayed.postings, ("loan", "offset", "n"), _POSTING)
    loans = {(row.number,): _loan(row, replayed) for row in tables.loans}
    wanted = {(number,): row for number, row in replayed.states.items()}
    yield "loan", (loans, wanted, ("loan",), ("loan_id", "next_action", "as_of", "state"))
    parked = {(row["loan_id"],): (row["first_offset"], row["reason"], row["since"]) for row in tables.parked_loans}
    wanted = {(p.loan_id,): (p.first_offset, p.reason, date_of(p.since)) for p in replayed.parked_loans.values()}
    yield "parked_loan", (parked, wanted, ("loan_id",), ("first_offset", "reason", "since"))
    held = {(row["offset"],): (row["loan_id"], str(row["event_id"]), row["arrived"]) for row in tables.parked_events}
    wanted = {(h.offset,): (h.loan_id, h.event_id, date_of(h.arrived)) for h in replayed.parked_events.values()}
    yield "parked_event", (held, wanted, ("offset",), ("loan_id", "event_id", "arrived"))
    waiting = {
        (row["loan"], row["offset"]): (str(row["event_id"]), row["amount"], row["currency"]) for row in tables.suspense
    }
    wanted = {
        (loan, offset): (event_id, amount, currency)
        for loan, payments in replayed.suspense.items()
        for offset, event_id, amount, currency in payments
    }
    yield "suspense", (waiting, wanted, ("loan", "offset"), ("event_id", "amount", "currency"))
    yield "dead_letter", (*_dead(books, replayed), ("offset",), ("reason", "tried_at", "settled_by"))
    published = {(row["offset"],): tuple(row[name] for name in _RATE) for row in tables.reference_rates}
    wanted = {(offset,): row for offset, row in replayed.rates.items()}
    yield "reference_rate", (published, wanted, ("offset",), _RATE)
    conflicts = {(row["offset"],): (str(row["event_id"]),) for row in tables.conflicts}
    wanted = {(offset,): (event_id,) for offset, event_id in replayed.conflicts.items()}
    yield "conflict", (conflicts, wanted, ("offset",), ("event_id",))
    periods = {(row["offset"],): (row["period_end"],) for row in tables.periods}
    wanted = {(offset,): (end,) for end, offset in replayed.periods.items()}
    yield "closed_period", (periods, wanted, ("offset",), ("period_end",))


_POSTING = ("debit", "credit", "amount", "currency", "effective_date", "booking_date", "open_from")
_RATE = ("rate_index", "from_date", "annual_rate")
_POSITION = ("next_offset", "resume_loan", "open_date", "events", "duplicates")


def _position(books: Books) -> tuple[Any, ...]:
    return tuple(books.tables.position[column] for column in _POSITION)


def _wanted_position(books: Books, replayed: Recomputed) -> tuple[Any, ...]:
    """A closing under way begins at its own record, which may follow after transaction markers."""
    following = books.log[-1][0] + 1 if books.log else 0
    if books.following is not None:
        following = max(following, books.tables.position["next_offset"])
    return following, replayed.resume, replayed.open_date, replayed.accepted, replayed.duplicates


def _loan(row: LoanRow, replayed: Recomputed) -> tuple[Any, ...]:
    """A loan's columns, without what an accrual group is as of; a state in the shorter form that it had before a field
    was added counts as the fold's own bytes."""
    raw, wanted = row.raw, replayed.states.get(row.number, (None, None, None, b""))[3]
    if raw != wanted and row.state is not None and len(raw) < len(wanted) and encode_loan(row.state) == wanted:
        raw = wanted
    return row.loan_id, row.next_action, row.as_of if row.number >= GENERAL_NUMBER else None, raw


def _dead(books: Books, replayed: Recomputed) -> tuple[Rows, Rows]:
    """Dead letters; the reason of one that was read again may be either's, the fold's that was told of it or not."""
    plain = books.folds[Told().key]
    have, wanted = {}, {}
    for row in books.tables.dead_letters:
        settled = row["settled_by"]
        have[(row["offset"],)] = (row["reason"], row["tried_at"], settled and str(settled))
    for offset, reason in replayed.dead_letters.items():
        said = have.get((offset,), (None,))[0]
        if offset in replayed.told.retried and said in (reason, plain.dead_letters.get(offset), HELD_BACK):
            wanted[(offset,)] = (said, replayed.tried.get(offset), replayed.settled.get(offset))
        else:
            wanted[(offset,)] = (reason, replayed.tried.get(offset), replayed.settled.get(offset))
    return have, wanted


def _unlike(
    books: Books, table: str, have: Rows, wanted: Rows, key: Sequence[str], columns: Sequence[str]
) -> Iterator[Finding]:
    """What differs, in order of the keys; after that, what is missing."""
    if have == wanted:
        return
    differing = sorted(at for at in have if have[at] != wanted.get(at)) + sorted(wanted.keys() - have.keys())
    moved = _moved(have, wanted, key)
    for at in differing:
        row = have.get(at, wanted.get(at))
        assert row is not None
        names = {"partition": books.partition, **dict(zip(key, at, strict=True))}
        if table == "loan":
            names = dict(books.of(row[0]))
        if at not in have:
            yield Finding(table, names, "the row is missing: a fold of the log gives it", moved)
        elif at not in wanted:
            yield Finding(table, names, "a fold of the log gives no such row", moved)
        else:
            n = next(n for n, column in enumerate(columns) if have[at][n] != wanted[at][n])
            yield Finding(table, names, _said(columns[n], have[at][n], wanted[at][n]), columns[n])


def _moved(have: Rows, wanted: Rows, key: Sequence[str]) -> str | None:
    """The column of the key that was changed, where one row is too many and the same one is missing."""
    more, fewer = have.keys() - wanted.keys(), wanted.keys() - have.keys()
    if len(more) != 1 or len(fewer) != 1:
        return None
    (one,), (other,) = more, fewer
    columns = [column for column, a, b in zip(key, one, other, strict=True) if a != b]
    return columns[0] if len(columns) == 1 and have[one] == wanted[other] else None


def _said(column: str, said: Any, wanted: Any) -> str:
    if isinstance(said, bytes):
        return f"{column} is not what a fold of the log gives"
    return f"{column} is {said}, a fold of the log gives {wanted}"
