"""The rules of facts of direct debits that need no books: runs share one order, and none is for a day that is over."""

from services.ledger.commands import model, refusals
from services.ledger.commands.checks import Stamp, require_open, stated
from services.ledger.commands.state import Guards
from services.ledger.debits.refusals import CollectionDateOver
from shared.events.debits import DIRECT_DEBITS, DebitRun, Mandate
from shared.events.envelope import Envelope


def decide(command: model.NoteDebit, guards: Guards, stamp: Stamp) -> Envelope:
    """The event of the command; raises a Refusal."""
    open_date, data = require_open(guards), command.data
    if isinstance(data, DebitRun) and data.on < open_date:
        raise CollectionDateOver(f"{data.on} is before the open date {open_date}.", field="due")
    if isinstance(data, Mandate) and data.signed_on > open_date:
        raise refusals.ValueDateAhead(f"{data.signed_on} is after the open date {open_date}.", field="signed_on")
    if command.loan_id == DIRECT_DEBITS and (last := guards.last.get(DIRECT_DEBITS)) != command.after:
        raise refusals.ChangedMeanwhile(f"Event {last} of direct debits came before; try again.")
    return stated(command.kind, data, command, stamp)


def noted(command: model.NoteDebit, guards: Guards) -> None:
    """Take a decided command into the guarding state."""
    if command.loan_id == DIRECT_DEBITS:
        guards.last[DIRECT_DEBITS] = command.event_id
