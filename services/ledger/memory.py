"""The books in memory: the same fold on dictionaries, one record at a time. What stores are held against."""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from services.ledger.book import Book
from services.ledger.book_rows import RateRow, Rows
from services.ledger.digest import Digest, Line
from services.ledger.engine.account import AccrualGroup, Loan, decode_state, encode_loan
from services.ledger.messages import Topics
from services.ledger.processor import LedgerPartition
from shared.merkle import record_of
from shared.money import code_of
from shared.streams.intake import SuspectedDuplicate
from shared.streams.ports import Message, Record
from shared.streams.unit import Held, Parked, Unit


class MemoryBooks:
    """One partition's books. Also serves as its own transaction, in the words of `LedgerTransaction`."""

    def __init__(self, partition: int, topics: Topics, **hosted: Any) -> None:
        """`hosted`: what a replay tells its fold besides (`holds`, `retried`)."""
        self.partition = partition
        self.hosted = LedgerPartition(partition, topics=topics, closing_chunk=1 << 60, cached_loans=1 << 60, **hosted)
        self.events: dict[str, tuple[int, int | None, date, bytes]] = {}
        self.states: dict[int, tuple[str, bytes]] = {}
        self.rates: list[RateRow] = []
        self.postings: dict[tuple[int, int, int], tuple[Any, ...]] = {}
        self.parked_events: dict[int, Held] = {}
        self.dead_letters: dict[int, bytes] = {}
        self.tried: dict[int, int] = {}
        self.periods: dict[date, int] = {}
        self.messages: list[Message] = []

    def take(self, record: Record) -> None:
        """Fold one record; where an event id was seen before, or may have been, look."""
        item = self.hosted.decode(record)
        known = {i for i in (item.event.id if item.event else "",) if i in self.events}
        try:
            _run(self._fold(item, known or None))
        except SuspectedDuplicate:
            _run(self._fold(item, known))

    async def _fold(self, item: Any, known: Iterable[str] | None) -> None:
        values = None if known is None else {i: record_of(self.events[i][3]).value for i in known}
        unit = await self.hosted.begin(self, [item], values)  # type: ignore[arg-type]
        await self.hosted.take(self, item, None)  # type: ignore[arg-type]
        await self.hosted.write(self)  # type: ignore[arg-type]
        self.hosted.committed(item.record.offset + 1)
        self.messages.extend(unit.messages)

    async def loans(self, loan_ids: Sequence[str]) -> list[Loan]:
        """Nothing is ever evicted, so an absent loan is unknown."""
        return []

    async def history(self, numbers: Sequence[int]) -> list[tuple[int, int, date, bytes]]:
        """Accepted events of these loans."""
        rows = [(e[1], e[0], e[2], e[3]) for e in self.events.values() if e[1] in numbers]
        return sorted(rows)  # type: ignore[arg-type]

    async def due(self, through: int, day: int, after: int, limit: int) -> list[Loan]:
        """Loans that a closing touches."""
        return [
            loan
            for loan in self.hosted.book.loans.values()
            if (action := loan.next_action()) is not None and action <= day
        ]

    async def held(self, loan_id: str) -> list[Held]:
        """What is held behind a parked loan."""
        return [held for held in self.parked_events.values() if held.loan_id == loan_id]

    async def dead(self, offset: int) -> tuple[bytes | None, int | None]:
        """An unsettled dead letter, and its last retry."""
        return self.dead_letters.get(offset), self.tried.get(offset)

    async def groups(self) -> list[AccrualGroup]:
        """None to load."""
        return []

    async def parked(self) -> list[Parked]:
        """None to load."""
        return []

    async def known(self, event_ids: Sequence[str]) -> Mapping[str, bytes | None]:
        """Which of these ids are accepted already, with the accepted value."""
        return {i: record_of(self.events[i][3]).value for i in event_ids if i in self.events}

    async def write(self, rows: Rows, unit: Unit, book: Book) -> None:
        """Keep the rows."""
        for offset, event_id, loan, effective, _booking, leaf, _partition in rows.events:
            assert event_id not in self.events
            self.events[event_id] = (offset, loan, effective, leaf)
        self.rates.extend(rows.rates)
        for posting in rows.postings:
            self.postings[posting[0], posting[1], posting[5]] = posting
        self.periods.update(rows.periods)
        for changed in rows.loans.values():
            self.states[changed.number] = (changed.loan_id, encode_loan(changed))
        for number in rows.groups:
            group = book.groups[number]
            name = f"accrual/{self.partition}/d{group.days}/{code_of(group.currency)}"
            self.states[number] = (name, encode_loan(group))
        for offset in unit.released:
            self.parked_events.pop(offset, None)
        self.parked_events.update({held.offset: held for held in unit.held})
        self.dead_letters.update({dead.offset: dead.leaf for dead in unit.dead})
        self.tried.update(unit.tried)
        for offset, _ in unit.settled:
            self.dead_letters.pop(offset, None)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """To its end at once: nothing in memory waits, so no event loop is needed."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the fold waited for something")


def digest_in_memory(books: Iterable[MemoryBooks]) -> dict[str, Any]:
    """The digest of these partitions, as `digest_of` gives it of tables."""
    digest = Digest()
    for one in books:
        ids = {event[0]: event_id for event_id, event in one.events.items()}
        lines: dict[int, list[Line]] = {}
        for (loan, offset, _), posting in sorted(one.postings.items()):
            _, _, amount, effective, booking, _, debit, credit, currency, _, since = posting
            line = Line(ids[offset], debit, credit, amount, currency, effective, booking, since)
            lines.setdefault(loan, []).append(line)
        for number, (loan_id, state) in one.states.items():
            digest.add(loan_id, decode_state(number, state), lines.get(number, []))
        digest.events += len(one.events)
        digest.periods.extend(map(str, one.periods))
        for index, since, rate, offset in one.rates:
            digest.add_rate(ids[offset], index, since, rate)
        digest.parked.extend(held.event_id for held in one.parked_events.values())
        for leaf in one.dead_letters.values():
            digest.add_dead(leaf)
    return digest.result()
