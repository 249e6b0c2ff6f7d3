"""The rules of manual entries, and of the close of a period and of a year."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import assert_never

from services.ledger.commands import model, refusals
from services.ledger.commands.balancing import require_manual
from services.ledger.commands.checks import Stamp, positive, require_open, stated
from services.ledger.commands.state import Guards, ManualEntry
from shared.calendar import days_in_month
from shared.events.entries import (
    GENERAL_LEDGER,
    ApprovedEntry,
    DeclinedEntry,
    EntryLine,
    JournalEntryApproved,
    JournalEntryDeclined,
    JournalEntryProposed,
    PeriodClosed,
    PeriodEnd,
    ProposedEntry,
    YearClosed,
    YearEnd,
)
from shared.events.envelope import Envelope, derived_event_id

DECIDED = 20
"""Index of the derived id of a decision: beyond those of derived events."""


def decision_id(entry_id: str, subject: str) -> str:
    """The event id of the decision on an entry: one for both outcomes, so that no log holds two decisions."""
    return derived_event_id(entry_id, 0, subject, DECIDED)


def reversed_lines(lines: Sequence[EntryLine]) -> tuple[EntryLine, ...]:
    """The lines with their sides changed."""
    return tuple(line.model_copy(update={"debit": line.credit, "credit": line.debit}) for line in lines)


def entry_event(command: model.EntryCommand, guards: Guards, stamp: Stamp) -> Envelope:
    """The event that a command on an entry becomes; raises a Refusal."""
    match command:
        case model.ProposeEntry():
            return _propose(command, guards, stamp)
        case model.ApproveEntry():
            return _approve(command, guards, stamp)
        case model.DeclineEntry():
            return _decline(command, guards, stamp)
        case _:
            assert_never(command)


def _propose(command: model.ProposeEntry, guards: Guards, stamp: Stamp) -> Envelope:
    open_date = require_open(guards)
    if command.value_date > open_date:
        raise refusals.ValueDateAhead(f"{command.value_date} is after the open date {open_date}.", field="value_date")
    _require_open_period(command.value_date, guards)
    for n, line in enumerate(command.lines):
        _require_bookable(line, f"lines/{n}")
    if command.reverses is not None:
        _require_reversible(command, guards)
    return stated(JournalEntryProposed, _proposed(command), command, stamp)


def _approve(command: model.ApproveEntry, guards: Guards, stamp: Stamp) -> Envelope:
    entry = _require_undecided(command.entry_id, command.loan_id, command.checker, guards)
    said = entry.proposed.model_dump(exclude={"value_date"})
    _require_open_period(entry.proposed.value_date, guards)
    data = ApprovedEntry.model_validate(said | {"entry_id": command.entry_id, "checker": command.checker})
    return stated(JournalEntryApproved, data, command, stamp, entry.proposed.value_date)


def _decline(command: model.DeclineEntry, guards: Guards, stamp: Stamp) -> Envelope:
    entry = _require_undecided(command.entry_id, command.loan_id, command.checker, guards)
    data = DeclinedEntry(
        entry_id=command.entry_id, reason=command.reason, maker=entry.proposed.maker, checker=command.checker
    )
    return stated(JournalEntryDeclined, data, command, stamp)


def entry_evolved(command: model.EntryCommand, guards: Guards) -> None:
    """Take a decided command on an entry into the guarding state."""
    match command:
        case model.ProposeEntry():
            guards.entries[command.event_id] = ManualEntry(command.loan_id, _proposed(command))
            if command.reverses is not None:
                _mark_reversed(command.reverses, command.event_id, guards)
        case model.ApproveEntry():
            entry = guards.entries[command.entry_id]
            guards.entries[command.entry_id] = replace(entry, outcome="approved", checker=command.checker)
        case model.DeclineEntry():
            entry = guards.entries[command.entry_id]
            guards.entries[command.entry_id] = replace(entry, outcome="declined", checker=command.checker)
            if entry.proposed.reverses is not None:
                _mark_reversed(entry.proposed.reverses, None, guards)
        case _:
            assert_never(command)


def close_period(command: model.ClosePeriod, guards: Guards, stamp: Stamp) -> Envelope:
    """The event of a ClosePeriod; raises a Refusal. The first close may end any period, the others follow it month by
    month."""
    open_date, end, last = require_open(guards), command.period_end, guards.closed_through
    if last is not None and end <= last:
        raise refusals.PeriodIsClosed(f"Periods up to {last} are closed.", field="period")
    if end >= open_date:
        raise refusals.PeriodNotOver(
            f"{open_date} is open: close the business dates up to {end} before the period.", field="period"
        )
    if last is not None and end != (due := _month_end(last + timedelta(days=1))):
        raise refusals.PeriodSkipped(f"The period that ends on {due} is still open: close it first.", field="period")
    return stated(PeriodClosed, PeriodEnd(period_end=end, closed_by=command.closed_by), command, stamp)


def close_year(command: model.CloseYear, guards: Guards, stamp: Stamp) -> Envelope:
    """The event of a CloseYear; raises a Refusal. Years close in order; one may be left out, and goes with the next."""
    require_open(guards)
    end, last = command.year_end, guards.year_closed
    require_closable(end, guards.closed_through, last)
    if last != command.after:
        raise refusals.ChangedMeanwhile(f"{last} was closed at the same time; try again.")
    data = YearEnd(year_end=end, lines=command.lines, closed_by=command.closed_by)
    return stated(YearClosed, data, command, stamp, end).model_copy(update={"subject": GENERAL_LEDGER})


def require_closable(year_end: date, closed_through: date | None, last: date | None) -> None:
    """Refuse the close of a year after which one is closed already (`last`), or whose last period is not."""
    if last is not None and year_end <= last:
        raise refusals.YearIsClosed(f"Years up to {last.year} are closed.", field="year")
    if closed_through is None or closed_through < year_end:
        raise refusals.YearNotOver(f"Close the period that ends on {year_end} first.", field="year")


def _month_end(day: date) -> date:
    return day.replace(day=days_in_month(day.year, day.month))


def _proposed(command: model.ProposeEntry) -> ProposedEntry:
    return ProposedEntry(
        value_date=command.value_date,
        lines=list(command.lines),
        reason=command.reason,
        reference=command.reference,
        reverses=command.reverses,
        maker=command.maker,
    )


def _mark_reversed(entry_id: str, by: str | None, guards: Guards) -> None:
    if (reversed_one := guards.entries.get(entry_id)) is not None:
        guards.entries[entry_id] = replace(reversed_one, reversed_by=by)


def _require_bookable(line: EntryLine, at: str) -> None:
    require_manual(line.debit, f"{at}/debit")
    require_manual(line.credit, f"{at}/credit")
    if line.debit == line.credit:
        raise refusals.SameAccount(f"{line.debit} stands on both sides.", field=f"{at}/credit")
    positive(line.amount, line.currency, f"{at}/amount")


def _require_open_period(value_date: date, guards: Guards) -> None:
    if guards.closed_through is not None and value_date <= guards.closed_through:
        following = guards.closed_through + timedelta(days=1)
        raise refusals.PeriodIsClosed(
            f"Periods up to {guards.closed_through} are closed: take a value date from {following} on.",
            field="value_date",
        )


def _require_undecided(entry_id: str, subject: str, checker: str, guards: Guards) -> ManualEntry:
    require_open(guards)
    entry = _known(entry_id, subject, guards, field="entry_id")
    if entry.outcome is not None:
        raise refusals.EntryDecided(f"The entry was {entry.outcome} by {entry.checker}.", field="entry_id")
    if entry.proposed.maker == checker:
        raise refusals.FourEyes(f"{checker} proposed it; another person decides.")
    return entry


def _require_reversible(command: model.ProposeEntry, guards: Guards) -> None:
    assert command.reverses is not None
    entry = _known(command.reverses, command.loan_id, guards, field="reverses")
    if entry.outcome != "approved":
        raise refusals.EntryNotApproved(f"The entry {command.reverses} is not booked.", field="reverses")
    if entry.reversed_by is not None:
        raise refusals.EntryReversed(f"The entry {entry.reversed_by} reverses it.", field="reverses")


def _known(entry_id: str, subject: str, guards: Guards, *, field: str) -> ManualEntry:
    entry = guards.entries.get(entry_id)
    if entry is None or entry.subject != subject:
        raise refusals.UnknownEntry(f"No entry {entry_id} was proposed.", field=field)
    return entry
