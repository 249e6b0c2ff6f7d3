"""`lendlog schedule`: what a loan on given terms asks for, and what it costs a year. It needs no servers."""

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from services.origination.annual_rate import Method
from services.origination.cost import fees_withheld, rate_of
from shared.calendar import Unit, add_months, days_in_month
from shared.errors import MissingPrecondition
from shared.events.terms import DueDateShift, InstalmentFee, PlannedInstalment, Terms, UpfrontFee
from shared.money import decimal_text, minor_units
from shared.schedules import Schedule, paid_out_whole

Kind = Literal["equal-instalment", "equal-principal", "flat", "interest-only", "seasonal", "irregular"]
DayCount = Literal["equal-periods", "30/360", "actual/360", "actual/364", "actual/365", "actual/actual"]
Day = datetime | None
DATES = ["%Y-%m-%d"]
COLUMNS = ("due", "days", "principal", "interest", "fees", "total", "balance")


def command(
    principal: Annotated[str, typer.Option(help="What is lent, such as 100000 or 1250.50.")],
    rate: Annotated[str, typer.Option(help="Nominal rate in percent a year: 12 is 12 %.")],
    start: Annotated[datetime, typer.Option(formats=DATES, help="The day the money is paid out.")],
    n: Annotated[int | None, typer.Option(min=1, max=600, help="How many instalments.")] = None,
    kind: Annotated[Kind, typer.Option(help="What the instalments ask for.")] = "equal-instalment",
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "CNY",
    first_due: Annotated[Day, typer.Option(formats=DATES, help="Else one period after --start.")] = None,
    every: Annotated[int, typer.Option(min=1, max=366, help="Instalments are so many units apart.")] = 1,
    unit: Annotated[Unit, typer.Option(help="What --every counts.")] = "month",
    day_count: Annotated[DayCount, typer.Option(help="How days count for interest.")] = "30/360",
    year_rule: Annotated[
        Literal["isda", "disbursement-year"], typer.Option(help="actual/actual: a day's own year, or the first one's.")
    ] = "isda",
    month_end: Annotated[
        Literal["clamp", "last-day"], typer.Option(help="last-day: always due on the last day of the month.")
    ] = "clamp",
    generator: Annotated[
        Literal["cumulative", "progressive"], typer.Option(help="progressive moves the instalment to level the last.")
    ] = "cumulative",
    annuity: Annotated[
        Literal["exact", "nominal-month"], typer.Option(help="nominal-month takes thirty days for a month.")
    ] = "exact",
    rounding: Annotated[
        Literal["half-even", "half-up"], typer.Option(help="How a fraction of a minor unit rounds.")
    ] = "half-even",
    principal_multiple: Annotated[str | None, typer.Option(help="Principal parts are multiples of it.")] = None,
    instalment_multiple: Annotated[str | None, typer.Option(help="Whole instalments are multiples of it.")] = None,
    balloon: Annotated[str | None, typer.Option(help="Principal that is left for the last instalment.")] = None,
    grace_principal: Annotated[int, typer.Option(min=0, help="The first so many ask for interest alone.")] = 0,
    grace_interest: Annotated[int, typer.Option(min=0, help="The first so many put their interest off.")] = 0,
    grace_charge: Annotated[int, typer.Option(min=0, help="The first so many periods bear no interest.")] = 0,
    down_payment: Annotated[
        str, typer.Option(help="A share of the principal that is due at once, such as 0.25.")
    ] = "0",
    fee: Annotated[
        list[str] | None, typer.Option(help="Withheld at payout, NAME:AMOUNT or NAME:PERCENT%, such as opening:1.5%.")
    ] = None,
    instalment_fee: Annotated[
        list[str] | None,
        typer.Option(
            help="Of each instalment, NAME:AMOUNT or NAME:PERCENT%:BASE, such as account:5 or "
            "service:0.1%:outstanding; BASE is principal, interest, instalment, outstanding or contract."
        ),
    ] = None,
    shares: Annotated[str, typer.Option(help="Seasonal: MONTH:SHARE,..., such as 6:0.2,10:0.8.")] = "",
    zero: Annotated[str, typer.Option(help="Seasonal: months that repay nothing, such as 1,2.")] = "",
    plan: Annotated[str, typer.Option(help="Irregular: DATE:PRINCIPAL,..., such as 2025-06-30:400,...")] = "",
    minimum_gap: Annotated[int, typer.Option(min=0, max=366, help="Days between due dates of a --plan.")] = 0,
    holidays: Annotated[str | None, typer.Option(help="Country whose working days count, such as CN.")] = None,
    roll: Annotated[
        Literal["following", "preceding", "modified-following"], typer.Option(help="Where a due date moves.")
    ] = "following",
    with_interest: Annotated[bool, typer.Option("--with-interest", help="Interest moves with the date.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print the schedule of a loan that is paid out whole, with totals and the all-in annual rate."""
    planned, fees, paid_out_on = _plan(plan), [_fee(text) for text in fee or ()], start.date()
    of_each = [_instalment_fee(text) for text in instalment_fee or ()]
    count = n or len(planned)
    if not count:
        raise MissingPrecondition("Say how many instalments: --n 12.")
    amounts = (principal, principal_multiple, instalment_multiple, balloon)
    for text in (
        *amounts,
        *(amount for _, amount in planned),
        *(one["amount"] for one in (*fees, *of_each) if "amount" in one),
    ):
        if text is not None:
            minor_units(text, currency)
    first = first_due.date() if first_due else planned[0][0] if planned else _next(paid_out_on, every, unit, month_end)
    try:
        terms = Terms(
            kind=kind,
            principal=principal,
            currency=currency,
            annual_rate=_fraction(rate),
            instalments=count,
            every=every,
            unit=unit,
            first_due_date=first,
            month_end=month_end,
            day_count=day_count,
            year_rule=year_rule,
            schedule=generator,
            annuity=annuity,
            rounding=rounding,
            principal_multiple=principal_multiple,
            instalment_multiple=instalment_multiple,
            balloon=balloon,
            shares=_shares(shares, zero),
            plan=tuple(PlannedInstalment(due=due, principal=amount) for due, amount in planned),
            minimum_gap=minimum_gap,
            grace_principal=grace_principal,
            grace_interest_payment=grace_interest,
            grace_interest_charge=grace_charge,
            down_payment=down_payment,
            upfront_fees=tuple(UpfrontFee.model_validate(one) for one in fees),
            instalment_fees=tuple(InstalmentFee.model_validate(one) for one in of_each),
            holidays=DueDateShift(country=holidays, roll=roll, with_interest=with_interest) if holidays else None,
        )
    except ValidationError as error:
        first_error = error.errors()[0]
        where = ".".join(map(str, first_error["loc"])).replace("_", " ")
        given = str(first_error["input"])[:40]
        raise MissingPrecondition(f"{given!r} is not a valid {where}: {first_error['msg']}.") from None
    document = _document(terms, paid_out_on, paid_out_whole(terms, disbursed_on=paid_out_on))
    text = json.dumps(document, ensure_ascii=False) if as_json else "\n".join(_table(document))
    sys.stdout.write(text + "\n")


def _document(terms: Terms, start: date, made: Schedule) -> dict[str, Any]:
    code, rows = terms.currency, []
    lent = balance = sum(made.principal)
    for one in made.instalments:
        balance -= one.principal
        row = {"due": one.due.isoformat(), "days": (one.due - one.start).days}
        row |= {"principal": decimal_text(one.principal, code), "interest": decimal_text(one.interest, code)}
        row |= {"fees": decimal_text(sum(one.fees), code)} if one.fees else {}
        row |= {"total": decimal_text(one.total, code), "balance": decimal_text(balance, code)}
        rows.append(row | ({"down_payment": True} if one.down_payment else {}))
    interest, fees = sum(made.interest), fees_withheld(terms)
    asked = sum(sum(one.fees) for one in made.instalments)
    withheld = sum(amount for _, amount in fees)
    paid_out = {
        "fees": [{"name": name, "amount": decimal_text(amount, code)} for name, amount in fees],
        "fees_withheld": decimal_text(withheld, code),
        "paid_out": decimal_text(lent - withheld, code),
    }
    return {
        "kind": terms.kind,
        "currency": code,
        "start": start.isoformat(),
        "instalments": rows,
        "totals": {
            "principal": decimal_text(lent, code),
            "interest": decimal_text(interest, code),
            **({"fees": decimal_text(asked, code)} if terms.instalment_fees else {}),
            "total": decimal_text(lent + interest + asked, code),
        },
        **(paid_out if fees else {}),
        "all_in_rate": _rates(terms, start, made),
        "flagged_years": list(made.flagged),
    }


def _rates(terms: Terms, start: date, made: Schedule) -> dict[str, str]:
    """The annual rate of the money that is really in use: not what falls due at once, nor what is withheld."""
    methods: tuple[Method, ...] = ("effective", "nominal")
    return {method: f"{rate_of(terms, made.instalments, disbursed_on=start, method=method):f}" for method in methods}


def _table(document: dict[str, Any]) -> Iterator[str]:
    totals = document["totals"]
    columns = [name for name in COLUMNS if name != "fees" or name in totals]
    rows = [
        [str(number), *(str(row[name]) for name in columns)] for number, row in enumerate(document["instalments"], 1)
    ]
    rows.append(["", *(({"due": "total"} | totals).get(name, "") for name in columns)])
    table = [["", *columns], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        yield "  ".join(
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
    if "fees" in document:
        fees = ", ".join(f"{one['name']} {one['amount']}" for one in document["fees"])
        yield f"withheld: {fees}; paid out {document['paid_out']}"
    effective, nominal = (Decimal(document["all_in_rate"][method]) * 100 for method in ("effective", "nominal"))
    yield f"all-in annual rate  {effective:.4f} % effective, {nominal:.4f} % nominal; amounts in {document['currency']}"
    if document["flagged_years"]:
        years = ", ".join(map(str, document["flagged_years"]))
        yield f"no holiday data for {years}: due dates there may still move"


def _fraction(percent: str, refused: str = "") -> str:
    try:
        rate = Decimal(percent)
        if not rate.is_finite() or rate < 0:
            raise InvalidOperation
    except InvalidOperation:
        raise MissingPrecondition(refused or f"{percent[:40]!r} is no rate: --rate 12 is 12 % a year.") from None
    return f"{(rate / 100).normalize():f}"


def _fee(text: str, refused: str = "") -> dict[str, str]:
    name, _, size = text.strip().partition(":")
    refused = refused or f"{text[:40]!r} is no fee: --fee opening:1.5% or --fee opening:50."
    if size.endswith("%"):
        return {"name": name, "share": _fraction(size[:-1], refused)}
    if not (name and size):
        raise MissingPrecondition(refused)
    return {"name": name, "amount": size}


def _instalment_fee(text: str) -> dict[str, str]:
    name, _, rest = text.strip().partition(":")
    size, _, base = rest.partition(":")
    refused = f"{text[:40]!r} is no fee: --instalment-fee account:5 or --instalment-fee service:0.1%:outstanding."
    return _fee(f"{name}:{size}", refused) | ({"base": base} if base else {})


def _next(start: date, every: int, unit: Unit, month_end: str) -> date:
    try:
        if unit == "month":
            day = add_months(start, every)
            return day.replace(day=days_in_month(day.year, day.month)) if month_end == "last-day" else day
        return start + timedelta(days=every * (7 if unit == "week" else 1))
    except OverflowError:
        raise MissingPrecondition("The first due date is past the year 9999.") from None


def _shares(shares: str, zero: str) -> dict[int, str]:
    made = {}
    for pair in filter(None, shares.split(",")):
        month, _, share = pair.partition(":")
        made[_month(month)] = share.strip()
    for month in filter(None, zero.split(",")):
        if made.setdefault(_month(month), "0") != "0":
            raise MissingPrecondition(f"Month {month} has a share and is to repay nothing.")
    return made


def _month(text: str) -> int:
    if not (text.strip().isdecimal() and 1 <= int(text) <= 12):
        raise MissingPrecondition(f"{text[:20]!r} is no month: --shares 6:0.2,10:0.8, --zero 1,2.")
    return int(text)


def _plan(plan: str) -> list[tuple[date, str]]:
    made = []
    for pair in filter(None, plan.split(",")):
        day, _, amount = pair.strip().partition(":")
        try:
            made.append((date.fromisoformat(day), amount))
        except ValueError:
            raise MissingPrecondition(f"{day[:20]!r} is no date: --plan 2025-06-30:400,2025-12-31:600.") from None
    return made
