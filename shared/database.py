"""Connections with a fixed search path, and numbered SQL migrations. SQL names no schema (architecture, Schemas)."""

import re
from pathlib import Path
from typing import Any

import asyncpg

from shared.errors import MissingPrecondition

_SCHEMA = re.compile(r"^[a-z_][a-z0-9_]{0,40}$")


def quoted(schema: str) -> str:
    """A schema or role name as an SQL identifier. Only names of our own form are let through."""
    if not _SCHEMA.match(schema):
        raise MissingPrecondition(f"{schema!r} is not a schema name: use a-z, 0-9 and _, at most 41 characters.")
    return f'"{schema}"'


async def connect(url: str, *schemas: str, **options: Any) -> asyncpg.Connection:
    """One connection whose search path is `schemas` and nothing else."""
    settings = {"search_path": ", ".join(map(quoted, schemas)) or '""', "application_name": "lendlog"}
    return await asyncpg.connect(url, server_settings=settings, timeout=10, **options)


async def open_pool(url: str, *schemas: str, size: int = 4, **options: Any) -> asyncpg.Pool:
    """A pool of such connections."""
    settings = {"search_path": ", ".join(map(quoted, schemas)) or '""', "application_name": "lendlog"}
    return await asyncpg.create_pool(url, min_size=1, max_size=size, server_settings=settings, timeout=10, **options)


async def migrate(connection: asyncpg.Connection, schema: str, folder: Path) -> list[str]:
    """Bring `schema` up to date with the numbered files of `folder`, in one transaction. Returns what ran."""
    ran: list[str] = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"migrate {schema}")
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        await connection.execute(f"SET LOCAL search_path TO {quoted(schema)}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {row["name"] for row in await connection.fetch("SELECT name FROM migration")}
        for file in sorted(folder.glob("[0-9]*.sql")):
            if file.stem not in done:
                await connection.execute(file.read_text())
                await connection.execute("INSERT INTO migration (name) VALUES ($1)", file.stem)
                ran.append(file.stem)
    return ran


async def require_current(connection: asyncpg.Connection, folder: Path) -> None:
    """Refuse to start on a schema that lacks a migration of `folder` (search path must be set)."""
    wanted = {file.stem for file in folder.glob("[0-9]*.sql")}
    try:
        done = {row["name"] for row in await connection.fetch("SELECT name FROM migration")}
    except asyncpg.UndefinedTableError:
        done = set()
    if missing := sorted(wanted - done):
        raise MissingPrecondition(
            f"The database schema lacks {', '.join(missing)}: run `lendlog run`, which migrates it."
        )
