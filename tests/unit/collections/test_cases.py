"""Cases, promises and reminders, from the ledger's events and closings alone."""

from datetime import date

import pytest

from services.collections.strategy import StepsNotAscending, Strategy, strategies
from shared.events import collections, ledger, monitoring, parties
from tests.unit.collections.history import LOAN, History

DUE, NEXT = date(2024, 5, 10), date(2024, 6, 10)


def in_arrears(until: date) -> History:
    """A borrower whose instalment of DUE was not paid, with every date up to `until` closed."""
    history = History(date(2024, 4, 1))
    history.disbursed(DUE)
    history.close_until(date(2024, 5, 9))
    history.fell_due(past_due="500.00", since=DUE, next_due=NEXT)
    history.close_until(until)
    return history


def pay(history: History, amount: str, *, past_due: str = "0.00") -> list[str]:
    since = {"past_due_since": str(DUE)} if past_due != "0.00" else {}
    return history.account(ledger.EntryPosted, cash=amount, past_due=past_due, next_due_date=str(NEXT), **since)


def test_reminders_come_three_days_before_on_the_day_and_the_day_after_once_each() -> None:
    history = History(date(2024, 4, 1))
    history.disbursed(DUE)
    told = history.close_until(date(2024, 5, 9))
    history.fell_due(past_due="500.00", since=DUE, next_due=NEXT)
    told += history.close_until(date(2024, 5, 13))
    assert told == [f"{day} ReminderScheduled" for day in ("2024-05-06", "2024-05-09", "2024-05-10")]
    assert [one.kind for one in history.state.reminders] == ["t+1"]
    assert history.state.reminders[0].on_date == date(2024, 5, 11)


def test_a_loan_that_comes_late_is_reminded_late_and_a_paid_one_not_at_all() -> None:
    history = History(date(2024, 5, 8))
    history.disbursed(DUE)
    assert history.close_until(date(2024, 5, 8)) == ["2024-05-08 ReminderScheduled"]
    assert history.state.reminders[0].on_date == date(2024, 5, 9)
    history.account(ledger.EntryPosted, cash="500.00", next_due_date=str(NEXT))
    assert history.state.reminders == []  # the instalment that it was about is paid
    assert history.close_until(date(2024, 5, 20)) == []


def test_a_case_opens_on_the_policys_day_and_moves_with_the_steps() -> None:
    history = in_arrears(date(2024, 5, 13))
    assert history.state.case is None
    assert history.close_until(date(2024, 5, 14)) == ["2024-05-14 CaseOpened"]
    assert (history.case.step, history.case.days_past_due) == ("first-contact", 4)
    opened = history.case.priority
    assert history.close_until(date(2024, 5, 24)) == []
    assert history.close_until(date(2024, 5, 25)) == ["2024-05-25 CaseChanged"]
    assert (history.case.step, history.case.priority) == ("follow-up", opened + 100)


def test_old_debt_is_not_called_first_because_it_is_old() -> None:
    history = in_arrears(date(2024, 6, 9))
    fresh = history.case.priority
    history.close_until(date(2024, 12, 31))
    assert history.case.step == "recovery"
    assert history.case.priority < fresh


def test_a_case_closes_when_nothing_is_past_due_and_the_same_case_reopens_when_the_payment_is_reversed() -> None:
    history = in_arrears(date(2024, 5, 20))
    first = history.case.case_id
    assert pay(history, "500.00") == ["CaseClosed"]
    told = history.account(
        ledger.EntryPosted, cash="-500.00", past_due="500.00", past_due_since=str(DUE), next_due_date=str(NEXT)
    )
    assert told == ["CaseReopened"]
    assert history.case.case_id == first
    assert history.case.status == "open"


def test_arrears_that_begin_after_a_case_closed_open_a_new_one() -> None:
    history = in_arrears(date(2024, 5, 20))
    first = history.case.case_id
    pay(history, "500.00")
    history.close_until(date(2024, 6, 9))
    history.fell_due(past_due="500.00", since=NEXT, next_due=date(2024, 7, 10))
    assert history.close_until(date(2024, 6, 14))[-1] == "2024-06-14 CaseOpened"
    assert history.case.case_id != first


def test_a_promise_parks_the_case_and_is_kept_by_money_in_time() -> None:
    history = in_arrears(date(2024, 5, 20))
    assert history.promised("500.00", date(2024, 5, 25)) == ["PromiseMade", "CaseParked"]
    assert history.case.parked_until == date(2024, 5, 26)
    pay(history, "200.00", past_due="300.00")
    history.close_until(date(2024, 5, 25))
    assert pay(history, "300.00") == ["CaseClosed"]
    assert history.close_until(date(2024, 5, 26)) == ["2024-05-26 PromiseKept"]


