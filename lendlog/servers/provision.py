"""Database, roles and schemas. Every call may be repeated; nothing is ever dropped, scratch schemas excepted.

Roles, for each service: <prefix>_<service>_owner owns its schemas and can't log in; _<service> is the worker;
_<service>_api the API, which reads what the worker keeps and writes its own. _reader reads what workers keep; _replay
owns scratch schemas and has no right on the live ones. PUBLIC gets nothing.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from lendlog.services import SERVICES, Create, Schemas, schemas_of
from shared.database import migrate, quoted
from shared.errors import MissingPrecondition
from shared.settings import ServiceSettings

LOGINS = (*(f"{name}{suffix}" for name in SERVICES for suffix in ("", "_api")), "reader", "replay")


@dataclass(frozen=True, slots=True)
class Site:
    """Names that a server's databases share. Tests take others: a platform on the same server stays untouched."""

    database: str = "lendlog"
    role_prefix: str = "lendlog"

    def role(self, name: str) -> str:
        """The role's name in the server: `ledger` → `lendlog_ledger`."""
        return f"{self.role_prefix}_{name}"

    def administrator_url(self, admin_url: str) -> str:
        """The administrator's URL into this database."""
        return urlunsplit(urlsplit(admin_url)._replace(path=f"/{self.database}"))

    def url(self, admin_url: str, role: str, secrets: Mapping[str, str]) -> str:
        """The URL with which `role` (one of LOGINS) connects."""
        parts = urlsplit(self.administrator_url(admin_url))
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{self.role(role)}:{quote(secrets[role], safe='')}@{place}"))


SITE = Site()


async def provision_schemas(
    admin_url: str,
    secrets: Mapping[str, str],
    settings: ServiceSettings,
    *,
    services: Sequence[str] = SERVICES,
    site: Site = SITE,
) -> None:
    """Make database, roles, the schemas of `services` with their tables, and the rights. `secrets`: passwords by login
    role; `settings` has the schemas' names and the number of partitions."""
    await _make_roles_and_database(admin_url, secrets, site)
    async with _connection(site.administrator_url(admin_url)) as connection:
        for name in services:
            await _provision_service(connection, schemas_of(name, settings), settings.partitions, site)


async def _provision_service(connection: asyncpg.Connection, schemas: Schemas, partitions: int, site: Site) -> None:
    owner = quoted(site.role(f"{schemas.service}_owner"))
    await connection.execute(f"GRANT CREATE ON DATABASE {quoted(site.database)} TO {owner}")
    await connection.execute(f"SET ROLE {owner}")
    await schemas.create(connection, schemas.schema, partitions)
    for folder in schemas.api_migrations:
        await migrate(connection, schemas.api_schema, folder)
    await _grant(connection, schemas, site)
    await connection.execute("RESET ROLE")
    await connection.execute(f"REVOKE CREATE ON DATABASE {quoted(site.database)} FROM {owner}")


async def provision_scratch(
    replay_url: str, schema: str, partitions: int, create: Create, *, fresh: bool = True
) -> None:
    """Make `schema` by `create` over the replay role's own URL, which then owns it; `fresh` first drops what it had
    there."""
    async with _connection(replay_url) as connection:
        if fresh:
            await _drop(connection, schema)
        await create(connection, schema, partitions)


async def drop_scratch(replay_url: str, schema: str) -> None:
    """Drop a scratch schema. Another owner's is refused by the database: the replay role has no right on it."""
    async with _connection(replay_url) as connection:
        await _drop(connection, schema)


async def register_tokens(admin_url: str, tokens: Mapping[str, str], *, api_schema: str, site: Site = SITE) -> None:
    """Let each role's token in: the database gets the SHA-256 of it. A former token of that name is no longer valid."""
    async with _connection(site.administrator_url(admin_url)) as connection:
        await connection.executemany(
            f"INSERT INTO {quoted(api_schema)}.token (token_hash, role, name) VALUES ($1, $2, $2)"
            " ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash, role = excluded.role"
            " WHERE token.token_hash <> excluded.token_hash",
            [(hashlib.sha256(token.encode()).digest(), role) for role, token in tokens.items()],
        )


async def _make_roles_and_database(admin_url: str, secrets: Mapping[str, str], site: Site) -> None:
    async with _connection(admin_url) as connection:
        there = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        for name in (*(f"{service}_owner" for service in SERVICES), *LOGINS):
            role = quoted(site.role(name))
            if site.role(name) not in there:
                await connection.execute(f"CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
            if name in LOGINS:
                password = await connection.fetchval("SELECT quote_literal($1::text)", secrets[name])
                await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD {password}")
            if not superuser:
                await connection.execute(f"GRANT {role} TO CURRENT_USER")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", site.database):
            await connection.execute(f"CREATE DATABASE {quoted(site.database)}")
        database = quoted(site.database)
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        logins = ", ".join(quoted(site.role(name)) for name in LOGINS)
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {logins}")
        await connection.execute(f"GRANT CREATE ON DATABASE {database} TO {quoted(site.role('replay'))}")


async def _grant(connection: asyncpg.Connection, schemas: Schemas, site: Site) -> None:
    kept, api = quoted(schemas.schema), quoted(schemas.api_schema)
    worker, server, reader = (quoted(site.role(name)) for name in (schemas.service, f"{schemas.service}_api", "reader"))
    await connection.execute(f"""
        GRANT USAGE ON SCHEMA {kept} TO {worker}, {server}, {reader};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {kept} TO {worker};
        GRANT SELECT ON ALL TABLES IN SCHEMA {kept} TO {server}, {reader};
        GRANT USAGE ON SCHEMA {api} TO {server}, {reader};
        GRANT SELECT ON {api}.outbox TO {reader};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {api} TO {server};
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {api} TO {server};
        REVOKE INSERT, UPDATE, DELETE ON {kept}.migration FROM {worker};
        REVOKE INSERT, UPDATE, DELETE ON {api}.migration FROM {server};
    """)


async def _drop(connection: asyncpg.Connection, schema: str) -> None:
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
    except asyncpg.InsufficientPrivilegeError as error:
        raise MissingPrecondition(f"Schema {schema} is not a scratch schema: name another one.") from error


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection; two provisionings of one database wait for each other."""
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": "lendlog provision"})
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        place = urlsplit(url).netloc.rpartition("@")[2]
        raise MissingPrecondition(
            f"The database at {place} can't be used ({error}): start it, or set LENDLOG_POSTGRES_URL."
        ) from error
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext('lendlog provision'))")
        yield connection
    finally:
        await connection.close()
