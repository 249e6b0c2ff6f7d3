"""Routes about products and applications, from the request to the money."""

import uuid
from typing import Any

from starlette.responses import JSONResponse

from services.origination.api.bodies import (
    AcceptanceBody,
    DocumentBody,
    Empty,
    GuaranteeBody,
    NewApplication,
    OfferBody,
    ReasonBody,
    RequestBody,
    StatementBody,
    VerdictBody,
)
from services.origination.api.serving import (
    Calling,
    Case,
    Services,
    about_application,
    application_key,
    borrower_key,
    dossier_of,
    known,
    stamp_of,
)
from services.origination.commands import applications, offers, parties, referrals
from services.origination.commands.refusals import DisbursementBlocked, NoOffer
from services.origination.dossier import Dossier
from services.origination.product import Product
from shared.api import Call, Route
from shared.events import applications as said


def _place(application_id: str) -> str:
    return f"/v1/applications/{application_id}"


async def products(call: Calling) -> dict[str, Any]:
    """The catalogue, every version."""
    return {"products": [_product(one) for one in call.services.rules.products.values()]}


async def product(call: Calling, name: str) -> dict[str, Any]:
    """One product by `name@version`, or the latest version of a name."""
    versions = [one for one in call.services.rules.products.values() if name in (one.name, one.named)]
    if not versions:
        return _product(call.services.rules.contracted(name))
    return _product(max(versions, key=lambda one: one.version))


def _product(one: Product) -> dict[str, Any]:
    return {"product": one.named} | one.model_dump(mode="json", exclude={"name", "version"})


async def start(call: Calling, body: NewApplication) -> JSONResponse:
    """Begin an application; its id is random."""
    call.own(body.borrower_id)
    services, borrower_id, application_id = call.services, body.borrower_id, str(uuid.uuid4())
    key, borrower = application_key(application_id), borrower_key(borrower_id)
    async with services.commands.unit(borrower, key, once=call.once(body), correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            guard = known(unit.state(borrower), borrower_id)
            parties.require_known(guard)
            seen = await services.seen(borrower_id, guard)
            request = _request(call, body, application_id, services, seen.today)
            events = applications.start(
                request,
                guard.party,
                services.rules,
                borrower_id=borrower_id,
                today=seen.today,
                stamp=stamp_of(call, unit),
            )
            dossier = Dossier(borrower_id=borrower_id, status="draft", request=request, started_on=seen.today)
            unit.keep(key, dossier.model_dump(mode="json"))
            Case(call, unit, borrower_id, guard, dossier, seen).publish(events)
    assert unit.document is not None
    return call.accepted(unit, place=_place(unit.document["application_id"]))


def _request(
    call: Call[Services], body: RequestBody, application_id: str, services: Services, today: Any
) -> said.Request:
    chosen = services.rules.product(body.product, today)
    usual = chosen.intervals[0]
    return said.Request(
        application_id=application_id,
        product=chosen.named,
        amount=body.amount,
        currency=body.currency,
        instalments=body.instalments,
        every=body.every or usual.every,
        unit=body.unit or usual.unit,
        first_due_date=body.first_due_date,
        purpose=body.purpose,
        by=call.caller.name,
    )


async def amend(call: Calling, application_id: str, body: RequestBody) -> JSONResponse:
    """Change the request of a draft."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            today = case.seen.today
            request = _request(call, body, application_id, call.services, today)
            case.publish(
                applications.amend(
                    case.dossier, request, case.guard.party, call.services.rules, today=today, stamp=case.stamp()
                )
            )
    return call.accepted(unit, place=_place(application_id))


async def provide_statement(call: Calling, application_id: str, body: StatementBody) -> JSONResponse:
    """Take in the applicant's figures."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            statement = said.Statement.model_validate(
                body.model_dump(mode="json") | {"application_id": application_id, "by": call.caller.name}
            )
            case.publish(
                applications.provide_statement(case.dossier, statement, today=case.seen.today, stamp=case.stamp())
            )
    return call.accepted(unit, place=_place(application_id))


async def receive_document(call: Calling, application_id: str, body: DocumentBody) -> JSONResponse:
    """Note a document."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            document = said.Document(application_id=application_id, by=call.caller.name, **body.model_dump())
            case.publish(applications.receive_document(case.dossier, document, stamp=case.stamp()))
    return call.accepted(unit, place=_place(application_id))


async def offer_guarantee(call: Calling, application_id: str, body: GuaranteeBody) -> JSONResponse:
    """Note what stands behind the loan."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            guarantee = said.Guarantee(application_id=application_id, by=call.caller.name, **body.model_dump())
            case.publish(applications.offer_guarantee(case.dossier, guarantee, stamp=case.stamp()))
    return call.accepted(unit, place=_place(application_id))


