"""An office on schemas and topics of its own, on the day OPENED."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.origination.driving import OPENED, PARTITIONS, Office, office
from tests.places import Place


@pytest.fixture
async def lender(places: Callable[..., Awaitable[Place]], tmp_path: Path) -> AsyncIterator[Office]:
    place = await places(partitions=PARTITIONS, services=("origination",))
    async with office(place, tmp_path / "worker.log") as made:
        await made.close(OPENED - timedelta(days=1))
        yield made
