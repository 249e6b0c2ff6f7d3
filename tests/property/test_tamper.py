"""Whatever is changed in the books or on the log, the audit names it; in books that nobody touched it finds nothing."""

import json
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lendlog.histories import History
from services.ledger.proofs.heads_check import SignedHeads
from services.ledger.store.set_aside import date_of
from services.ledger.verify import CHECKS, first_finding
from services.ledger.verify.columns import TABLES
from services.ledger.verify.examined import Named, named
from services.ledger.verify.of_heads import compared, heads_are_beginnings
from services.ledger.verify.recomputed import NOTHING, Recomputed, Told, told_by
from services.ledger.verify.rows import Books, Finding, Mark
from services.ledger.verify.tables import SMALL, tables_of
from services.ledger.verify.tamper import Log, Mutant, World, applied, mutant
from shared.checkpoint import Checkpoint, origin_of, sign_checkpoint
from shared.key_rotation import accepted_keys
from shared.merkle import Tree, canonical, leaf_hash, record_of
from shared.signed_note import SigningKey
from shared.streams.intake import Hold
from shared.streams.outbox_rows import pack
from shared.streams.ports import Record
from tests.property.histories_of_servicing import LOAN, Life, Step, contracts, steps
from tests.property.test_batches import TOPICS, log_of

BOOK = "lendlog.dev/ledger/4f0c2b9a1d3e5f60"
KEY = SigningKey.generate(BOOK)
DAYS = 40
FIRST = date(2025, 1, 1)


