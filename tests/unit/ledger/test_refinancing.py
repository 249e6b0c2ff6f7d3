"""A new loan pays off an old one: two facts that meet in refinancing clearing, and stand or fall together."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from services.ledger.api import bodies
from services.ledger.api.servicing_bodies import NewRefinancing
from services.ledger.commands import model, other_side, refinance, refusals
from services.ledger.commands import refinancing as rules
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.engine import accounts as chart
from services.ledger.engine.account import SETTLED
from services.ledger.engine.facts import DisbursementFact, Fact, ServicingFact
from services.ledger.engine.folding import fold
from services.ledger.engine.payoff import payoff
from services.ledger.fact_reading import facts_of
from services.ledger.memory import MemoryBooks
from services.ledger.messages import Topics
from services.ledger.verify.of_refinancing import Refinancings, Side, one_sided
from shared.errors import InvariantBroken, Refusal
from shared.events import servicing
from shared.events.envelope import Envelope, new_event_id
from shared.events.origination import Contract, Settlement
from shared.events.terms import Terms
from shared.money import decimal_text
from shared.partitioner import partition_for
from shared.streams.ports import Record
from tests.property.test_batches import TOPICS

OPEN = date(2025, 3, 10)
STAMP = Stamp("2025-03-10T10:00:00.000000Z")
TERMS: dict[str, Any] = {
    "kind": "equal-instalment", "principal": "900.00", "currency": "EUR", "annual_rate": "0.12", "instalments": 3,
    "first_due_date": "2025-02-01",
}  # fmt: skip
NEW: dict[str, Any] = {"principal": "2000.00", "first_due_date": "2025-04-01"}


def contract(loan_id: str, borrower: str = "b-1", **changes: Any) -> model.ConcludeContract:
    terms = Terms.model_validate(TERMS | changes)
    return model.ConcludeContract(loan_id, Contract(borrower_id=borrower, product="p@1", terms=terms), new_event_id())


PAID_OUT = model.Disburse("old", "900.00", "EUR", date(2025, 1, 1), new_event_id())


class Two:
    """An old and a new loan, their guards and their events."""

    def __init__(self, *commands: model.Command) -> None:
        self.guards = Guards(OPEN)
        self.events: list[Envelope] = []
        for command in commands:
            self.book(command)

    def book(self, *commands: model.Command) -> None:
        for command in commands:
            self.events.append(decide(command, self.guards, partitions=1, stamp=STAMP)[0])
            evolve(command, self.guards)

    def facts(self, loan_id: str) -> list[Fact]:
        mine = [event for event in self.events if event.subject == loan_id]
        dated = ((n, (event.effectivedate or OPEN).toordinal(), event) for n, event in enumerate(mine))
        return facts_of(dated, {})

    def owed(self, on: date = OPEN) -> str:
        return decimal_text(payoff("old", self.facts("old"), on=on.toordinal()).total, "EUR")


def started(**changes: Any) -> Two:
    return Two(contract("old"), PAID_OUT, contract("new", **NEW | changes))


def refinancing(payoff: str, amount: str = "2000.00", **changes: Any) -> Any:
    given = {"amount": amount, "payoff": payoff, "currency": "EUR", "on": None, "event_id": new_event_id()}
    return refinance("new", "old", **given | changes)


def booked(two: Two) -> Counter[str]:
    sums: Counter[str] = Counter()
    for loan_id in ("old", "new"):
        for line in fold(0, loan_id, two.facts(loan_id), before=OPEN.toordinal())[1]:
            sums[chart.NAMES[line.debit]] += line.amount
            sums[chart.NAMES[line.credit]] -= line.amount
    return sums


@pytest.mark.parametrize("changes", [{}, {"upfront_fees": [{"name": "arrangement", "share": "0.01"}]}])
def test_the_old_loan_is_settled_the_rest_is_cash_and_clearing_is_zero(changes: dict[str, Any]) -> None:
    two = started(**changes)
    owed = two.owed()
    before = booked(two)
    two.book(*refinancing(owed))
    after = booked(two)
    assert fold(0, "old", two.facts("old"), before=OPEN.toordinal())[0].status == SETTLED
    assert after["refinancing-clearing"] == 0
    fees = 2_000 if changes else 0
    assert before["cash"] - after["cash"] == 200_000 - int(owed.replace(".", "")) - fees
    assert any(line.debit == chart.REFINANCING_CLEARING for line in fold(0, "old", two.facts("old"), before=1)[1])


def test_new_money_for_a_loan_of_originations_goes_through_origination_which_asks_for_red_alerts() -> None:
    """The ledger hears of no alert: a loan that origination contracted it neither pays out, whole or further, nor pays
    off with a loan of its own."""
    two = Two(contract("new", **NEW))
    lent = Two(contract("old"), PAID_OUT).guards.loan("old")
    two.guards.in_books["old"] = lent
    with pytest.raises(rules.OldLoanOfOrigination) as refused:
        two.book(*refinancing("900.00"))
    assert (refused.value.status, refused.value.field) == (409, "old_loan_id")
    for loan_id in ("old", "agreed"):  # paid out already, a further part of it; agreed and not paid out
        with pytest.raises(refusals.LoanNotContracted):
            two.book(model.Disburse(loan_id, "10.00", "EUR", None, new_event_id()))
    assert len(two.events) == 1


REFUSED = [
    (started, refinancing("1.00", amount="0.99"), rules.PayoffAbovePaidOut, "payoff"),
    (started, refinancing("0"), refusals.AmountZero, "payoff"),
    (started, refinance("new", "new", amount="2", payoff="1", currency="EUR", on=None, event_id=new_event_id()),
     rules.SameLoan, "old_loan_id"),
    (lambda: Two(contract("new", **NEW)), refinancing("1"), refusals.LoanNotContracted, "old_loan_id"),
    (lambda: Two(contract("old"), contract("new", **NEW)), refinancing("1"), refusals.LoanNotDisbursed, "old_loan_id"),
    (lambda: Two(contract("old", "b-2"), PAID_OUT, contract("new", **NEW)), refinancing("1"), rules.OtherBorrower,
     "old_loan_id"),
    (lambda: started(currency="CZK"), refinancing("1", currency="CZK"), refusals.OtherCurrency, "old_loan_id"),
    (lambda: started(upfront_fees=[{"name": "arrangement", "amount": "10.00"}]), refinancing("1990.01"),
     rules.PayoffAbovePaidOut, "payoff"),
]  # fmt: skip


@pytest.mark.parametrize(("two", "commands", "refusal", "field"), REFUSED, ids=[one[2].__name__ for one in REFUSED])
def test_a_refinancing_that_can_not_be_is_refused_by_name(
    two: Any, commands: Any, refusal: type[Refusal], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        two().book(*commands)
    assert refused.value.field == field


def test_each_side_names_the_other_and_both_can_be_taken_back() -> None:
    two = started()
    plain = booked(two)
    out, credit = refinancing(two.owed())
    two.book(out, credit)
    assert other_side(two.facts("new"), out.event_id) == ("old", credit.event_id)
    assert other_side(two.facts("old"), credit.event_id) == ("new", out.event_id)
    assert other_side(two.facts("old"), PAID_OUT.event_id) is None
    two.book(model.UndoEvent("new", out.event_id, "typo", new_event_id()))
    two.book(model.UndoEvent("old", credit.event_id, "typo", new_event_id()))
    assert +booked(two) == +plain


def test_the_books_refuse_what_no_command_states() -> None:
    two = started()
    facts = [*two.facts("new"), DisbursementFact("d", OPEN.toordinal(), 100, 978, 101, "old")]
    with pytest.raises(InvariantBroken, match="by more than is paid out"):
        fold(0, "new", facts, before=OPEN.toordinal())
    credit = servicing.Credit(kind="refinancing", amount="1", currency="EUR")
    with pytest.raises(InvariantBroken, match="does not say by which loan"):
        fold(0, "old", [*two.facts("old"), ServicingFact("s", OPEN.toordinal(), credit)], before=OPEN.toordinal())


def test_a_request_can_name_all_that_is_refinanced() -> None:
    assert {"amount", "currency"} <= bodies.NewDisbursement.model_fields.keys() & NewRefinancing.model_fields.keys()
    assert Settlement.model_fields.keys() == {"loan_id", "amount"}


def test_plain_disbursements_are_written_as_before() -> None:
    """Old logs have no `settles`, and loans without one write none."""
    event, _ = decide(PAID_OUT, Two(contract("old")).guards, partitions=1, stamp=STAMP)
    assert b"settles" not in event.to_json()


def test_a_fold_in_place_and_one_anew_agree() -> None:
    """The worker folds the first disbursement in place."""
    two = started()
    two.book(*refinancing(two.owed()))
    books = MemoryBooks(0, Topics(TOPICS.lifecycle, TOPICS.events, TOPICS.accounts, TOPICS.dead_letters, 1))
    opening = decide(model.OpenBook(OPEN, new_event_id()), Guards(), partitions=1, stamp=STAMP)[0]
    for offset, event in enumerate([opening, *two.events]):
        books.take(Record(TOPICS.lifecycle, 0, offset, 0, event.subject.encode(), event.to_json()))
    lines: Counter[str] = Counter()
    for posting in books.postings.values():
        lines[chart.NAMES[posting[6]]] += posting[2]
        lines[chart.NAMES[posting[7]]] -= posting[2]
    del lines["interest-income"]
    assert +lines == +booked(two)


class TestAudit:
    """One side alone is a finding as soon as it can't be that the other is on its way."""

    LOANS = ("old", "new")
    DAY = date(2025, 3, 10)

    def found(self, **opened: int) -> Refinancings:
        """Both partitions' open dates as days after the refinancing, by loan; of the old loan nothing stands."""
        dates: list[date | None] = [None, None]
        for loan_id, days in opened.items():
            dates[partition_for(loan_id.encode(), 2)] = self.DAY + timedelta(days=days)
        return Refinancings([Side("d", "new", "old", 5)], {"new": self.DAY}, dates)

    def test_the_loans_of_the_example_are_on_two_partitions(self) -> None:
        assert {partition_for(loan_id.encode(), 2) for loan_id in self.LOANS} == {0, 1}

    def test_a_side_whose_other_may_be_on_its_way_is_none(self) -> None:
        assert list(one_sided(self.found(old=0, new=0))) == []

    def test_a_side_that_stands_alone_is_one(self) -> None:
        (finding,) = one_sided(self.found(old=1, new=0))
        assert finding.key["loan_id"] == "new"
        assert "old" in finding.problem

    def test_two_sides_are_none_nor_is_one_that_a_parked_loan_may_hold(self) -> None:
        both = self.found(old=1, new=1)
        both.sides.append(Side("d", "old", "new", -5))
        held = self.found(old=1, new=1)
        held.parked.add("old")
        assert list(one_sided(both)) == list(one_sided(held)) == []

    def test_an_undoing_that_one_partition_has_not_seen_yet_is_none(self) -> None:
        undone = self.found(old=9, new=3)
        undone.changed["old"] = self.DAY + timedelta(days=5)
        assert list(one_sided(undone)) == []
