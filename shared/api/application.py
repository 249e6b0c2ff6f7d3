"""An API as an application: every route guarded, every failure a problem document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse, PlainTextResponse

from shared import problems, telemetry
from shared.access import PUBLIC, Matrix
from shared.api.serving import ApiServices, GuardedRoute, Measured, UnlistedRoute
from shared.problems import Problem

Route = tuple[str, str, Callable[..., Any]]
"""Method, path, handler. A POST answers 202 and anything else 200, unless the handler returns a response of its own."""


def create_app(
    title: str,
    routes: Sequence[Route],
    matrix: Matrix,
    services: ApiServices,
    *,
    bodies: Mapping[str, int] | None = None,
) -> FastAPI:
    """The application: `routes`, in this order, behind `matrix`, and the kit's own PUBLIC_ROUTES. `bodies`: bytes of a
    request by path, for those that may be larger than others.

    Raises UnlistedRoute when `routes` and `matrix` are not the same set. The matrix may repeat the public routes.
    """
    app = FastAPI(title=title, version="1", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    app.router.route_class = GuardedRoute.bound_to({**PUBLIC_LINES, **matrix}, bodies or {})
    app.router.redirect_slashes = False
    for method, path, handler in (*PUBLIC_ROUTES, *routes):
        status = 202 if method == "POST" else 200
        app.router.add_api_route(path, handler, methods=[method], status_code=status, response_model=None)
    require_guarded(app, matrix)
    problems.install(app)
    app.add_middleware(Measured)
    return app


def require_guarded(app: FastAPI, matrix: Matrix) -> None:
    """Raise UnlistedRoute unless every route of `app` is guarded, and every line of the matrix is a route."""
    lines = {**PUBLIC_LINES, **matrix}
    served: list[tuple[str, str]] = []
    for route in app.routes:
        if not isinstance(route, GuardedRoute):
            raise UnlistedRoute(f"{getattr(route, 'path', route)} is not guarded.")
        served.extend((method, route.path) for method in route.methods or ())
    if different := set(served) ^ lines.keys() or {pair for pair in served if served.count(pair) > 1}:
        listed = ", ".join(" ".join(pair) for pair in sorted(different))
        raise UnlistedRoute(f"Routes and access matrix differ in {listed}.")
    if changed := [path for (method, path), rule in PUBLIC_LINES.items() if lines[method, path] != rule]:
        raise UnlistedRoute(f"{', '.join(changed)}: public, or probes and scrapers can't read them.")


async def healthz() -> PlainTextResponse:
    """The loop is alive."""
    return PlainTextResponse("alive\n")


async def readyz(request: Request) -> Response:
    """Whether commands can be recorded and published; if not, what is missing."""
    services: ApiServices = request.app.state.services
    missing = await services.unready()
    if missing:
        raise Problem(503, "not-ready", "The process can't serve yet.", " ".join(missing))
    return PlainTextResponse("ready\n")


async def metrics() -> Response:
    """Every metric of this process, in Prometheus' text format."""
    return Response(telemetry.exposition(), media_type=telemetry.METRICS_CONTENT_TYPE)


async def openapi(request: Request) -> JSONResponse:
    """This API, described."""
    return JSONResponse(request.app.openapi())


PUBLIC_ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/healthz", healthz),
    ("GET", "/readyz", readyz),
    ("GET", "/metrics", metrics),
    ("GET", "/openapi.json", openapi),
)
"""What every API serves without a token."""
PUBLIC_LINES: Final[Matrix] = {(method, path): PUBLIC for method, path, _ in PUBLIC_ROUTES}