@pytest.mark.parametrize(
    ("paid", "outcome"), [("249.99", "PromiseBroken"), ("250.00", "PromisePartlyKept"), ("500.00", "PromiseKept")]
)
def test_a_promise_is_judged_when_its_date_and_the_tolerance_have_closed(paid: str, outcome: str) -> None:
    history = in_arrears(date(2024, 5, 20))
    history.promised("500.00", date(2024, 5, 22))
    pay(history, paid, past_due="1.00")
    assert history.close_until(date(2024, 5, 22)) == []
    assert history.close_until(date(2024, 5, 23)) == [f"2024-05-23 {outcome}", "2024-05-23 CaseResumed"]


def test_a_broken_promise_raises_the_priority() -> None:
    history = in_arrears(date(2024, 5, 20))
    before = history.case.priority
    history.promised("500.00", date(2024, 5, 22))
    history.close_until(date(2024, 5, 23))
    assert history.case.priority == before + 50


def test_a_payment_taken_back_breaks_a_promise_that_was_kept() -> None:
    history = in_arrears(date(2024, 5, 20))
    history.promised("500.00", date(2024, 5, 22))
    pay(history, "500.00")
    history.close_until(date(2024, 5, 30))
    assert history.state.promises[0].status == "kept"
    told = history.account(
        ledger.EntryPosted,
        cash="-500.00",
        on=date(2024, 5, 21),
        past_due="500.00",
        past_due_since=str(DUE),
        next_due_date=str(NEXT),
    )
    assert told == ["PromiseBroken", "CaseReopened"]


def test_money_that_came_before_the_promise_or_goes_out_does_not_count() -> None:
    history = in_arrears(date(2024, 5, 20))
    history.promised("500.00", date(2024, 5, 22))
    for cash, cause in (("500.00", "ledger.PaymentReceived.v1"), ("-900.00", "origination.LoanDisbursed.v1")):
        history.account(
            ledger.EntryPosted,
            cash=cash,
            cause=cause,
            on=date(2024, 5, 20),
            past_due="500.00",
            past_due_since=str(DUE),
            next_due_date=str(NEXT),
        )
    assert history.state.promises[0].paid == 0


def test_a_broken_part_ends_the_plan() -> None:
    history = in_arrears(date(2024, 5, 20))
    plan = "00000000-0000-7000-8000-000000000001"
    history.promised("250.00", date(2024, 5, 22), plan)
    history.promised("250.00", date(2024, 6, 5), plan)
    assert history.case.parked_until == date(2024, 5, 23)
    assert [one.split()[1] for one in history.close_until(date(2024, 5, 23))] == [
        "PromiseBroken",
        "PromiseCancelled",
        "CaseResumed",
    ]


def test_a_dispute_parks_and_its_end_resumes() -> None:
    history = in_arrears(date(2024, 5, 20))
    stop = {"kind": "dispute", "loan_id": LOAN, "by": "a collector", "reason": "says it was paid"}
    assert history.take(collections.StopSet, **stop) == ["CaseParked"]
    assert history.case.reason == "dispute"
    assert history.take(collections.StopLifted, **stop) == ["CaseResumed"]


def test_a_parked_loan_and_money_in_suspense_park_the_case() -> None:
    history = in_arrears(date(2024, 5, 20))
    assert history.take(ledger.LoanParked, loan_id=LOAN, offset=7, reason="a test") == ["CaseParked"]
    assert history.take(ledger.LoanUnparked, loan_id=LOAN, offset=7, reason="a test") == ["CaseResumed"]
    assert history.take(parties.FlagRaised, flag="deceased", by="an officer") == ["CaseParked"]


def test_an_alert_moves_the_case_up_and_its_end_down() -> None:
    history = in_arrears(date(2024, 5, 20))
    before = history.case.priority
    alert = {
        "alert_id": "00000000-0000-7000-8000-000000000001",
        "borrower_id": "b-1",
        "indicator": "inflow-fall",
        "severity": "red",
        "status": "open",
        "raised_on": "2024-05-20",
        "blocks": True,
        "reason": "a test",
        "rule": "level@1",
        "inputs": {},
    }
    assert history.take(monitoring.AlertRaised, **alert) == ["CaseChanged"]
    assert history.case.priority == before + 100
    assert history.take(monitoring.AlertResolved, **(alert | {"status": "resolved"})) == ["CaseChanged"]
    assert history.case.priority == before


def test_the_same_events_give_the_same_ids() -> None:
    first, second = in_arrears(date(2024, 5, 20)), in_arrears(date(2024, 5, 20))
    assert first.state == second.state
    assert first.fold.rows(first.state) == second.fold.rows(second.state)


def test_steps_that_do_not_ascend_are_refused_by_name() -> None:
    document = strategies()[0].model_dump()
    document["steps"][1]["from_day"] = 4
    with pytest.raises(StepsNotAscending):
        Strategy.model_validate(document)
