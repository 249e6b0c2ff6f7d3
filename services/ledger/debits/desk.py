"""Where mandates are kept and runs are made, voided and answered: reads the books, asks the pure rules, records what
they give. A run's file is made by whoever may read borrowers' accounts, which this service may not."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from services.ledger import queries
from services.ledger.bank.lender import BankAccount, Lender
from services.ledger.bank.pain002 import REJECTED, StatusReport, read_pain002, statuses
from services.ledger.commands.model import NoteDebit
from services.ledger.commands.recorder import LedgerCommands, Recorded
from services.ledger.commands.refusals import BookNotOpen, LoanNotContracted
from services.ledger.debits import reading
from services.ledger.debits.pain008 import amounts_of
from services.ledger.debits.planning import Asking, Skipped, plan
from services.ledger.debits.policy import debit_row
from services.ledger.debits.reading import named
from services.ledger.debits.refusals import (
    AccountCollectsNothing,
    CollectedAlready,
    MandateExists,
    MandateNotSuspended,
    NoBusinessDay,
    NothingToCollect,
    RunIsVoid,
    RunsOnTheirWay,
    RunWasSent,
    TooManyItems,
    UnknownMandate,
)
from services.ledger.debits.state import LoanDebits, Run, Runs, group_of, mandate_event_id, suspended_by
from shared.commands import Once
from shared.events import debits as events
from shared.events.debits import DIRECT_DEBITS, ITEMS_MAX, DebitItem, Mandate
from shared.events.envelope import derived_event_id
from shared.money import decimal_text, minor_units

NO_CODE = "NARR"
"""The reason where the bank gives none, or one in words, which are not read (ISO 20022: narrative)."""
Books = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens a connection on the books."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run of a day would hold, planned on the books as they were after event `after` of runs."""

    account: BankAccount
    on: date
    items: list[DebitItem]
    skipped: list[Skipped]
    loans: Mapping[str, Asking]
    mandates: Mapping[str, Mandate]
    after: str | None


