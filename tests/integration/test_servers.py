"""The shared servers of the test session."""

import asyncpg
import pytest

from tests.places import Place

pytestmark = pytest.mark.servers


async def test_place_has_partitions(place: Place) -> None:
    connection = await asyncpg.connect(place.url("ledger"))
    try:
        assert await connection.fetchval(f"SELECT count(*) FROM {place.ledger_schema}.position") == 8
    finally:
        await connection.close()
