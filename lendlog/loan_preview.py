"""`lendlog loan preview LOAN KIND …`: what a fact would change of a loan. Nothing is recorded."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

import typer

from lendlog.books import AsJson
from lendlog.loan_previewing import show
from services.ledger.commands import ServiceLoan, UndoEvent
from services.ledger.engine.facts import Happening
from shared.errors import MissingPrecondition
from shared.events import servicing
from shared.events.envelope import new_event_id

command = typer.Typer(no_args_is_help=True, help="Show what a fact would change of a loan; records nothing.")

DATES = ["%Y-%m-%d"]
WHY = "previewed"
Effective = Annotated[datetime | None, typer.Option(formats=DATES, help="The value date; else the open date.")]
Amount = Annotated[str, typer.Option(help="Such as 12.50, in the loan's currency.")]
Day = Annotated[datetime, typer.Option(formats=DATES)]
Unit = Literal["day", "week", "month"]
ChargeId = Annotated[
    str, typer.Argument(metavar="CHARGE", help="The charge's id, as `lendlog loan statement` shows it.")
]
Make = Callable[[str, date], Happening]
"""The data of the fact, of a loan in this currency, on this value date."""


@command.callback()
def of_loan(context: typer.Context, loan_id: Annotated[str, typer.Argument(metavar="LOAN", help="Its id.")]) -> None:
    """Show what a fact would change of a loan; records nothing."""
    context.obj = loan_id


@command.command()
def charge(
    context: typer.Context,
    amount: Amount,
    part: Annotated[Literal["fee", "penalty"], typer.Option(help="What it is.")] = "fee",
    name: Annotated[str, typer.Option(help="What it is called.")] = "fee",
    due: Annotated[datetime | None, typer.Option(formats=DATES, help="Else the value date.")] = None,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Preview a fee or penalty."""

    def make(currency: str, on: date) -> Happening:
        return servicing.Charge(part=part, name=name, amount=amount, currency=currency, due=due.date() if due else on)

    _show(context, make, effective, as_json=as_json)


@command.command()
def waive(context: typer.Context, charge_id: ChargeId, effective: Effective = None, as_json: AsJson = False) -> None:
    """Preview the waiver of a charge."""
    _show(context, lambda *_: servicing.Waiver(charge_id=charge_id, reason=WHY), effective, as_json=as_json)


@command.command()
def adjust(
    context: typer.Context, charge_id: ChargeId, amount: Amount, effective: Effective = None, as_json: AsJson = False
) -> None:
    """Preview the credit of a charge that was wrong."""

    def make(currency: str, _: date) -> Happening:
        return servicing.ChargeCredit(charge_id=charge_id, amount=amount, currency=currency, reason=WHY)

    _show(context, make, effective, as_json=as_json)


