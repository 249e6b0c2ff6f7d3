"""Letting a parked borrower of a service go on: one event on the service's inbox for each time that it parked, whoever
asks for it and however often, by the API or by the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.commands import Commands, Once, Unit
from shared.errors import Refusal
from shared.events.envelope import new_event_id
from shared.events.inbox import ParkedSubjectReleased, SubjectRelease
from shared.streams.subject_store import parked_view


class NotParked(Refusal):
    """The borrower is not parked."""

    status = 409


class HeldElsewhere(Refusal):
    """The borrower is held from another offset."""

    status = 409


class AlreadyReleased(Refusal):
    """The borrower was released, and the service has yet to take that in."""

    status = 409


@dataclass(frozen=True, slots=True)
class Releasing:
    """What a release is recorded with. `worker`: on the schema that the service folds into, for reading; `inbox`: full
    name of the topic."""

    service: str
    commands: Commands
    worker: asyncpg.Pool
    inbox: str

    async def release(
        self,
        borrower_id: str,
        *,
        first_held_offset: int,
        reason: str,
        by: str,
        discard_first: bool = False,
        once: Once | None = None,
        correlation_id: str | None = None,
        new_id: Callable[[], str] = new_event_id,
    ) -> Unit:
        """Record the release; the unit's document names its event. Raises NotParked, HeldElsewhere, AlreadyReleased,
        and IdempotencyKeyReused; then nothing was written.

        What it was parked for is read under the lock of `parked/<borrower>`, whose state names the hold that was
        released last: an offset and a reason, which no later hold has in common (shared/streams/intake.py).
        """
        name = f"parked/{borrower_id}"
        async with self.commands.unit(name, once=once, correlation_id=correlation_id) as unit:
            if unit.answered is None:
                hold = await self._hold(borrower_id, first_held_offset)
                before = unit.state(name) or {}
                if before.get("hold") == hold:
                    raise AlreadyReleased(f"Event {before['event_id']} releases {borrower_id}.", field="borrower_id")
                event = ParkedSubjectReleased(
                    id=new_id(),
                    source=f"/{self.service}",
                    subject=borrower_id,
                    time=unit.time,
                    correlationid=unit.correlation_id,
                    data=SubjectRelease(
                        first_held_offset=hold[0],
                        held_reason=hold[1],
                        discard_first=discard_first,
                        reason=reason,
                        by=by,
                    ),
                )
                unit.publish(self.inbox, event)
                unit.keep(name, {"hold": hold, "event_id": event.id})
                unit.answer({"borrower_id": borrower_id, "event_id": event.id})
        return unit

    async def _hold(self, borrower_id: str, first_held_offset: int) -> list[Any]:
        async with self.worker.acquire() as connection:
            rows = await parked_view(connection, borrower_id)
        if not rows:
            raise NotParked(f"Borrower {borrower_id} is not parked.", field="borrower_id")
        row = rows[0]
        if row["first_offset"] != first_held_offset:
            raise HeldElsewhere(
                f"Borrower {borrower_id} is held from {row['first_offset']}.", field="first_held_offset"
            )
        return [row["first_offset"], row["reason"]]
