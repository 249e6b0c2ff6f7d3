"""The bank takes a payment back after the case was closed: the arrears are what they were, and so is the case."""

from datetime import timedelta

import pytest

from tests.flow.steps import Office


@pytest.mark.ops
async def test_a_payment_taken_back_reopens_the_case(lender: Office) -> None:
    # Given a borrower who is four days past due, and a collector's case
    borrower = await lender.registered()
    loan = await lender.loan_of(borrower)
    await lender.pass_to(loan.due + timedelta(days=5))
    case = await lender.case(borrower)
    assert (case["status"], case["past_due_since"]) == ("open", loan.due.isoformat())

    # When the instalment comes in, then the case is closed
    payment = await lender.pays(loan, loan.instalment)
    closed = await lender.case(borrower)
    assert (closed["case_id"], closed["status"]) == (case["case_id"], "closed")

    # When the bank takes the money back two days later
    await lender.pass_days(2)
    await lender.takes_back(loan, payment)

    # Then the books are as if nothing had come, and the same case is open again with the days that really passed
    books = await lender.books(loan)
    assert (books["past_due"], books["past_due_since"]) == (loan.instalment, loan.due.isoformat())
    again = await lender.case(borrower)
    assert (again["case_id"], again["status"], again["days_past_due"]) == (case["case_id"], "open", 6)

    # And the case can say why: each of its events names the one that caused it
    history = [(line["type"], line["cause"]["type"]) for line in await lender.history(case)]
    assert ("collections.CaseClosed.v1", "ledger.EntryPosted.v1") in history
    assert history[-1] == ("collections.CaseReopened.v1", "ledger.EntryPosted.v1")
    await lender.proves_itself()
