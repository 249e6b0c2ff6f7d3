"""An office on schemas and topics of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.integration.origination.driving import PARTITIONS, Office, office
from tests.places import Place


@pytest.fixture
async def lender(places: Callable[..., Awaitable[Place]], tmp_path: Path) -> AsyncIterator[Office]:
    place = await places(partitions=PARTITIONS, services=("origination",))
    async with office(place, tmp_path / "worker.log") as made:
        yield made
