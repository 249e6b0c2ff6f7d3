"""A promise is not kept: the case comes back into the queue by itself, further up, and moves on with the days."""

from datetime import timedelta

import pytest

from tests.flow.steps import Office


@pytest.mark.ops
async def test_a_broken_promise_brings_the_next_step(lender: Office) -> None:
    # Given a borrower four days past due, who promises the instalment for the day after tomorrow
    borrower = await lender.registered()
    loan = await lender.loan_of(borrower)
    await lender.pass_to(loan.due + timedelta(days=5))
    first = await lender.case(borrower)
    promised_for = await lender.today() + timedelta(days=2)
    await lender.promises(loan, loan.instalment, promised_for)
    assert (await lender.case(borrower))["status"] == "parked"

    # When less than half of it comes, and the promise's day and the tolerance of one day have closed
    await lender.pays(loan, "100.00")
    await lender.pass_to(promised_for + timedelta(days=1))
    assert (await lender.case(borrower))["status"] == "parked"
    await lender.pass_days(1)

    # Then the promise is broken, and the case is worked again, before others that are as late
    [promise] = await lender.promises_of(borrower)
    assert (promise["status"], promise["paid"]) == ("broken", "100.00")
    case = await lender.case(borrower)
    assert (case["case_id"], case["status"], case["step"]) == (first["case_id"], "open", "first-contact")
    assert case["priority"] == first["priority"] + 50
    assert case["case_id"] in [one["case_id"] for one in await lender.queue()]

    # When the fifteenth day past due has closed, then the next step is due
    await lender.pass_to(loan.due + timedelta(days=16))
    case = await lender.case(borrower)
    assert (case["step"], case["days_past_due"]) == ("follow-up", 15)
    await lender.proves_itself()
