"""A place of its own for one test on the shared servers: schemas, topics and scratch schema that nothing else uses."""

import os
import uuid
from dataclasses import dataclass

import asyncpg

from lendlog.platform import Platform
from lendlog.servers.provision import Site, drop_scratch, provision_schemas, provision_scratch
from lendlog.services import schemas_of
from shared.settings import ServiceSettings
from shared.streams.topic_admin import delete_topics, ensure_topics
from shared.topics import Topic, topics_of

SITE = Site(database="lendlog_test", role_prefix="lendlog_test")


@dataclass(frozen=True, slots=True)
class Place:
    """Names, and how to reach them. `prefix` goes before topics, groups and transactional ids."""

    servers: Platform
    name: str
    partitions: int = 8
    services: tuple[str, ...] = ("ledger",)

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
        """The URL of a service's role, of its `_api`, of `reader` or `replay`."""
        return SITE.url(self.servers.admin_url, role, self.servers.home.secrets())

    def variables(self, role: str = "ledger", **more: str) -> dict[str, str]:
        """The LENDLOG_ variables of a service process of this role."""
        return {
            "LENDLOG_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "LENDLOG_DATABASE_URL": self.url(role),
            "LENDLOG_LEDGER_SCHEMA": self.ledger_schema,
            "LENDLOG_LEDGER_API_SCHEMA": self.api_schema,
            "LENDLOG_SCHEMA_PREFIX": f"{self.name}_",
            "LENDLOG_VAULT_KEY": self.servers.home.secrets()["vault_key"],
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
        """Schemas and topics of the place's services."""
        await provision_schemas(
            self.servers.admin_url,
            self.servers.home.secrets(),
            self.settings(),
            services=self.services,
            site=SITE,
        )
        await ensure_topics(self.kafka_bootstrap, prefix=self.prefix, topics=self.topics(), partitions=self.partitions)

    def topics(self) -> list[Topic]:
        """The topics that the place's services read and write."""
        return list({topic.name: topic for name in self.services for topic in topics_of(name)}.values())

    async def create_scratch(self, service: str = "ledger") -> str:
        """An empty scratch schema of the replay role for one service; its name."""
        schema = self.scratch_schema if service == "ledger" else f"{self.name}_{service}_scratch"
        await provision_scratch(
            self.url("replay"), schema, self.partitions, schemas_of(service, self.settings()).create
        )
        return schema

    async def drop(self) -> None:
        """Remove everything."""
        for name in self.services:
            scratch = self.scratch_schema if name == "ledger" else f"{self.name}_{name}_scratch"
            await drop_scratch(self.url("replay"), scratch)
        schemas = [schemas_of(name, self.settings()) for name in self.services]
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute("SET lock_timeout = '10s'")
            for schema in (name for one in schemas for name in (one.schema, one.api_schema)):
                await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        finally:
            await connection.close()
        await delete_topics(self.kafka_bootstrap, prefix=self.prefix, topics=self.topics())


def new_place(servers: Platform, partitions: int = 8, services: tuple[str, ...] = ("ledger",)) -> Place:
    """With a name that nothing else has. Nothing is created yet."""
    return Place(servers, f"t{uuid.uuid4().hex[:10]}", partitions, services)
