"""The routes: parse, call, render. An action answers 202 with the event that it became."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Path, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse

from services.monitoring import explanation, queries
from services.monitoring import usefulness as usefulness_of
from services.monitoring.api.bodies import ActionBody, ReleaseBody, SnoozeBody
from services.monitoring.commands import Kind, Pending, UnknownAlert, decide, standing
from shared.api import Call, Day, Route, authorised
from shared.api.aside import aside_routes
from shared.commands import Commands, Unit
from shared.errors import Refusal
from shared.events.envelope import BorrowerId, EventId, LoanId, new_event_id
from shared.events.monitoring import Action, AlertActionTaken, Severity
from shared.events.parties import Code
from shared.topics import MONITORING_INBOX

AlertPath = Annotated[EventId, Path()]
BorrowerPath = Annotated[BorrowerId, Path()]
LoanPath = Annotated[LoanId, Path()]


class UnknownBorrower(Refusal):
    """Monitoring knows no such borrower."""

    status = 404


class UnknownLoan(Refusal):
    """Monitoring knows no such loan."""

    status = 404


class UnknownIndicator(Refusal):
    """The borrower has no level of such an indicator."""

    status = 404


@dataclass(frozen=True, slots=True)
class Services:
    """The service's own. `api`: pool on the API's schema; `worker`: on the worker's, for reading."""

    commands: Commands
    api: asyncpg.Pool
    worker: asyncpg.Pool
    unready: Callable[[], Awaitable[list[str]]]
    prefix: str


Calling = Annotated[Call[Services], Depends(authorised)]


async def alerts(
    call: Calling,
    borrower_id: Annotated[BorrowerId | None, Query()] = None,
    severity: Annotated[Severity | None, Query()] = None,
    indicator: Annotated[Code | None, Query()] = None,
    ended: Annotated[bool, Query(description="Also those that were resolved or superseded.")] = False,
    limit: Annotated[int, Query(ge=1, le=queries.ALERTS_MAX)] = 100,
) -> dict[str, Any]:
    """Alerts, the most severe and then the oldest first."""
    found = await queries.alerts(
        call.services.worker,
        ended=ended,
        borrower_id=borrower_id,
        severity=severity,
        indicator=indicator,
        limit=limit,
    )
    return {"alerts": found}


async def alert(call: Calling, alert_id: AlertPath) -> dict[str, Any]:
    """One alert."""
    return await _alert(call, alert_id)


async def why_alert(call: Calling, alert_id: AlertPath) -> dict[str, Any]:
    """The chain of events behind an alert."""
    async with call.services.worker.acquire() as connection:
        found = await explanation.why_alert(connection, alert_id)
    if found is None:
        raise _unknown(alert_id)
    return found


async def acknowledge(call: Calling, alert_id: AlertPath, body: ActionBody) -> JSONResponse:
    """Take care of an alert."""
    return await _act(call, alert_id, body, "acknowledge", body.by or call.caller.name, body.reason)


async def snooze(call: Calling, alert_id: AlertPath, body: SnoozeBody) -> JSONResponse:
    """Keep an alert quiet until a date, unless it becomes more severe."""
    return await _act(call, alert_id, body, "snooze", body.by or call.caller.name, body.reason, body.until)


async def release(call: Calling, alert_id: AlertPath, body: ReleaseBody) -> JSONResponse:
    """Lift the block of a red alert."""
    return await _act(call, alert_id, body, "release", body.by, body.reason)


async def resolve(call: Calling, alert_id: AlertPath, body: ActionBody) -> JSONResponse:
    """Close an alert: what is now counts as usual from here on."""
    return await _act(call, alert_id, body, "resolve", body.by or call.caller.name, body.reason)


async def indicators(call: Calling, borrower_id: BorrowerPath) -> dict[str, Any]:
    """A borrower's indicators: levels, months, and signals that did not count."""
    call.own(borrower_id)
    found = await queries.indicators(call.services.worker, borrower_id)
    if found is None:
        raise UnknownBorrower(f"Nothing is known of {borrower_id}.", field="borrower_id")
    return found


async def why_level(call: Calling, borrower_id: BorrowerPath, indicator: Annotated[Code, Path()]) -> dict[str, Any]:
    """Why a level is where it is."""
    call.own(borrower_id)
    async with call.services.worker.acquire() as connection:
        found = await explanation.why_level(connection, borrower_id, indicator)
    if found is None:
        raise UnknownIndicator(f"{borrower_id} has no level of {indicator}.", field="indicator")
    return found


async def loans(call: Calling, borrower_id: BorrowerPath) -> dict[str, Any]:
    """A borrower's loans: days past due and class."""
    call.own(borrower_id)
    return {"loans": await queries.loans(call.services.worker, borrower_id)}


