"""The ledger's fold hosted on a store: what a transaction fetches before it folds, and what it writes after."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.ledger.book import Book
from services.ledger.book_rows import Figures, Rows
from services.ledger.engine.account import Loan
from services.ledger.reading import PlainPayment
from services.ledger.store import LedgerTransaction
from shared.errors import InvariantBroken
from shared.events.envelope import BOOK
from shared.events.ledger import (
    BusinessDateClosed,
    DeadLetterRetried,
    ParkedLoanReleased,
    PaymentReversed,
)
from shared.merkle import canonical, leaf_hash, record_of
from shared.streams.intake import Hold, Intake, Item, SuspectedDuplicate, decode
from shared.streams.ports import Record
from shared.streams.unit import Unit


class LedgerPartition:
    """Book and intake of one partition."""

    def __init__(
        self,
        partition: int,
        *,
        topics: Any,
        closing_chunk: int,
        cached_loans: int,
        holds: Mapping[Hold, str] | None = None,
        retried: Mapping[int, int] | None = None,
    ) -> None:
        self.book = Book(partition, topics=topics)
        self.intake = Intake(self.book, holds=holds or {}, retried=retried or {})
        self.closing_chunk = closing_chunk
        self.cached_loans = cached_loans
        self.closings = 0
        """Closings in the batch."""
        self.changed: dict[str, Figures] = {}
        """Loans changed by committed transactions since the snapshots were last taken."""

    @property
    def cached_count(self) -> int:
        """Loans in memory."""
        return len(self.book.loans)

    @property
    def open_day(self) -> int | None:
        """The open business date's ordinal."""
        return self.book.open_day

    def decode(self, record: Record) -> Item:
        """Read a record; whatever is wrong with it comes along."""
        return decode(self.book, record)

    def forget(self) -> None:
        """Drop every state in memory."""
        self.book.loans.clear()
        self.book.groups.clear()
        self.book.histories.clear()
        self.book.rates.clear()
        self.intake.parked.clear()

    async def load(self, transaction: LedgerTransaction) -> None:
        """Open date, open periods, reference rates, accrual groups and parked loans."""
        self.book.open_day = transaction.position.open_day
        self.book.open_from = await transaction.open_from()
        self.book.rates.clear()
        self.book.rates.update(await transaction.rates())
        self.book.groups.clear()
        self.book.groups.update({group.number: group for group in await transaction.groups()})
        self.intake.parked.clear()
        self.intake.parked.update({p.loan_id: p for p in await transaction.parked()})

    async def begin(
        self, transaction: LedgerTransaction, items: Sequence[Item], known: Mapping[str, bytes | None] | None
    ) -> Unit:
        """Fetch the loans that the batch names and the facts of those it certainly re-folds."""
        unit = self.intake.begin(known)
        self.book.begin(unit.messages)
        loans = self.book.loans
        wanted = {item.event.subject for item in items if item.event is not None}
        wanted.discard(BOOK)
        self.closings = sum(type(item.event) is BusinessDateClosed for item in items)
        if missing := wanted.difference(loans):
            for loan in await transaction.loans(sorted(missing)):
                loans[loan.loan_id] = loan
        refolded = {
            event.subject
            for item in items
            if (event := item.event) is not None
            and (event.effectivedate is not None or type(event) is PaymentReversed)
            and item.problem is None
            and self.book.needs_history(event)
        }
        await self._fetch_histories(transaction, sorted(refolded))
        return unit

    async def _fetch_histories(self, transaction: LedgerTransaction, loan_ids: Sequence[str]) -> None:
        """Facts of these loans: the stored ones, and those accepted earlier in this very transaction."""
        loans = [self.book.loans[loan_id] for loan_id in loan_ids]
        if not loans:
            return
        numbers = {loan.number: loan.loan_id for loan in loans}
        stored: dict[str, list[Any]] = {loan.loan_id: [] for loan in loans}
        for number, offset, effective, leaf in await transaction.history(list(numbers)):
            stored[numbers[number]].append((offset, effective, record_of(leaf)))
        for number, loan_id in numbers.items():
            for offset, _id, _number, effective, _booking, leaf, _partition in self.book.rows.of_loan(number):
                stored[loan_id].append((offset, effective, record_of(leaf)))
        for loan_id, rows in stored.items():
            self.book.add_history(loan_id, [(offset, effective, record) for offset, effective, record in rows])

    def take_at_once(self, item: Item) -> bool:
        """Fold an ordinary payment, which nearly every record is, without a detour through the event loop."""
        event = item.event
        if type(event) is not PlainPayment or self.book.needs_history(event):
            return False
        self.book.at = item.record.offset
        self.intake.take(item)
        return True

    async def take(self, transaction: LedgerTransaction, item: Item, resume: int | None) -> int | None:
        """Fold one record. A closing that touches too many loans for one transaction gives the last one's number."""
        event = item.event
        self.book.at = item.record.offset
        if item.problem is None and event is not None:
            match event:
                case BusinessDateClosed() if event.subject == BOOK:
                    return await self._close(transaction, item, event, resume)
                case ParkedLoanReleased():
                    await self._release(transaction, item)
                    return None
                case DeadLetterRetried() if event.subject == BOOK:
                    await self._retry(transaction, item)
                    return None
                case _:
                    if self.book.needs_history(event) and event.subject not in self.intake.parked:
                        await self._fetch_histories(transaction, [event.subject])
        self.intake.take(item)
        return None

    async def _close(
        self, transaction: LedgerTransaction, item: Item, event: BusinessDateClosed, resume: int | None
    ) -> int | None:
        """A closing: the loans with something due, in order of number, then the groups and the next date."""
        leaf = canonical(item.record)
        if resume is None:
            if self.intake.is_repeated(item.record.offset, event.id, item.record.value, leaf):
                self.intake.unit.leaves.append(leaf_hash(leaf))
                return None
            try:
                self.book.check_closing(event)
            except InvariantBroken as broken:
                if self.intake.known is None:
                    raise SuspectedDuplicate from broken
                self.intake.unit.leaves.append(leaf_hash(leaf))
                self.intake.bury(item.record, str(broken), leaf)
                return None
        loans = await self._due(transaction, resume)
        chunk = loans[: self.closing_chunk]
        backdated = [loan.loan_id for loan in chunk if self.book.backdated_at_closing(loan)]
        await self._fetch_histories(transaction, backdated)
        self.book.close_loans(chunk, event, item.record.offset)
        if len(loans) > self.closing_chunk:
            return chunk[-1].number
        self.book.finish_closing(event, item.record.offset, leaf)
        self.intake.accept(event.id, item.record.value, leaf)
        return None

    async def _due(self, transaction: LedgerTransaction, resume: int | None) -> list[Loan]:
        """Loans that the open date's closing touches, numbers above `resume`, at most one more than a chunk."""
        day, book = self.book.open_day, self.book
        assert day is not None
        after = -1 if resume is None else resume
        rows, parked = book.rows, self.intake.parked
        if rows.due_through < day:
            await self._fetch_due(transaction, day, after)
        due: dict[int, Loan] = {}
        for key in [key for key in rows.due if key <= day]:
            for number, loan in rows.due.pop(key).items():  # whoever falls due is filed again under the next date
                due[number] = book.loans[loan.loan_id]
        return [
            loan
            for number, loan in sorted(due.items())
            if number > after
            and loan.loan_id not in parked
            and (action := loan.next_action()) is not None
            and action <= day
        ][: self.closing_chunk + 1]

    async def _fetch_due(self, transaction: LedgerTransaction, day: int, after: int) -> None:
        """File the loans that closings touch by date: those of every closing in the batch at once, if they are few."""
        book, rows = self.book, self.book.rows
        limit = self.closing_chunk + 1 + len(rows.loans) + len(self.intake.parked)
        through = day if after >= 0 else day + self.closings  # the rest of a closing says nothing of the next ones
        found = await transaction.due(rows.due_through, through, after, limit)
        if len(found) == limit:
            through = day
            found = await transaction.due(rows.due_through, through, after, limit)
        for stored in found:
            loan = book.loans.setdefault(stored.loan_id, stored)
            if (action := loan.next_action()) is not None:
                rows.due.setdefault(action, {})[loan.number] = loan
        rows.due_through = through

    async def _release(self, transaction: LedgerTransaction, item: Item) -> None:
        assert item.event is not None
        loan_id = item.event.subject
        unit = self.intake.unit
        stored = [one for one in await transaction.held(loan_id) if one.offset not in unit.released]
        held = sorted([*stored, *(one for one in unit.held if one.loan_id == loan_id)])
        items = [self.decode(record_of(one.leaf)) for one in held]
        await self._look_up(transaction, items)
        if loan_id in self.book.loans:
            await self._fetch_histories(transaction, [loan_id])
        else:
            self.book.histories[loan_id] = []
        self.intake.release(item, held, items)

    async def _retry(self, transaction: LedgerTransaction, item: Item) -> None:
        assert isinstance(item.event, DeadLetterRetried)
        offset = item.event.data.dead_offset
        leaf, tried_at = await transaction.dead(offset)
        if leaf is None:
            leaf = next((dead.leaf for dead in self.intake.unit.dead if dead.offset == offset), None)
        if any(offset == settled for settled, _ in self.intake.unit.settled):
            leaf = None
        dead = None if leaf is None else self.decode(record_of(leaf))
        if dead is not None and isinstance(dead.event, ParkedLoanReleased):
            dead = Item(dead.record, None, None)  # what it wanted to release is no longer held there: it stays dead
        await self._look_up(transaction, [dead] if dead is not None else [])
        if dead is not None and dead.event is not None:
            subject = dead.event.subject
            for loan in await transaction.loans([] if subject in self.book.loans else [subject]):
                self.book.loans[loan.loan_id] = loan
            if subject in self.book.loans and subject != BOOK:
                await self._fetch_histories(transaction, [subject])
        self.intake.retry(item, dead, leaf, self.intake.unit.tried.get(offset, tried_at))

    async def _look_up(self, transaction: LedgerTransaction, items: Sequence[Item]) -> None:
        """Records set aside earlier come back: which of them were accepted, is asked beside the batch's own."""
        if self.intake.known is not None:
            ids = [item.event.id for item in items if item.event is not None]
            self.intake.known = {**self.intake.known, **await transaction.known(ids)}

    async def write(self, transaction: LedgerTransaction) -> None:
        """Everything of this transaction, by COPY."""
        await transaction.write(self.book.rows, self.intake.unit, self.book)

    def committed(self, next_offset: int) -> None:  # noqa: ARG002 - the port's; only other hosts need it
        """Remember what changed for the snapshots; let the oldest cached loans go."""
        book = self.book
        self.changed.update(book.rows.figures)
        book.rows = Rows()
        book.histories.clear()
        excess = len(book.loans) - self.cached_loans
        if excess > 0:
            for loan_id in list(book.loans)[:excess]:
                del book.loans[loan_id]
