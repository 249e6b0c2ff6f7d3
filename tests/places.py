"""A place of its own for one test on the shared servers: schemas, topics and scratch schema that nothing else uses."""

import os
import uuid
from dataclasses import dataclass

import asyncpg

from lendlog.platform import Platform
from lendlog.servers.provision import Site, drop_scratch, provision_ledger, provision_scratch
from shared.settings import ServiceSettings
from shared.streams.topic_admin import delete_topics, ensure_topics

SITE = Site(database="lendlog_test", role_prefix="lendlog_test")


@dataclass(frozen=True, slots=True)
class Place:
    """Names, and how to reach them. `prefix` goes before topics, groups and transactional ids."""

    servers: Platform
    name: str
    partitions: int = 8

    @property
    def ledger_schema(self) -> str:
        return f"{self.name}_ledger"

    @property
    def api_schema(self) -> str:
        return f"{self.name}_api"

    @property
    def scratch_schema(self) -> str:
        return f"{self.name}_scratch"

    @property
    def prefix(self) -> str:
        return f"{self.name}."

    @property
    def kafka_bootstrap(self) -> str:
        return self.servers.kafka_bootstrap

    @property
    def admin_url(self) -> str:
        """The administrator's URL into the database that holds the schemas."""
        return SITE.administrator_url(self.servers.admin_url)

    def url(self, role: str) -> str:
        """The URL of `ledger`, `ledger_api`, `reader` or `replay`."""
        return SITE.url(self.servers.admin_url, role, self.servers.home.secrets())

    def variables(self, role: str = "ledger", **more: str) -> dict[str, str]:
        """The LENDLOG_ variables of a service process of this role."""
        return {
            "LENDLOG_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "LENDLOG_DATABASE_URL": self.url(role),
            "LENDLOG_LEDGER_SCHEMA": self.ledger_schema,
            "LENDLOG_LEDGER_API_SCHEMA": self.api_schema,
            "LENDLOG_TOPIC_PREFIX": self.prefix,
            "LENDLOG_PARTITIONS": str(self.partitions),
            "LENDLOG_DEAD_LETTER_KEY": self.servers.home.secrets()["dead_letter_key"],
            "LENDLOG_PORT": "0",
        } | more

    def environment(self, role: str = "ledger", **more: str) -> dict[str, str]:
        """A whole environment for a child process."""
        return {**os.environ, **self.variables(role, **more)}

    def settings(self, role: str = "ledger", **more: str) -> ServiceSettings:
        """The same for code in the test's own process; `more` are LENDLOG_ variables."""
        prefix = "LENDLOG_"
        return ServiceSettings(
            **{name.removeprefix(prefix).lower(): value for name, value in self.variables(role, **more).items()}
        )

    async def create(self) -> None:
        """Schemas and topics."""
        await provision_ledger(
            self.servers.admin_url,
            self.servers.home.secrets(),
            ledger_schema=self.ledger_schema,
            api_schema=self.api_schema,
            partitions=self.partitions,
            site=SITE,
        )
        await ensure_topics(self.kafka_bootstrap, prefix=self.prefix, partitions=self.partitions)

    async def create_scratch(self) -> None:
        """An empty scratch schema of the replay role."""
        await provision_scratch(self.url("replay"), self.scratch_schema, self.partitions)

    async def drop(self) -> None:
        """Remove everything."""
        await drop_scratch(self.url("replay"), self.scratch_schema)
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute("SET lock_timeout = '10s'")
            for schema in (self.ledger_schema, self.api_schema):
                await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        finally:
            await connection.close()
        await delete_topics(self.kafka_bootstrap, prefix=self.prefix)


def new_place(servers: Platform, partitions: int = 8) -> Place:
    """With a name that nothing else has. Nothing is created yet."""
    return Place(servers, f"t{uuid.uuid4().hex[:10]}", partitions)
