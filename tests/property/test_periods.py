"""Manual entries and closed periods, whatever happens around them: what was closed stays, what is booked adds up, and
every host and audit of the fold says the same."""

import asyncio
import random
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lendlog.histories import History
from services.ledger.engine.account import GENERAL_NUMBER
from services.ledger.engine.accounts import INCOME_SUMMARY
from services.ledger.memory import MemoryBooks, digest_in_memory
from services.ledger.queries.reports import income_document, movements_document, movements_of, trial_balance_document
from services.ledger.queries.tallies import tally
from services.ledger.verify import CHECKS, first_finding
from services.ledger.verify.recomputed import NOTHING, Recomputed
from services.ledger.verify.tamper import World
from shared.merkle import canonical
from shared.streams.ports import Record
from tests.memory_store import MemoryStore
from tests.property.histories_of_entries import accounted
from tests.property.test_batches import TOPICS, run
from tests.property.test_tamper import books, rows_of
from tests.property.test_two_dates import date_of, parts, postings

DAYS = 40


def reports(rows: list[dict[str, Any]], opens: date, closes: date) -> tuple[Any, ...]:
    """Trial balance, movements and income statement of an accounting period."""
    found = movements_of(parts(rows, opens, closes, "accounting"))
    balance = trial_balance_document(tally(row for row in rows if date_of(row, "accounting") <= closes))
    return balance, movements_document(found), income_document(found)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_a_closed_period_tells_the_same_whatever_comes_later(seed: int) -> None:
    found, closed = MemoryBooks(0, TOPICS), {}
    for one in accounted(History(seed=seed, loans=6, days=DAYS, partitions=1, trouble=2)):
        before = dict(found.periods)
        found.take(one)
        for end in found.periods.keys() - before.keys():
            opens = max(before, default=date.min) + timedelta(days=1 if before else 0)
            closed[opens, end] = reports(postings(found), opens, end)
    rows = postings(found)
    for (opens, end), told in closed.items():
        assert reports(rows, opens, end) == told
    ends = [date.min, *sorted(found.periods), date.max]
    for start, end, following in zip(ends, ends[1:], ends[2:], strict=False):
        _, now, _ = reports(rows, start if start == date.min else start + timedelta(days=1), end)
        _, later, _ = reports(rows, end + timedelta(days=1), following)
        for code, one in now.items():
            opening = {line["account"]: line["opening"] for line in later[code]["accounts"]}
            assert {line["account"]: line["closing"] for line in one["accounts"]}.items() <= opening.items()


def test_most_of_what_an_accountant_does_happens_in_these_histories() -> None:
    found = [books_in_memory(seed) for seed in range(12)]
    general = [row for one in found for row in postings(one) if row["loan"] == GENERAL_NUMBER]
    adjusted = [row for one in found for row in postings(one) if row["open_from"] > row["effective_date"]]
    assert sum(len(one.periods) for one in found) > 12
    assert len(general) > 50
    assert len(adjusted) > 20
    years = [row for row in general if INCOME_SUMMARY in (row["debit"], row["credit"])]
    assert len(years) > 12
    assert all(row["open_from"] <= row["effective_date"] for row in general if row not in years)
    parked = [held for one in found for held in one.hosted.intake.parked.values()]
    for words in ("only the loans themselves move", "both made and approved", "in a period that is closed"):
        assert any(words in held.reason for held in parked), words
    assert any(b"PeriodClosed" in leaf for one in found for leaf in one.dead_letters.values())


@cache
def log(seed: int) -> Sequence[Record]:
    return accounted(History(seed=seed, loans=8, days=DAYS, partitions=1, trouble=1.5))


@cache
def books_in_memory(seed: int) -> MemoryBooks:
    found = MemoryBooks(0, TOPICS)
    for one in log(seed):
        found.take(one)
    return found


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 5),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    cached=st.sampled_from([0, 3, 1000]),
    restarts=st.integers(0, 1 << 30).map(random.Random),
)
def test_any_cut_gives_the_same_entries_and_periods(
    seed: int, sizes: list[int], cached: int, restarts: random.Random
) -> None:
    store, wanted = MemoryStore(0), books_in_memory(seed)
    asyncio.run(run(store, log(seed), sizes, restarts=restarts, cached_loans=cached))
    assert store.digest().result() == digest_in_memory([wanted])
    assert store.periods == wanted.periods
    assert store.derived() == [message.value or b"" for message in wanted.messages]


@pytest.mark.parametrize("seed", range(6))
def test_the_audit_finds_nothing_in_them(seed: int) -> None:
    leaves = [(one.offset, canonical(one)) for one in log(seed)]
    made = Recomputed(0, TOPICS, NOTHING, 1 << 30)
    made.fold(leaves, batch=11)
    of = World(1, rows_of(made, leaves), {0: leaves})
    audited = books(of, of.rows, leaves, {})
    assert {name: first_finding(check, audited) for name, check in CHECKS.items()} == dict.fromkeys(CHECKS)
