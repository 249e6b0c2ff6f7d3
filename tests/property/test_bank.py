"""Whatever statements say and people decide: money is in the books once, suspense is what nobody matched, and the daily
check accounts for every cent."""

from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.bank.assigning import Part, to_loans, to_outside, to_suspense
from services.ledger.bank.cash_check import cash_check
from services.ledger.bank.refusals import DoesNotAddUp, MoneyWentOut, NothingToTakeBack, ReturnStands
from services.ledger.bank.state import signed_minor
from services.ledger.commands import PaymentAlreadyReversed
from services.ledger.engine.accounts import SUSPENSE
from services.ledger.memory import MemoryBooks, digest_in_memory
from shared.money import decimal_text, minor_units
from tests.unit.ledger.bank.samples import TOPICS, House, camt, entry

REFUSED = (DoesNotAddUp, MoneyWentOut, NothingToTakeBack, PaymentAlreadyReversed, ReturnStands)
AMOUNTS = st.sampled_from([100, 1_700, 10_000, 20_000])
LOANS = st.sampled_from(["loan-1", "loan-2", "nobody"])
DAYS = st.sampled_from(["2024-02-05", "2024-02-20", "2024-02-27"])
PAYMENTS = st.lists(st.tuples(LOANS, AMOUNTS, DAYS, st.sampled_from([None, "receipt/77", "receipt/78"])), max_size=4)
LINES = st.lists(
    st.tuples(
        AMOUNTS,
        st.booleans(),
        st.booleans(),
        st.sampled_from(["", "loan-1", "LOAN-2", "loan-1 loan-2", "receipt/77"]),
    ),
    max_size=5,
)
DECISIONS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["match", "split", "unmatch", "outside"]), LOANS, LOANS), max_size=6
)


def plan(house: House, line: Any, what: str, one: str, other: str) -> list[Any]:
    after = house.state().last_event
    assert after is not None
    if what == "match":
        return to_loans(line, [Part(one, line.amount)], "told", after)
    if what == "split":
        return to_loans(line, [Part(one, 40), Part(other, line.amount - 40)], "told", after)
    return to_suspense(line, "told", after) if what == "unmatch" else to_outside(line, "told", after)


@settings(max_examples=50)
@given(PAYMENTS, st.lists(LINES, min_size=1, max_size=2), DECISIONS)
def test_money_is_in_the_books_once_whatever_people_decide(
    payments: list[Any], statements: list[Any], decisions: list[Any]
) -> None:
    house = House()
    house.lend("loan-1")
    house.lend("loan-2")
    house.close_through("2024-02-27")
    for n, (loan_id, amount, day, reference) in enumerate(payments):
        house.pay(loan_id, decimal_text(amount + n, "EUR"), day, reference)
    closing = 500_000
    for number, lines in enumerate(statements, start=1):
        opening, closing = closing, closing + sum(-a if out else a for a, out, _, _ in lines)
        entries = [
            entry(
                ("-" if out else "") + decimal_text(amount, "EUR"),
                text=text,
                returned=returned and out,
                bank=f"B-{number}-{n}",
            )
            for n, (amount, out, returned, text) in enumerate(lines)
        ]
        opened, closed = decimal_text(opening, "EUR"), decimal_text(closing, "EUR")
        content = camt(*entries, opening=opened, closing=closed, number=number)
        house.take(content)
        assert house.take(content) == []
    for index, what, one, other in decisions:
        if lines_now := list(house.state().lines.values()):
            try:
                house.record(*plan(house, lines_now[index % len(lines_now)], what, one, other))
            except REFUSED:
                continue
    holds(house)


def holds(house: House) -> None:
    state, facts = house.state(), house.facts()
    for line in state.lines.values():
        made = [one for one in line.allocations if one.made]
        if made:
            assert sum(signed_minor(one.amount, "EUR") for one in made) == line.amount
        for one in line.allocations:
            assert facts[one.event_id].loan_id == one.loan_id
    assert not house.books.hosted.intake.parked
    waiting = [row for row in house.books.postings.values() if SUSPENSE in (row[6], row[7])]
    suspense = sum(row[2] if row[7] == SUSPENSE else -row[2] for row in waiting)
    unmatched = [one for line in state.lines.values() for one in line.allocations if not one.loan_id.startswith("loan")]
    others = [fact for fact in facts.values() if fact.loan_id == "nobody" and fact.event_id not in state.linked()]
    mine = sum(signed_minor(one.amount, "EUR") for one in unmatched if one.made)
    linked = sum(signed_minor(one.amount, "EUR") for one in unmatched if not one.made)
    assert suspense == mine + linked + sum(fact.amount for fact in others)
    euro = cash_check(house.sources(), date(2024, 2, 28), 5)["currencies"]["EUR"]
    items = [item for item in euro["items"] if item["kind"] != "log"]
    assert len(items) == len(euro["items"]), "books and log differ"
    assert sum(_minor(item["amount"]) for item in items) == _minor(euro["difference"])
    again = MemoryBooks(0, TOPICS)
    for record in house.records:
        again.take(record)
    assert digest_in_memory([again]) == house.digest()


def _minor(text: str) -> int:
    minor = minor_units(text.lstrip("-"), "EUR")
    return -minor if text.startswith("-") else minor
