"""A loan's valuation at a period end: a function of its facts and the policy's row; exact integers, rounded as it says.

exposure: the principal outstanding; with `claims` also fees, penalties and unpaid interest, unless the loan is
non-performing. Its unpaid interest, fallen due or accrued, is then put in suspense: whole, or the share of it that is
expected to be lost (IFRS 9, 5.4.1 (b)), so that no part of a claim is provided for twice.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from services.ledger.engine.account import FEE, INTEREST, PENALTY, Loan
from services.ledger.engine.accrual import period
from services.ledger.engine.facts import ContractFact, Fact, key_of
from services.ledger.engine.folding import service
from services.ledger.engine.instalment_fees import receivable
from services.ledger.engine.methods import NONE, PERIODIC, UPFRONT
from services.ledger.engine.servicing import Servicing
from services.ledger.engine.tax import without_tax
from services.ledger.engine.valued import stands
from services.ledger.valuation.allowance import Risk, expected_credit_loss, risk_of
from services.ledger.valuation.effective_interest import Flow, Plan, deferred_fees, plan_of, whole_units
from services.ledger.valuation.policy import ExpectedLoss, PolicyRow
from shared.events.origination import Security
from shared.events.valuation import Inputs, Valuation
from shared.expected_loss import EXACT
from shared.money import code_of, decimal_text, divide

DECIMALS = 8
"""Of shares and rates that are told; the amounts follow from the exact ones."""


def measure(loan_id: str, facts: Sequence[Fact], end: int, policy: PolicyRow) -> tuple[Loan, Valuation | None]:
    """The loan at the end of the ordinal `end`, from its facts in order of arrival, and its valuation; None where its
    claim is no asset of the books then. Raises InvariantBroken, and a Refusal such as NoRate where no figure can be
    given."""
    known = [fact for fact in facts if key_of(fact) <= 2 * end + 1]
    servicing = service(0, loan_id, known, before=end + 1)
    if not stands(servicing.loan) or servicing.loan.accounting == NONE:
        return servicing.loan, None
    return servicing.loan, _valuation(servicing, security_of(known), end, policy)


def security_of(facts: Sequence[Fact]) -> Security:
    """What stands behind a loan, as its contract says."""
    return next(fact.contract.security for fact in facts if isinstance(fact, ContractFact))


def accrued_unpaid(loan: Loan, end: int) -> int:
    """Interest earned by the end of the ordinal `end` that has not fallen due, less what was paid of it ahead; floored
    to the minor unit, as accrual groups earn."""
    found = 0
    for k in range(loan.fallen, len(loan.due)):
        start, due = period(loan, k)
        if start > end:
            break
        if loan.earns(k):
            interest = loan.asked[INTEREST][k]
            earned = loan.earned_before(k) + divide(
                loan.to_earn(k) * min(end + 1 - start, due - start), due - start, "floor"
            )
            found += max(0, earned - (interest - loan.left[INTEREST][k]))
    return found


def _valuation(servicing: Servicing, security: Security, end: int, policy: PolicyRow) -> Valuation:
    loan, provisioning = servicing.loan, policy.provisioning
    _, since = loan.arrears(end + 1)
    days = end - since if since is not None else 0
    risk = risk_of(provisioning, days, loan.watched_until, security, end)
    interest = loan.interest_fallen_unpaid() + accrued_unpaid(loan, end)
    exposure = loan.principal_outstanding
    if provisioning.exposure == "claims":
        exposure += receivable(loan) + loan.unpaid_of(PENALTY) + (0 if risk.non_performing else interest)
    fees = _fees(servicing)
    upfront = sum(amount for _, amount in fees)
    by_stage = isinstance(provisioning, ExpectedLoss)
    plan = plan_of(servicing, fees) if (by_stage and risk.stage < 3) or (upfront and policy.fees != "at-once") else None
    loss = _loss(loan, risk, exposure, end, policy, plan)
    share = EXACT.divide(loss, Decimal(exposure)) if exposure else risk.given_default
    suspended = 0
    if risk.non_performing and loan.accounting in (PERIODIC, UPFRONT):  # else no unpaid interest is income
        share_suspended = risk.given_default if policy.interest == "net-of-allowance" else Decimal(1)
        suspended = whole_units(
            EXACT.multiply(share_suspended, Decimal(without_tax(loan.tax, INTEREST, interest))), policy.rounding
        )
    deferred = 0
    if plan is not None and policy.fees == "effective-rate":
        deferred = deferred_fees(plan, upfront, end, loan.principal_outstanding, policy.rounding)
    code = code_of(loan.currency)
    return Valuation(
        period_end=date.fromordinal(end),
        policy=policy.version,
        group=risk.group,
        currency=code,
        allowance=decimal_text(whole_units(loss, policy.rounding), code),
        suspended_interest=decimal_text(suspended, code),
        deferred_fees=decimal_text(deferred, code),
        inputs=Inputs(
            days_past_due=days,
            watched=loan.watched_until >= end,
            non_performing=risk.non_performing,
            security=security,
            exposure=decimal_text(exposure, code),
            unpaid_interest=decimal_text(interest, code),
            upfront_fees=decimal_text(upfront, code),
            loss_share=_text(share),
            default_probability=_text(risk.default_probability) if by_stage else None,
            loss_given_default=_text(risk.given_default) if by_stage else None,
            effective_rate=_text(plan.effective_rate) if plan is not None else None,
        ),
    )


def _loss(loan: Loan, risk: Risk, exposure: int, end: int, policy: PolicyRow, plan: Plan | None) -> Decimal:
    if isinstance(policy.provisioning, ExpectedLoss):
        return expected_credit_loss(
            loan,
            risk,
            exposure,
            end,
            effective_rate=plan.effective_rate if plan is not None else Decimal(0),
            life_days_min=policy.provisioning.life_days_min,
        )
    return EXACT.multiply(risk.given_default, Decimal(exposure))


def _fees(servicing: Servicing) -> list[Flow]:
    """What was withheld of the money paid out, less what of it was credited again, without tax: (ordinal, minor
    units)."""
    found = []
    for charge in servicing.loan.charges:
        kept = charge.withheld - servicing.credited.get(charge.event_id, 0)
        if charge.withheld and kept > 0:
            found.append((charge.due, without_tax(servicing.loan.tax, FEE, kept)))
    return found


def _text(figure: Decimal) -> str:
    text = f"{figure:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
