"""What the rules of many commands share: the event as ours are stated, the open date, value dates, amounts."""

from dataclasses import dataclass
from datetime import date

from services.ledger.commands import model, refusals
from services.ledger.commands.model import Command
from services.ledger.commands.state import Guards
from shared.errors import Refusal
from shared.events.bank import SUBJECT
from shared.events.envelope import BOOK, SCHEMA_BASE, Data, Envelope
from shared.events.payment_files import PAYMENT_FILES
from shared.money import minor_units

SOURCE = "/ledger/api"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the host adds to an event: wall time (RFC 3339, UTC) and the caller's correlation id."""

    time: str
    correlation_id: str | None = None


def aggregate_of(command: Command) -> str:
    """The aggregate whose order the command joins: a loan id, a bank account's subject, `payment-files`, or `book`."""
    match command:
        case model.TakeStatement():
            return f"{SUBJECT}{command.statement.account}"
        case model.AssignLine():
            return f"{SUBJECT}{command.assignment.account}"
        case model.MakePaymentFile() | model.VoidPaymentFile() | model.TakePaymentStatus():
            return PAYMENT_FILES
        case _:
            return BOOK if isinstance(command, model.BookCommand) else command.loan_id


def stated(
    kind: type[Envelope], data: Data, command: Command, stamp: Stamp, effective_date: date | None = None
) -> Envelope:
    """The event of this type with the attributes that all of ours have; its subject is the command's aggregate."""
    name = kind.model_fields["type"].default
    attributes = {
        "id": command.event_id,
        "source": SOURCE,
        "subject": aggregate_of(command),
        "time": stamp.time,
        "dataschema": f"{SCHEMA_BASE}{name}.json",
        "correlationid": stamp.correlation_id,
        "effectivedate": effective_date,
    }
    return kind.model_validate(attributes | {"data": data})


def require_open(guards: Guards) -> date:
    """The open date. Raises BookNotOpen."""
    if guards.open_date is None:
        raise refusals.BookNotOpen("Open the book on its first business date.")
    return guards.open_date


def value_date(effective_date: date | None, guards: Guards, *, field: str = "effective_date") -> date:
    """The date that a fact counts from: the open one, unless it was given. Raises BookNotOpen, ValueDateAhead."""
    open_date = require_open(guards)
    if effective_date is not None and effective_date > open_date:
        raise refusals.ValueDateAhead(f"{effective_date} is after the open date {open_date}.", field=field)
    return effective_date or open_date


def minor(text: str, currency: str, name: str) -> int:
    """The amount of the field `name` in minor units; raises the refusals of shared.money about that field."""
    try:
        return minor_units(text, currency)
    except Refusal as refusal:
        refusal.field = name if refusal.field == "amount" else refusal.field
        raise


def positive(text: str, currency: str, name: str) -> int:
    """The same, and raises AmountZero."""
    amount = minor(text, currency, name)
    if amount == 0:
        raise refusals.AmountZero(f"{text} {currency} is nothing.", field=name)
    return amount