def rows_of(made: Recomputed, log: Log, closing: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """The tables that a worker would have written; `closing`: the offset of a closing under way."""
    leaves, tree = dict(log), Tree()
    tree.append(leaf_hash(leaf) for _, leaf in log)
    at = {"partition": 0}
    messages = list(made.messages)
    shares = [messages[n : n + 40] for n in range(0, len(messages), 40)]
    last = log[-1][0]
    following = last + 1 if closing is None else closing
    position = at | {
        "epoch": 1, "next_offset": following, "resume_loan": made.resume, "last_offset": last,
        "last_leaf": leaf_hash(leaves[last]), "tree_size": tree.size, "tree_frontier": tree.frontier(),
        "open_date": made.open_date, "events": made.accepted, "duplicates": made.duplicates,
        "holes": following - len(log), "outbox_next": 5 + len(shares), "halted": None,
    }  # fmt: skip
    return {
        "position": [position],
        "relay": [at | {"outbox_mark": 5, "snapshot_mark": 0}],
        "event": [
            at | {
                "offset": offset, "event_id": uuid.UUID(event_id), "loan": loan, "effective_date": effective,
                "booking_date": booked, "record": leaves[offset],
            }
            for offset, (event_id, loan, effective, booked) in made.events.items()
        ],
        "posting": [
            at | {
                "loan": loan, "offset": offset, "n": n, "debit": debit, "credit": credit, "amount": amount,
                "currency": currency, "effective_date": effective, "booking_date": booked, "open_from": since,
            }
            for (loan, offset, n), (debit, credit, amount, currency, effective, booked, since) in made.postings.items()
        ],
        "loan": [
            at | {
                "loan": number, "loan_id": loan_id, "next_action": action, "as_of": last if as_of is None else as_of,
                "state": state,
            }
            for number, (loan_id, action, as_of, state) in made.states.items()
        ],
        "parked_loan": [
            at | {"loan_id": p.loan_id, "first_offset": p.first_offset, "reason": p.reason, "since": date_of(p.since)}
            for p in made.parked_loans.values()
        ],
        "parked_event": [
            at | {
                "offset": h.offset, "loan_id": h.loan_id, "event_id": uuid.UUID(h.event_id),
                "arrived": date_of(h.arrived), "record": h.leaf,
            }
            for h in made.parked_events.values()
        ],
        "suspense": [
            at | {
                "offset": offset, "loan": loan, "event_id": uuid.UUID(event_id), "amount": amount, "currency": currency
            }
            for loan, waiting in made.suspense.items()
            for offset, event_id, amount, currency in waiting
        ],
        "dead_letter": [
            at | {
                "offset": offset, "reason": reason, "record": leaves[offset], "tried_at": made.tried.get(offset),
                "settled_by": uuid.UUID(made.settled[offset]) if offset in made.settled else None,
            }
            for offset, reason in made.dead_letters.items()
        ],
        "conflict": [
            at | {"offset": offset, "event_id": uuid.UUID(event_id), "record": leaves[offset]}
            for offset, event_id in made.conflicts.items()
        ],
        "reference_rate": [
            at | {"offset": offset, "rate_index": index, "from_date": since, "annual_rate": rate}
            for offset, (index, since, rate) in made.rates.items()
        ],
        "outbox": [at | {"sequence": 5 + n, "messages": pack(share)} for n, share in enumerate(shares)],
        "closed_period": [at | {"period_end": end, "offset": offset} for end, offset in made.periods.items()],
    }  # fmt: skip


PROPOSED = {
    "value_date": (FIRST + timedelta(days=20)).isoformat(), "reason": "bank statement", "maker": "ann",
    "lines": [{"debit": "bank-charges", "credit": "cash", "amount": "12.50", "currency": "EUR"}],
}  # fmt: skip


def approved(entry_id: str) -> dict[str, Any]:
    """The approval of PROPOSED."""
    return {name: PROPOSED[name] for name in ("lines", "reason", "maker")} | {"entry_id": entry_id, "checker": "bob"}


def closed_to(end: date) -> dict[str, Any]:
    """The close of a period."""
    return {"period_end": end.isoformat(), "closed_by": "ann"}


def told_later(log: list[Record], made: Recomputed) -> list[Record]:
    """Two periods closed, manual entries between, releases of half of what is parked, a retry and a replacement of what
    is dead, and another closing."""
    start = log[-1].offset + 1
    loan_id = next(one for _, (one, *_) in sorted(made.states.items(), reverse=True) if one not in made.parked_loans)
    data: list[tuple[str, str, Any]] = [("ledger.PeriodClosed.v1", "book", closed_to(FIRST + timedelta(days=9)))]
    for subject in ("general-ledger", loan_id):
        entry_id = str(uuid.UUID(int=start + len(data)))
        data.append(("ledger.JournalEntryProposed.v1", subject, PROPOSED))
        data.append(("ledger.JournalEntryApproved.v1", subject, approved(entry_id)))
    data.append(("ledger.PeriodClosed.v1", "book", closed_to(FIRST + timedelta(days=29))))
    for p in sorted(made.parked_loans.values())[::2]:
        about = {"first_held_offset": p.first_offset, "held_reason": p.reason, "reason": "looked at"}
        data.append(("ledger.ParkedLoanReleased.v1", p.loan_id, about))
    for offset, more in zip(sorted(made.dead_letters), ({"replaced_by": str(uuid.UUID(int=7))}, {}), strict=False):
        data.append(("ledger.DeadLetterRetried.v1", "book", {"dead_offset": offset, "reason": "mended", **more}))
    day = FIRST + timedelta(days=DAYS)
    data.append(("ledger.BusinessDateClosed.v1", "book", {"business_date": day.isoformat()}))
    out = []
    for n, (kind, subject, about) in enumerate(data):
        event = {
            "specversion": "1.0", "id": str(uuid.UUID(int=start + n)), "source": "/test", "type": kind,
            "subject": subject, "time": "2025-01-01T00:00:00Z", "data": about,
        } | ({"effectivedate": PROPOSED["value_date"]} if "checker" in about else {})  # fmt: skip
        out.append(Record(TOPICS.lifecycle, 0, start + n, 0, subject.encode(), json.dumps(event).encode()))
    return out


@cache
def world(seed: int) -> World:
    """Troubled books of one partition, in which every table has rows."""
    records = log_of(History(seed=seed, loans=12, days=DAYS, partitions=1, first_day=FIRST, trouble=2.0, valued_days=9))
    first = Recomputed(0, TOPICS)
    first.fold([(record.offset, canonical(record)) for record in records])
    log = [(one.offset, canonical(one)) for one in (*records, *told_later(records, first))]
    made = Recomputed(0, TOPICS, NOTHING, 1 << 30)
    made.fold(log, batch=7)
    return World(1, rows_of(made, log), {0: log})


def key_of(table: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """In which order the database gives a table's rows."""
    return lambda row: tuple(row[name] for name in TABLES[table].key)


def books(of: World, rows: Mapping[str, Sequence[Any]], log: Log, folds: dict[Any, Any]) -> Books:
    """As the audit reads them."""
    held = {table: {row["partition"] for row in rows[table]} for table in SMALL}
    mine = {table: [row for row in held if row["partition"] == 0] for table, held in rows.items()}
    tables = tables_of({table: sorted(mine[table], key=key_of(table)) for table in mine})
    end = tables.position["next_offset"]
    below = log if log[-1][0] < end else [one for one in log if one[0] < end]
    return Books(0, of.partitions, tables, below, prefix="", held=held, folds=folds)


@cache
def untouched(seed: int) -> Books:
    """The books as they are, with their fold."""
    of = world(seed)
    made = books(of, of.rows, of.logs[0], {})
    assert {name: first_finding(check, made) for name, check in CHECKS.items()} == dict.fromkeys(CHECKS)
    return made


def audited(seed: int, one: Mutant) -> Named | None:
    """What the audit says of the mutant."""
    of, honest = world(seed), untouched(seed)
    log = of.logs[0] if one.log is None else one.log
    made = books(of, applied(of.rows, one), log, {})
    same = log is of.logs[0] and made.log is log and made.tables.position["resume_loan"] is None
    return named(one, [books(of, applied(of.rows, one), log, honest.folds if same else {})])


@pytest.mark.parametrize("seed", range(3))
def test_honest_books_pass_every_check(seed: int) -> None:
    untouched(seed)
    assert [table for table, rows in world(seed).rows.items() if not rows] == []


def honest(made: Recomputed, log: Log, following: tuple[int, bytes] | None = None) -> None:
    """The audit finds nothing in the tables of this fold."""
    rows = rows_of(made, log, following and following[0])
    read = books(World(1, rows, {0: log}), rows, log, {})
    read.following = following and following[1]
    assert {name: first_finding(check, read) for name, check in CHECKS.items()} == dict.fromkeys(CHECKS)


def test_books_that_a_replay_filled_pass_every_check() -> None:
    log, plain = world(0).logs[0], Recomputed(0, TOPICS)
    plain.fold(log)
    told = told_by(log, untouched(0).tables, plain)
    assert told.holds
    assert told.retried
    made = Recomputed(0, TOPICS, told, 1 << 30)
    made.fold(log, batch=50)
    assert made.dead_letters.keys() == plain.dead_letters.keys()
    honest(made, log)


def test_what_an_earlier_version_has_set_aside_passes_every_check() -> None:
    log, plain = world(0).logs[0], Recomputed(0, TOPICS)
    plain.fold(log)
    offset, (_, number, _, _) = next(item for item in sorted(plain.events.items(), reverse=True) if item[1][1])
    loan_id = plain.states[number or 0][0]
    made = Recomputed(0, TOPICS, Told({Hold(offset, loan_id, None): "not understood then"}), 1 << 30)
    made.fold(log)
    assert made.parked_loans[loan_id].reason == "not understood then"
    honest(made, log)


def test_a_closing_under_way_passes_every_check() -> None:
    log = world(0).logs[0]
    seen = 0
    for n, (offset, leaf) in enumerate(log):
        if b"BusinessDateClosed" not in leaf:
            continue
        whole, before = Recomputed(0, TOPICS), Recomputed(0, TOPICS, NOTHING, 1 << 30)
        before.fold(log[:n])
        whole.fold(log[: n + 1])
        closed = sorted(number for number, state in whole.states.items() if number >= 0 and state[2] == offset)
        if len(closed) > 1:
            seen += 1
            before.close_up_to(offset, leaf, closed[0])
            assert before.resume == closed[0]
            honest(before, log[:n], (offset, leaf))
    assert seen


def signed(log: Log, *sizes: int, key: SigningKey = KEY) -> SignedHeads:
    """Heads of a log, as the notary signs them."""
    notes = []
    for size in sizes:
        tree = Tree()
        tree.append(leaf_hash(leaf) for _, leaf in log[:size])
        notes.append(sign_checkpoint(Checkpoint(origin_of(BOOK, 0), size, tree.root()), key))
    return SignedHeads({0: notes}, accepted_keys(KEY.verifier(), []))


def refolded(log: Log, heads: SignedHeads | None, mark: Mark | None = None) -> Books:
    """Books that were made of this log, in which nothing contradicts it."""
    made = Recomputed(0, TOPICS, NOTHING, 1 << 30)
    made.fold(log, batch=7)
    rows = rows_of(made, log)
    read = books(World(1, rows, {0: log}), rows, log, {})
    read.signed, read.mark = heads, mark
    return read


def findings(read: Books) -> dict[str, Finding]:
    """What the checks say."""
    return {name: found for name, check in CHECKS.items() if (found := first_finding(check, read)) is not None}


def test_a_log_that_was_signed_and_rewritten_with_all_its_books_is_named() -> None:
    log = world(0).logs[0]
    n = next(n for n, (_, leaf) in enumerate(log) if b"PaymentReceived" in leaf and n > 10)
    heads = signed(log, 5, n, n + 1, len(log))
    assert findings(refolded(log, heads)) == {}
    paid = record_of(log[n][1], TOPICS.lifecycle)
    event = json.loads(paid.value or b"")
    event["data"]["amount"] = "0.01"
    less = canonical(replace(paid, value=json.dumps(event).encode()))
    rewritten = [*log[:n], (log[n][0], less), *log[n + 1 :]]
    assert findings(refolded(rewritten, None)) == {}, "it agrees with itself"
    found = findings(refolded(rewritten, heads))
    assert found.keys() == {"signed-heads"}
    assert found["signed-heads"].key == {"partition": 0, "size": n + 1}
    assert "are not those that were signed" in found["signed-heads"].problem
    shortened = findings(refolded(log[:-3], heads))
    assert shortened.keys() == {"signed-heads"}
    assert shortened["signed-heads"].problem == f"a head of {len(log)} records was signed, the log has {len(log) - 3}"


def test_a_head_that_somebody_else_signed_is_named() -> None:
    log = world(0).logs[0]
    forged = signed(log, 5, key=SigningKey.generate(BOOK))
    assert findings(refolded(log, forged))["signed-heads"].key == {"partition": 0, "size": 5}


def test_an_audit_of_what_came_since_holds_it_against_the_heads_since() -> None:
    log = world(0).logs[0]
    before = Tree()
    before.append(leaf_hash(leaf) for _, leaf in log[:20])
    mark = Mark(log[20][0], log[19][0], leaf_hash(log[19][1]), before.size, before.frontier())
    for heads, bad in ((signed(log, 5, 30), []), (signed([*log[:25], log[0]], 5, 26), [26])):
        since = Books(0, 1, untouched(0).tables, log[20:], mark=mark, signed=heads)
        assert [found.key["size"] for found in heads_are_beginnings(since)] == bad
        assert len(compared(since)) == 1


class Recorded(Life):
    """A life whose records are kept."""

    def take(self, kind: str, data: Any, *, subject: str = LOAN, effective: date | None = None) -> None:
        """Fold a record, and keep it."""
        record = self.record(kind, data, subject=subject, effective=effective)
        self.records = [*getattr(self, "records", []), record]
        super().take(kind, data, subject=subject, effective=effective)


@settings(max_examples=150)
@given(contracts(), steps, st.integers(1, 40))
def test_whatever_happens_to_a_loan_the_audits_fold_is_the_books(
    terms: dict[str, Any], todo: list[Step], batch: int
) -> None:
    life = Recorded(terms)
    for step in () if life.broken else todo:
        life.live(step)
        if life.broken:
            break
    made = Recomputed(0, TOPICS)
    made.fold([(record.offset, canonical(record)) for record in life.records], batch=batch)
    kept = {(p[0], p[1], p[5]): (p[6], p[7], p[2], p[8], p[3], p[4], p[10]) for p in life.books.postings.values()}
    assert made.postings == kept
    assert {number: (row[0], row[3]) for number, row in made.states.items()} == life.books.states
    assert {offset: (row[0], row[1], row[2]) for offset, row in made.events.items()} == {
        event[0]: (event_id, event[1], event[2]) for event_id, event in life.books.events.items()
    }


@settings(max_examples=600)
@given(st.integers(0, 2), st.integers(0, 1 << 32))
def test_every_mutant_is_named(seed: int, draw: int) -> None:
    one = mutant(world(seed), random.Random(draw))
    found = audited(seed, one)
    assert found is not None, f"{one.kind} of {one.table}.{one.column} is not named: {one.removed} → {one.added}"
