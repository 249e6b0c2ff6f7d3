"""What holds of the fold, whatever the history: balances are sums, order of arrival shows in booking dates only, a
parked loan misses nothing, and interest accrues to the unit."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lendlog.histories import History
from services.ledger.engine import accounts
from services.ledger.engine.account import INTEREST, Loan, decode_loan
from services.ledger.memory import MemoryBooks
from services.ledger.replay import note
from shared.streams.ports import Record
from shared.streams.replay import Holds
from tests.property.test_batches import TOPICS, log_of, troubled

FIRST = date(2025, 1, 1)
_numbers = iter(range(1, 1 << 40))


def event(kind: str, subject: str, data: Any, *, effective: date | None = None, event_id: str = "") -> dict[str, Any]:
    """An event of the log of record."""
    found = {
        "specversion": "1.0", "id": event_id or str(uuid.UUID(int=next(_numbers))), "source": "/test", "type": kind,
        "subject": subject, "time": "2025-01-01T00:00:00Z", "data": data,
    }  # fmt: skip
    return found | ({} if effective is None else {"effectivedate": effective.isoformat()})


def records(events: Iterable[dict[str, Any]]) -> list[Record]:
    """As they stand on one partition."""
    return [
        Record(TOPICS.lifecycle, 0, offset, 0, one["subject"].encode(), json.dumps(one).encode())
        for offset, one in enumerate(events)
    ]


def books_of(log: Sequence[Record]) -> MemoryBooks:
    """Folded, told of releases as a replay is."""
    holds = Holds()
    for record in log:
        note(record, holds)
    books = MemoryBooks(0, TOPICS, holds=holds.released, retried=holds.retried)
    for record in log:
        books.take(record)
    return books


def balances(books: MemoryBooks, loan: int) -> dict[int, int]:
    """Debits less credits by account, of one loan in its own currency."""
    found: dict[int, int] = defaultdict(int)
    for (number, _, _), (_, _, amount, _, _, _, debit, credit, *_) in books.postings.items():
        if number == loan:
            found[debit] += amount
            found[credit] -= amount
    return found


def states(books: MemoryBooks) -> list[Loan]:
    """Every loan's state."""
    return [decode_loan(state) for number, (_, state) in books.states.items() if number >= 0]


@settings(max_examples=15)
@given(seed=st.integers(0, 1 << 20))
def test_balances_are_the_sums_of_postings_and_postings_balance(seed: int) -> None:
    books = books_of(log_of(History(seed=seed, loans=6, days=30, partitions=1, trouble=1, valued_days=5)))
    for loan in states(books):
        found = balances(books, loan.number)
        assert sum(found.values()) == 0
        assert found[accounts.LOANS_RECEIVABLE] == loan.principal_outstanding >= 0
        assert found[accounts.INTEREST_RECEIVABLE] == loan.interest_fallen_unpaid() >= 0
        assert -found[accounts.OVERPAYMENT] == loan.overpaid >= 0
        assert -found[accounts.SUSPENSE] == sum(amount for _, _, amount, _ in loan.waiting) >= 0
        assert -found[accounts.UNEARNED_INTEREST] >= 0
    assert all(row[2] > 0 and row[6] != row[7] for row in books.postings.values())


terms = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["equal-instalment", "equal-principal"]),
        "annual_rate": st.sampled_from(["0", "0.01", "0.185", "0.99"]),
        "instalments": st.integers(1, 5),
        "every": st.integers(1, 9),
        "unit": st.just("day"),
        "day_count": st.sampled_from(["30/360", "actual/365"]),
        "allocation": st.sampled_from(["instalment-interest-principal", "due-interest-principal"]),
    }
)
payments = st.lists(st.tuples(st.integers(0, 40), st.integers(-20, 10), st.integers(1, 60_000)), max_size=12)
"""(day of arrival, value date less that, minor units)."""


def life(
    chosen: dict[str, Any], paid: Sequence[tuple[int, int, int]], *, loan: str = "L1", days: int = 60
) -> list[dict[str, Any]]:
    """A loan of 1,000.00 and every day of `days` closed."""
    full = chosen | {"principal": "1000.00", "currency": "CZK", "first_due_date": "2025-01-06"}
    found = [event("ledger.BookOpened.v1", "book", {"business_date": FIRST.isoformat()})]
    contract = {"borrower_id": "B1", "product": "p@1", "terms": full}
    found.append(event("origination.LoanContracted.v1", loan, contract))
    found.append(event("origination.LoanDisbursed.v1", loan, {"amount": "1000.00", "currency": "CZK"}))
    for n in range(days):
        day = FIRST + timedelta(days=n)
        for arrived, shift, amount in paid:
            if arrived == n:
                value = max(FIRST, day + timedelta(days=shift))
                money = {"amount": f"{amount // 100}.{amount % 100:02d}", "currency": "CZK"}
                found.append(event("ledger.PaymentReceived.v1", loan, money, effective=value))
        found.append(event("ledger.BusinessDateClosed.v1", "book", {"business_date": day.isoformat()}))
    return found


