"""What stands between the socket and a route: access, size, metrics; and what a route is given to work with."""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

import asyncpg
from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.access import PUBLIC, Caller, Forbidden, Matrix, identify
from shared.commands import Once, Unit
from shared.problems import Problem

BODY_BYTES_MAX = 64 << 10
"""A contract is under 2 KiB."""

REQUESTS = telemetry.counter("lendlog_http_requests_total", "requests", "Answers given", "method", "route", "status")
SECONDS = telemetry.histogram(
    "lendlog_http_request_seconds", "seconds", "Time to the answer's first byte", "method", "route"
)


class UnlistedRoute(Exception):
    """A route is served that the access matrix doesn't list, or the other way round."""


class ApiServices(Protocol):
    """What the kit needs of a service's own dataclass of services; the routes get that dataclass whole."""

    @property
    def api(self) -> asyncpg.Pool:
        """A pool on the schema that holds the table `token`."""
        ...

    @property
    def unready(self) -> Callable[[], Awaitable[list[str]]]:
        """What is missing before this process can serve, a sentence each; empty when it is ready."""
        ...


class GuardedRoute(APIRoute):
    """A route that checks token and role before it reads the request; one that isn't listed can't be made."""

    matrix: ClassVar[Matrix] = {}
    bodies: ClassVar[Mapping[str, int]] = {}

    @classmethod
    def bound_to(cls, lines: Matrix, largest: Mapping[str, int]) -> type["GuardedRoute"]:
        """The class of routes that `lines` guard. `largest`: bytes of a body by path, where not BODY_BYTES_MAX."""

        class Bound(cls):  # type: ignore[misc, valid-type]
            matrix = lines
            bodies = largest

        return Bound

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's hook: the handler, behind access and size."""
        handle = super().get_route_handler()
        allowed = [self._allowed(method) for method in sorted(self.methods or ())]
        roles = frozenset[str]().union(*(roles for roles in allowed if not isinstance(roles, str)))
        public = all(rule == PUBLIC for rule in allowed)

        async def guarded(request: Request) -> Response:
            if not public:
                services: ApiServices = request.app.state.services
                caller = await identify(services.api, request.headers.get("authorization"))
                if caller.role not in roles:
                    raise Forbidden(f"The role {caller.role} may not {request.method} {self.path}.")
                request.state.caller = caller
            return await handle(await _read_whole(request, self.bodies.get(self.path, BODY_BYTES_MAX)))

        return guarded

    def _allowed(self, method: str) -> tuple[str, ...] | str:
        try:
            return self.matrix[method, self.path]
        except KeyError:
            raise UnlistedRoute(f"{method} {self.path} is not in the access matrix.") from None


async def _read_whole(request: Request, largest: int) -> Request:
    """The request with its body read, refused once it is larger than so many bytes."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > largest:
        raise _too_large(largest)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise _too_large(largest)

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return Request(request.scope, receive)


def _too_large(largest: int) -> Problem:
    detail = f"At most {largest} bytes are read."
    return Problem(413, "body-too-large", "The request's body is too large.", detail, headers={"Connection": "close"})


_PRINTABLE = re.compile(r"[\x21-\x7e]{1,255}")
ServicesT = TypeVar("ServicesT")


@dataclass(frozen=True, slots=True)
class Call(Generic[ServicesT]):
    """One authorised request: who calls, with which idempotency key and correlation id, and the service's services.

    A service names its own once, `Calling = Annotated[Call[Services], Depends(authorised)]`, and a route asks for it:
    `async def submit(call: Calling, body: NewApplication) -> JSONResponse`.
    """

    services: ServicesT
    caller: Caller
    request: Request
    key: str | None
    correlation_id: str | None

    def once(self, body: BaseModel | None = None) -> Once | None:
        """What the caller's idempotency key stands for: this method, path and body. None: no key came."""
        if self.key is None:
            return None
        content = "" if body is None else body.model_dump_json()
        named = f"{self.request.method}\x00{self.request.url.path}\x00{content}"
        return Once(self.caller.name, self.key, hashlib.sha256(named.encode()).digest())

    def own(self, borrower_id: str | None) -> None:
        """Refuse (Forbidden) an applicant who is not this borrower; every other role passes.

        Pass None for what does not exist: an applicant can't tell it from another's.
        """
        if self.caller.role == "applicant" and self.caller.borrower_id != borrower_id:
            raise Forbidden("An applicant sees what is their own.")

    def accepted(self, unit: Unit, *, place: str | None = None) -> JSONResponse:
        """The answer that the unit holds, the same for a repetition; `place` is where the effect can be read."""
        assert unit.document is not None, "the unit was given no answer"
        return JSONResponse(unit.document, unit.status, headers={"Location": place} if place else None)


def authorised(
    request: Request,
    idempotency_key: Annotated[str | None, Header(description="A repeated call answers as the first.")] = None,
    correlation_id: Annotated[str | None, Header(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")] = None,
) -> Call[Any]:
    """FastAPI's dependency behind a service's `Calling`. It has no place on a public route, where nobody is known."""
    if idempotency_key is not None and not _PRINTABLE.fullmatch(idempotency_key):
        title, detail = "The Idempotency-Key is not usable.", "1 to 255 printable ASCII characters without spaces."
        raise Problem(400, "bad-idempotency-key", title, detail)
    return Call(request.app.state.services, request.state.caller, request, idempotency_key, correlation_id)


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
