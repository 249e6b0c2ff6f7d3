"""The policy's rules, one function each: what it looked at, and whether it passes, refers or declines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from services.origination.bands import band_of
from services.origination.capacity import Capacity
from services.origination.facts import Facts
from services.origination.policy import Action, ActionBand, Policy, ScoreBand
from services.origination.product import Product
from services.origination.rate_caps import Cap
from shared.events.applications import RuleResult, StandingSeen
from shared.money import decimal_text, minor_units

Severity = Literal["pass", "refer", "decline"]


@dataclass(frozen=True, slots=True)
class Assessed:
    """What the rules look at. Amounts in minor units of the request's currency."""

    facts: Facts
    product: Product
    policy: Policy
    band: ScoreBand
    score: int
    amount: int
    planned: Capacity
    all_in: Decimal
    cap: Cap

    @property
    def currency(self) -> str:
        """The request's."""
        return self.facts.request.currency

    def text(self, amount: int) -> str:
        """An amount as it is shown."""
        return decimal_text(amount, self.currency)

    @property
    def offered_at_most(self) -> int:
        """The product's largest amount for this cycle and score."""
        _, most, _ = self.product.amount_limits(self.currency)
        cycle = self.product.cycle(self.facts.standing.loans_repaid)
        return _floor(most * cycle.amount_share * self.band.limit_share)

    @property
    def room(self) -> int:
        """What the exposure limits leave, of the borrower and of the group."""
        return exposure_room(self.policy, self.facts.standing, self.currency)

    @property
    def secured(self) -> int | None:
        """The largest principal that the collateral carries; None: the product asks for none."""
        share = self.product.security.loan_to_value_max
        if share is None:
            return None
        offered = (one for one in self.facts.guarantees if one.kind == "collateral" and one.currency == self.currency)
        return _floor(sum(minor_units(one.value, one.currency) for one in offered) * share)

    @property
    def ceiling(self) -> int:
        """The largest principal that every rule but capacity would let pass."""
        carried = self.secured
        return min(self.offered_at_most, self.room, self.offered_at_most if carried is None else carried)


def exposure_room(policy: Policy, standing: StandingSeen, currency: str) -> int:
    """What the policy's limits leave for more principal, in minor units; also with those who stand by."""
    rule = policy.exposure[currency]
    own = minor_units(standing.outstanding, currency)
    group = own + minor_units(standing.group_outstanding, currency)
    borrower_max, group_max = minor_units(rule.borrower_max, currency), minor_units(rule.group_max, currency)
    return max(0, min(borrower_max - own, group_max - group))


def _floor(figure: Decimal) -> int:
    return int(figure.to_integral_value(rounding=ROUND_FLOOR))


def assess(case: Assessed) -> list[RuleResult]:
    """What every rule says, in the order of this module."""
    return [result for rule in RULES for result in rule(case)]


def _score(case: Assessed) -> Sequence[RuleResult]:
    outcome: Severity = "pass" if case.band.outcome == "approve" else case.band.outcome
    reason = f"The score {case.score} lies in the band {case.band.label()}."
    return [_result("score", outcome, reason, score=case.score, band=case.band.label())]


def _amount(case: Assessed) -> Sequence[RuleResult]:
    most = case.offered_at_most
    reason = f"At most {case.text(most)} {case.currency} is lent at this score and number of loans repaid here."
    return [_result("amount", "pass" if case.amount <= most else "refer", reason, most=case.text(most))]


def _exposure(case: Assessed) -> Sequence[RuleResult]:
    room = case.room
    reason = f"The limits for one borrower and those who stand by leave {case.text(room)} {case.currency}."
    standing = case.facts.standing
    inputs = {"outstanding": standing.outstanding, "group-outstanding": standing.group_outstanding}
    outcome: Severity = "pass" if case.amount <= room else "decline"
    return [_result("exposure", outcome, reason, room=case.text(room), **inputs)]


def _security(case: Assessed) -> Sequence[RuleResult]:
    carried = case.secured
    if carried is None:
        return []
    reason = f"The collateral carries {case.text(carried)} {case.currency}."
    outcome: Severity = "pass" if case.amount <= carried else "decline"
    return [_result("loan-to-value", outcome, reason, carried=case.text(carried))]


