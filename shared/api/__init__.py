"""The HTTP side that every service's API has in common: guarded routes, problem details, idempotency keys, a process
that drains before it leaves. What is a service's own: its routes, its access matrix, its dataclass of services.

    # services/<name>/access_matrix.py: one line a route; a role that is not named is denied
    MATRIX: Final[Matrix] = {
        ("POST", "/v1/applications"): ("officer", "applicant"),
        ("GET", "/v1/applications/{application_id}"): ("officer", "approver", "auditor", "applicant"),
    }

    # services/<name>/api/routes.py
    @dataclass(frozen=True, slots=True)
    class Services:
        commands: Commands
        api: asyncpg.Pool
        unready: Callable[[], Awaitable[list[str]]]

    Calling = Annotated[Call[Services], Depends(authorised)]

    async def submit(call: Calling, body: NewApplication) -> JSONResponse:
        call.own(body.borrower_id)
        name, once = body.application_id, call.once(body)
        async with call.services.commands.unit(name, once=once, correlation_id=call.correlation_id) as unit:
            if unit.answered is None:
                ...                                        # shared/commands.py shows the inside
        return call.accepted(unit, place=f"/v1/applications/{name}")

    ROUTES: tuple[Route, ...] = (("POST", "/v1/applications", submit), ...)

    # services/<name>/api/__main__.py: shared/api/process.py shows it

/healthz, /readyz, /metrics and /openapi.json come with `create_app`; the matrix need not list them. A refusal
(`shared.errors.Refusal`) becomes a problem document by its class; `Problem` is for what concerns HTTP itself.
"""

from shared.api.application import PUBLIC_LINES, Route, create_app, require_guarded
from shared.api.bodies import Body, Day
from shared.api.serving import ApiServices, Call, GuardedRoute, UnlistedRoute, authorised

__all__ = [
    "PUBLIC_LINES",
    "ApiServices",
    "Body",
    "Call",
    "Day",
    "GuardedRoute",
    "Route",
    "UnlistedRoute",
    "authorised",
    "create_app",
    "require_guarded",
]
