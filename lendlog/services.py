"""The platform's services: their schemas, and what a process of each is started with. Imported when it is needed."""

import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.settings import ServiceSettings

SERVICES = ("ledger", "origination", "monitoring", "collections")
"""In the order in which they are started."""
OF_BORROWERS = SERVICES[1:]
"""Those that keep a state per borrower (shared/streams/subject_service.py)."""


Create = Callable[[Any, str, int], Awaitable[None]]
"""(connection, schema, partitions): bring a schema that a replay recomputes up to date."""


@dataclass(frozen=True, slots=True)
class Schemas:
    """A service's schemas on this platform, and how to make them."""

    service: str
    schema: str
    """What a replay recomputes."""
    api_schema: str
    create: Create
    api_migrations: Sequence[Path]

    @property
    def scratch(self) -> str:
        """Where replays go: beside the live schema."""
        return f"{self.schema}_scratch"


def of_borrowers(name: str) -> Any:
    """The `SubjectService` of this name."""
    return importlib.import_module(f"services.{name}.service").SERVICE


def schemas_of(name: str, settings: ServiceSettings) -> Schemas:
    """The schemas of a service."""
    if name == "ledger":
        from services.ledger.schema import API_MIGRATIONS, create_books

        return Schemas(name, settings.ledger_schema, settings.ledger_api_schema, create_books, (API_MIGRATIONS,))
    from shared.commands import MIGRATIONS
    from shared.streams.subject_store import create_tables

    service = of_borrowers(name)
    own = service.migrations.parent / "api_migrations"

    async def create(connection: Any, schema: str, partitions: int) -> None:
        await create_tables(connection, schema, service.migrations, partitions)

    folders = (MIGRATIONS, own) if own.is_dir() else (MIGRATIONS,)
    return Schemas(name, service.schema(settings), service.api_schema(settings), create, folders)
