"""Two people decide what the policy leaves to them, and a third lets the money go after a warning."""

import pytest

from shared.events.signals import PublicRecord, RecordFound
from tests.flow.lender import Refused
from tests.flow.steps import Office


async def test_two_people_decide_and_a_red_alert_holds_the_money_until_it_is_released(lender: Office) -> None:
    # Given a shop that is in order, whose owner did not agree to automated decisions
    borrower = await lender.registered(agreed=())
    application = await lender.application(borrower)

    # When the application is submitted, then the policy leaves it to people
    assert await lender.submitted(application) == "referred"
    assert await lender.reasons(application) == ["consent-automated-decision"]

    # When an officer recommends it, then the same person can't decide it as well, and another can
    word = {"verdict": "approve", "reason": "known here for years"}
    await lender.act("officer", application, "recommendation", word)
    with pytest.raises(Refused) as twice:
        await lender.act("officer", application, "decision", word)
    assert twice.value.rule == "same-person"
    await lender.act("approver", application, "decision", word)
    loan = await lender.offer_accepted(application, borrower)

    # When the register says that the shop lost its licence, then nobody can pay out
    record = PublicRecord(kind="licence-lost", count=1, observed_on=await lender.today())
    await lender.hears(RecordFound, borrower, record)
    await lender.settle()
    [alert] = await lender.alerts(borrower)
    assert (alert["indicator"], alert["severity"], alert["blocks"]) == ("record-licence-lost", "red", True)
    with pytest.raises(Refused) as blocked:
        await lender.paid_out(loan)
    assert blocked.value.rule == "disbursement-blocked"
    assert alert["alert_id"] in blocked.value.document["detail"]

    # When a named person releases the alert, then the money goes out
    release = {"by": "Li Na", "reason": "the licence was renewed under a new number"}
    await lender.call("risk", "monitoring", "POST", f"/v1/alerts/{alert['alert_id']}/release", release)
    await lender.settle()
    await lender.paid_out(loan)
    assert (await lender.books(loan))["status"] == "active"
    [released] = await lender.alerts(borrower)
    assert (released["blocks"], released["by"]) == (False, "Li Na")
    await lender.proves_itself()