def journal(books: MemoryBooks) -> dict[tuple[Any, ...], int]:
    """What is booked of loans in all, by value date and account: who knew when is left out."""
    found: dict[tuple[Any, ...], int] = defaultdict(int)
    for (number, _, _), (_, _, amount, effective, _, _, debit, credit, *_) in books.postings.items():
        if number >= 0:
            found[effective, debit] += amount
            found[effective, credit] -= amount
    return {at: amount for at, amount in found.items() if amount}


def comparable(loan: Loan) -> dict[str, Any]:
    """A state without what tells the order of arrival."""
    names = set(Loan.__struct_fields__) - {"number", "as_of", "waiting", "last_key", "accruing"}
    return {name: getattr(loan, name) for name in names}


@settings(max_examples=60)
@given(chosen=terms, paid=payments)
def test_after_backdating_a_loan_is_what_its_facts_in_order_of_value_date_make_it(
    chosen: dict[str, Any], paid: list[tuple[int, int, int]]
) -> None:
    backdated = books_of(records(life(chosen, paid)))
    in_order = [(max(0, arrived + shift), 0, amount) for arrived, shift, amount in sorted(paid, key=lambda one: one[0])]
    prompt = books_of(records(life(chosen, sorted(in_order, key=lambda one: one[0]))))
    assert [comparable(loan) for loan in states(backdated)] == [comparable(loan) for loan in states(prompt)]
    assert journal(backdated) == journal(prompt)


@settings(max_examples=60)
@given(chosen=terms, paid=payments, parked_on=st.integers(0, 40), released_after=st.integers(0, 19))
def test_a_released_loan_is_the_one_that_was_never_parked_but_for_booking_dates(
    chosen: dict[str, Any], paid: list[tuple[int, int, int]], parked_on: int, released_after: int
) -> None:
    whole = life(chosen, paid)
    closings = [n for n, one in enumerate(whole) if "Closed" in one["type"]]
    first = next((n for n, one in enumerate(whole) if n > closings[parked_on] and one["subject"] == "L1"), None)
    if first is None:
        return
    at = max(first + 1, closings[min(parked_on + released_after, 59)] + 1)
    reason = "an engine that was mended"
    release = event(
        "ledger.ParkedLoanReleased.v1", "L1", {"first_held_offset": first, "held_reason": reason, "reason": "mended"}
    )
    parked = books_of(records([*whole[:at], release, *whole[at:]]))
    never = books_of(records(whole))
    assert sum(b"LoanUnparked" in (message.value or b"") for message in parked.messages) == 1
    assert not parked.hosted.intake.parked
    assert [comparable(loan) for loan in states(parked)] == [comparable(loan) for loan in states(never)]
    assert journal(parked) == journal(never)


@settings(max_examples=60)
@given(chosen=terms, paid=payments)
def test_once_every_instalment_has_fallen_due_accrued_interest_is_zero_to_the_unit(
    chosen: dict[str, Any], paid: list[tuple[int, int, int]]
) -> None:
    books = books_of(records(life(chosen, paid)))
    accrued = sum(
        amount * ((debit == accounts.ACCRUED_INTEREST) - (credit == accounts.ACCRUED_INTEREST))
        for _, _, amount, _, _, _, debit, credit, *_ in books.postings.values()
    )
    income = sum(
        amount * ((credit == accounts.INTEREST_INCOME) - (debit == accounts.INTEREST_INCOME))
        for _, _, amount, _, _, _, debit, credit, *_ in books.postings.values()
    )
    (loan,) = states(books)
    assert loan.fallen == len(loan.due)
    assert accrued == 0
    assert income == sum(loan.asked[INTEREST])
    for group in books.hosted.book.groups.values():
        assert (group.numerator, group.remainder) == (0, 0)


def test_what_a_troubled_history_accrues_is_income_once_everything_has_fallen_due() -> None:
    log = list(troubled(2))
    last = FIRST + timedelta(days=40)
    at = log[-1].offset
    for n in range(80):
        closing = event(
            "ledger.BusinessDateClosed.v1", "book", {"business_date": (last + timedelta(days=n)).isoformat()}
        )
        log.append(Record(TOPICS.lifecycle, 0, at + 1 + n, 0, b"book", json.dumps(closing).encode()))
    books = books_of(log)
    parked = books.hosted.intake.parked
    accrued = sum(
        amount * ((debit == accounts.ACCRUED_INTEREST) - (credit == accounts.ACCRUED_INTEREST))
        for _, _, amount, _, _, _, debit, credit, *_ in books.postings.values()
    )
    assert all(loan.fallen == len(loan.due) for loan in states(books) if loan.loan_id not in parked)
    if not any(loan.loan_id in parked and loan.fallen < len(loan.due) for loan in states(books)):
        assert accrued == 0
