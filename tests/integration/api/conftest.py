"""The API as an application on a database of its own, and one token a role."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.ledger.api import Services, create_app
from services.ledger.commands import LedgerCommands
from shared.access import ROLES, issue
from shared.database import open_pool
from shared.topics import LIFECYCLE
from tests.integration.api.client import Client
from tests.places import Place


@pytest.fixture
async def services(place: Place) -> AsyncIterator[Services]:
    api = await open_pool(place.url("ledger_api"), place.api_schema, size=12)
    ledger = await open_pool(place.url("ledger_api"), place.ledger_schema, size=4)

    async def unready() -> list[str]:
        return []

    commands = LedgerCommands(api, place.partitions, place.prefix + LIFECYCLE.name)
    yield Services(commands, api, ledger, unready, wait_seconds=0.3)
    await api.close()
    await ledger.close()


@pytest.fixture
async def client(services: Services) -> AsyncIterator[Client]:
    async with services.api.acquire() as connection:
        bound = {"applicant": "b-1"}
        tokens = {
            role: await issue(connection, name=role, role=role, borrower_id=bound.get(role)) for role in sorted(ROLES)
        }
        tokens["nobody"] = await issue(connection, name="nobody", role="auditor")
        await connection.execute("UPDATE token SET role = 'superuser' WHERE name = 'nobody'")
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as http:
        yield Client(http, tokens)
