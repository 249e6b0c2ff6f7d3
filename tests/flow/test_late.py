"""A borrower is late, is reminded, promises and pays: what a reminder and a collector are for."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.flow.lender import until
from tests.flow.steps import Office


@pytest.mark.ops
async def test_late_reminded_promised_paid_closed(lender: Office) -> None:
    # Given a loan whose first instalment is not paid, on the day after it was due
    borrower = await lender.registered()
    loan = await lender.loan_of(borrower)
    await lender.pass_to(loan.due + timedelta(days=1))

    # When reminders go out, twice
    assert (await lender.reminders_sent())["sent"] >= 1
    assert (await lender.reminders_sent())["sent"] == 0

    # Then one e-mail has arrived, which names the loan, the day and what is open
    [letter] = await until(lambda: lender.mails_to(borrower))
    assert loan.loan_id in letter
    assert f"due on {loan.due.day} {loan.due:%B %Y}" in letter
    assert f"CNY {Decimal(loan.instalment):,} is open" in letter

    # When nothing comes in until the fourth day past due has closed
    assert await lender.case(borrower) is None
    await lender.pass_to(loan.due + timedelta(days=5))

    # Then a case is in the queue, and a collector takes it
    case = await lender.case(borrower)
    assert (case["status"], case["step"], case["days_past_due"]) == ("open", "first-contact", 4)
    assert case["past_due"] == {"CNY": loan.instalment}
    assert case["case_id"] in [one["case_id"] for one in await lender.queue()]
    await lender.takes(case)

    # When the borrower promises the instalment for the day after tomorrow
    await lender.promises(loan, loan.instalment, await lender.today() + timedelta(days=2))

    # Then nobody calls while the promise stands
    parked = await lender.case(borrower)
    assert (parked["status"], parked["reason"]) == ("parked", "a promise stands")

    # When the money comes as promised, and the promise's day and the one after it have closed
    await lender.pass_days(2)
    await lender.pays(loan, loan.instalment)
    await lender.pass_days(2)

    # Then the ledger's entries keep the promise, and the case is closed
    [promise] = await lender.promises_of(borrower)
    assert (promise["status"], promise["paid"]) == ("kept", loan.instalment)
    closed = await lender.case(borrower)
    assert (closed["case_id"], closed["status"], closed["past_due"]) == (case["case_id"], "closed", {})
    await lender.proves_itself()
