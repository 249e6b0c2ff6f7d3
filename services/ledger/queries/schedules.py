"""The instalments of terms, without a loan."""

from datetime import date
from typing import Any

from services.ledger.queries.statements import texts
from shared.errors import Refusal
from shared.events.terms import Terms
from shared.money import minor_units
from shared.schedules import DisbursedAfterLastDue, FirstDueNotAfterDisbursement, paid_out_whole
from shared.schedules.resets import next_reset


def _rate(terms: Terms, disbursed_on: date) -> dict[str, Any]:
    """Of a loan that follows a reference rate: the rate that the schedule is reckoned at, and until when it holds."""
    if terms.reference is None:
        return {}
    first = next_reset(terms.reference, start=disbursed_on, after=disbursed_on)
    return {"annual_rate": terms.annual_rate, "first_reset_on": first.isoformat() if first else None}


def schedule_of_terms(terms: Terms, *, disbursed_on: date) -> dict[str, Any]:
    """The schedule of a principal that is paid out whole; with `fees` where the terms have fees of instalments.
    `flagged_years`: years for which due dates were moved by weekends and statutory days alone. A rate that follows a
    reference rate stays as agreed. Raises the refusals of
    shared.schedules and shared.money by field."""
    try:
        principal = minor_units(terms.principal, terms.currency)
        made = paid_out_whole(terms, disbursed_on=disbursed_on)
    except (FirstDueNotAfterDisbursement, DisbursedAfterLastDue) as refusal:
        refusal.field = "disbursed_on"
        raise
    except Refusal as refusal:
        name = "principal" if refusal.field == "amount" else refusal.field
        refusal.field = f"terms/{name}" if name else "terms"
        raise
    code, balance, rows = terms.currency, principal, []
    for number, one in enumerate(made.instalments, start=1):
        balance -= one.principal
        amounts = {"principal": one.principal, "interest": one.interest, "total": one.total, "balance": balance}
        amounts |= {"fees": sum(one.fees)} if one.fees else {}
        head = {"number": number, "start_date": one.start.isoformat(), "due_date": one.due.isoformat()}
        rows.append(head | {"down_payment": one.down_payment} | texts(amounts, code))
    sums = {"principal": principal, "interest": sum(made.interest), "total": sum(one.total for one in made.instalments)}
    sums |= {"fees": sum(sum(one.fees) for one in made.instalments)} if terms.instalment_fees else {}
    head = {"currency": code, "disbursed_on": disbursed_on.isoformat()} | _rate(terms, disbursed_on)
    return head | texts(sums, code) | {"instalments": rows, "flagged_years": list(made.flagged)}
