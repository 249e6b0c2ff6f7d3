"""The run over the books: what it states, when it has nothing to state, and whom it leaves out."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from services.ledger.commands import Recorded, ValueLoan
from services.ledger.valuation.policy import policy_on
from services.ledger.valuation.running import Stored, may_run, valuations
from services.ledger.valuation.totals import Outcome, Totals
from tests.property.histories_of_servicing import CODE, FIRST, LOAN, Life

TERMS = {
    "kind": "equal-principal", "principal": "600.00", "currency": CODE, "annual_rate": "0.12", "instalments": 6,
    "first_due_date": "2025-02-01", "day_count": "equal-periods",
}  # fmt: skip
END = date(2025, 1, 31)
POLICY = policy_on("five-classes", END)


def january() -> Life:
    life = Life(TERMS)
    while life.day <= END:
        life.close()
    return life


def stored(life: Life) -> Stored:
    """The loan and its events as the tables have them."""
    loan = life.loan
    rows: list[dict[str, Any]] = [
        {"offset": offset, "effective_date": effective, "record": record}
        for offset, number, effective, record in life.books.events.values()
        if number == loan.number
    ]
    return Stored(loan, sorted(rows, key=lambda row: row["offset"]), {})


def run(life: Life, parked: frozenset[str] = frozenset()) -> Outcome:
    (found,) = valuations([stored(life)], END, POLICY, parked)
    return found


def state(life: Life, command: ValueLoan | None) -> None:
    """The command's event comes into the books, under the id that the run gave it."""
    assert command is not None
    record = life.record("ledger.LoanValued.v1", command.data.model_dump(mode="json", exclude_none=True), effective=END)
    value = (record.value or b"").replace(life.next_id.encode(), command.event_id.encode())
    life.books.take(replace(record, value=value))
    life.offset += 1


def test_a_second_run_states_the_same_event_until_it_is_in_the_books_and_then_nothing() -> None:
    life = january()
    first, again = run(life).command, run(life).command
    assert first is not None
    assert again == first
    state(life, first)
    found = run(life)
    assert (found.command, found.now) == (None, first.data)
    assert life.loan.valued is not None
    assert life.loan.valued.allowance == 6_00


def test_late_facts_and_an_undoing_are_valued_anew_under_another_id() -> None:
    life = january()
    first = run(life).command
    assert first is not None
    state(life, first)
    life.take("ledger.PaymentReceived.v1", {"amount": "300.00", "currency": CODE}, effective=END - timedelta(days=5))
    second = run(life).command
    assert second is not None
    assert second.event_id != first.event_id
    state(life, second)
    assert run(life).command is None
    life.take("ledger.EventUndone.v1", {"event_id": second.event_id, "reason": "mistaken"})
    third = run(life).command
    assert third is not None
    assert third.data == second.data
    assert len({first.event_id, second.event_id, third.event_id}) == 3


def test_a_parked_loan_is_not_valued_and_is_named() -> None:
    found = run(january(), frozenset({LOAN}))
    totals = Totals()
    totals.add(found)
    told = totals.document(END, POLICY.version, preview=False, named_max=10)
    assert (told["loans"], told["not_valued"]) == (0, 1)
    assert told["reasons"] == [{"loan_id": LOAN, "reason": "the loan is parked: its books are not complete"}]


def test_a_loan_that_surely_did_not_run_is_not_read() -> None:
    life = january()
    assert may_run(life.loan, END.toordinal())
    assert not may_run(life.loan, FIRST.toordinal() - 1)
    life.take("ledger.PaymentReceived.v1", {"amount": "900.00", "currency": CODE})
    assert may_run(life.loan, END.toordinal())  # it was settled after the period end
    assert not may_run(life.loan, life.day.toordinal())


def test_totals_add_up_by_group_and_say_what_was_recorded() -> None:
    found = run(january())
    totals = Totals()
    for _ in range(2):
        totals.add(found)
    totals.recorded([Recorded("a", repeated=False), Recorded("b", repeated=True)])
    told = totals.document(END, POLICY.version, preview=False, named_max=10)
    assert (told["recorded"], told["under_way"]) == (1, 1)
    (row,) = told["currencies"][CODE]
    assert (row["loans"], row["exposure"], row["allowance"], row["provision_expense"], row["coverage"]) == (
        2, "1200.00", "12.00", "12.00", "0.0100",
    )  # fmt: skip
