"""Collections' API as an application on a database of its own, with borrowers as the worker would have written them."""

import asyncio
import json
import uuid
from datetime import date, datetime
from typing import Any

import asyncpg
import httpx

from services.collections import readings
from services.collections.channel import Message, SendOutcome, Sent
from services.collections.state import Borrower
from shared.partitioner import partition_for
from tests.unit.collections.history import History

ROLES = ("collector", "supervisor", "operator", "service", "auditor", "officer")
DUE, OPEN = date(2026, 3, 2), date(2026, 3, 10)
NOON = "2026-03-10T04:00:00Z"
"""Noon in Shanghai on the open date."""
PARTITIONS = 8


class Desk:
    """Calls the API as one of the roles; puts borrowers where the worker would."""

    def __init__(self, http: httpx.AsyncClient, tokens: dict[str, str], api: asyncpg.Pool, books: asyncpg.Pool) -> None:
        self.http, self.tokens, self.api, self.books = http, tokens, api, books

    async def send(self, role: str, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        return await self.http.request(method, path, json=body, params=query, headers=headers)

    async def published(self, topic: str) -> list[dict[str, Any]]:
        """The events that wait for the relay, of topics that end so."""
        rows = await self.api.fetch(
            "SELECT payload FROM outbox WHERE aggregatetype LIKE $1 ORDER BY sequence", f"%{topic}"
        )
        return [json.loads(row["payload"]) for row in rows]

    async def has(self, state: Borrower) -> None:
        """The worker knows this of a borrower, and the open date is OPEN."""
        partition = partition_for(state.borrower_id.encode(), PARTITIONS)
        async with self.books.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE position SET open_date = $1", OPEN)
            for table, rows in readings.rows(state).items():
                await connection.execute(f"DELETE FROM {table} WHERE subject = $1", state.borrower_id)
                await connection.copy_records_to_table(
                    table,
                    columns=("partition", "subject", *readings.TABLES[table]),
                    records=[(partition, state.borrower_id, *row) for row in rows],
                )


def late(borrower: str = "b-1", *, until: date = OPEN, channels: tuple[str, ...] = ("email", "voice")) -> Borrower:
    """A borrower in China whose instalment of DUE was not paid, with every date before `until` closed."""
    history = History(date(2026, 2, 1))
    history.registered()
    history.disbursed(DUE)
    history.close_until(date(2026, 3, 1))
    history.fell_due(past_due="500.00", since=DUE, next_due=date(2026, 4, 2))
    history.close_until(date.fromordinal(until.toordinal() - 1))
    return renamed(history.state, borrower, channels)


def reminded(borrower: str = "b-1", *, channels: tuple[str, ...] = ("email", "voice")) -> Borrower:
    """One with an instalment due on OPEN, who is to be reminded on that day."""
    history = History(date(2026, 3, 8))
    history.registered()
    history.disbursed(OPEN)
    history.close_until(date(2026, 3, 9))
    return renamed(history.state, borrower, channels)


def renamed(state: Borrower, borrower: str, channels: tuple[str, ...]) -> Borrower:
    """The same as another's: with ids of its own."""
    assert state.party is not None
    state.borrower_id = borrower
    state.party.channels = list(channels)
    for loan in list(state.loans.values()):
        loan.loan_id = f"{borrower}-{loan.loan_id}"
    state.loans = {loan.loan_id: loan for loan in state.loans.values()}
    if state.case is not None:
        state.case.case_id = _own(state.case.case_id, borrower)
    for reminder in state.reminders:
        reminder.reminder_id = _own(reminder.reminder_id, borrower)
        reminder.loan_id = f"{borrower}-{reminder.loan_id}"
    return state


def _own(name: str, borrower: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{borrower}"))


class Book:
    """Addresses by borrower; a port that needs no server."""

    async def address(self, borrower_id: str, channel: str, purpose: str) -> str | None:
        return f"{borrower_id}@borrowers.example"


class Recording:
    """A channel that ends as it is told, and keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.ends: dict[str, SendOutcome] = {}
        self.asked, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def send(self, address: str, message: Message) -> SendOutcome:
        self.sent.append((address, message))
        self.asked.set()
        await self.open.wait()
        return self.ends.get(address, Sent())


def rule(answer: httpx.Response) -> str:
    """The rule of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["type"]).rpartition("/")[2]


def moment(text: str) -> datetime:
    """An instant."""
    return datetime.fromisoformat(text)