class DebitDesk:
    """Records facts of direct debits, each in one transaction of the API's database."""

    def __init__(self, commands: LedgerCommands, books: Books, lender: Lender) -> None:
        self.commands, self.books, self.lender = commands, books, lender

    # Mandates ---------------------------------------------------------------------------------------------------

    async def mandates(self, loan_id: str) -> list[dict[str, Any]]:
        """The mandates of a loan in order of signing."""
        async with self._reading() as connection:
            return await reading.mandates_view(connection, loan_id)

    async def sign(self, loan_id: str, mandate: Mandate, *, once: Once | None = None) -> Recorded:
        """Note a signed mandate; the same again changes nothing. Raises LoanNotContracted, MandateExists."""
        async with self._reading() as connection:
            if not await queries.has_contract(connection, loan_id):
                raise LoanNotContracted(f"The books hold no contract of loan {loan_id}.", field="loan_id")
            known = await self._known(connection, loan_id)
        before = known.mandates.get(mandate.reference)
        if mandate.reference in known.revoked or (before is not None and before != mandate):
            detail = f"Loan {loan_id} had a mandate {mandate.reference} before: take another reference."
            raise MandateExists(detail, field="reference")
        said = f"{mandate.reference}:{mandate.signed_on}:{mandate.scheme}"
        command = NoteDebit(events.MandateSigned, loan_id, mandate, mandate_event_id(loan_id, said))
        return await self.commands.record(command, once=once)

    async def revoke(self, loan_id: str, word: events.MandateWord, *, once: Once | None = None) -> Recorded:
        """Take a mandate back. Raises UnknownMandate."""
        async with self._reading() as connection:
            known = await self._known(connection, loan_id)
        if word.reference not in known.mandates:
            raise UnknownMandate(f"Loan {loan_id} has no mandate {word.reference}.", field="reference")
        event_id = mandate_event_id(loan_id, f"{word.reference}:revoked")
        return await self.commands.record(NoteDebit(events.MandateRevoked, loan_id, word, event_id), once=once)

    async def resume(self, loan_id: str, word: events.MandateWord, *, once: Once | None = None) -> Recorded:
        """Use a suspended mandate again. Raises UnknownMandate, MandateNotSuspended."""
        async with self._reading() as connection:
            known, runs = await self._known(connection, loan_id), await reading.runs_in(connection)
        mandate = known.mandate
        if mandate is None or mandate.reference != word.reference or mandate.reference in known.revoked:
            raise UnknownMandate(f"Loan {loan_id} has no mandate {word.reference} that stands.", field="reference")
        if (failure := suspended_by(known, runs.by_reference())) is None:
            raise MandateNotSuspended(f"Nothing suspends mandate {word.reference}.", field="reference")
        event_id = mandate_event_id(loan_id, f"{word.reference}:resumed:{failure.reference}")
        return await self.commands.record(NoteDebit(events.MandateResumed, loan_id, word, event_id), once=once)

    async def _known(self, connection: Any, loan_id: str) -> LoanDebits:
        return (await reading.debits_of(connection, [loan_id])).get(loan_id, LoanDebits())

    # Runs -------------------------------------------------------------------------------------------------------

    async def plan(self, account: str, on: date, disputed: Collection[tuple[str, str | None]]) -> Planned:
        """What a run of the account would ask for on a day. `disputed`: (borrower id, loan id, or None for all).

        Raises UnknownBankAccount, AccountCollectsNothing, NoBusinessDay, NothingToCollect, RunsOnTheirWay.
        """
        known, row = self.lender.account(account), debit_row(on)
        if known.creditor_id is None or known.party().iban is None or known.currency != "EUR":
            raise AccountCollectsNothing(f"{known.id} lacks creditor_id or an IBAN, or is not in EUR.", field="account")
        if (day := row.business_day(on)) != on:
            raise NoBusinessDay(f"{on} is none of {row.calendar}: collect on {day}.", field="due")
        if await self.commands.open_date() is None:
            raise BookNotOpen("Open the book on its first business date.")
        async with self._reading() as connection:
            runs = await self._runs(connection)
            tried = {item.loan_id for _, item in runs.live()}
            loans = await reading.loans_asking(connection, on, known.currency, tried, disputed)
            facts = await reading.debits_of(connection, {one.loan_id for one in loans} | tried)
        items, skipped = plan(loans, facts, runs, on, known.currency)
        if not items:
            detail = f"Nothing is collected on {on}; {len(skipped)} instalments are asked for and left out."
            raise NothingToCollect(detail, field="due")
        if len(items) > ITEMS_MAX:
            raise TooManyItems(f"{len(items)} instalments; a run holds {ITEMS_MAX}.", field="due")
        mandates = {item.loan_id: facts[item.loan_id].mandates[item.mandate] for item in items}
        asking = {one.loan_id: one for one in loans}
        return Planned(known, on, items, skipped, asking, mandates, runs.last_event)

    async def make(
        self, planned: Planned, run_id: str, event_id: str, items: Sequence[DebitItem], content: bytes
    ) -> Recorded:
        """Record that the file `content` was made of these of the planned items. Raises ChangedMeanwhile where another
        run was recorded since it was planned."""
        currency = planned.account.currency
        data = events.DebitRun(
            run_id=run_id,
            account=planned.account.id,
            on=planned.on,
            currency=currency,
            total=decimal_text(sum(amounts_of(items, currency)), currency),
            digest=sha256(content).hexdigest(),
            policy=debit_row(planned.on).version,
            items=tuple(items),
        )
        return await self.commands.record(NoteDebit(events.DebitRunMade, DIRECT_DEBITS, data, event_id, planned.after))

    async def runs(self) -> list[dict[str, Any]]:
        """All runs in order, with what became of their items."""
        async with self._reading() as connection:
            return await reading.runs_view(connection)

    async def run(self, run_id: str) -> dict[str, Any]:
        """One run with its items. Raises UnknownRun."""
        async with self._reading() as connection:
            return await reading.run_view(connection, run_id)

    async def void(self, run_id: str, reason: str, *, once: Once | None = None) -> Recorded:
        """Take back a run that was never sent. Raises UnknownRun, RunWasSent; once voided it stays so."""
        async with self._reading() as connection:
            runs = await self._runs(connection)
            run = named(runs, run_id)
            known = await reading.debits_of(connection, run.loans())
        event_id = derived_event_id(f"void:{run_id}", 0, DIRECT_DEBITS, 0)
        if run.voided is not None:
            return Recorded(event_id, repeated=True)
        for item in run.data.items:
            of = known.get(item.loan_id, LoanDebits())
            if item.reference in of.collected or item.reference in of.failures:
                raise RunWasSent(f"The bank has answered to {item.reference} of run {run_id}.", field="run_id")
        data = events.RunVoid(run_id=run_id, reason=reason)
        command = NoteDebit(events.DebitRunVoided, DIRECT_DEBITS, data, event_id, runs.last_event)
        return await self.commands.record(command, once=once)

    # What the bank answers --------------------------------------------------------------------------------------

    async def report(self, content: bytes, correlation_id: str | None = None) -> dict[str, Any]:
        """Take in a pain.002 status report: the items that it rejects are noted, all or none; what was noted before
        changes nothing. Other statuses say nothing of money. Raises the refusals of reading it, UnknownRun, RunIsVoid,
        CollectedAlready."""
        report = read_pain002(content)
        async with self._reading() as connection:
            runs = await reading.runs_in(connection)
            run = named(runs, report.message_id)
            known = await reading.debits_of(connection, run.loans())
        if run.voided is not None:
            raise RunIsVoid(f"Run {run.data.run_id} was voided ({run.voided}), and the bank has it.", field="run_id")
        commands = rejections(report, run, known)
        recorded = await self.commands.record_many(commands, correlation_id=correlation_id)
        new = [one.event_id for one in recorded if not one.repeated]
        return {"run_id": run.data.run_id, "rejected": len(new), "events": new}

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Any]:
        async with self.books() as connection, queries.snapshot(connection):
            yield connection

    async def _runs(self, connection: Any) -> Runs:
        """The runs as the books have them, which is as commands have them. Raises RunsOnTheirWay."""
        runs = await reading.runs_in(connection)
        if (last := await self.commands.last_event(DIRECT_DEBITS)) != runs.last_event:
            raise RunsOnTheirWay(f"Event {last} of direct debits is recorded and not in the books yet.")
        return runs


def rejections(report: StatusReport, run: Run, known: Mapping[str, LoanDebits]) -> list[NoteDebit]:
    """What a report rejects of a run and no earlier one did; one event an item, whichever report says so first."""
    currency = run.data.currency
    groups: dict[str, dict[str, int]] = {}
    for item in run.data.items:
        amounts = groups.setdefault(group_of(run.data.run_id, item), {})
        amounts[item.reference] = minor_units(item.amount, currency)
    said = statuses(report, groups, currency)
    commands = []
    for item in run.data.items:
        of = known.get(item.loan_id, LoanDebits())
        if (one := said.get(item.reference)) is None or one.status != REJECTED or item.reference in of.failures:
            continue
        if item.reference in of.collected:
            raise CollectedAlready(f"{item.reference} was collected.", field="reference")
        code = one.reason or NO_CODE
        data = events.Rejection(run_id=run.data.run_id, reference=item.reference, code=code)
        event_id = derived_event_id(f"rejected:{run.data.run_id}:{item.reference}", 0, item.loan_id, 0)
        commands.append(NoteDebit(events.DebitRejected, item.loan_id, data, event_id))
    return commands
