"""What the routes are given to work with, and the unit of work around one borrower and one application."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
from fastapi import Depends
from pydantic import BaseModel

from services.origination import queries
from services.origination.commands import parties
from services.origination.commands.parties import BorrowerGuard
from services.origination.commands.refusals import UnknownApplication, UnknownParty
from services.origination.commands.stamp import Stamp
from services.origination.dossier import Dossier, evolve
from services.origination.log_heads import LogHeads
from services.origination.queries import Seen
from services.origination.rules import Rules
from services.origination.vault import Vault
from shared.api import Call, authorised
from shared.commands import Commands, Once, Unit
from shared.events.applications import StandingSeen
from shared.events.envelope import Envelope, new_event_id
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.topics import APPLICATIONS, LIFECYCLE, PARTIES


@dataclass(frozen=True, slots=True)
class Services:
    """The service's own. `api`: pool on the API's schema; `worker`: on the worker's, for reading."""

    commands: Commands
    api: asyncpg.Pool
    worker: asyncpg.Pool
    unready: Callable[[], Awaitable[list[str]]]
    rules: Rules
    vault: Vault
    prefix: str
    partitions: int
    heads: LogHeads

    async def seen(self, borrower_id: str, guard: BorrowerGuard, *, application_id: str = "") -> Seen:
        """What the worker knows of the borrower and of those who stand by."""
        others = [relation.other for relation in guard.relations.values()]
        return await queries.seen(
            self.worker, borrower_id, others=others, application_id=application_id, partitions=self.partitions
        )

    async def state(self, aggregate: str) -> str | None:
        """The kept state of an aggregate, as JSON, outside of any unit."""
        found: str | None = await self.api.fetchval("SELECT state FROM aggregate WHERE aggregate_id = $1", aggregate)
        return found


Calling = Annotated[Call[Services], Depends(authorised)]


def borrower_key(borrower_id: str) -> str:
    """The aggregate of a borrower: every command about the borrower or an application holds it, so that one borrower's
    events stand in one order on every topic."""
    return f"borrower/{borrower_id}"


def application_key(application_id: str) -> str:
    """The aggregate of an application."""
    return f"application/{application_id}"


def application_place(application_id: str) -> str:
    """Where an application can be read."""
    return f"/v1/applications/{application_id}"


def stamp_of(call: Call[Services], unit: Unit) -> Stamp:
    """What the unit's events get."""
    return Stamp(unit.time, new_event_id, call.correlation_id)


def known(state: dict[str, Any] | None, borrower_id: str) -> BorrowerGuard:
    """The guard of a borrower. Raises UnknownParty."""
    if state is None:
        raise UnknownParty(f"No borrower {borrower_id} is registered.", field="borrower_id")
    return BorrowerGuard.model_validate(state)


@dataclass(slots=True)
class Work:
    """One command's unit, with what it needs to know."""

    call: Call[Services]
    unit: Unit
    borrower_id: str
    guard: BorrowerGuard

    def publish_parties(self, events: Sequence[Envelope]) -> None:
        """Send events about the party, and keep what follows from them."""
        for event in events:
            self.unit.publish(self.call.services.prefix + PARTIES.name, event)
            self.guard = parties.evolve(self.guard, event)
        if events:
            self.keep()

    def keep(self) -> None:
        """Keep the guard."""
        self.unit.keep(borrower_key(self.borrower_id), self.guard.model_dump(mode="json"))


@dataclass(slots=True)
class Case(Work):
    """A unit about one application."""

    dossier: Dossier
    seen: Seen

    @property
    def application_id(self) -> str:
        """Its id."""
        return self.dossier.request.application_id

    def stamp(self) -> Stamp:
        """What this unit's events get."""
        return stamp_of(self.call, self.unit)

    def standing(self) -> StandingSeen:
        """What a decision looks at."""
        currency = self.dossier.request.currency
        return self.seen.standing(self.guard, currency=currency, application_id=self.application_id)

    def publish(self, events: Sequence[Envelope]) -> None:
        """Send events about the application and its loan, keep what follows, and answer with where it stands."""
        prefix, before = self.call.services.prefix, self.guard
        for event in events:
            lifecycle = isinstance(event, LoanContracted | LoanDisbursed)
            self.unit.publish(prefix + (LIFECYCLE if lifecycle else APPLICATIONS).name, event)
            self.dossier = evolve(self.dossier, event)
            self.guard = parties.commit(self.guard, self.application_id, event)
        if events:
            self.unit.keep(application_key(self.application_id), self.dossier.model_dump(mode="json"))
        if self.guard != before:
            self.keep()
        self.answer([event.id for event in events])

    def answer(self, event_ids: list[str]) -> None:
        """Answer with where the application stands."""
        loan = self.dossier.loan
        self.unit.answer(
            {
                "application_id": self.application_id,
                "borrower_id": self.borrower_id,
                "status": self.dossier.status,
                "event_ids": event_ids,
            }
            | ({} if loan is None else {"loan_id": loan.loan_id})
        )


async def guard_of(call: Call[Services], borrower_id: str) -> BorrowerGuard:
    """A borrower as the API keeps it, outside of any unit. Raises UnknownParty, or Forbidden for an applicant who is
    somebody else."""
    state = await call.services.state(borrower_key(borrower_id))
    call.own(None if state is None else borrower_id)
    return BorrowerGuard.model_validate_json(state) if state is not None else known(None, borrower_id)


@contextlib.asynccontextmanager
async def about_borrower(
    call: Call[Services], borrower_id: str, *, once: Once | None, reading: Sequence[str] = ()
) -> AsyncIterator[tuple[Unit, Work | None]]:
    """A unit about a borrower; None in place of the work: the key was answered before. Raises UnknownParty."""
    key = borrower_key(borrower_id)
    async with call.services.commands.unit(key, reading=reading, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is not None:
            yield unit, None
        else:
            yield unit, Work(call, unit, borrower_id, known(unit.state(key), borrower_id))


async def dossier_of(call: Call[Services], application_id: str) -> Dossier:
    """An application as it is kept. Raises UnknownApplication, or Forbidden for an applicant whose it is not."""
    state = await call.services.state(application_key(application_id))
    dossier = None if state is None else Dossier.model_validate_json(state)
    call.own(None if dossier is None else dossier.borrower_id)
    if dossier is None:
        raise UnknownApplication(f"There is no application {application_id}.", field="application_id")
    return dossier


@contextlib.asynccontextmanager
async def about_application(
    call: Call[Services], application_id: str, body: BaseModel
) -> AsyncIterator[tuple[Unit, Case | None]]:
    """A unit about an application and its borrower, both held alone; None: the key was answered before."""
    borrower_id = (await dossier_of(call, application_id)).borrower_id  # never changes, so it may be read before
    key, borrower = application_key(application_id), borrower_key(borrower_id)
    async with call.services.commands.unit(
        borrower, key, once=call.once(body), correlation_id=call.correlation_id
    ) as unit:
        if unit.answered is not None:
            yield unit, None
            return
        guard = known(unit.state(borrower), borrower_id)
        dossier = Dossier.model_validate(unit.state(key))
        seen = await call.services.seen(borrower_id, guard, application_id=application_id)
        yield unit, Case(call, unit, borrower_id, guard, dossier, seen)
