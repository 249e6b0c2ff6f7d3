"""Fees of instalments: what each instalment of the schedule asks for beside interest and principal, by the terms.

They are charges that the schedule brings. They follow it when it changes, until their instalment falls due; then they
are earned. Money that pays one before is unearned. Once the instalments are no longer those of the terms (re-age,
re-amortisation, acceleration) they stay as they were, and new instalments bear none.

An instalment whose period has begun asks for its fee. Where the loan ends before, it never comes and asks for none
(`lapsing`): who repays early owes no costs of the time that is left (directive (EU) 2023/2225 art. 29, as the Court of
Justice read the one before it in C-383/18; Civil Code of the PRC, 677).
"""

from collections.abc import Iterable
from typing import NamedTuple

from services.ledger.engine.account import ACTIVE, FEE, SETTLED, Loan, LoanCharge
from services.ledger.engine.accounts import FEE_INCOME, FEES_RECEIVABLE, OVERPAYMENT, UNEARNED_FEES
from services.ledger.engine.allocation import place_of
from services.ledger.engine.journal import Journal, post
from shared.events.envelope import derived_event_id
from shared.events.terms import Terms
from shared.schedules import Schedule


class AgreedFee(NamedTuple):
    """A fee of one instalment by the schedule; `period` counts instalments from 0, down payments apart."""

    charge_id: str
    name: str
    period: int
    due: int
    amount: int

    def charge(self) -> LoanCharge:
        """As a charge of the loan, unpaid."""
        return LoanCharge(self.charge_id, FEE, self.due, self.amount, self.amount, period=self.period)


def fees_of(terms: Terms, plan: Schedule, begun_by: str) -> list[AgreedFee]:
    """The fees of a schedule's instalments. The id of each is made of the first disbursement's, the fee's name and the
    number of its instalment, so that it stays when the schedule changes."""
    found = []
    instalments = [one for one in plan.instalments if not one.down_payment]
    for number, one in enumerate(instalments):
        for fee, amount in zip(terms.instalment_fees, one.fees, strict=True):
            if amount:
                charge_id = derived_event_id(begun_by, 0, f"instalment-fee/{fee.name}", number)
                found.append(AgreedFee(charge_id, fee.name, number, one.due.toordinal(), amount))
    return found


def begin(loan: Loan, fees: Iterable[AgreedFee]) -> None:
    """The instalments, which were just laid out, ask for these."""
    for fee in fees:
        loan.charges.append(fee.charge())
        k = place_of(loan, fee.due)
        loan.asked[FEE][k] += fee.amount
        loan.left[FEE][k] += fee.amount


def follow(loan: Loan, fees: Iterable[AgreedFee], day: int) -> int:
    """The charges of instalments that fall due on `day` or later become those of the schedule `fees` is of; what was
    paid and waived of one stays with it. Returns what was paid and is no longer asked for."""
    coming = {fee.charge_id: fee for fee in fees if fee.due >= day}
    charges, loan.charges = loan.charges, []
    freed = 0
    for charge in charges:
        fee = coming.pop(charge.event_id, None)
        if charge.period >= 0 and charge.due >= day:
            paid = charge.paid()
            charge.amount = 0 if fee is None else fee.amount
            charge.due = charge.due if fee is None else fee.due
            charge.waived = min(charge.waived, charge.amount)
            kept = min(paid, charge.amount - charge.waived)
            charge.left = charge.amount - charge.waived - kept
            freed += paid - kept
        if charge.amount:
            loan.charges.append(charge)
    loan.charges += [fee.charge() for fee in coming.values()]
    return freed


def _fell_due(loan: Loan, charge: LoanCharge) -> bool:
    return charge.period >= 0 and place_of(loan, charge.due) < loan.fallen


def ahead(loan: Loan) -> list[LoanCharge]:
    """The fees of instalments that have not fallen due: not in the books but for what was paid of them."""
    return [one for one in loan.charges if one.period >= 0 and not _fell_due(loan, one)]


def receivable(loan: Loan) -> int:
    """Fees that are unpaid, without those of instalments that have not fallen due."""
    return loan.unpaid_of(FEE) - sum(one.left for one in ahead(loan))


def unearned(loan: Loan) -> int:
    """What was paid of fees of instalments that have not fallen due; nothing of those that will not be earned."""
    return 0 if loan.earns_until >= 0 else sum(one.paid() for one in ahead(loan))


def earned(loan: Loan) -> int:
    """What became income when instalments fell due, less what was waived since."""
    return sum(one.amount - one.waived for one in loan.charges if _fell_due(loan, one))


def earn(loan: Loan, k: int, journal: Journal) -> None:
    """Instalment k falls due: its fees are income, what of them is unpaid is receivable."""
    for charge in loan.charges:
        if charge.period >= 0 and place_of(loan, charge.due) == k:
            post(journal, UNEARNED_FEES, FEE_INCOME, charge.paid(), loan.currency, loan.due[k])
            post(journal, FEES_RECEIVABLE, FEE_INCOME, charge.left, loan.currency, loan.due[k])


def to_come(loan: Loan, day: int) -> list[LoanCharge]:
    """The fees of instalments whose periods have not begun on `day`: of those after the next one due."""
    running = place_of(loan, day)
    return [] if running < 0 else [one for one in loan.charges if one.period >= 0 and one.due > loan.due[running]]


def counts(loan: Loan, charge: LoanCharge) -> int:
    """What was paid of a fee that lapses: it is given back, but not once a charge-off has made it income."""
    return 0 if loan.charged_off else charge.paid()


def lapsing(loan: Loan, amount: int, day: int) -> list[LoanCharge]:
    """The fees that are no longer owed if `amount` comes on `day`: all to come, if with what was paid of them it pays
    everything else; else none."""
    coming = to_come(loan, day) if loan.status in (ACTIVE, SETTLED) else []
    if not coming:
        return []
    others = sum(loan.unpaid(k) for k in range(loan.first_open, len(loan.due))) - sum(one.left for one in coming)
    return coming if amount + sum(counts(loan, one) for one in coming) >= others else []


def lapse(loan: Loan, charges: Iterable[LoanCharge], day: int, journal: Journal) -> int:
    """These fees are no longer owed. Returns what was paid of them, which is money paid too much now."""
    freed = 0
    for charge in charges:
        back, k = counts(loan, charge), place_of(loan, charge.due)
        loan.asked[FEE][k] -= back + charge.left
        loan.left[FEE][k] -= charge.left
        charge.amount -= back + charge.left
        charge.left = 0
        freed += back
    loan.charges = [one for one in loan.charges if one.amount]
    loan.overpaid += freed
    post(journal, UNEARNED_FEES, OVERPAYMENT, freed, loan.currency, day)
    return freed
