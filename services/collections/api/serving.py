"""What the routes are given to work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import asyncpg
from fastapi import Depends

from services.collections.commands.refusals import InstantNotYours
from services.collections.dispatch import Dispatcher
from shared.api import Call, authorised
from shared.commands import Commands
from shared.topics import COLLECTIONS_INBOX, LIFECYCLE

ON_BUSINESS_TIME = ("service", "operator")
"""Roles that may ask with an instant of their own: a simulation, or an import, lives on the book's dates."""


@dataclass(frozen=True, slots=True)
class Services:
    """The service's own. `api`: pool on the API's schema; `books`: on the worker's, for reading."""

    commands: Commands
    api: asyncpg.Pool
    books: asyncpg.Pool
    unready: Callable[[], Awaitable[list[str]]]
    dispatcher: Dispatcher
    prefix: str

    @property
    def worker(self) -> asyncpg.Pool:
        """`books`, as shared/api/aside.py calls it."""
        return self.books

    @property
    def inbox(self) -> str:
        """Full name of the topic that the worker folds."""
        return self.prefix + COLLECTIONS_INBOX.name

    @property
    def lifecycle(self) -> str:
        """Full name of the log of record."""
        return self.prefix + LIFECYCLE.name


Calling = Annotated[Call[Services], Depends(authorised)]


def instant(call: Call[Services], at: datetime | None) -> datetime:
    """The instant that is asked about; raises InstantNotYours."""
    if at is None:
        return datetime.now(UTC)
    if call.caller.role not in ON_BUSINESS_TIME:
        raise InstantNotYours(f"The role {call.caller.role} asks about now.", field="at")
    return at