@command.command()
def credit(
    context: typer.Context,
    amount: Amount,
    kind: Annotated[
        Literal["goodwill-credit", "merchant-refund", "payout-refund"], typer.Option(help="Where it comes from.")
    ] = "goodwill-credit",
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Preview money that the borrower did not pay."""

    def make(currency: str, _: date) -> Happening:
        return servicing.Credit(kind=kind, amount=amount, currency=currency)

    _show(context, make, effective, as_json=as_json)


@command.command()
def chargeback(
    context: typer.Context,
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT", help="The id of the payment's event.")],
    amount: Amount,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Preview a payment that the payer's bank takes back."""

    def make(currency: str, _: date) -> Happening:
        return servicing.Chargeback(payment_id=payment_id, amount=amount, currency=currency)

    _show(context, make, effective, as_json=as_json)


@command.command()
def refund(context: typer.Context, amount: Amount, effective: Effective = None, as_json: AsJson = False) -> None:
    """Preview the refund of a credit balance."""
    _show(context, lambda code, _: servicing.Refund(amount=amount, currency=code), effective, as_json=as_json)


@command.command()
def charge_off(
    context: typer.Context,
    fraud: Annotated[bool, typer.Option("--fraud", help="The loss is one by fraud.")] = False,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Preview a charge-off."""
    _show(context, lambda *_: servicing.ChargeOff(reason=WHY, fraud=fraud), effective, as_json=as_json)


@command.command()
def write_off(context: typer.Context, effective: Effective = None, as_json: AsJson = False) -> None:
    """Preview a write-off."""
    _show(context, lambda *_: servicing.WriteOff(reason=WHY), effective, as_json=as_json)


@command.command()
def reschedule(
    context: typer.Context,
    move: Annotated[
        list[str] | None, typer.Option(metavar="DUE:TO", help="Move the instalment due on DUE to TO.")
    ] = None,
    rate: Annotated[
        list[str] | None, typer.Option(metavar="DUE:RATE", help="From DUE on; 0.12 is 12 % a year.")
    ] = None,
    extend: Annotated[
        list[str] | None, typer.Option(metavar="DUE:N", help="N more instalments, spread from DUE on.")
    ] = None,
    grace: Annotated[
        list[str] | None,
        typer.Option(metavar="DUE:N[:M]", help="From DUE on: N without principal, M without interest."),
    ] = None,
    pause: Annotated[
        list[str] | None, typer.Option(metavar="START:END", help="No interest on these days, both included.")
    ] = None,
    by: Annotated[
        Literal["agreement", "borrower"], typer.Option(help="Of both, or the borrower's own right.")
    ] = "agreement",
    restructure: Annotated[bool, typer.Option("--restructure", help="The borrower is in difficulty.")] = False,
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Preview changes of instalments that are still to come, in the order of these options."""
    changes: list[Mapping[str, Any]] = []
    for text in move or ():
        due, to = _parts(text, "--move", 2)
        changes.append({"change": "due-date", "due": due, "to": to})
    for text in rate or ():
        due, annual = _parts(text, "--rate", 2)
        changes.append({"change": "rate", "from_due": due, "annual_rate": annual})
    for text in extend or ():
        due, count = _parts(text, "--extend", 2)
        changes.append({"change": "term", "from_due": due, "instalments": _number(count)})
    for text in grace or ():
        due, principal, *interest = _parts(text, "--grace", 2, 3)
        more = {"interest": _number(interest[0])} if interest else {}
        changes.append({"change": "grace", "from_due": due, "principal": _number(principal)} | more)
    for text in pause or ():
        start, end = _parts(text, "--pause", 2)
        changes.append({"change": "interest-pause", "start": start, "end": end})
    if not changes:
        raise MissingPrecondition("Say what changes: --move, --rate, --extend, --grace or --pause.")

    def make(*_: Any) -> Happening:
        return servicing.Reschedule.model_validate(
            {"changes": changes, "by": by, "restructure": restructure, "reason": WHY}
        )

    _show(context, make, effective, restructures=restructure, as_json=as_json)


@command.command()
def re_age(
    context: typer.Context,
    first_due: Day,
    n: Annotated[int, typer.Option(help="How many instalments.")],
    every: Annotated[int, typer.Option(help="They are so many units apart.")] = 1,
    unit: Annotated[Unit, typer.Option(help="What --every counts.")] = "month",
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Preview new dates for all principal that is unpaid."""

    def make(*_: Any) -> Happening:
        return servicing.ReAge(first_due=first_due.date(), instalments=n, every=every, unit=unit, reason=WHY)

    _show(context, make, effective, as_json=as_json)


@command.command()
def re_amortise(context: typer.Context, effective: Effective = None, as_json: AsJson = False) -> None:
    """Preview that principal past due is spread over the instalments to come."""
    _show(context, lambda *_: servicing.ReAmortise(reason=WHY), effective, as_json=as_json)


@command.command()
def prepay(
    context: typer.Context,
    amount: Amount,
    effect: Annotated[
        Literal["reduce-instalment", "fewer-instalments"], typer.Option(help="What becomes of what is to come.")
    ],
    effective: Effective = None,
    as_json: AsJson = False,
) -> None:
    """Preview principal that is paid before it is due."""

    def make(currency: str, _: date) -> Happening:
        return servicing.Prepayment(amount=amount, currency=currency, effect=effect)

    _show(context, make, effective, as_json=as_json)


@command.command()
def accelerate(context: typer.Context, effective: Effective = None, as_json: AsJson = False) -> None:
    """Preview that the whole debt falls due."""
    _show(context, lambda *_: servicing.Acceleration(reason=WHY), effective, as_json=as_json)


@command.command()
def undo(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="EVENT", help="As `lendlog loan history` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Preview that an event never happened."""
    loan_id: str = context.obj
    show(loan_id, lambda *_: UndoEvent(loan_id, event_id, WHY, new_event_id()), None, as_json=as_json)


def _show(
    context: typer.Context, make: Make, effective: datetime | None, *, restructures: bool = False, as_json: bool
) -> None:
    """Print the preview of a fact on the value date `effective`, or else the open one."""
    loan_id: str = context.obj
    on = effective.date() if effective else None

    def wanted(currency: str, day: date) -> ServiceLoan:
        return ServiceLoan(loan_id, make(currency, day), on, new_event_id())

    show(loan_id, wanted, on, restructures=restructures, as_json=as_json)


def _parts(text: str, option: str, least: int, most: int | None = None) -> list[str]:
    """The parts of an option's value, of which the first is a date."""
    parts = text.split(":")
    if not least <= len(parts) <= (most or least):
        raise MissingPrecondition(f"{option} {text[:40]!r} has not the form that `--help` shows.")
    return parts


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4):
        raise MissingPrecondition(f"{text[:40]!r} is not a number of instalments.")
    return int(text)
