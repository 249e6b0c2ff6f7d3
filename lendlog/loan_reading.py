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
RESETS = ("date", "index_value", "annual_rate")
_APART = {"reference_rate", "instalments", "transactions", "charges", "disbursements", "terms", "balances", "as_of"}


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


def reference_in_short(rate: dict[str, Any]) -> str:
    """What a loan follows, its rate in force, and when that is reset next; in one line."""
    if rate["annual_rate"] is None:
        return f"{rate['index']} until another rate was agreed"
    reset = f", reset next on {rate['next_reset_on']}" if rate["next_reset_on"] else ""
    return f"{rate['index']}, now {percent(rate['annual_rate'])} a year{reset}"


def statement_lines(document: dict[str, Any]) -> Iterator[str]:
    """A statement of account for people."""
    short = {"terms": terms_in_short(document["terms"])} if document.get("terms") else {}
    if rate := document.get("reference_rate"):
        short["reference_rate"] = reference_in_short(rate)
    dates = {"known_on": document["as_of"]["known"], "effective_on": document["as_of"]["date"]}
    yield from fields({name: value for name, value in document.items() if name not in _APART} | short | dates)
    for name, columns in (("instalments", INSTALMENTS), ("transactions", TRANSACTIONS), ("charges", CHARGES)):
        if document[name]:
            yield ""
            yield f"{name}:"
            yield from table(document[name], columns, left=4 if name == "charges" else 2)
    if rate and rate["resets"]:
        yield from ("", "resets of the rate:")
        yield from table(rate["resets"], RESETS)
    for code, one in document.get("balances", {}).items():
        yield ""
        yield f"balances in {code}:"
        yield from table(one["accounts"], SIDES)
