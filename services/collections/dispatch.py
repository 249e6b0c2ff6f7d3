"""Sends due reminders: ask the gate, reserve, read the address, send, conclude; each at most once.

A pass holds a session lock, so one pass runs at a time however many processes there are. What it finds reserved by a
machine is from a pass that died between reserving and concluding: whether that message went out nobody knows, so it
becomes `unclear` and stays that until a person concludes it. A reminder has one contact that is not `failed` (a unique
index), so neither a crash nor a second pass repeats one.
"""

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import asyncpg

from services.collections import metrics
from services.collections.channel import AddressBook, AddressUnavailable, Channel, Failed, SendOutcome, Sent
from services.collections.commands import contacts
from services.collections.commands.contacts import Reservation
from services.collections.commands.memory import borrower_key
from services.collections.commands.refusals import ContactAlreadyConcluded, DispatchUnderWay
from services.collections.contact import Attempt, Denied, PartyFacts
from services.collections.facts import facts_of
from services.collections.hours import zone_of
from services.collections.letters import Reminding, reminder_letter
from services.collections.local_time import local_date
from shared import telemetry
from shared.commands import Commands
from shared.events.parties import Channel as ChannelName

AT_ONCE = 8
"""Messages under way at the same time."""
SENDER = "dispatch"
_log = telemetry.logger(__name__)