def _capacity(case: Assessed) -> Sequence[RuleResult]:
    rule, planned = case.policy.capacity, case.planned
    lowest, lowest_stressed = planned.lowest, planned.lowest_stressed
    fall = f"{rule.sales_stress * 100:f} %"
    return [
        _covered(
            "coverage", planned.coverage, rule.coverage, "Cash after costs and household is {} of the debt service."
        ),
        _covered(
            "coverage-stressed",
            planned.coverage_stressed,
            rule.coverage_stressed,
            f"With sales {fall} lower, cash after costs and household is {{}} of the debt service.",
        ),
        _result(
            "negative-month",
            "pass" if lowest >= 0 else rule.negative_month,
            f"The lowest cash of a month is {case.text(lowest)} {case.currency}.",
            lowest=case.text(lowest),
        ),
        _result(
            "negative-month-stressed",
            "pass" if lowest_stressed >= 0 else rule.negative_month_stressed,
            f"With sales {fall} lower, the lowest cash of a month is {case.text(lowest_stressed)} {case.currency}.",
            lowest=case.text(lowest_stressed),
        ),
    ]


def _covered(rule: str, figure: Decimal | None, bands: Sequence[ActionBand], sentence: str) -> RuleResult:
    action: Action = "pass" if figure is None else band_of(bands, figure).action
    return _result(rule, action, sentence.format(figure), ratio=None if figure is None else f"{figure:f}")


def _arrears(case: Assessed) -> Sequence[RuleResult]:
    rule, standing = case.policy.arrears, case.facts.standing
    elsewhere = max((debt.days_past_due for debt in case.facts.statement.debts), default=0)
    looks = (
        ("arrears-now", standing.days_past_due, rule.now, "Loans here are {} days past due."),
        ("arrears-worst", standing.days_past_due_max, rule.worst, "Loans here were up to {} days past due."),
        ("arrears-group", standing.group_days_past_due, rule.group_now, "Those who stand by are {} days past due."),
        ("arrears-elsewhere", elsewhere, rule.elsewhere, "A debt to another lender is {} days past due."),
    )
    return [
        _result(name, band_of(bands, days).action, sentence.format(days), days=days)
        for name, days, bands, sentence in looks
    ]


def _open_loans(case: Assessed) -> Sequence[RuleResult]:
    count = case.facts.standing.loans_open
    action = band_of(case.policy.open_loans, count).action
    return [_result("open-loans", action, f"{count} loans are open here.", count=count)]


def _circumstances(case: Assessed) -> Sequence[RuleResult]:
    policy, standing = case.policy, case.facts.standing
    found = [
        _result(f"flag-{flag}", action, f"The circumstance {flag} holds.")
        for flag, action in policy.flags.items()
        if flag in standing.flags
    ]
    found += [
        _result(f"consent-{purpose}", action, f"There is no consent to {purpose}.")
        for purpose, action in policy.consents.items()
        if purpose not in standing.consents
    ]
    count = len(standing.blocks)
    blocked: Action = policy.blocks if count else "pass"
    return [*found, _result("red-alerts", blocked, f"{count} red alerts are open.", count=count)]


def _rate_cap(case: Assessed) -> Sequence[RuleResult]:
    limit = case.cap.limit
    shown = "no number" if limit is None else f"{limit:f}"
    reason = f"The loan costs {case.all_in:f} a year ({case.cap.row.method}); {case.cap.row.name} sets {shown}."
    outcome: Action = "pass" if case.cap.allows(case.all_in) else case.policy.rate_above_cap
    inputs = {"row": case.cap.row.name, "cap": None if limit is None else f"{limit:f}"}
    return [_result("rate-cap", outcome, reason, **{"all-in-rate": f"{case.all_in:f}"}, **inputs)]


def _result(rule: str, outcome: Severity, reason: str, **inputs: str | int | None) -> RuleResult:
    return RuleResult(rule=rule, outcome=outcome, reason=reason, inputs=inputs)


RULES: tuple[Callable[[Assessed], Sequence[RuleResult]], ...] = (
    _circumstances,
    _arrears,
    _open_loans,
    _exposure,
    _security,
    _capacity,
    _rate_cap,
    _score,
    _amount,
)
"""The order in which reasons of the same gravity are told."""
