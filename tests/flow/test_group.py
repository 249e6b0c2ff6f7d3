"""Three neighbours stand by each other: where one of them defaults, the others' money waits for a person."""

from datetime import timedelta

import pytest

from tests.flow.steps import Office


@pytest.mark.ops
async def test_a_default_warns_of_those_who_stand_by(lender: Office) -> None:
    # Given three who form a group, and a weekly loan to one of them that is never paid
    anna, bao, chen = [await lender.registered(industry="handicraft") for _ in range(3)]
    await lender.stand_by_each_other(anna, bao, chen)
    loan = await lender.loan_of(anna, product="joint-liability-group", amount="5000.00", instalments=24, first_due_in=7)

    # When it is 90 days past due, then nobody but the borrower has a reason to worry
    await lender.pass_to(loan.due + timedelta(days=91))
    [own] = await lender.alerts(anna)
    assert (own["indicator"], own["severity"], own["loan_id"]) == ("days-past-due", "red", loan.loan_id)
    assert await lender.alerts(bao) == []

    # When one more day has closed, which makes it a default
    await lender.pass_days(1)

    # Then each of the others has an alert that holds back money for them
    for member in (bao, chen):
        [alert] = await lender.alerts(member)
        assert (alert["indicator"], alert["severity"], alert["blocks"]) == ("member-default", "red", True)
        assert alert["reason"] == "a member of the group defaulted: 91 days past due"
        [raised] = (await lender.why_alert(alert))["steps"]
        assert (raised["inputs"]["member"], raised["inputs"]["loan"]) == (anna.borrower_id, loan.loan_id)

    # And the policy does not lend to them meanwhile
    application = await lender.application(bao)
    assert await lender.submitted(application) == "declined"
    assert "arrears-group" in await lender.reasons(application)
    await lender.proves_itself()