async def submit(call: Calling, application_id: str, body: Empty) -> JSONResponse:
    """Submit and decide."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            case.publish(
                applications.submit(
                    case.dossier,
                    case.guard.party,
                    case.standing(),
                    call.services.rules,
                    by=call.caller.name,
                    today=case.seen.today,
                    stamp=case.stamp(),
                )
            )
    return call.accepted(unit, place=_place(application_id))


async def request_review(call: Calling, application_id: str, body: ReasonBody) -> JSONResponse:
    """Take an automatic decline to a person."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            by = call.caller.name
            case.publish(referrals.request_review(case.dossier, by=by, reason=body.reason, stamp=case.stamp()))
    return call.accepted(unit, place=_place(application_id))


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
    return call.accepted(unit, place=_place(application_id))


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
    return call.accepted(unit, place=_place(application_id))


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
                    call.services.rules,
                    first_due=body.first_due_date,
                    by=call.caller.name,
                    today=case.seen.today,
                    stamp=case.stamp(),
                )
            )
    return call.accepted(unit, place=f"{_place(application_id)}/offer")


async def show_offer(call: Calling, application_id: str) -> dict[str, Any]:
    """The offer as it is shown to the borrower, the year's rate first; its hash is what an acceptance repeats."""
    dossier = await dossier_of(call, application_id)
    guard = await _guard(call, dossier.borrower_id)
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
    """The borrower accepts: the loan gets its id and its contract."""
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
                    loan_id=str(uuid.uuid4()),
                    lapsed=case.seen.lapsed,
                    today=case.seen.today,
                    stamp=case.stamp(),
                )
            )
    return call.accepted(unit, place=_place(application_id))


async def withdraw(call: Calling, application_id: str, body: ReasonBody) -> JSONResponse:
    """The borrower does not want the loan any more."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            by = call.caller.name
            case.publish(offers.withdraw(case.dossier, by=by, reason=body.reason, stamp=case.stamp()))
    return call.accepted(unit, place=_place(application_id))


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
            )
            case.publish(events)
            if (stopped := offers.blocking(events)) is not None:
                assert unit.document is not None
                unit.answer(unit.document | {"blocked_by": list(stopped.alerts)})
    assert unit.document is not None
    if alerts := unit.document.get("blocked_by"):
        raise DisbursementBlocked(f"Open red alerts: {', '.join(alerts)}.")
    return call.accepted(unit, place=_place(application_id))


async def show(call: Calling, application_id: str) -> dict[str, Any]:
    """The whole application: what came in, what is missing, what was decided and why, by whom."""
    dossier = await dossier_of(call, application_id)
    guard = await _guard(call, dossier.borrower_id)
    seen = await call.services.seen(dossier.borrower_id, guard, application_id=application_id)
    found = dossier.model_dump(mode="json", exclude_none=True) | {"application_id": application_id}
    found["today"] = seen.today.isoformat()
    if dossier.status == "draft":
        standing = seen.standing(guard, currency=dossier.request.currency, application_id=application_id)
        rules = call.services.rules
        found["missing"] = applications.missing(dossier, guard.party, standing, rules, today=seen.today)
    elif dossier.status == "offered" and seen.lapsed:
        found["status"] = "lapsed"
    return found


async def _guard(call: Call[Services], borrower_id: str) -> parties.BorrowerGuard:
    state = await call.services.state(borrower_key(borrower_id))
    return parties.BorrowerGuard.model_validate_json(state or "null")


_ONE = "/v1/applications/{application_id}"
ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/products", products),
    ("GET", "/v1/products/{name}", product),
    ("POST", "/v1/applications", start),
    ("GET", _ONE, show),
    ("PUT", _ONE, amend),
    ("POST", f"{_ONE}/statement", provide_statement),
    ("POST", f"{_ONE}/documents", receive_document),
    ("POST", f"{_ONE}/guarantees", offer_guarantee),
    ("POST", f"{_ONE}/submission", submit),
    ("POST", f"{_ONE}/review", request_review),
    ("POST", f"{_ONE}/recommendation", recommend),
    ("POST", f"{_ONE}/decision", decide),
    ("GET", f"{_ONE}/offer", show_offer),
    ("POST", f"{_ONE}/offer", make_offer),
    ("POST", f"{_ONE}/acceptance", accept),
    ("POST", f"{_ONE}/withdrawal", withdraw),
    ("POST", f"{_ONE}/disbursement", disburse),
)
