"""A loan as a person reads it: statement, payoff, delinquency, folded from what the books hold of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.ledger.engine.delinquency import delinquency
from services.ledger.engine.facts import ContractFact, Fact
from services.ledger.engine.lines import InstalmentLine, Statement
from services.ledger.engine.payoff import payoff
from services.ledger.engine.statement import statement
from services.ledger.queries.loans import HISTORY, AsOfAhead, Stored, facts_of_rows, find, horizon
from services.ledger.queries.snapshots import snapshot
from shared.errors import InvariantBroken, Refusal
from shared.money import decimal_text

AMOUNTS = ("principal", "interest", "fees", "penalties")


class NoPayoff(Refusal):
    """Only a loan that is running on the date can be paid off."""

    status = 409


@dataclass(frozen=True, slots=True)
class Account:
    """What the books hold of one loan, with its facts in the order in which they were folded."""

    loan_id: str
    stored: Stored
    facts: list[Fact]

    @property
    def horizon(self) -> int:
        """The ordinal before which instalments have fallen due."""
        return horizon(self.stored)

    @property
    def folded_to(self) -> int:
        """The ordinal up to which interest has followed what is outstanding; 0: it follows nothing."""
        return self.stored.state.folded_to if self.stored.state is not None else 0

    @property
    def currency(self) -> str | None:
        """The contract's currency, once there is one."""
        return next((one.contract.terms.currency for one in self.facts if isinstance(one, ContractFact)), None)

    def head(self, on: date | None = None) -> dict[str, Any]:
        """What every document of a loan says of itself; `on` is the date that it is about, or else the open one."""
        opened = date.fromordinal(self.stored.open_day) if self.stored.open_day else None
        day, offset = on or opened, self.stored.state.as_of if self.stored.state is not None else -1
        as_of = {"date": day.isoformat() if day else None, "offset": offset, "partition": self.stored.partition}
        head = {"loan_id": self.loan_id, "currency": self.currency}
        return head | {"parked": self.stored.parked, "as_of": as_of}


async def account(connection: Any, loan_id: str) -> Account | None:
    """The loan in one snapshot of the books; None if they know nothing of it."""
    async with snapshot(connection):
        stored = await find(connection, loan_id)
        if stored is None:
            return None
        rows: Sequence[Any] = []
        if stored.state is not None:
            rows = await connection.fetch(HISTORY, stored.partition, stored.state.number)
        return Account(loan_id, stored, facts_of_rows(rows))


async def statement_view(connection: Any, loan_id: str) -> dict[str, Any] | None:
    """The loan's instalments, money in and out, and charges, on the open date."""
    found = await account(connection, loan_id)
    if found is None:
        return None
    made = statement(loan_id, found.facts, before=found.horizon)
    return found.head() | statement_document(made, found.currency)


async def payoff_view(connection: Any, loan_id: str, *, on: date) -> dict[str, Any] | None:
    """What ends the loan if it is paid on `on`, by what is known now; a date to come takes it that nothing else happens
    until then. Raises NoPayoff."""
    found = await account(connection, loan_id)
    if found is None:
        return None
    try:
        quote = payoff(loan_id, found.facts, on=on.toordinal())
    except InvariantBroken:
        raise NoPayoff(f"Loan {loan_id} is not running on {on}.", field="on") from None
    amounts = {name: getattr(quote, name) for name in (*AMOUNTS, "credit", "total")}
    return found.head() | {"on": on.isoformat()} | texts(amounts, found.currency) | {"valid_through": on.isoformat()}


async def delinquency_view(connection: Any, loan_id: str, *, on: date | None) -> dict[str, Any] | None:
    """Since when, how many days and how much the loan is past due and delinquent, on a date or the open one. Raises
    AsOfAhead for a date after the open one."""
    found = await account(connection, loan_id)
    if found is None:
        return None
    opened = date.fromordinal(found.stored.open_day or 1)
    if on is not None and on > opened:
        raise AsOfAhead(f"{on} is after the open date {opened}.", field="on")
    known = delinquency(loan_id, found.facts, on=(on or opened).toordinal())
    code = found.currency
    return found.head(on) | {
        "past_due_since": _iso(known.past_due_since),
        "days_past_due": known.past_due_days,
        "past_due": text(known.past_due_amount, code),
        "delinquent_since": _iso(known.delinquent_since),
        "days_delinquent": known.delinquent_days,
        "delinquent": text(known.delinquent_amount, code),
        "paused": known.paused,
        "instalments": [
            {
                "due_date": one.due.isoformat(),
                "past_due": text(one.amount, code),
                "days_past_due": one.past_due_days,
                "days_delinquent": one.delinquent_days,
            }
            for one in known.instalments
        ],
    }


def statement_document(made: Statement, code: str | None) -> dict[str, Any]:
    """A statement with decimal amounts in the currency `code`."""
    return {
        "status": made.status,
        "charged_off_on": _iso(made.charged_off_on),
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
