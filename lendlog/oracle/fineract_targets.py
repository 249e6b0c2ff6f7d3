"""Which transaction or charge a step of a Fineract case means."""

import re
from datetime import date

from lendlog.oracle.fineract_loan import Loan, Sent, SentCharge
from lendlog.oracle.fineract_terms import NotTranslated

NAMES = {
    "REPAYMENT": "Repayment",
    "PAYMENT": "Repayment",
    "AUTOPAY": "Repayment",
    "DOWN_PAYMENT": "Down Payment",
    "GOODWILL_CREDIT": "Goodwill Credit",
    "MERCHANT_ISSUED_REFUND": "Merchant Issued Refund",
    "PAYOUT_REFUND": "Payout Refund",
    "REFUND": "Payout Refund",
    "CREDIT_BALANCE_REFUND": "Credit Balance Refund",
    "CHARGE_ADJUSTMENT": "Charge Adjustment",
    "CHARGEBACK": "Chargeback",
    "CHARGE_OFF": "Charge-off",
    "WAIVE_LOAN_CHARGES": "Waive loan charges",
    "CLOSE_AS_WRITTEN_OFF": "Close (as written-off)",
    "WRITE_OFF": "Close (as written-off)",
    "RE_AGE": "Re-age",
    "RE_AMORTIZE": "Re-amortize",
    "DISBURSEMENT": "Disbursement",
}
"""Fineract's names of transaction types, by their codes."""
_AMONG_DATED = re.compile(r"(?P<type>.+) #(?P<n>\d+) among transactions dated (?P<on>\d{4}-\d\d-\d\d)")
_IN_LIST = re.compile(r"(?P<type>.+) #(?P<n>\d+) (?:in transaction list order.*|by id)")
_LAST = re.compile(r"last (?P<type>.+)")


def name_of(word: str) -> str:
    """The name of a type of transaction, written "down payment" or "GOODWILL_CREDIT". Raises NotTranslated."""
    code = re.sub(r"[^A-Z]+", "_", word.upper()).strip("_")
    if code not in NAMES:
        raise NotTranslated(f"{word!r} is no known type of transaction.")
    return NAMES[code]


def transaction(loan: Loan, target: str) -> Sent:
    """The transaction that `target` names. Raises NotTranslated.

    Fineract lists transactions by date, then by entry, those undone by hand among them; replaced ones are not shown.
    "last" is the last one entered, and no automatic one; "by id" counts those of a type as they were entered.
    """
    if named := _AMONG_DATED.fullmatch(target):
        on = date.fromisoformat(named["on"])
        any_type = named["type"].lower() == "transaction"
        found = [one for one in loan.sent if one.on == on and (any_type or one.name == name_of(named["type"]))]
        return _nth(found, int(named["n"]), target)
    if named := _IN_LIST.fullmatch(target):
        found = [one for one in loan.sent if one.name == name_of(named["type"])]
        ordered = found if target.endswith("by id") else sorted(found, key=lambda one: one.on)
        return _nth(ordered, int(named["n"]), target)
    if named := _LAST.fullmatch(target):
        found = [one for one in loan.sent if one.name == name_of(named["type"])]
        return _nth(found, len(found), target)
    raise NotTranslated(f"The target {target!r} is not understood.")


def last_of(loan: Loan, name: str, *, live: bool = False) -> Sent:
    """The last transaction of a type; with `live`, the last that is not undone. Raises NotTranslated."""
    found = [one for one in loan.sent if one.name == name and not (live and one.undone)]
    return _nth(found, len(found), f"last {name}")


def last_charge(loan: Loan, slug: str | None = None, due: date | None = None) -> SentCharge:
    """The last charge, of a name and due date where given. Raises NotTranslated."""
    for charge in reversed(loan.charges):
        if slug in (None, charge.slug) and due in (None, charge.due):
            return charge
    raise NotTranslated(f"There is no charge {slug or ''} due {due or 'at any time'}.")


def slug(name: str) -> str:
    """A charge's name as ours: LOAN_NSF_FEE and "NSF fee" are both "nsf-fee"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().removeprefix("loan_")).strip("-")


def _nth(found: list[Sent], n: int, target: str) -> Sent:
    if not 1 <= n <= len(found):
        raise NotTranslated(f"There is no {target}.")
    return found[n - 1]
