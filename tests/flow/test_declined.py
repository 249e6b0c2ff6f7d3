"""Somebody asks for more than there is to pay it back with, is told why, and has a person look at it again."""

import pytest

from tests.flow.steps import Office


@pytest.mark.ops
async def test_a_declined_borrower_is_told_why_and_may_ask_a_person(lender: Office) -> None:
    # Given a shop that has 500 a month left, and asks for 20000 in twelve instalments
    borrower = await lender.registered()
    application = await lender.application(borrower, amount="20000.00", inflows="6500.00")

    # When the application is submitted
    outcome = await lender.submitted(application)

    # Then the policy declines it at once, and says which figures were against it, worst first
    assert outcome == "declined"
    assert (await lender.of_application(application))["decision"]["policy"] == "credit@1"
    reasons = await lender.reasons(application)
    assert reasons[0] == "coverage"
    assert len(reasons) <= 4

    # When the borrower asks for a person, and two people look at it
    await lender.act("officer", application, "review", {"reason": "a second shop opens in May"})
    word = {"verdict": "decline", "reason": "it has no contract yet"}
    await lender.act("officer", application, "recommendation", word)
    await lender.act("approver", application, "decision", word)

    # Then it is declined for good, no loan came of it, and every service can show how it came to what it has
    assert (await lender.of_application(application))["status"] == "declined"
    await lender.settle()
    assert await lender.loans(borrower) == []
    await lender.proves_itself()
