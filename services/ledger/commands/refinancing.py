"""A new loan pays off an old one of the same borrower and pays the rest out: two facts of two loans, recorded together.

The two loans may be on two partitions, which nothing orders: what binds the facts is that one unit of work records
both, or neither, and that each names the other. They meet in the account refinancing clearing.
"""

from collections.abc import Sequence
from datetime import date

from services.ledger.commands import model, refusals
from services.ledger.commands.checks import positive
from services.ledger.commands.state import Contracted, Disbursed, Guards, NotContracted, TakenOver
from services.ledger.engine.facts import DisbursementFact, Fact, ServicingFact
from shared.errors import Refusal
from shared.events import servicing
from shared.events.envelope import derived_event_id
from shared.events.origination import Settlement
from shared.events.terms import Terms
from shared.money import decimal_text, minor_units
from shared.schedules.fees import upfront_fees


class SameLoan(Refusal):
    """A loan can't pay itself off."""


class OtherBorrower(Refusal):
    """The loan that is paid off must be of the same borrower."""

    status = 409


class OldLoanOfOrigination(Refusal):
    """A loan that origination contracted is not paid off by new money from here: origination asks for red alerts
    first."""

    status = 409


class PayoffAbovePaidOut(Refusal):
    """What is paid out, less the fees that are withheld, must cover the payoff of the old loan."""


class PayoffDiffers(Refusal):
    """The payoff of the old loan on that date is another: ask for it again."""

    status = 409


class OldLoanChargedOff(Refusal):
    """A loan that is charged off is not refinanced: what it pays is a recovery."""

    status = 409


class OldLoanNotSettled(Refusal):
    """The payoff would not settle the old loan: something of a later value date is booked."""

    status = 409


def refinance(
    new: str, old: str, *, amount: str, payoff: str, currency: str, on: date | None, event_id: str
) -> tuple[model.Disburse, model.ServiceLoan]:
    """The two commands: money out of the loan `new`, of which `payoff` settles the loan `old`. `event_id`: of the
    disbursement; the other one follows from it."""
    disbursement = model.Disburse(new, amount, currency, on, event_id, Settlement(loan_id=old, amount=payoff))
    by = servicing.Refinancing(loan_id=new, event_id=event_id)
    credit = servicing.Credit(kind="refinancing", amount=payoff, currency=currency, refinanced_by=by)
    return disbursement, model.ServiceLoan(old, credit, on, credit_id(event_id, old))


def credit_id(disbursement_id: str, old: str) -> str:
    """The id of the old loan's credit: derived from the disbursement that pays for it."""
    return derived_event_id(disbursement_id, 0, f"refinancing/{old}", 0)


def other_side(facts: Sequence[Fact], event_id: str) -> tuple[str, str] | None:
    """(loan id, event id) of the fact that stands or falls with this one, if it is one side of a refinancing."""
    match next((fact for fact in facts if fact.event_id == event_id), None):
        case DisbursementFact(settled=str(old)):
            return old, credit_id(event_id, old)
        case ServicingFact(data=servicing.Credit(refinanced_by=servicing.Refinancing() as by)):
            return by.loan_id, by.event_id
        case _:
            return None


def refinanced(fact: Fact) -> tuple[str, str, int] | None:
    """(disbursement's event id, the other loan, what goes through clearing in minor units, credits positive) of a fact
    that is one side of a refinancing."""
    match fact:
        case DisbursementFact(settled=str(old)):
            return fact.event_id, old, fact.settles
        case ServicingFact(data=servicing.Credit(refinanced_by=servicing.Refinancing() as by) as credit):
            return by.event_id, by.loan_id, -minor_units(credit.amount, credit.currency)
        case _:
            return None


def require_settles(
    command: model.Disburse, settles: Settlement, borrower_id: str, terms: Terms, guards: Guards, *, first: bool
) -> None:
    """Refuse a disbursement that can't pay off the loan that it names, as far as that can be told without the books.

    Red alerts are origination's to ask for (decision 24): of a loan that it contracted, known by the books alone, the
    borrower gets new money there and nowhere else.
    """
    if settles.loan_id == command.loan_id:
        raise SameLoan(f"Loan {settles.loan_id} is the loan that pays.", field="old_loan_id")
    contracted_here = not isinstance(guards.loan(settles.loan_id), NotContracted)
    match old := guards.known(settles.loan_id):
        case NotContracted():
            raise refusals.LoanNotContracted(f"Loan {settles.loan_id} has no contract.", field="old_loan_id")
        case Contracted():
            raise refusals.LoanNotDisbursed(f"Loan {settles.loan_id} is not paid out.", field="old_loan_id")
        case Disbursed() | TakenOver():
            if not contracted_here:
                detail = f"Loan {settles.loan_id} is origination's: let its borrower apply there."
                raise OldLoanOfOrigination(detail, field="old_loan_id")
    if old.borrower_id != borrower_id:
        raise OtherBorrower(f"Loan {settles.loan_id} is not of {borrower_id}.", field="old_loan_id")
    if old.terms.currency != command.currency:
        raise refusals.OtherCurrency(f"Loan {settles.loan_id} is in {old.terms.currency}.", field="old_loan_id")
    payoff, amount = positive(settles.amount, command.currency, "payoff"), minor_units(command.amount, command.currency)
    left = amount - sum(fee for _, fee in upfront_fees(terms, amount, first=first))
    if payoff > left:
        detail = f"{decimal_text(left, command.currency)} {command.currency} can pay off another loan."
        raise PayoffAbovePaidOut(detail, field="payoff")
