"""A loan as a person reads it: statement, payoff, delinquency, folded from what the books hold of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.ledger.engine.delinquency import delinquency
from services.ledger.engine.facts import ContractFact, Fact
from services.ledger.engine.lines import InstalmentLine, ReferenceLine, Statement
from services.ledger.engine.payoff import payoff
from services.ledger.engine.statement import statement
from services.ledger.queries.loans import (
    HISTORY,
    Stored,
    as_of_document,
    find,
    horizon,
    last_known,
    told_before,
)
from services.ledger.queries.rates import rates_in
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.two_dates import Dates, dates_within, facts_at, facts_of_rows
from shared.errors import InvariantBroken, Refusal
from shared.events.origination import Contract
from shared.money import decimal_text

AMOUNTS = ("principal", "interest", "fees", "penalties")


class NoPayoff(Refusal):
    """Only a loan that is running on the date can be paid off."""

    status = 409


@dataclass(frozen=True, slots=True)
class Account:
    """What the books hold of one loan, with its facts in the order in which they were folded: all that stand now, or
    those of two dates."""

    loan_id: str
    stored: Stored
    facts: list[Fact]
    dates: Dates | None = None
    offset: int = -1
    """Of the last event that counts."""

    @property
    def horizon(self) -> int:
        """The ordinal before which instalments have fallen due."""
        return horizon(self.stored)

    @property
    def folded_to(self) -> int:
        """The ordinal up to which interest has followed what is outstanding; 0: it follows nothing."""
        return self.stored.state.folded_to if self.stored.state is not None else 0

    @property
    def contract(self) -> Contract | None:
        """What was agreed, once it was."""
        return next((one.contract for one in self.facts if isinstance(one, ContractFact)), None)

    @property
    def currency(self) -> str | None:
        """The contract's currency, once there is one."""
        return self.contract.terms.currency if self.contract is not None else None

    def agreed(self) -> dict[str, Any]:
        """Borrower, product and terms, as in the contract; null before it."""
        if self.contract is None:
            return dict.fromkeys(("borrower_id", "product", "terms"))
        return self.contract.model_dump(mode="json", exclude_none=True)

    def head(self) -> dict[str, Any]:
        """What every document of a loan says of itself."""
        head = {"loan_id": self.loan_id, "currency": self.currency, "parked": self.stored.parked}
        return head | {"as_of": as_of_document(self.stored, self.dates, self.offset)}


async def account(
    connection: Any, loan_id: str, *, known: date | None = None, effective: date | None = None, field: str = "effective"
) -> Account | None:
    """The loan in one snapshot of the books; None if they know nothing of it. Raises AsOfAhead."""
    async with snapshot(connection):
        stored = await find(connection, loan_id)
        if stored is None:
            return None
        rows: Sequence[Any] = []
        rates = await rates_in(connection, stored.partition)
        if stored.state is not None:
            rows = await connection.fetch(HISTORY, stored.partition, stored.state.number)
    if known is None and effective is None:
        return Account(loan_id, stored, facts_of_rows(rows, rates), None, stored.state.as_of if stored.state else -1)
    opened = date.fromordinal(stored.open_day) if stored.open_day else None
    dates = dates_within(opened, known, effective, field=field)
    return Account(loan_id, stored, facts_at(rows, dates, rates), dates, last_known(stored, rows, dates))


async def statement_view(
    connection: Any, loan_id: str, *, known: date | None = None, effective: date | None = None, field: str = "effective"
) -> dict[str, Any] | None:
    """The loan's instalments, money in and out, and charges: now where no date is named, else as known on one date and
    effective on another. Raises AsOfAhead."""
    found = await account(connection, loan_id, known=known, effective=effective, field=field)
    if found is None:
        return None
    made = statement(loan_id, found.facts, before=told_before(found.stored, found.dates))
    return found.head() | found.agreed() | statement_document(made, found.currency)


async def payoff_view(
    connection: Any, loan_id: str, *, on: date, known: date | None = None, effective: date | None = None
) -> dict[str, Any] | None:
    """What ends the loan if it is paid on `on`, also a date to come: it takes it that nothing happens but what was
    booked up to `known`, of value dates up to `effective`; either is the open date where it is not named. Raises
    NoPayoff, and AsOfAhead for one of those two after the open date."""
    found = await account(connection, loan_id, known=known, effective=effective)
    return None if found is None else payoff_of(found, on, field="on")


