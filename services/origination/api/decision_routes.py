"""Routes from the policy's decision to the money: people, offer, acceptance, disbursement."""

import uuid
from typing import Any

from starlette.responses import JSONResponse, Response

from services.origination.api.bodies import AcceptanceBody, Empty, OfferBody, ReasonBody, VerdictBody
from services.origination.api.serving import Calling, about_application, application_place, dossier_of, guard_of
from services.origination.commands import offers, referrals
from services.origination.commands.refusals import DisbursementBlocked, NoContract, NoHeadKept, NoOffer
from services.origination.dossier import Dossier
from shared.api import Route


async def request_review(call: Calling, application_id: str, body: ReasonBody) -> JSONResponse:
    """Take an automatic decline to a person."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            by = call.caller.name
            case.publish(referrals.request_review(case.dossier, by=by, reason=body.reason, stamp=case.stamp()))
    return call.accepted(unit, place=application_place(application_id))


async def recommend(call: Calling, application_id: str, body: VerdictBody) -> JSONResponse:
    """The maker's word on a referral."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            amount, rate = _as_decided(case.dossier, body)
            case.publish(
                referrals.recommend(
                    case.dossier,
                    call.services.rules,
                    verdict=body.verdict,
                    amount=amount,
                    annual_rate=rate,
                    by=call.caller.name,
                    reason=body.reason,
                    stamp=case.stamp(),
                )
            )
    return call.accepted(unit, place=application_place(application_id))


async def decide(call: Calling, application_id: str, body: VerdictBody) -> JSONResponse:
    """The checker's word on a referral."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            amount, rate = _as_decided(case.dossier, body)
            case.publish(
                referrals.decide_referral(
                    case.dossier,
                    call.services.rules,
                    verdict=body.verdict,
                    amount=amount,
                    annual_rate=rate,
                    by=call.caller.name,
                    role=call.caller.role,
                    reason=body.reason,
                    stamp=case.stamp(),
                )
            )
    return call.accepted(unit, place=application_place(application_id))


def _as_decided(dossier: Dossier, body: VerdictBody) -> tuple[str, str]:
    """Amount and rate of a person's word: named, or the maker's, or the policy's."""
    word, decision = dossier.recommendation, dossier.decision
    rate = word.annual_rate if word else decision.terms.annual_rate if decision else "0"
    amount = word.amount if word else dossier.request.amount
    return body.amount or amount, body.annual_rate or rate


async def make_offer(call: Calling, application_id: str, body: OfferBody) -> JSONResponse:
    """Offer the approved terms; what is shown stands at the place that the answer names."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            case.publish(
                offers.make_offer(
                    case.dossier,
                    case.guard.party,
                    case.standing(),
                    call.services.rules,
                    first_due=body.first_due_date,
                    by=call.caller.name,
                    today=case.seen.today,
                    stamp=case.stamp(),
                )
            )
    return call.accepted(unit, place=f"{application_place(application_id)}/offer")


async def show_offer(call: Calling, application_id: str) -> dict[str, Any]:
    """The offer as it is shown to the borrower, the year's rate first; its hash is what an acceptance repeats."""
    dossier = await dossier_of(call, application_id)
    guard = await guard_of(call, dossier.borrower_id)
    shown = offers.quoted(dossier, guard.party, call.services.rules)
    if shown is None or dossier.offer is None:
        raise NoOffer(f"The application is {dossier.status}.")
    return {
        "shown": shown.shown(),
        "shown_sha256": dossier.offer.schedule_sha256,
        "offer_id": dossier.offer.offer_id,
        "valid_until": dossier.offer.valid_until.isoformat(),
    }


async def accept(call: Calling, application_id: str, body: AcceptanceBody) -> JSONResponse:
    """The borrower accepts: the loan gets its id and its contract, and with it the log's head of this moment."""
    loan_id = str(uuid.uuid4())
    log_head = await call.services.heads.of_loan(loan_id)  # before anything is locked
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            case.publish(
                offers.accept(
                    case.dossier,
                    case.guard.party,
                    call.services.rules,
                    shown_sha256=body.shown_sha256,
                    method=body.method,
                    evidence=body.evidence,
                    by=call.caller.name,
                    loan_id=loan_id,
                    log_head=log_head,
                    lapsed=case.seen.lapsed,
                    today=case.seen.today,
                    stamp=case.stamp(),
                )
            )
    return call.accepted(unit, place=application_place(application_id))


async def signing_head(call: Calling, application_id: str) -> Response:
    """The log's signed head of the day of signing, as the file that `lendlog proof check --since` takes."""
    dossier = await dossier_of(call, application_id)
    if dossier.acceptance is None or dossier.loan is None:
        raise NoContract(f"The application is {dossier.status}.")
    head = dossier.acceptance.log_head
    if head is None or head.note is None:
        why = WITHOUT_HEAD[head.missing if head is not None else None]
        raise NoHeadKept(f"When loan {dossier.loan.loan_id} was contracted, {why}.")
    name = f'attachment; filename="{dossier.loan.loan_id}.head"'
    return Response(head.note, 200, {"Content-Disposition": name}, "text/plain")


async def withdraw(call: Calling, application_id: str, body: ReasonBody) -> JSONResponse:
    """The borrower does not want the loan any more."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            by = call.caller.name
            case.publish(offers.withdraw(case.dossier, by=by, reason=body.reason, stamp=case.stamp()))
    return call.accepted(unit, place=application_place(application_id))


async def disburse(call: Calling, application_id: str, body: Empty) -> JSONResponse:
    """Pay out the loan. Refused while a red alert blocks it; that is recorded, and a repetition with the same key is
    refused again, so try with another key once the alert is released."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            events = offers.disburse(
                case.dossier,
                call.services.rules,
                case.standing(),
                by=call.caller.name,
                today=case.seen.today,
                stamp=case.stamp(),
                undone=case.seen.undone(case.dossier.loan.loan_id) if case.dossier.loan is not None else 0,
            )
            case.publish(events)
            if (stopped := offers.blocking(events)) is not None:
                assert unit.document is not None
                unit.answer(unit.document | {"blocked_by": list(stopped.alerts)})
    assert unit.document is not None
    if alerts := unit.document.get("blocked_by"):
        raise DisbursementBlocked(f"Open red alerts: {', '.join(alerts)}.")
    return call.accepted(unit, place=application_place(application_id))


WITHOUT_HEAD = {
    "none-signed": "no head of its partition was signed yet",
    "not-reached": "the topic of heads could not be reached",
    None: "no head was kept with a contract yet",
}
_ONE = "/v1/applications/{application_id}"
ROUTES: tuple[Route, ...] = (
    ("POST", f"{_ONE}/review", request_review),
    ("POST", f"{_ONE}/recommendation", recommend),
    ("POST", f"{_ONE}/decision", decide),
    ("GET", f"{_ONE}/offer", show_offer),
    ("POST", f"{_ONE}/offer", make_offer),
    ("POST", f"{_ONE}/acceptance", accept),
    ("GET", f"{_ONE}/signing-head", signing_head),
    ("POST", f"{_ONE}/withdrawal", withdraw),
    ("POST", f"{_ONE}/disbursement", disburse),
)
