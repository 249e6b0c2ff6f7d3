"""What is known of files to banks: a fold of their events on the log, and what may still become of them. Pure.

A disbursement stands in one live file alone; a file is live unless it was voided, which frees its disbursements. A
rejected one stays in its file: the disbursement itself is undone, and another is another.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from services.ledger.bank.pain002 import Said, StatusReport, statuses
from services.ledger.bank.refusals import (
    DisbursementInFile,
    FileNotWaiting,
    FileWasVoided,
    RejectedBefore,
    ReportChanged,
    UnknownPaymentFile,
)
from services.ledger.bank.statement import usable_id
from shared.events.envelope import derived_event_id
from shared.events.payment_files import (
    REJECTED,
    ItemStatus,
    PaymentFile,
    PaymentFileMade,
    PaymentFileVoid,
    PaymentFileVoided,
    PaymentItem,
    PaymentStatus,
    PaymentStatusTaken,
)
from shared.money import minor_units


@dataclass(slots=True)
class ItemState:
    """An item, and the last that the bank said of it."""

    item: PaymentItem
    said: Said = field(default_factory=lambda: Said(None))


@dataclass(slots=True)
class FileState:
    """A file, its items by reference, whether it was voided, and the reports on it: id to digest."""

    file_id: str
    file: PaymentFile
    items: dict[str, ItemState]
    voided: PaymentFileVoid | None = None
    reports: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, file_id: str, file: PaymentFile) -> "FileState":
        """A file that was just made."""
        return cls(file_id, file, {one.reference: ItemState(one) for one in file.items})

    def take(self, status: PaymentStatus) -> None:
        """The file after a report on it."""
        self.reports[status.report_id] = status.digest
        for one in status.items:
            self.items[one.reference].said = Said(one.status, one.reason)

    @property
    def amounts(self) -> dict[str, int]:
        """Minor units by reference."""
        return {key: minor_units(one.item.amount, self.file.currency) for key, one in self.items.items()}


@dataclass(slots=True)
class FilesState:
    """All files by id, in order, and the last event of any."""

    files: dict[str, FileState] = field(default_factory=dict)
    last_event: str | None = None

    def carried(self) -> dict[str, str]:
        """The disbursements that stand in a live file, with its id."""
        live = (one for one in self.files.values() if one.voided is None)
        return {state.item.disbursement_id: one.file_id for one in live for state in one.items.values()}

    def take(self, event: Any) -> None:
        """The state after one more event of the subject."""
        match event:
            case PaymentFileMade():
                self.files[event.id] = FileState.of(event.id, event.data)
            case PaymentFileVoided():
                self.files[event.data.file_id].voided = event.data
            case PaymentStatusTaken():
                self.files[event.data.file_id].take(event.data)
            case _:
                return
        self.last_event = event.id


def fold_files(events: Iterable[Any]) -> FilesState:
    """The state after these events of the subject, in order."""
    state = FilesState()
    for event in events:
        state.take(event)
    return state


def broken_rules(events: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Events that the commands' rules would not have let through: (event id, what is wrong). Nothing follows the first
    that can't be folded."""
    state = FilesState()
    for event in events:
        if (problem := _problem(state, event)) is not None:
            yield event.id, problem
        try:
            state.take(event)
        except KeyError:
            return


def _problem(state: FilesState, event: Any) -> str | None:
    match event:
        case PaymentFileMade(data=file):
            carried = state.carried()
            twice = [one.disbursement_id for one in file.items if one.disbursement_id in carried]
            named = {one.disbursement_id for one in file.items}, {one.reference for one in file.items}
            total = sum(minor_units(one.amount, file.currency) for one in file.items)
            if twice:
                return f"disbursement {twice[0]} stands in file {carried[twice[0]]} already"
            if min(map(len, named)) < len(file.items):
                return "a disbursement or reference stands in it twice"
            return (
                None if total == minor_units(file.total, file.currency) else f"its items do not add up to {file.total}"
            )
        case PaymentFileVoided(data=void):
            known = state.files.get(void.file_id)
            return None if known and known.voided is None and not known.reports else "no file that could be voided"
        case PaymentStatusTaken(data=status):
            known = state.files.get(status.file_id)
            if known is None or known.voided is not None or status.report_id in known.reports:
                return "no file that it could be a report on"
            return None if {one.reference for one in status.items} <= set(known.items) else "no such item in the file"
        case _:
            return None


def require_free(state: FilesState, disbursement_ids: Iterable[str]) -> None:
    """Raise DisbursementInFile."""
    carried = state.carried()
    if taken := [one for one in disbursement_ids if one in carried]:
        raise DisbursementInFile(f"Disbursement {taken[0]} stands in file {carried[taken[0]]}.", field="disbursements")


def require_waiting(state: FilesState, file_id: str) -> FileState:
    """The file, which can still be voided. Raises UnknownPaymentFile, FileWasVoided, FileNotWaiting."""
    if (file := state.files.get(file_id)) is None:
        raise UnknownPaymentFile(f"There is no file {file_id}.", field="file_id")
    if file.voided is not None:
        raise FileWasVoided(f"File {file_id} was voided: {file.voided.reason}.", field="file_id")
    if file.reports:
        raise FileNotWaiting(f"The bank has said something of file {file_id}.", field="file_id")
    return file


def report_event_id(file_id: str, report: StatusReport) -> str:
    """The id of the event that takes a report in; another content is another event, which is refused."""
    return derived_event_id(f"payment-status:{file_id}:{report.report_id}:{report.digest()}", 0, "-", 0)


def file_of(state: FilesState, report: StatusReport) -> FileState:
    """The file that a report is about. Raises UnknownPaymentFile."""
    found = [one for one in state.files.values() if one.file.message_id == report.message_id]
    if not found or not report.message_name.startswith("pain.001"):
        raise UnknownPaymentFile(
            f"No file {report.message_id} ({report.message_name}) of credit transfers was made here."
        )
    return found[-1]


def status_of(file: FileState, report: StatusReport) -> PaymentStatus:
    """What a report changes of its file, all or nothing. Raises FileWasVoided, ReportChanged, RejectedBefore, and what
    `pain002.statuses` raises."""
    if file.voided is not None:
        detail = f"File {file.file_id} was voided ({file.voided.reason}), and the bank has it: look what it paid."
        raise FileWasVoided(detail)
    report_id = usable_id(report.report_id)
    if file.reports.get(report_id, report.digest()) != report.digest():
        raise ReportChanged(f"Report {report_id} was taken before with another content; nothing is changed.")
    changed = []
    for reference, said in statuses(report, {file.file.message_id: file.amounts}, file.file.currency).items():
        before = file.items[reference].said
        if before.status == REJECTED != said.status:
            detail = f"Transaction {reference} was rejected, and its disbursement undone; now it is {said.status}."
            raise RejectedBefore(detail)
        if before != said and before.status != REJECTED:
            assert said.status is not None
            changed.append(ItemStatus(reference=reference, status=said.status, reason=said.reason))
    return PaymentStatus(file_id=file.file_id, report_id=report_id, digest=report.digest(), items=tuple(changed))
