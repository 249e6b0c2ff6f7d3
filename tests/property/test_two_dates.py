"""Figures on two dates: what is folded as known on a date is what the books had then; periods add up."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lendlog.histories import History
from services.ledger.digest import canonical_state
from services.ledger.engine.account import NEVER, Loan
from services.ledger.engine.folding import fold
from services.ledger.engine.journal import JournalLine
from services.ledger.memory import MemoryBooks
from services.ledger.queries.reports import By, income_document, movements_document, movements_of
from services.ledger.queries.tallies import tally
from services.ledger.queries.two_dates import Dates, facts_at
from shared.money import minor_units
from tests.property.histories_of_entries import accounted
from tests.property.histories_of_servicing import LOAN, Life, Step, contracts, steps
from tests.property.test_fold import books_of


class Remembered(Life):
    """A life whose books are looked at when a date has been closed."""

    def __init__(self, terms: dict[str, Any]) -> None:
        self.booked: dict[str, date] = {}
        self.closed: dict[date, Loan] = {}
        super().__init__(terms)

    def take(self, kind: str, data: Any, *, subject: str = LOAN, effective: date | None = None) -> None:
        super().take(kind, data, subject=subject, effective=effective)
        for event_id in self.books.events.keys() - self.booked.keys():
            self.booked[event_id] = self.day

    def close(self) -> None:
        day = self.day
        super().close()
        self.closed[day] = self.loan

    def rows(self) -> list[dict[str, Any]]:
        """The loan's rows of `event`."""
        return [
            {
                "event_id": event_id,
                "offset": offset,
                "effective_date": effective,
                "booking_date": self.booked[event_id],
                "record": leaf,
            }
            for event_id, (offset, number, effective, leaf) in self.books.events.items()
            if number == self.loan.number
        ]


def lived(terms: dict[str, Any], life: list[Step]) -> Remembered:
    """A life until its first broken rule, and one date more."""
    found = Remembered(terms)
    for step in life:
        found.live(step)
        if found.broken:
            break
    found.close()
    return found


@settings(max_examples=120, deadline=None)
@given(terms=contracts(), life=steps)
def test_a_loan_as_known_on_a_date_is_the_one_that_the_books_had_when_it_was_closed(
    terms: dict[str, Any], life: list[Step]
) -> None:
    found = lived(terms, life)
    rows, closed = found.rows(), dict(found.closed)
    if found.broken:
        del closed[max(closed)]  # it is parked
    for day, had in closed.items():
        facts = facts_at(rows, Dates(day, found.day), found.rates)
        known, _ = fold(had.number, LOAN, facts, before=had.folded_to or day.toordinal() + 1)
        known.accruing, known.folded_to = had.accruing, had.folded_to
        assert canonical_state(known) == canonical_state(had)


Net = dict[tuple[int, int], int]


def net(lines: Iterable[tuple[int, int, int, int]]) -> Net:
    """Debits less credits by account and currency of (debit, credit, amount, currency)."""
    found: Net = defaultdict(int)
    for debit, credit, amount, currency in lines:
        found[debit, currency] += amount
        found[credit, currency] -= amount
    return {at: amount for at, amount in found.items() if amount}


@settings(max_examples=120, deadline=None)
@given(terms=contracts(), life=steps, pick=st.randoms(use_true_random=False))
def test_postings_up_to_two_dates_are_the_journal_of_the_loan_folded_on_them(
    terms: dict[str, Any], life: list[Step], pick: Any
) -> None:
    found = lived(terms, life)
    if found.broken:
        return
    rows, number = found.rows(), found.loan.number
    known = pick.choice(sorted(found.closed))
    effective = pick.choice([day for day in found.closed if day <= known])
    booked = net(
        (debit, credit, amount, currency)
        for loan, _, amount, value, at, _, debit, credit, currency, *_ in found.books.postings.values()
        if loan == number and at <= known and value <= effective
    )
    facts = facts_at(rows, Dates(known, effective), found.rates)
    _, journal = fold(number, LOAN, facts, before=effective.toordinal() + 1)
    if found.loan.refolds == NEVER:  # of one that re-folds, time is booked when it is next touched
        assert net(map(_sides, journal)) == booked


def _sides(line: JournalLine) -> tuple[int, int, int, int]:
    return line.debit, line.credit, line.amount, line.currency


def postings(books: MemoryBooks) -> list[dict[str, Any]]:
    """Rows of `posting`."""
    names = (
        "loan", "offset", "amount", "effective_date", "booking_date", "n", "debit", "credit", "currency", "partition",
        "open_from",
    )  # fmt: skip
    return [dict(zip(names, row, strict=True)) for row in books.postings.values()]


def date_of(row: Any, by: By) -> date:
    """The date of a posting by which a period holds it."""
    booked, value, since = row["booking_date"], row["effective_date"], row["open_from"]
    found: date = {"booking": booked, "value": value, "accounting": max(value, since)}[by]
    return found


def parts(rows: list[dict[str, Any]], opens: date, closes: date, by: By) -> list[dict[str, Any]]:
    """Which part of a period each posting belongs to, in plain words; those after it are left out."""
    found = []
    for row in rows:
        day = date_of(row, by)
        if day > closes:
            continue
        late = row["booking_date"] > closes if by == "value" else row["effective_date"] < opens
        found.append(row | {"part": "opening" if day < opens else "late" if late else "prompt"})
    return found


FIRST, DAYS = date(2025, 1, 1), 30


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 20),
    period=st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)),
    by=st.sampled_from(["booking", "value", "accounting"]),
)
def test_opening_and_movements_are_the_closing_and_the_next_opening(seed: int, period: tuple[int, int], by: By) -> None:
    rows = postings(books_of(accounted(History(seed=seed, loans=6, days=DAYS, partitions=1, trouble=2))))
    opens, closes = (FIRST + timedelta(days=n) for n in sorted(period))
    found = movements_of(parts(rows, opens, closes, by))
    before = tally(row for row in rows if date_of(row, by) < opens)
    through = tally(row for row in rows if date_of(row, by) <= closes)
    told = movements_document(found)
    assert told.keys() == through.keys()
    for code, one in told.items():
        assert minor_units(one["difference"], code) == 0
        for line in one["accounts"]:
            amounts = {name: signed(text, code) for name, text in line.items() if name not in ("code", "account")}
            assert amounts["opening"] + amounts["debit"] - amounts["credit"] == amounts["closing"]
            assert 0 <= amounts["late_debit"] <= amounts["debit"]
            assert 0 <= amounts["late_credit"] <= amounts["credit"]
        assert [signed(line["opening"], code) for line in one["accounts"]] == [
            (sides := before.get(code, {}).get(account, (0, 0)))[0] - sides[1] for account in through[code]
        ]
        assert [signed(line["closing"], code) for line in one["accounts"]] == [
            debit - credit for debit, credit in through[code].values()
        ]
    for code, one in income_document(found).items():
        moved = found.moved()[code]
        result = sum(credit - debit for account, (debit, credit) in moved.items() if account >= 4000)
        assert signed(one["result"], code) == result


def signed(text: str, code: str) -> int:
    """Decimal text with or without a sign in minor units."""
    return -minor_units(text[1:], code) if text.startswith("-") else minor_units(text, code)
