"""Routes about products and applications, up to the decision of the policy."""

import uuid
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import JSONResponse

from services.origination import queries
from services.origination.api.bodies import (
    DocumentBody,
    Empty,
    GuaranteeBody,
    NewApplication,
    RequestBody,
    StatementBody,
)
from services.origination.api.serving import (
    Calling,
    Case,
    Services,
    about_application,
    application_key,
    application_place,
    borrower_key,
    dossier_of,
    guard_of,
    known,
    stamp_of,
)
from services.origination.commands import applications, parties
from services.origination.dossier import Dossier
from services.origination.product import Product
from services.origination.state import Status
from shared.api import Call, Route
from shared.events import applications as said


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
    return call.accepted(unit, place=application_place(unit.document["application_id"]))


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
    return call.accepted(unit, place=application_place(application_id))


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
    return call.accepted(unit, place=application_place(application_id))


async def receive_document(call: Calling, application_id: str, body: DocumentBody) -> JSONResponse:
    """Note a document."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            document = said.Document(application_id=application_id, by=call.caller.name, **body.model_dump())
            case.publish(applications.receive_document(case.dossier, document, stamp=case.stamp()))
    return call.accepted(unit, place=application_place(application_id))


async def offer_guarantee(call: Calling, application_id: str, body: GuaranteeBody) -> JSONResponse:
    """Note what stands behind the loan."""
    async with about_application(call, application_id, body) as (unit, case):
        if case is not None:
            guarantee = said.Guarantee(application_id=application_id, by=call.caller.name, **body.model_dump())
            case.publish(applications.offer_guarantee(case.dossier, guarantee, stamp=case.stamp()))
    return call.accepted(unit, place=application_place(application_id))


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
    return call.accepted(unit, place=application_place(application_id))


async def show(call: Calling, application_id: str) -> dict[str, Any]:
    """The whole application: what came in, what is missing, what was decided and why, by whom."""
    dossier = await dossier_of(call, application_id)
    guard = await guard_of(call, dossier.borrower_id)
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


async def work_list(call: Calling, status: Status, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> dict[str, Any]:
    """Applications that stand somewhere, the longest first, as the worker knows them: the referrals to decide."""
    return {"applications": await queries.standing_at(call.services.worker, status, limit)}


_ONE = "/v1/applications/{application_id}"
ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/products", products),
    ("GET", "/v1/products/{name}", product),
    ("GET", "/v1/applications", work_list),
    ("POST", "/v1/applications", start),
    ("GET", _ONE, show),
    ("PUT", _ONE, amend),
    ("POST", f"{_ONE}/statement", provide_statement),
    ("POST", f"{_ONE}/documents", receive_document),
    ("POST", f"{_ONE}/guarantees", offer_guarantee),
    ("POST", f"{_ONE}/submission", submit),
)
