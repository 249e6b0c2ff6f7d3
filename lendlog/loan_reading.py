"""What commands on one loan share."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar

from lendlog.books import fields
from lendlog.tables import table
from shared.errors import MissingPrecondition

Found = TypeVar("Found")

INSTALMENTS = (
    "number",
    "due_date",
    "principal",
    "interest",
    "fees",
    "penalties",
    "total",
    "paid",
    "outstanding",
    "balance",
)
TRANSACTIONS = ("date", "kind", "amount", "principal", "interest", "fees", "penalties", "overpaid", "balance")
CHARGES = ("charge_id", "part", "name", "due_date", "amount", "paid", "waived", "outstanding")
SIDES = ("code", "account", "debit", "credit", "balance")
_APART = {"instalments", "transactions", "charges", "disbursements", "terms", "balances", "as_of"}


def known(loan_id: str, found: Found | None) -> Found:
    """What the books said of the loan; MissingPrecondition if they know nothing of it."""
    if found is None:
        raise MissingPrecondition(f"The books hold no loan {loan_id}.")
    return found


def terms_in_short(terms: dict[str, Any]) -> str:
    """The terms of a contract in one line: kind, principal, rate, instalments and the first due date."""
    every = f"{terms['every']} {terms['unit']}s" if terms["every"] > 1 else terms["unit"]
    return (
        f"{terms['kind']}, {terms['principal']} {terms['currency']} at {percent(terms['annual_rate'])} a year "
        f"({terms['day_count']}), {terms['instalments']} x every {every} from {terms['first_due_date']}"
    )


def percent(rate: str) -> str:
    """A rate such as 0.1825 in percent, exact: 18.25 %."""
    return f"{(Decimal(rate) * 100).normalize():f} %"


def statement_lines(document: dict[str, Any]) -> Iterator[str]:
    """A statement of account for people."""
    short = {"terms": terms_in_short(document["terms"])} if document.get("terms") else {}
    dates = {"known_on": document["as_of"]["known"], "effective_on": document["as_of"]["date"]}
    yield from fields({name: value for name, value in document.items() if name not in _APART} | short | dates)
    for name, columns in (("instalments", INSTALMENTS), ("transactions", TRANSACTIONS), ("charges", CHARGES)):
        if document[name]:
            yield ""
            yield f"{name}:"
            yield from table(document[name], columns, left=4 if name == "charges" else 2)
    for code, one in document.get("balances", {}).items():
        yield ""
        yield f"balances in {code}:"
        yield from table(one["accounts"], SIDES)