async def classification(call: Calling, loan_id: LoanPath) -> dict[str, Any]:
    """A loan's class, and how it came to it."""
    found = await queries.classification(call.services.worker, loan_id)
    call.own(None if found is None else found["borrower_id"])
    if found is None:
        raise UnknownLoan(f"Nothing is known of loan {loan_id}.", field="loan_id")
    return found


async def portfolio(
    call: Calling,
    as_of: Annotated[Day | None, Query(description="A closed date; else the last.")] = None,
    known: Annotated[Day | None, Query(description="As booked on dates up to this one; else `as_of`.")] = None,
    effective: Annotated[Day | None, Query(description="Of value dates up to this one; else `as_of`.")] = None,
) -> dict[str, Any]:
    """Portfolio at risk, classes, non-performing loans, concentration; as a report of a date told it."""
    return await queries.portfolio(call.services.worker, as_of, known=known, effective=effective)


async def usefulness(call: Calling) -> dict[str, Any]:
    """How many alerts led to arrears, how early, and how soon somebody took care."""
    return await usefulness_of.usefulness(call.services.worker)


async def shifts(call: Calling) -> dict[str, Any]:
    """Peer groups and markets that are beyond their limits: the levels of all members are moved."""
    return {"shifts": await usefulness_of.shifts(call.services.worker)}


async def _alert(call: Call[Services], alert_id: str) -> dict[str, Any]:
    found = await queries.alert(call.services.worker, alert_id)
    if found is None:
        raise _unknown(alert_id)
    return found


def _unknown(alert_id: str) -> UnknownAlert:
    return UnknownAlert(f"There is no alert {alert_id}.", field="alert_id")


async def _act(
    call: Call[Services],
    alert_id: str,
    body: BaseModel,
    kind: Kind,
    by: str,
    reason: str,
    until: date | None = None,
) -> JSONResponse:
    """One action on one alert, which the unit holds alone: of two people at once the second sees the first's."""
    services, name = call.services, f"alert/{alert_id}"
    async with services.commands.unit(name, once=call.once(body), correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            # In this order: an action that the worker takes in between is then in the row, if not among the pending.
            pending = await _pending(services, unit.state(name))
            row = await _alert(call, alert_id)
            action = Action(alert_id=alert_id, action=kind, by=by, reason=reason, until=until)
            decide(standing(row, pending), action, today=await _today(services))
            _publish(services, unit, name, pending, action, row["borrower_id"])
    return call.accepted(unit, place=f"/v1/alerts/{alert_id}")


async def _today(services: Services) -> date | None:
    closed = await queries.last_closed(services.worker)
    return None if closed is None else closed + timedelta(days=1)


async def _pending(services: Services, state: dict[str, Any] | None) -> list[Pending]:
    """Accepted actions that the worker's tables don't show yet."""
    known = [Pending(**one) for one in (state or {}).get("pending", [])]
    shown = await queries.taken_in(services.worker, [one.event_id for one in known]) if known else set()
    return [one for one in known if one.event_id not in shown]


def _publish(
    services: Services, unit: Unit, name: str, pending: list[Pending], action: Action, borrower_id: str
) -> None:
    event = AlertActionTaken(
        id=new_event_id(),
        source="/monitoring",
        subject=borrower_id,
        time=unit.time,
        correlationid=unit.correlation_id,
        data=action,
    )
    unit.publish(services.prefix + MONITORING_INBOX.name, event)
    kept = [*pending, Pending(event.id, action.action, action.by)]
    unit.keep(name, {"pending": [{"event_id": p.event_id, "action": p.action, "by": p.by} for p in kept]})
    unit.answer({"alert_id": action.alert_id, "action": action.action, "by": action.by, "event_id": event.id})


ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/alerts", alerts),
    ("GET", "/v1/alerts/{alert_id}", alert),
    ("GET", "/v1/alerts/{alert_id}/why", why_alert),
    ("POST", "/v1/alerts/{alert_id}/acknowledge", acknowledge),
    ("POST", "/v1/alerts/{alert_id}/snooze", snooze),
    ("POST", "/v1/alerts/{alert_id}/release", release),
    ("POST", "/v1/alerts/{alert_id}/resolve", resolve),
    ("GET", "/v1/borrowers/{borrower_id}/indicators", indicators),
    ("GET", "/v1/borrowers/{borrower_id}/indicators/{indicator}/why", why_level),
    ("GET", "/v1/borrowers/{borrower_id}/loans", loans),
    ("GET", "/v1/loans/{loan_id}/classification", classification),
    ("GET", "/v1/portfolio", portfolio),
    ("GET", "/v1/usefulness", usefulness),
    ("GET", "/v1/shifts", shifts),
    *aside_routes("monitoring", MONITORING_INBOX),
)
