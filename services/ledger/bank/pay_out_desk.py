"""Where money goes out by file: chooses disbursements, records files, voids them, and takes in what the bank says.

The file itself is made by whoever may read where to pay (`lendlog pay-out`); here it has an id, a hash and items.
"""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

from services.ledger import queries
from services.ledger.bank import pay_out_reading as reading
from services.ledger.bank.desk import Books
from services.ledger.bank.lender import BankAccount, Lender
from services.ledger.bank.pain002 import read_pain002
from services.ledger.bank.pain_parts import reference_of
from services.ledger.bank.pay_out import Disbursed, Plan, Why, plan
from services.ledger.bank.pay_out_views import file_document, plan_document
from services.ledger.bank.payment_files import (
    FilesState,
    FileState,
    file_of,
    report_event_id,
    require_free,
    require_waiting,
    status_of,
)
from services.ledger.bank.reading import account_states
from services.ledger.bank.refusals import (
    FilesOnTheirWay,
    NothingToPayOut,
    NotToBePaidOut,
    PaymentFileExists,
    PaysNothingOut,
    SumDiffers,
    TooManyToPayOut,
)
from services.ledger.bank.rejections import Rejections
from services.ledger.commands.model import Command, MakePaymentFile, TakePaymentStatus, VoidPaymentFile
from services.ledger.commands.recorder import LedgerCommands
from shared.events.envelope import derived_event_id
from shared.events.payment_files import (
    ITEMS_MAX,
    PAYMENT_FILES,
    REJECTED,
    PaymentFile,
    PaymentFileVoid,
    PaymentStatus,
)
from shared.money import decimal_text, minor_units


