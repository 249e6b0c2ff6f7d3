"""A recorder of commands on a database and a log of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.ledger.commands import LedgerCommands, OpenBook
from shared.database import open_pool
from shared.events.envelope import new_event_id
from shared.topics import LIFECYCLE
from tests.integration.commands.recording import OPEN, PARTITIONS, Api
from tests.places import Place


@pytest.fixture
async def api(places: Callable[..., Awaitable[Place]]) -> AsyncIterator[Api]:
    place = await places(partitions=PARTITIONS)
    pool = await open_pool(place.url("ledger_api"), place.api_schema, size=30)
    made = Api(place, pool, None, [])  # type: ignore[arg-type]
    made.commands = LedgerCommands(pool, PARTITIONS, place.prefix + LIFECYCLE.name, on_recorded=made.wake)
    await made.commands.record(OpenBook(OPEN, new_event_id()))
    yield made
    await pool.close()
