"""What a person says of a line: match, split, unmatch, outside; and that the money is always somewhere, once."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.ledger.bank import refusals
from services.ledger.bank.assigning import Part, to_fact, to_facts, to_loans, to_outside, to_suspense
from services.ledger.bank.facts import standing
from services.ledger.commands.model import Command
from services.ledger.engine.account import decode_loan
from services.ledger.engine.accounts import CASH, SUSPENSE
from shared.errors import Refusal
from tests.unit.ledger.bank.samples import House, camt, entry

WHY = "told by the payer"


@pytest.fixture
def house() -> House:
    """17.00 that fits nothing, and 9.50 that the bank took."""
    house = House()
    house.lend("loan-1")
    house.lend("loan-2")
    house.close_through("2024-02-28")
    house.take(camt(entry("17.00", value="2024-02-20"), entry("-9.50", bank="B-2"), closing="5007.50"))
    return house


def last(house: House) -> str:
    found = house.state().last_event
    assert found is not None
    return found


def assign(house: House, n: int, *parts: tuple[str, int]) -> Sequence[Any]:
    return house.record(*to_loans(house.line(n), [Part(*part) for part in parts], WHY, last(house)))


def balance(house: House, account: int) -> int:
    rows = house.books.postings.values()
    return sum(row[2] for row in rows if row[6] == account) - sum(row[2] for row in rows if row[7] == account)


def principal(house: House, loan_id: str) -> int:
    return next(decode_loan(raw) for name, raw in house.books.states.values() if name == loan_id).principal_outstanding


def test_a_match_moves_the_money_out_of_suspense_to_its_loan(house: House) -> None:
    cash = balance(house, CASH)
    assert balance(house, SUSPENSE) == -1_700
    assign(house, 1, ("loan-1", 1_700))
    assert (balance(house, CASH), balance(house, SUSPENSE)) == (cash, 0)
    payment = house.events("loan-1")[-1]
    assert str(payment.effectivedate) == "2024-02-20", "it counts from the day on which it came"
    assert (house.line(1).outcome, house.line(1).revision, house.line(1).reason) == ("assigned", 1, WHY)
    assert principal(house, "loan-1") == 118_300


def test_a_split_is_several_payments_that_add_up_and_can_be_undone(house: House) -> None:
    cash = balance(house, CASH)
    assign(house, 1, ("loan-1", 1_000), ("loan-2", 700))
    assert [(one.loan_id, one.amount) for one in house.line(1).allocations] == [("loan-1", "10.00"), ("loan-2", "7.00")]
    assert (principal(house, "loan-1"), principal(house, "loan-2")) == (119_000, 119_300)
    assign(house, 1, ("loan-2", 1_700))
    assert (principal(house, "loan-1"), principal(house, "loan-2")) == (120_000, 118_300)
    house.record(*to_suspense(house.line(1), "it was not theirs", last(house)))
    assert (principal(house, "loan-1"), principal(house, "loan-2")) == (120_000, 120_000)
    assert (balance(house, CASH), balance(house, SUSPENSE), house.line(1).outcome) == (cash, -1_700, "unmatched")


def test_two_parts_for_one_loan_are_two_payments(house: House) -> None:
    assign(house, 1, ("loan-1", 1_000), ("loan-1", 700))
    assert len({one.event_id for one in house.line(1).allocations}) == 2
    assert principal(house, "loan-1") == 118_300


def test_saying_the_same_again_changes_nothing(house: House) -> None:
    assert len(assign(house, 1, ("loan-1", 1_700))) == 3
    assert assign(house, 1, ("loan-1", 1_700)) == []


def test_a_line_is_a_payment_that_the_books_have(house: House) -> None:
    payment = house.pay("loan-1", "17.00", "2024-02-01")
    commands = to_fact(
        house.line(1), standing(house.facts().values())[payment], house.state().linked(), WHY, last(house)
    )
    house.record(*commands)
    assert [one.event_id for one in house.line(1).allocations] == [payment]
    assert balance(house, SUSPENSE) == 0
    assert to_fact(house.line(1), house.facts()[payment], house.state().linked(), WHY, last(house)) == []


def test_a_line_is_several_payments_that_the_books_have_and_that_add_up_to_it(house: House) -> None:
    cash = balance(house, CASH)
    paid = [house.pay("loan-1", "10.00", "2024-02-26", "N-1"), house.pay("loan-2", "7.00", "2024-02-27", "N-2")]
    facts = [house.facts()[one] for one in paid]
    house.record(*to_facts(house.line(1), facts, house.state().linked(), WHY, last(house)))
    assert [(one.event_id, one.made) for one in house.line(1).allocations] == [(paid[0], False), (paid[1], False)]
    assert (balance(house, CASH), balance(house, SUSPENSE)) == (cash, 0), "the cash is there once"
    assert to_facts(house.line(1), facts, house.state().linked(), WHY, last(house)) == []
    linked = house.state().linked()
    assert wrong(lambda: to_facts(house.line(1), facts[:1], linked, WHY, last(house))) is refusals.UnknownFact
    assert wrong(lambda: to_facts(house.line(1), facts[:1], frozenset(), WHY, last(house))) is refusals.DoesNotAddUp
    assert wrong(lambda: to_facts(house.line(2), facts, frozenset(), WHY, last(house))) is refusals.MoneyWentOut


def test_a_payment_that_a_line_only_stood_for_is_not_taken_back(house: House) -> None:
    receipt = house.pay("loan-1", "17.00", "2024-02-01")
    house.record(*to_fact(house.line(1), house.facts()[receipt], frozenset(), WHY, last(house)))
    house.record(*to_suspense(house.line(1), "it was another receipt", last(house)))
    assert principal(house, "loan-1") == 118_300
    assert balance(house, SUSPENSE) == -1_700


def test_money_out_is_a_return_that_the_bank_did_not_call_one(house: House) -> None:
    payment = house.pay("loan-1", "9.50", "2024-02-01")
    house.record(*to_fact(house.line(2), house.facts()[payment], frozenset(), WHY, last(house)))
    assert (house.line(2).outcome, principal(house, "loan-1")) == ("returned", 120_000)
    with pytest.raises(refusals.ReturnStands):
        to_suspense(house.line(2), WHY, last(house))


def test_what_is_none_of_the_books_business_leaves_suspense(house: House) -> None:
    house.record(*to_outside(house.line(2), "the bank's fee", last(house)))
    house.record(*to_outside(house.line(1), "capital from the owner", last(house)))
    assert [house.line(n).outcome for n in (1, 2)] == ["outside", "outside"]
    assert balance(house, SUSPENSE) == 0
    assert to_outside(house.line(1), WHY, last(house)) == []
    house.record(*to_suspense(house.line(1), WHY, last(house)))
    assert balance(house, SUSPENSE) == -1_700


def wrong(commands: Any) -> type[Refusal]:
    with pytest.raises(Refusal) as refused:
        commands()
    return type(refused.value)


def test_what_cannot_be_is_refused_by_name(house: House) -> None:
    one, two, after = house.line(1), house.line(2), last(house)
    payment = house.pay("loan-1", "17.00", "2024-02-01")
    facts, linked = house.facts(), house.state().linked()

    def loans(line: Any, *parts: tuple[str, int]) -> list[Command]:
        return to_loans(line, [Part(*part) for part in parts], WHY, after)

    assert wrong(lambda: loans(one, ("loan-1", 1_000), ("loan-2", 699))) is refusals.DoesNotAddUp
    assert wrong(lambda: loans(one, ("loan-1", 1_800), ("loan-2", -100))) is refusals.DoesNotAddUp
    assert wrong(lambda: loans(two, ("loan-1", 950))) is refusals.MoneyWentOut
    assert wrong(lambda: to_suspense(one, WHY, after)) is refusals.NothingToTakeBack
    assert wrong(lambda: to_suspense(two, WHY, after)) is refusals.NothingToTakeBack
    assert wrong(lambda: to_fact(one, None, linked, WHY, after)) is refusals.UnknownFact
    assert wrong(lambda: to_fact(one, facts[payment], linked | {payment}, WHY, after)) is refusals.UnknownFact
    assert wrong(lambda: to_fact(two, facts[payment], linked, WHY, after)) is refusals.UnknownFact
