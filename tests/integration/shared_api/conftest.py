"""A schema of its own with the tables that every API has."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from lendlog.platform import Platform
from shared.commands import MIGRATIONS
from shared.database import migrate, open_pool


@pytest.fixture
async def pool(servers: Platform) -> AsyncIterator[asyncpg.Pool]:
    schema = f"t{uuid.uuid4().hex[:10]}"
    admin = await asyncpg.connect(servers.admin_url)
    await migrate(admin, schema, MIGRATIONS)
    made = await open_pool(servers.admin_url, schema, size=16)
    yield made
    await made.close()
    await admin.execute(f'DROP SCHEMA "{schema}" CASCADE')
    await admin.close()
