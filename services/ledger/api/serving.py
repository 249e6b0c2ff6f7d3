"""What stands between the socket and a route: access, size, metrics; and what a route is given to work with."""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ledger.access_matrix import MATRIX, PUBLIC
from services.ledger.commands import Command, LedgerCommands, Once, Recorded
from shared import telemetry
from shared.access import Caller, Forbidden, identify
from shared.problems import Problem

BODY_BYTES_MAX = 64 << 10
"""A contract is under 2 KiB."""

REQUESTS = telemetry.counter("lendlog_api_requests_total", "requests", "Answers given", "method", "route", "status")
SECONDS = telemetry.histogram(
    "lendlog_api_request_seconds", "seconds", "Time to the answer's first byte", "method", "route"
)


class UnlistedRoute(Exception):
    """A route is served that the access matrix doesn't list, or the other way round."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes use. `ledger` is a pool on the processor's schema, `api` one on the API's own."""

    commands: LedgerCommands
    api: asyncpg.Pool
    ledger: asyncpg.Pool
    unready: Callable[[], Awaitable[list[str]]]
    """What is missing before this process can serve; empty when it is ready."""
    wait_seconds: float = 10.0
    """How long a reading with `?after=` waits for the event."""


class GuardedRoute(APIRoute):
    """A route that checks token and role before it reads the request; one that isn't listed can't be made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's hook: the handler, behind access and size."""
        handle = super().get_route_handler()
        allowed = [_allowed(method, self.path) for method in sorted(self.methods or ())]
        roles = frozenset[str]().union(*(roles for roles in allowed if not isinstance(roles, str)))
        public = all(rule == PUBLIC for rule in allowed)

        async def guarded(request: Request) -> Response:
            if not public:
                services: Services = request.app.state.services
                caller = await identify(services.api, request.headers.get("authorization"))
                if caller.role not in roles:
                    raise Forbidden(f"The role {caller.role} may not {request.method} {self.path}.")
                request.state.caller = caller
            return await handle(await _read_whole(request))

        return guarded


def _allowed(method: str, path: str) -> tuple[str, ...] | str:
    try:
        return MATRIX[method, path]
    except KeyError:
        raise UnlistedRoute(f"{method} {path} is not in the access matrix.") from None


async def _read_whole(request: Request) -> Request:
    """The request with its body read, refused once it is larger than BODY_BYTES_MAX."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return Request(request.scope, receive)


def _too_large() -> Problem:
    detail = f"At most {BODY_BYTES_MAX} bytes are read."
    return Problem(413, "body-too-large", "The request's body is too large.", detail, headers={"Connection": "close"})


_PRINTABLE = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request: who calls, with which key and correlation id."""

    services: Services
    caller: Caller
    request: Request
    key: str | None
    correlation_id: str | None

    def once(self, body: BaseModel) -> Once | None:
        """What the caller's idempotency key stands for: this method, path and body."""
        if self.key is None:
            return None
        named = f"{self.request.method}\x00{self.request.url.path}\x00{body.model_dump_json()}"
        return Once(self.caller.name, self.key, hashlib.sha256(named.encode()).digest())

    async def record(
        self, command: Command, body: BaseModel, *, place: str, loan_id: str | None = None
    ) -> JSONResponse:
        """Record the command and answer 202; `place` is where its effect can be read."""
        once = self.once(body)
        recorded = await self.services.commands.record(command, correlation_id=self.correlation_id, once=once)
        return self.accepted(recorded, place=place, loan_id=loan_id)

    def accepted(self, recorded: Recorded, *, place: str, loan_id: str | None = None) -> JSONResponse:
        """The answer to a command; the same for its repetition."""
        content = {"event_id": recorded.event_id} | ({"loan_id": loan_id} if loan_id else {})
        return JSONResponse(content, 202, headers={"Location": f"{place}?after={recorded.event_id}"})


def _call(
    request: Request,
    idempotency_key: Annotated[str | None, Header(description="A repeated call answers as the first.")] = None,
    correlation_id: Annotated[str | None, Header(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")] = None,
) -> Call:
    if idempotency_key is not None and not _PRINTABLE.fullmatch(idempotency_key):
        title, detail = "The Idempotency-Key is not usable.", "1 to 255 printable ASCII characters without spaces."
        raise Problem(400, "bad-idempotency-key", title, detail)
    services: Services = request.app.state.services
    return Call(services, request.state.caller, request, idempotency_key, correlation_id)


Calling = Annotated[Call, Depends(_call)]


class Measured:
    """ASGI: counts and times every answer by route, and forbids storing it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                method, route = _label(scope)
                REQUESTS.labels(method, route, message["status"]).inc()
                SECONDS.labels(method, route).observe(time.perf_counter() - began)
                headers = [pair for pair in message.get("headers", ()) if pair[0] != b"cache-control"]
                message["headers"] = [*headers, *_ALWAYS]
            await send(message)

        try:
            await self._app(scope, receive, measured)
        except Exception:  # the framework answers 500 outside of this
            REQUESTS.labels(*_label(scope), 500).inc()
            raise


def _label(scope: Scope) -> tuple[str, str]:
    """Method and route, of which there are only so many; anything else is `none`."""
    path = getattr(scope.get("route"), "path", "none")
    return (scope["method"] if path != "none" else "none"), path


_ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