def payoff_of(found: Account, on: date, *, field: str) -> dict[str, Any]:
    """The payoff of a loan that was read. Raises NoPayoff about the `field`."""
    try:
        quote = payoff(found.loan_id, found.facts, on=on.toordinal())
    except InvariantBroken:
        raise NoPayoff(f"Loan {found.loan_id} is not running on {on}.", field=field) from None
    amounts = {name: getattr(quote, name) for name in (*AMOUNTS, "credit", "total")}
    head = found.head() | {"on": on.isoformat(), "annual_rate": quote.annual_rate}
    return head | texts(amounts, found.currency) | {"valid_through": on.isoformat()}


async def delinquency_view(
    connection: Any, loan_id: str, *, on: date | None, known: date | None = None
) -> dict[str, Any] | None:
    """Since when, how many days and how much the loan is past due and delinquent, on a date or the open one, as known
    on another. Raises AsOfAhead for a date after the open one."""
    found = await account(connection, loan_id, known=known, effective=on, field="on")
    if found is None:
        return None
    day = found.dates.day if found.dates else date.fromordinal(found.stored.open_day or 1)
    made = delinquency(loan_id, found.facts, on=day.toordinal())
    code = found.currency
    return found.head() | {
        "past_due_since": _iso(made.past_due_since),
        "days_past_due": made.past_due_days,
        "past_due": text(made.past_due_amount, code),
        "delinquent_since": _iso(made.delinquent_since),
        "days_delinquent": made.delinquent_days,
        "delinquent": text(made.delinquent_amount, code),
        "paused": made.paused,
        "instalments": [
            {
                "due_date": one.due.isoformat(),
                "past_due": text(one.amount, code),
                "days_past_due": one.past_due_days,
                "days_delinquent": one.delinquent_days,
            }
            for one in made.instalments
        ],
    }


def statement_document(made: Statement, code: str | None) -> dict[str, Any]:
    """A statement with decimal amounts in the currency `code`."""
    return {
        "status": made.status,
        "charged_off_on": _iso(made.charged_off_on),
        "reference_rate": None if made.reference_rate is None else _reference_document(made.reference_rate),
        **texts({name: getattr(made, name) for name in ("principal_outstanding", "outstanding", "overpaid")}, code),
        "instalments": [instalment_document(line, code) for line in made.instalments],
        "disbursements": [
            {"event_id": line.event_id, "date": line.on.isoformat(), "amount": text(line.amount, code)}
            for line in made.disbursements
        ],
        "transactions": [
            {"event_id": line.event_id, "date": line.on.isoformat(), "kind": line.kind}
            | texts({name: getattr(line, name) for name in ("amount", *AMOUNTS, "overpaid", "balance")}, code)
            for line in made.transactions
        ],
        "charges": [
            {"charge_id": line.event_id, "part": line.part, "name": line.name, "due_date": line.due.isoformat()}
            | texts({name: getattr(line, name) for name in ("amount", "paid", "waived", "outstanding")}, code)
            for line in made.charges
        ],
    }


def _reference_document(rate: ReferenceLine) -> dict[str, Any]:
    return {
        "index": rate.index,
        "annual_rate": rate.annual_rate,
        "next_reset_on": _iso(rate.next_reset_on),
        "resets": [
            {"date": one.on.isoformat(), "index_value": one.index_value, "annual_rate": one.annual_rate}
            for one in rate.resets
        ],
    }


def instalment_document(line: InstalmentLine, code: str | None) -> dict[str, Any]:
    """One instalment of a statement."""
    names = (*AMOUNTS, "total", "paid", "waived", "outstanding", "in_advance", "late", "balance")
    return {
        "number": line.number,
        "start_date": line.start.isoformat(),
        "due_date": line.due.isoformat(),
        "down_payment": line.down_payment,
        **texts({name: getattr(line, name) for name in names}, code),
        "paid_on": _iso(line.paid_on),
    }


def texts(amounts: dict[str, int], code: str | None) -> dict[str, str]:
    """Amounts as decimal text."""
    return {name: text(minor, code) for name, minor in amounts.items()}


def text(minor: int, code: str | None) -> str:
    """An amount as decimal text; a loan without a contract has no currency and no amounts."""
    return decimal_text(minor, code) if code else str(minor)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
