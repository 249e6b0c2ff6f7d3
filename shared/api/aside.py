"""The routes of what stands aside from a service of borrowers: who is parked and may go on, and dead letters."""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

import asyncpg
from fastapi import Depends, Path
from pydantic import Field
from starlette.responses import JSONResponse

from shared.api.application import Route
from shared.api.bodies import Body
from shared.api.serving import Call, authorised
from shared.commands import Commands
from shared.events.envelope import BorrowerId
from shared.events.ledger import Reason
from shared.releasing import Releasing
from shared.streams.subject_store import dead_letters_view, parked_view
from shared.topics import Topic


class NewRelease(Body):
    """Where it is held, as /v1/parked shows it, and why it may go on."""

    first_held_offset: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)]
    discard_first: Annotated[bool, Field(strict=True)] = False
    reason: Reason


class OfBorrowers(Protocol):
    """What the routes need of a service's dataclass of services. `worker`: pool on the worker's schema, for reading."""

    @property
    def commands(self) -> Commands: ...

    @property
    def worker(self) -> asyncpg.Pool: ...

    @property
    def prefix(self) -> str: ...


Calling = Annotated[Call[OfBorrowers], Depends(authorised)]


def aside_routes(service: str, inbox: Topic) -> tuple[Route, ...]:
    """The routes for one service; its access matrix lists them."""
    return (
        ("GET", "/v1/parked", parked),
        ("POST", "/v1/parked/{borrower_id}/release", _release(service, inbox)),
        ("GET", "/v1/dead-letters", dead_letters),
    )


async def parked(call: Calling) -> dict[str, Any]:
    """Borrowers who stopped at an event that breaks an invariant."""
    async with call.services.worker.acquire() as connection:
        return {"parked": await parked_view(connection)}


async def dead_letters(call: Calling) -> dict[str, Any]:
    """Messages of the inbox that could not be read."""
    async with call.services.worker.acquire() as connection:
        return {"dead_letters": await dead_letters_view(connection)}


def _release(service: str, inbox: Topic) -> Callable[..., Any]:
    async def release(call: Calling, borrower_id: Annotated[BorrowerId, Path()], body: NewRelease) -> JSONResponse:
        """Let a parked borrower go on from the first held offset."""
        services = call.services
        unit = await Releasing(service, services.commands, services.worker, services.prefix + inbox.name).release(
            borrower_id,
            first_held_offset=body.first_held_offset,
            discard_first=body.discard_first,
            reason=body.reason,
            by=call.caller.name,
            once=call.once(body),
            correlation_id=call.correlation_id,
        )
        return call.accepted(unit, place="/v1/parked")

    return release
