"""The API as an application: every route guarded, every failure a problem document."""

from fastapi import FastAPI

from services.ledger.access_matrix import MATRIX
from services.ledger.api.routes import ROUTES
from services.ledger.api.serving import GuardedRoute, Measured, Services, UnlistedRoute
from shared import problems


def create_app(services: Services) -> FastAPI:
    """The application. Raises UnlistedRoute when routes and access matrix are not the same set."""
    app = FastAPI(title="Lendlog ledger", version="1", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    app.router.route_class = GuardedRoute
    app.router.redirect_slashes = False
    for method, path, handler in ROUTES:
        status = 202 if method == "POST" else 200
        app.router.add_api_route(path, handler, methods=[method], status_code=status, response_model=None)
    require_guarded(app)
    problems.install(app)
    app.add_middleware(Measured)
    return app


def require_guarded(app: FastAPI) -> None:
    """Raise UnlistedRoute unless every route of `app` is guarded, and every line of the matrix is a route."""
    served: set[tuple[str, str]] = set()
    for route in app.routes:
        if not isinstance(route, GuardedRoute):
            raise UnlistedRoute(f"{getattr(route, 'path', route)} is not guarded.")
        served.update((method, route.path) for method in route.methods or ())
    if different := served ^ MATRIX.keys():
        listed = ", ".join(" ".join(pair) for pair in sorted(different))
        raise UnlistedRoute(f"Routes and access matrix differ in {listed}.")
