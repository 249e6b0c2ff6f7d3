"""The story of a late borrower once more, while every process of every service is killed in the middle of its work."""

from collections import Counter
from datetime import timedelta

import pytest

from tests.flow.lender import until
from tests.flow.steps import Office


@pytest.mark.ops
async def test_every_process_killed_once_nothing_lost_nothing_twice_nobody_reminded_twice(lender: Office) -> None:
    restarts = Counter(lender.platform.run.restarts)

    # A borrower gets a loan and does not pay, while processes die
    borrower = await lender.registered()
    application = await lender.application(borrower)
    assert await lender.submitted(application) == "approved"
    loan = await lender.killing("origination-api", lender.offer_accepted(application, borrower))
    await lender.killing("ledger-worker-1", lender.paid_out(loan))
    await lender.killing("origination-worker", lender.pass_to(loan.due))
    await lender.killing("monitoring-worker", lender.pass_days(1))

    # The sender of a reminder dies after the server has the message, and before it can know
    lender.mailbox.meanwhile = lambda: lender.kill("collections-api")
    await lender.reminders_sent()
    assert len(lender.mails_to(borrower)) == 1
    await lender.reminders_sent()
    [contact] = await lender.contacts(borrower)
    assert contact["outcome"] == "unclear"

    # A case opens, a promise is made and kept, and the last processes die
    await lender.killing("collections-worker", lender.pass_to(loan.due + timedelta(days=5)))
    case = await lender.case(borrower)
    assert (case["status"], case["days_past_due"]) == ("open", 4)
    await lender.promises(loan, loan.instalment, await lender.today())
    await lender.killing("ledger-api", lender.pays(loan, loan.instalment))
    [watched] = await lender.killing("monitoring-api", lender.loans(borrower))
    await lender.killing("ledger-notary", lender.pass_days(2))

    # Every process was killed once, and the outcome is that of a calm day
    await until(lambda: Counter(lender.platform.run.restarts) - restarts == Counter(lender.processes))
    assert (watched["status"], watched["past_due"]) == ("active", "0.00")
    assert [promise["status"] for promise in await lender.promises_of(borrower)] == ["kept"]
    closed = await lender.case(borrower)
    assert (closed["case_id"], closed["status"]) == (case["case_id"], "closed")
    assert await lender.booked(loan) == [
        "origination.LoanContracted.v1",
        "origination.LoanDisbursed.v1",
        "ledger.PaymentReceived.v1",
    ]
    assert len(lender.mails_to(borrower)) == 1
    await lender.proves_itself()