# Reminders whose days include one of these three: the borrower's date is the one of UTC, or one beside it.
_DUE = """
SELECT reminder_id, r.subject AS borrower_id, loan_id, kind, instalment_due, on_date, until, amount, currency, facts
FROM reminder r JOIN contact_state USING (partition, subject)
WHERE on_date <= $1::date + 1 AND until >= $1::date - 1 ORDER BY on_date, reminder_id
"""
_MADE = "SELECT about FROM contact WHERE automatic AND outcome <> 'failed' AND about = ANY($1::uuid[])"
_LEFT = "SELECT contact_id, borrower_id FROM contact WHERE automatic AND outcome = 'reserved' ORDER BY reserved_at"
_UNCLEAR = "SELECT count(*) FROM contact WHERE outcome = 'unclear'"


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder to be sent, and to whom."""

    reminder_id: str
    borrower_id: str
    reminding: Reminding
    language: str


class Dispatcher:
    """`books`: a pool on the worker's schema; `api`: one on the API's. `channels`: what can be sent by."""

    def __init__(
        self,
        commands: Commands,
        *,
        api: asyncpg.Pool,
        books: asyncpg.Pool,
        scope: str,
        topic: str,
        addresses: AddressBook,
        channels: Mapping[ChannelName, Channel],
    ) -> None:
        self._commands, self._api, self._books, self._topic = commands, api, books, topic
        self._addresses, self._channels = addresses, channels
        self._lock = int.from_bytes(hashlib.sha256(f"{scope}\x00dispatch".encode()).digest()[:8], "big", signed=True)

    async def run_pass(self, at: datetime) -> dict[str, Any]:
        """Send what is due at the instant `at`; how many ended how, and what the gate denied by rule.

        Raises DispatchUnderWay.
        """
        async with self._alone() as session:
            left = await self._conclude_what_was_left()
            due = await self._due(at)
            counts: Counter[str] = Counter()
            denied: Counter[str] = Counter()
            turn = asyncio.Semaphore(AT_ONCE)

            async def send_one(one: Due) -> None:
                async with turn:
                    ended = await self._remind(one, at)
                    counts["denied" if isinstance(ended, Denied) else ended] += 1
                    if isinstance(ended, Denied):
                        denied[ended.rule] += 1
                        metrics.DENIED.labels(ended.rule).inc()

            for start in range(0, len(due), AT_ONCE * 8):
                await session.execute("SELECT")  # the lock is ours as long as its session lives
                async with asyncio.TaskGroup() as group:
                    for one in due[start : start + AT_ONCE * 8]:
                        group.create_task(send_one(one))
        await self.refresh_metrics()
        return {"at": at.isoformat(), "due": len(due), "left_unclear": left, "denied": dict(denied)} | {
            name: counts[name] for name in ("sent", "failed", "unclear")
        }

    async def recover(self) -> None:
        """Conclude what a process that died has left, unless a pass is under way in another."""
        with contextlib.suppress(DispatchUnderWay):
            async with self._alone():
                await self._conclude_what_was_left()
        await self.refresh_metrics()

    async def every(self, seconds: float) -> None:
        """A pass now and then, with the wall clock's time; for ever."""
        while True:
            try:
                _log.info("reminders", **await self.run_pass(datetime.now(UTC)))
            except DispatchUnderWay:
                _log.info("another process sends reminders")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ExceptionGroup) as error:
                _log.warning("a pass of reminders broke off", error=repr(error))
            await asyncio.sleep(seconds)

    async def refresh_metrics(self) -> None:
        """How many contacts are unclear."""
        metrics.UNCLEAR.set(await self._api.fetchval(_UNCLEAR))

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[Any]:
        async with self._api.acquire() as session:
            if not await session.fetchval("SELECT pg_try_advisory_lock($1)", self._lock):
                raise DispatchUnderWay("It ends by itself; ask again.")
            try:
                yield session
            finally:
                with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await session.execute("SELECT pg_advisory_unlock($1)", self._lock)

    async def _conclude_what_was_left(self) -> int:
        left = await self._api.fetch(_LEFT)
        for row in left:
            _log.warning("a contact was left open by a process that ended", contact_id=str(row["contact_id"]))
            await self._conclude(row["borrower_id"], str(row["contact_id"]), "unclear", "the sending process ended")
        return len(left)

    async def _due(self, at: datetime) -> list[Due]:
        """What may be sent on the borrower's date at this instant, and was not."""
        rows = await self._books.fetch(_DUE, at.astimezone(UTC).date())
        made = {row["about"] for row in await self._api.fetch(_MADE, [row["reminder_id"] for row in rows])}
        return [due for row in rows if row["reminder_id"] not in made and (due := _due_of(row, at)) is not None]

    async def _remind(self, one: Due, at: datetime) -> Denied | str:
        """One reminder; Denied, or the outcome."""
        attempt = Attempt(at, "email", "reminder", loan_id=one.reminding.loan_id)
        channel = self._channels.get("email")
        if channel is None:
            return Denied("no-channel", "Nothing is set up to send e-mail: LENDLOG_SMTP_URL.")
        wanted = Reservation(attempt, SENDER, about=one.reminder_id, automatic=True)
        async with self._commands.unit(borrower_key(one.borrower_id)) as unit:
            reserved = await contacts.reserve(unit, self._books, self._topic, one.borrower_id, wanted)
        if isinstance(reserved, Denied):
            return reserved
        ended = await self._send(one, channel, attempt, reserved.contact_id)
        outcome = "sent" if isinstance(ended, Sent) else "failed" if isinstance(ended, Failed) else "unclear"
        await self._conclude(
            one.borrower_id, reserved.contact_id, outcome, None if isinstance(ended, Sent) else ended.detail
        )
        metrics.CONTACTS.labels(attempt.channel, outcome).inc()
        return outcome

    async def _send(self, one: Due, channel: Channel, attempt: Attempt, contact_id: str) -> SendOutcome:
        try:
            address = await self._addresses.address(one.borrower_id, attempt.channel, attempt.purpose)
        except AddressUnavailable as error:
            return Failed(str(error))
        if address is None:
            return Failed("there is no address")
        return await channel.send(address, reminder_letter(one.reminding, one.language, contact_id))

    async def _conclude(self, borrower_id: str, contact_id: str, outcome: str, detail: str | None) -> None:
        async with self._commands.unit(borrower_key(borrower_id)) as unit:
            with contextlib.suppress(ContactAlreadyConcluded):
                await contacts.conclude(unit, self._topic, contact_id, outcome, detail)


def _due_of(row: Any, at: datetime) -> Due | None:
    """The reminder, if the borrower's date is one of its days; UTC's date where no clock is known (the gate denies)."""
    party: PartyFacts | None = facts_of(json.loads(row["facts"])).party
    zone = zone_of(party.time_zone) if party else None
    day: date = local_date(at, zone) if zone else at.date()
    if not row["on_date"] <= day <= row["until"]:
        return None
    reminding = Reminding(row["kind"], row["loan_id"], row["instalment_due"], row["amount"], row["currency"])
    return Due(str(row["reminder_id"]), row["borrower_id"], reminding, party.language if party else "en")
