"""Collections' API on schemas of one test, without its worker."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import httpx
import pytest

from services.collections.access_matrix import MATRIX
from services.collections.api import case_routes, contact_routes
from services.collections.api.serving import Services
from services.collections.dispatch import Dispatcher
from services.collections.service import SERVICE
from shared.access import issue
from shared.api import create_app
from shared.api.aside import aside_routes
from shared.commands import Commands
from shared.database import open_pool
from shared.topics import COLLECTIONS_INBOX
from tests.integration.collections.desk import PARTITIONS, ROLES, Book, Desk, Recording
from tests.places import Place


@pytest.fixture
def channel() -> Recording:
    return Recording()


@pytest.fixture
async def desk_place(places: Callable[..., Awaitable[Place]]) -> Place:
    return await places(partitions=PARTITIONS, services=("collections",))


@pytest.fixture
async def pools(desk_place: Place) -> AsyncIterator[tuple[asyncpg.Pool, asyncpg.Pool]]:
    """(the API's schema, the worker's): the second by the worker's role, which may write there."""
    settings = desk_place.settings("collections_api")
    api = await open_pool(desk_place.url("collections_api"), SERVICE.api_schema(settings), size=16)
    books = await open_pool(desk_place.url("collections"), SERVICE.schema(settings), size=8)
    yield api, books
    await api.close()
    await books.close()


@pytest.fixture
def dispatcher(desk_place: Place, pools: tuple[asyncpg.Pool, asyncpg.Pool], channel: Recording) -> Dispatcher:
    api, books = pools
    schema = SERVICE.api_schema(desk_place.settings())
    topic = f"{desk_place.prefix}collections.inbox.v1"
    commands = Commands(api, scope=schema)
    return Dispatcher(
        commands, api=api, books=books, scope=schema, topic=topic, addresses=Book(), channels={"email": channel}
    )


@pytest.fixture
async def desk(
    desk_place: Place, pools: tuple[asyncpg.Pool, asyncpg.Pool], dispatcher: Dispatcher
) -> AsyncIterator[Desk]:
    api, books = pools

    async def unready() -> list[str]:
        return []

    async with api.acquire() as connection:
        tokens = {role: await issue(connection, name=role, role=role) for role in ROLES}
        tokens["second"] = await issue(connection, name="second", role="collector")
        for borrower in ("b-1", "b-2"):
            tokens[borrower] = await issue(connection, name=borrower, role="applicant", borrower_id=borrower)
    commands = Commands(api, scope=SERVICE.api_schema(desk_place.settings()))
    services = Services(commands, api, books, unready, dispatcher, desk_place.prefix)
    aside = aside_routes("collections", COLLECTIONS_INBOX)
    routes = (*contact_routes.ROUTES, *case_routes.ROUTES, *aside)
    transport = httpx.ASGITransport(create_app("a test", routes, MATRIX, services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://collections") as http:
        yield Desk(http, tokens, api, books)