class PayOutDesk:
    """Records files and what becomes of them, each in one transaction of the API's database."""

    def __init__(self, commands: LedgerCommands, books: Books, lender: Lender) -> None:
        self.commands, self.books, self.lender = commands, books, lender

    async def due(self, account_id: str, until: date, since: date | None = None) -> dict[str, Any]:
        """What a file would pay out of the account, of value dates up to `until`, and what it would leave out. Raises
        UnknownBankAccount, PaysNothingOut, TooManyToPayOut."""
        account, first = self._paying(account_id)
        async with self.books() as connection, queries.snapshot(connection):
            state = await reading.files_state(connection)
            found = await reading.disbursed(connection, account.currency, max(first, since or first), until)
            planned, _ = await self._plan(connection, state, found)
        if len(planned.pays) > ITEMS_MAX:
            raise TooManyToPayOut(f"There are {len(planned.pays)} until {until}, {ITEMS_MAX} are possible.")
        return plan_document(account, planned)

    async def make(
        self,
        file_id: str,
        account_id: str,
        *,
        execution_date: date,
        sha256: str,
        total: str,
        disbursement_ids: Sequence[str],
        by: str,
        correlation_id: str | None = None,
    ) -> dict[str, Any]:
        """Record that a file was made which pays these disbursements, in its order; again with the same id, nothing.
        `total`: its control sum. Raises refusals by name, among them DisbursementInFile and FilesOnTheirWay."""
        account, first = self._paying(account_id)
        async with self.books() as connection, queries.snapshot(connection):
            state = await self._state(connection)
            if (before := state.files.get(file_id)) is not None:
                if before.file.sha256 != sha256:
                    raise PaymentFileExists(f"File {file_id} was made with another content.", field="file_id")
                return file_document(before) | {"repeated": True, "events": []}
            require_free(state, disbursement_ids)
            found = await reading.disbursed_named(connection, account.currency, disbursement_ids)
            planned, lasts = await self._plan(connection, state, [one for one in found if one.on >= first])
        chosen = _chosen(planned, disbursement_ids)
        amount = sum(one.amount for one in chosen)
        if minor_units(total, account.currency) != amount:
            detail = f"The disbursements make {decimal_text(amount, account.currency)}, the file says {total}."
            raise SumDiffers(detail, field="total")
        file = PaymentFile(
            message_id=reference_of(file_id),
            account=account.id,
            currency=account.currency,
            execution_date=execution_date,
            sha256=sha256,
            total=decimal_text(amount, account.currency),
            items=tuple(one.item() for one in chosen),
            made_by=by,
        )
        command = MakePaymentFile(file, {one.loan_id: lasts[one.loan_id] for one in chosen}, state.last_event, file_id)
        await self.commands.record_many([command], correlation_id=correlation_id)
        return file_document(FileState.of(file_id, file)) | {"repeated": False, "events": [file_id]}

    async def void(self, file_id: str, reason: str, by: str) -> dict[str, Any]:
        """Say that a file is not sent. Raises UnknownPaymentFile, FileWasVoided, FileNotWaiting."""
        async with self.books() as connection, queries.snapshot(connection):
            state = await self._state(connection)
        file = require_waiting(state, file_id)
        void = PaymentFileVoid(file_id=file_id, reason=reason, voided_by=by)
        event_id = derived_event_id(file_id, 0, "void", 0)
        await self.commands.record_many([VoidPaymentFile(void, state.last_event, event_id)])
        file.voided = void
        return file_document(file) | {"events": [event_id]}

    async def take_status(self, content: bytes, correlation_id: str | None = None) -> dict[str, Any]:
        """Take in a pain.002: what the bank says of a file's items is noted, and the disbursements that it rejects are
        undone, all or nothing. The same report again changes nothing. Raises refusals by name."""
        report = await asyncio.to_thread(read_pain002, content)
        async with self.books() as connection, queries.snapshot(connection):
            state = await self._state(connection)
            file = file_of(state, report)
            event_id = report_event_id(file.file_id, report)
            if await self.commands.is_recorded(event_id):
                return _status_document(file_document(file), None, []) | {"repeated": True}
            status = status_of(file, report)
            rejections = Rejections(self.commands, connection, event_id)
            for one in status.items:
                if one.status == REJECTED:
                    await rejections.add(file.items[one.reference].item, one.reason)
        commands: list[Command] = [TakePaymentStatus(status, state.last_event, event_id), *rejections.commands]
        await self.commands.record_many(commands, correlation_id=correlation_id, standings=rejections.standings)
        file.take(status)
        events = [command.event_id for command in commands]
        return _status_document(file_document(file), status, events) | {"repeated": False}

    async def files(self) -> list[dict[str, Any]]:
        """All files, in order."""
        async with self.books() as connection, queries.snapshot(connection):
            state = await reading.files_state(connection)
            undone = await reading.undone(connection, list(state.carried()))
        return [file_document(one, undone) for one in state.files.values()]

    def _paying(self, account_id: str) -> tuple[BankAccount, date]:
        account = self.lender.account(account_id)
        if account.pays_out_from is None:
            raise PaysNothingOut(f"accounts.yaml gives {account.id} no pays_out_from.", field="account")
        account.party()
        return account, account.pays_out_from

    async def _state(self, connection: Any) -> FilesState:
        """All files as the books have them, which is as commands have them. Raises FilesOnTheirWay."""
        state = await reading.files_state(connection)
        if (last := await self.commands.last_event(PAYMENT_FILES)) != state.last_event:
            raise FilesOnTheirWay(f"Event {last} is recorded and not in the books yet.")
        return state

    async def _plan(
        self, connection: Any, state: FilesState, found: Sequence[Disbursed]
    ) -> tuple[Plan, dict[str, str | None]]:
        """The plan, and the last event of each loan that it rests on."""
        loans = sorted({one.loan_id for one in found})
        ids = [one.event_id for one in found]
        lasts = await self.commands.last_events(loans)
        have = await reading.in_books(connection, [last for last in lasts.values() if last is not None])
        held: dict[str, Why] = {
            loan: "on-its-way" for loan, last in lasts.items() if last is not None and last not in have
        }
        held |= dict.fromkeys(await reading.parked(connection, loans), "parked")
        linked = frozenset[str]().union(
            *(account.linked() for _, account in (await account_states(connection, self.lender)).values())
        )
        undone = await reading.undone(connection, ids)
        return plan(found, carried=state.carried(), undone=undone, linked=linked, held=held), lasts


def _chosen(planned: Plan, disbursement_ids: Sequence[str]) -> list[Disbursed]:
    """The disbursements of these ids in their order. Raises NothingToPayOut, NotToBePaidOut."""
    if not disbursement_ids:
        raise NothingToPayOut("The file pays nothing.", field="disbursements")
    pays = {one.event_id: one for one in planned.pays}
    left = {one.disbursed.event_id: one.why for one in planned.left_out if one.disbursed.event_id not in pays}
    for n, event_id in enumerate(disbursement_ids):
        if event_id not in pays or event_id in disbursement_ids[:n]:
            why = (
                "it is named twice" if event_id in pays else left.get(event_id, "the account pays no such disbursement")
            )
            raise NotToBePaidOut(f"Disbursement {event_id}: {why}.", field="disbursements")
    return [pays[event_id] for event_id in disbursement_ids]


def _status_document(file: dict[str, Any], status: PaymentStatus | None, events: list[str]) -> dict[str, Any]:
    """What a report changed; None: it was taken before."""
    items = [one.model_dump() for one in status.items] if status is not None else []
    named = {one["reference"]: one for one in file["items"]}
    changed = [named[one["reference"]] | one for one in items]
    return {name: file[name] for name in ("file_id", "message_id", "statuses")} | {"changed": changed, "events": events}
