"""Applications on real servers: from the request to the money, and everything that may stand in the way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.events.applications import OfferLapsed
from shared.events.monitoring import AlertRaised, AlertReleased
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.topics import APPLICATIONS, LIFECYCLE
from tests.integration.api.client import rule
from tests.integration.origination.driving import OPENED, POOR, REQUEST, STATEMENT, Office, alert

pytestmark = pytest.mark.servers


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


async def test_from_the_request_to_the_money_and_why(lender: Office) -> None:
    borrower_id, path = await lender.agreed()
    loan_id = (await lender.read(path))["loan"]["loan_id"]
    assert rule(await lender.send("officer", "GET", f"{path}/signing-head")) == "no-head-kept"  # nobody signs here
    paid = await lender.done("officer", f"{path}/disbursement", idempotency_key="pay-1")
    assert (paid["status"], paid["loan_id"]) == ("paid-out", loan_id)
    assert await lender.done("officer", f"{path}/disbursement", idempotency_key="pay-1") == paid
    assert rule(await lender.send("officer", "POST", f"{path}/disbursement", {})) == "loan-already-disbursed"
    await lender.until(f"status = 'paid-out' FROM application WHERE loan_id = '{loan_id}'")
    contracted, disbursed = [value for _, value in await lender.records(LIFECYCLE.name)]
    contract = LoanContracted.model_validate_json(contracted)
    money = LoanDisbursed.model_validate_json(disbursed)
    assert (contract.subject, contract.data.borrower_id, money.subject) == (loan_id, borrower_id, loan_id)
    assert money.data.amount == contract.data.terms.principal == "20000.00"
    why = await lender.why(id_of(path))
    assert why is not None
    assert (why["decision"]["outcome"], why["decision"]["policy"]) == ("approved", "credit@1")
    assert [person["did"] for person in why["people"]] == ["started", "submitted", "offered", "accepted", "paid out"]
    live, again = await lender.digests()
    assert live == again
    assert live["application_event"] == len(why["events"]) == 10


async def test_two_officers_deciding_at_once_one_wins(lender: Office) -> None:
    path = await lender.draft(await lender.borrower(consent=False))
    assert (await lender.done("officer", f"{path}/submission"))["status"] == "referred"
    await lender.until("count(*) = 1 FROM application WHERE status = 'referred'")
    listed = (await lender.read("/v1/applications?status=referred", "approver"))["applications"]
    assert [one["application_id"] for one in listed] == [id_of(path)]
    body = {"verdict": "approve", "reason": "known here"}
    await lender.token("officer-2", "officer")
    both = await asyncio.gather(
        *(lender.send(who, "POST", f"{path}/recommendation", body) for who in ("officer", "officer-2"))
    )
    assert sorted(answer.status_code for answer in both) == [202, 409]
    assert rule(max(both, key=lambda answer: answer.status_code)) == "referral-already-recommended"
    maker = (await lender.read(path))["recommendation"]["by"]
    assert rule(await lender.send(maker, "POST", f"{path}/decision", body)) in ("same-person", "no-authority")
    await lender.token("approver-2", "approver")
    decided = await asyncio.gather(
        *(lender.send(who, "POST", f"{path}/decision", body) for who in ("approver", "approver-2"))
    )
    assert sorted(answer.status_code for answer in decided) == [202, 409]
    assert rule(max(decided, key=lambda answer: answer.status_code)) == "referral-already-decided"
    found = await lender.read(path)
    assert (found["status"], found["referral"]["recommended_by"]) == ("approved", maker)


async def test_a_red_alert_stops_the_money_until_it_is_released(lender: Office) -> None:
    borrower_id, path = await lender.agreed()
    raised = alert(borrower_id)
    await lender.tell(AlertRaised, borrower_id, raised)
    await lender.until("count(*) = 1 FROM block")
    stopped = await lender.send("officer", "POST", f"{path}/disbursement", {}, idempotency_key="pay-1")
    assert rule(stopped) == "disbursement-blocked"
    assert raised.alert_id in stopped.json()["detail"]
    assert rule(await lender.send("officer", "POST", f"{path}/disbursement", {}, idempotency_key="pay-1")) == (
        "disbursement-blocked"
    )
    await lender.tell(AlertReleased, borrower_id, raised)
    await lender.until("count(*) = 0 FROM block")
    assert (await lender.done("officer", f"{path}/disbursement", idempotency_key="pay-2"))["status"] == "paid-out"
    await lender.until("count(*) = 1 FROM application WHERE status = 'paid-out'")
    why = await lender.why(id_of(path))
    assert why is not None
    assert [person["did"] for person in why["people"]][-2:] == ["was refused to pay out", "paid out"]


async def test_an_offer_lapses_when_its_last_day_is_closed(lender: Office) -> None:
    path = await lender.draft(await lender.borrower())
    await lender.done("officer", f"{path}/submission")
    await lender.done("officer", f"{path}/offer")
    await lender.until("count(*) = 1 FROM application WHERE status = 'offered'")
    await lender.close(OPENED + timedelta(days=14))
    await lender.until("count(*) = 1 FROM application WHERE status = 'lapsed'")
    assert rule(await lender.accept(path)) == "offer-expired"
    assert (await lender.read(path))["status"] == "lapsed"
    await lender.until("count(*) = 1 FROM application_event WHERE type LIKE '%OfferLapsed%'")
    told = [value for _, value in await lender.records(APPLICATIONS.name) if b"OfferLapsed" in value]
    assert [OfferLapsed.model_validate_json(value).data.valid_until for value in told] == [OPENED + timedelta(days=14)]
    live, again = await lender.digests()
    assert live == again


async def test_what_is_missing_or_cannot_be_is_refused_by_name_and_the_work_is_kept(lender: Office) -> None:
    borrower_id = await lender.borrower()
    asked = REQUEST | {"borrower_id": borrower_id}
    for changes, expected in (
        ({"product": "yacht"}, "unknown-product"),
        ({"amount": "20050.00"}, "amount-outside-limits"),
        ({"first_due_date": "2024-02-30"}, "invalid-request"),
        ({"first_due_date": "2024-06-10"}, "first-due-outside-limits"),
        ({"borrower_id": "nobody"}, "unknown-party"),
    ):
        assert rule(await lender.send("officer", "POST", "/v1/applications", asked | changes)) == expected
    started = await lender.done("officer", "/v1/applications", asked, idempotency_key="one")
    assert await lender.done("officer", "/v1/applications", asked, idempotency_key="one") == started
    path = f"/v1/applications/{started['application_id']}"
    six: list[Any] = STATEMENT["months"]
    for changes, expected in (
        ({"months": [*six[:2], *six[3:]]}, "months-not-consecutive"),
        ({"months": [*six[1:], six[0] | {"month": "2024-06"}]}, "month-not-over"),
        ({"balance": STATEMENT["balance"] | {"as_of": "2024-06-11"}}, "balance-date-ahead"),
        ({"currency": "CZK"}, "statement-currency-differs"),
    ):
        assert rule(await lender.send("officer", "POST", f"{path}/statement", STATEMENT | changes)) == expected
    submission = f"{path}/submission"
    assert rule(await lender.send("officer", "POST", submission, {})) == "statement-missing"
    await lender.done("officer", f"{path}/statement", STATEMENT | {"months": six[1:]})
    assert rule(await lender.send("officer", "POST", submission, {})) == "statement-incomplete"
    await lender.done("officer", f"{path}/statement", STATEMENT)
    assert rule(await lender.send("officer", "POST", submission, {})) == "documents-missing"
    kept = await lender.read(path)
    assert (kept["status"], len(kept["statement"]["months"])) == ("draft", 6)
    assert kept["missing"]["rule"] == "documents-missing"
    changed = await lender.send("officer", "PUT", path, REQUEST | {"amount": "10000.00"})
    assert changed.status_code == 202, changed.text
    assert (await lender.read(path))["request"]["amount"] == "10000.00"


async def test_an_automatic_decline_gives_reasons_and_goes_to_a_person_on_request(lender: Office) -> None:
    borrower_id = await lender.borrower()
    path = await lender.draft(borrower_id, POOR)
    assert (await lender.done("officer", f"{path}/submission"))["status"] == "declined"
    decision = (await lender.read(path))["decision"]
    assert 1 <= len(decision["reasons"]) <= 4
    assert decision["reasons"][0]["code"] == "coverage"
    await lender.token("borrower", "applicant", borrower_id)
    reviewed = await lender.done("borrower", f"{path}/review", {"reason": "a new contract of work"})
    assert reviewed["status"] == "referred"
    await lender.done("officer", f"{path}/recommendation", {"verdict": "decline", "reason": "it begins next year"})
    decided = await lender.done("approver", f"{path}/decision", {"verdict": "decline", "reason": "agreed"})
    assert decided["status"] == "declined"
    again = await lender.send("borrower", "POST", f"{path}/review", {"reason": "please"})
    assert rule(again) == "not-declined-automatically"


async def test_an_offer_counts_against_the_exposure_of_the_next_application(lender: Office) -> None:
    _, path = await lender.agreed()
    borrower_id = (await lender.read(path))["borrower_id"]
    second = await lender.draft(borrower_id)
    await lender.done("officer", f"{second}/submission")
    standing = (await lender.read(second))["decision"]["standing"]
    assert (standing["outstanding"], standing["loans_open"]) == ("20000.00", 1)


async def test_an_applicant_sees_and_does_what_is_the_own(lender: Office) -> None:
    mine, yours = await lender.borrower(), await lender.borrower()
    await lender.token("me", "applicant", mine)
    path, other = await lender.draft(mine), await lender.draft(yours)
    assert (await lender.read(path, "me"))["borrower_id"] == mine
    for place in (other, "/v1/applications/nothing", f"/v1/parties/{yours}", f"/v1/parties/{yours}/personal?purpose=x"):
        assert rule(await lender.send("me", "GET", place)) == "forbidden"
    assert rule(await lender.send("me", "POST", f"{other}/submission", {})) == "forbidden"
    asked = REQUEST | {"borrower_id": yours}
    assert rule(await lender.send("me", "POST", "/v1/applications", asked)) == "forbidden"
    assert (await lender.done("me", f"{path}/submission"))["status"] == "approved"
    assert rule(await lender.send("me", "POST", f"{path}/offer", {})) == "forbidden"
    assert rule(await lender.send("collector", "GET", path)) == "forbidden"
