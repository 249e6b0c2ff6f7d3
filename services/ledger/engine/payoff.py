"""What it takes to end a loan on a date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.ledger.engine.account import ACTIVE, ALWAYS, FEE, INTEREST, PENALTY, PRINCIPAL
from services.ledger.engine.facts import Fact, PaymentFact, key_of
from services.ledger.engine.folding import service
from services.ledger.engine.instalment_fees import counts, to_come
from shared.errors import InvariantBroken


@dataclass(frozen=True, slots=True)
class Payoff:
    """What ends the loan if it is paid on `on`, in minor units; valid on that date alone."""

    on: date
    principal: int
    interest: int
    fees: int
    penalties: int
    credit: int
    """Money paid too much, or for fees that are not owed at the payoff, which counts."""
    annual_rate: str | None = None
    """The rate in force of a loan that follows a reference rate."""

    @property
    def total(self) -> int:
        """What has to be paid."""
        return max(0, self.principal + self.interest + self.fees + self.penalties - self.credit)


def payoff(loan_id: str, facts: Sequence[Fact], *, on: int) -> Payoff:
    """The payoff of a loan on the ordinal `on`, from its facts, as the terms say: with interest of all instalments, or,
    where interest follows what is outstanding, with what a payment on that date leaves of it. Fees of instalments whose
    periods have not begun are not owed (see instalment_fees).

    Raises InvariantBroken for a loan that is not running.
    """
    known = [fact for fact in facts if key_of(fact) <= 2 * on]
    servicing = service(0, loan_id, known, before=on)
    loan = servicing.loan
    if loan.status != ACTIVE:
        raise InvariantBroken("a payoff of a loan that is not running")
    owed = _settling(loan_id, known, on) if loan.refolds == ALWAYS else [loan.unpaid_of(part) for part in range(4)]
    coming = to_come(loan, on)
    fees = owed[FEE] - sum(fee.left for fee in coming)
    credit = loan.overpaid + sum(counts(loan, fee) for fee in coming)
    rate = loan.floating.annual_rate if loan.floating is not None else None
    return Payoff(date.fromordinal(on), owed[PRINCIPAL], owed[INTEREST], fees, owed[PENALTY], credit, rate)


def _settling(loan_id: str, facts: Sequence[Fact], on: int) -> list[int]:
    """What a payment of more than enough on `on` pays, by part: interest falls with it, so that only trying tells."""
    servicing = service(0, loan_id, facts, before=on)
    loan = servicing.loan
    enough = 2 * sum(loan.unpaid(k) for k in range(len(loan.due)))
    trial = PaymentFact("payoff", on, -1, enough, loan.currency)
    servicing.fold(trial)
    line = servicing.trail.lines[trial.event_id]
    return [line.penalties, line.fees, line.interest, line.principal]
