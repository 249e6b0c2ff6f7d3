"""An application is decided: its facts, the product, the policy, the scorecard and the borrower's standing become
approve, refer or decline, with points, rules and reasons. Pure: the same inputs give the same decision.

The score weighs the debt service at the product's own rate; the score's band sets the rate at which the rules look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.origination.assessment import Assessed, assess
from services.origination.capacity import Capacity, capacity
from services.origination.cost import rate_of
from services.origination.facts import Facts
from services.origination.measures import measure
from services.origination.policy import Policy, ScoreBand
from services.origination.product import Product, terms_of
from services.origination.rate_caps import Cap, cap_for
from services.origination.rules import Rules
from services.origination.scorecard import Scorecard
from shared.events.applications import (
    CapacityMonth,
    Decision,
    Outcome,
    Points,
    PrincipalReason,
    RuleResult,
)
from shared.events.terms import Terms
from shared.money import decimal_text, minor_units
from shared.schedules import Instalment, paid_out_whole

REASONS_MAX = 4
"""US Regulation B, comment 9(b)(2)-1: more than four principal reasons are not likely to help."""
SEVERITY = {"pass": 0, "approve": 0, "refer": 1, "decline": 2}


def decide(facts: Facts, rules: Rules, *, today: date) -> tuple[Outcome, Decision]:
    """The outcome and its record. Raises the refusals of schedule, rate and cap row: then nothing can be decided."""
    policy = rules.policy(today)
    case = Case(facts, rules, policy, rules.contracted(facts.request.product), rules.scorecard(policy), today)
    amount = minor_units(facts.request.amount, facts.request.currency)
    planned, _ = case.capacity_at(amount, case.rate(Decimal(0)))
    score, points = case.card.score(measure(facts.statement, planned, facts.standing))
    band = next(one for one in policy.score_bands if one.holds(score))
    rate = case.rate(band.rate_add)
    planned, instalments = case.capacity_at(amount, rate)
    all_in = case.all_in(case.terms(amount, rate), instalments)
    assessed = Assessed(facts, case.product, policy, band, score, amount, planned, all_in, case.cap())
    results = assess(assessed)
    outcome = _worst(results)
    decision = Decision(
        application_id=facts.request.application_id,
        decided_on=today,
        policy=policy.named,
        scorecard=case.card.named,
        product=case.product.named,
        score=score,
        points=points,
        rules=results,
        reasons=reasons(results, points, case.card),
        terms=case.terms(amount, rate),
        limit=case.text(case.limit(assessed.ceiling, band)),
        all_in_rate=f"{all_in:f}",
        dscr=_shown(planned.coverage),
        dscr_stressed=_shown(planned.coverage_stressed),
        capacity=case.months(planned),
        standing=facts.standing,
        inputs_sha256=facts.sha256(),
    )
    return outcome, decision


@dataclass(frozen=True, slots=True)
class Case:
    """An application beside the rules that apply to it."""

    facts: Facts
    rules: Rules
    policy: Policy
    product: Product
    card: Scorecard
    today: date

    def text(self, amount: int) -> str:
        """An amount of the request's currency."""
        return decimal_text(amount, self.facts.request.currency)

    def rate(self, add: Decimal) -> str:
        """The product's rate for this cycle with something on top, inside of the product's limits."""
        limits = self.product.annual_rate
        usual = limits.default + self.product.cycle(self.facts.standing.loans_repaid).rate_add
        return f"{max(limits.min, min(limits.max, usual + add)):f}"

    def terms(self, amount: int, rate: str) -> Terms:
        """The terms of such a principal at such a rate."""
        return terms_of(self.product, self.facts.request, amount=self.text(amount), annual_rate=rate)

    def capacity_at(self, amount: int, rate: str) -> tuple[Capacity, tuple[Instalment, ...]]:
        """Capacity and schedule of such a loan, paid out today."""
        instalments = paid_out_whole(self.terms(amount, rate), disbursed_on=self.today).instalments
        rule = self.policy.capacity
        planned = capacity(
            self.facts.statement,
            instalments,
            today=self.today,
            stress=rule.sales_stress,
            months_max=rule.months_max,
        )
        return planned, instalments

    def all_in(self, terms: Terms, instalments: Sequence[Instalment]) -> Decimal:
        """The annual rate by the method of the cap's row, of the money that is left after what is withheld."""
        return rate_of(terms, instalments, disbursed_on=self.today, method=self.cap().row.method)

    def cap(self) -> Cap:
        """The cap in force."""
        return cap_for(
            self.rules.rate_caps,
            country=self.facts.party.country,
            lender_kind=self.policy.lender_kind,
            product_kind=self.product.kind,
            day=self.today,
        )

    def limit(self, ceiling: int, band: ScoreBand) -> int:
        """The largest principal up to the ceiling, in the product's steps, whose capacity passes; 0: none does.

        More principal asks for more service in every month, so what passes is an interval from the bottom.
        """
        low, _, step = self.product.amount_limits(self.facts.request.currency)
        rate = self.rate(band.rate_add)
        least, most = -(-low // step), ceiling // step
        if most < least or not self._bears(least * step, rate):
            return 0
        while least < most:
            middle = (least + most + 1) // 2
            if self._bears(middle * step, rate):
                least = middle
            else:
                most = middle - 1
        return least * step

    def _bears(self, amount: int, rate: str) -> bool:
        planned, _ = self.capacity_at(amount, rate)
        rule = self.policy.capacity
        covered = all(
            figure is None or next(band for band in bands if band.holds(figure)).action == "pass"
            for figure, bands in (
                (planned.coverage, rule.coverage),
                (planned.coverage_stressed, rule.coverage_stressed),
            )
        )
        return covered and planned.lowest_stressed >= 0 and planned.lowest >= 0

    def months(self, planned: Capacity) -> list[CapacityMonth]:
        """The months as they stand in the decision."""
        return [
            CapacityMonth(
                month=month.month,
                cash=self.text(month.cash),
                service=self.text(month.service),
                cumulative=self.text(month.cumulative),
                cumulative_stressed=self.text(month.cumulative_stressed),
            )
            for month in planned.months
        ]


def reasons(results: Sequence[RuleResult], points: Sequence[Points], card: Scorecard) -> list[PrincipalReason]:
    """The principal reasons, at most four: the rules that were broken, the gravest first; where the score is one of
    them, the attributes that cost most points stand in its place."""
    broken = sorted((one for one in results if one.outcome != "pass"), key=lambda one: -SEVERITY[one.outcome])
    found: list[PrincipalReason] = []
    for result in broken:
        if result.rule != "score":
            found.append(PrincipalReason(code=result.rule, text=result.reason))
            continue
        costly = sorted((one for one in points if one.points < card.neutral), key=lambda one: -one.lost)
        found += [
            PrincipalReason(code=f"score-{one.attribute}", text=card.reason(one.attribute)) for one in costly
        ] or [PrincipalReason(code="score", text=result.reason)]
    return found[:REASONS_MAX]


def _worst(results: Sequence[RuleResult]) -> Outcome:
    worst = max(SEVERITY[one.outcome] for one in results)
    return ("approve", "refer", "decline")[worst]


def _shown(figure: Decimal | None) -> str | None:
    return None if figure is None else f"{figure:f}"
