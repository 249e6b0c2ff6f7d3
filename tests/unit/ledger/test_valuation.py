"""What a loan is worth at a period end, against worked and published figures."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, PaymentFact, ServicingFact
from services.ledger.engine.folding import service
from services.ledger.valuation.allowance import Risk, expected_credit_loss
from services.ledger.valuation.effective_interest import deferred_fees, force_of_interest, plan_of, whole_units
from services.ledger.valuation.measuring import measure
from services.ledger.valuation.policy import PolicyRow, UnknownValuationPolicy, policies, policy_on
from shared.events.origination import Contract
from shared.events.servicing import ChargeOff, DueDateMoved, Reschedule, TermExtended
from shared.events.terms import Terms
from shared.events.valuation import Valuation
from shared.money import currency
from shared.time_value import NoRate, dated_internal_rate

START = date(2025, 1, 1)
USD = currency("USD").number
FIVE, IFRS = (policy_on(name, START) for name in ("five-classes", "ifrs-9"))


def loan(principal: int = 1_200_00, *, security: str = "unsecured", **more: Any) -> list[Fact]:
    """A loan of so many minor units over twelve months at 12 %, paid out on START."""
    terms: dict[str, Any] = {
        "kind": "equal-principal", "principal": f"{principal / 100:.2f}", "currency": "USD", "annual_rate": "0.12",
        "instalments": 12, "first_due_date": date(2025, 2, 1), "day_count": "equal-periods",
    }  # fmt: skip
    contract = Contract.model_validate(
        {"borrower_id": "b", "product": "p@1", "terms": Terms(**terms | more), "security": security}
    )
    return [ContractFact("c", contract), DisbursementFact("d", START.toordinal(), principal, USD)]


def paid(facts: list[Fact], on: date, amount: int) -> list[Fact]:
    return [*facts, PaymentFact(f"p{len(facts)}", on.toordinal(), len(facts), amount, USD)]


def valued(facts: list[Fact], end: date, policy: PolicyRow) -> Valuation:
    _, found = measure("loan", facts, end.toordinal(), policy)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("end", "days", "group", "allowance"),
    [
        (date(2025, 1, 31), 0, "normal", "12.00"),
        (date(2025, 2, 28), 27, "special-mention", "36.00"),
        (date(2025, 5, 31), 119, "substandard", "312.00"),
        (date(2025, 11, 30), 302, "doubtful", "612.00"),
        (date(2026, 2, 28), 392, "loss", "1200.00"),
    ],
)
def test_an_allowance_is_the_rate_of_the_class_on_the_principal(
    end: date, days: int, group: str, allowance: str
) -> None:
    found = valued(loan(), end, FIVE)
    assert (found.inputs.days_past_due, found.group, found.allowance) == (days, group, allowance)


def test_unpaid_interest_of_a_non_performing_loan_is_in_suspense_and_what_was_paid_is_not() -> None:
    facts = loan()  # 12.00 of interest in the first month, 11.00 in the second: one hundred is paid off each month
    performing = valued(facts, date(2025, 3, 31), FIVE)
    assert (performing.inputs.unpaid_interest, performing.suspended_interest) == ("33.00", "0.00")
    non_performing = valued(facts, date(2025, 5, 15), FIVE)  # four fell due; fifteen of May's 31 days are over
    assert non_performing.group == "substandard"
    assert non_performing.suspended_interest == "45.87"  # 12 + 11 + 10 + 9, and 8.00 x 15 / 31 floored
    some = valued(paid(facts, date(2025, 5, 15), 1_00), date(2025, 5, 15), FIVE)
    assert some.suspended_interest == "44.87"


def test_interest_paid_ahead_is_not_unpaid() -> None:
    ahead = paid(loan(allocation="instalment-interest-principal"), date(2025, 1, 10), 112_00)
    assert valued(ahead, date(2025, 1, 20), FIVE).inputs.unpaid_interest == "0.00"


def test_a_watched_loan_is_special_mention_and_in_stage_two() -> None:
    change = TermExtended(from_due=date(2025, 6, 1), instalments=2)
    data = Reschedule(changes=(change,), restructure=True, reason="hardship")
    facts = [*loan(), ServicingFact("r", date(2025, 1, 15).toordinal(), data)]
    by_class, by_stage = (valued(facts, date(2025, 1, 31), policy) for policy in (FIVE, IFRS))
    assert (by_class.inputs.watched, by_class.group, by_stage.group) == (True, "special-mention", "stage-2")


def test_stage_one_of_a_bullet_is_twelve_months_of_losses_as_ifrs_9_reckons_them() -> None:
    """IFRS 9, illustrative example 8: 1,000,000 gross, a probability of default of 0.5 % in 12 months, 25 % lost."""
    facts = loan(1_000_000_00, kind="interest-only", instalments=10, unit="month", every=12)
    account = service(0, "loan", facts, before=START.toordinal() + 1).loan
    risk = Risk("stage-1", False, Decimal("0.25"), 1, Decimal("0.005"))
    found = expected_credit_loss(
        account, risk, 1_000_000_00, START.toordinal(), effective_rate=Decimal(0), life_days_min=30
    )
    assert whole_units(found, "floor") == 1_250_00


def test_a_provision_matrix_gives_what_others_publish() -> None:
    """https://www.faqifrs.com/step-6-apply-the-provision-matrix/ (which prints the last one rounded down to 112)."""
    for outstanding, rate, wanted in ((15_000, "0.005", "75.00"), (7_500, "0.022", "165.00"),
                                      (4_000, "0.027", "108.00"), (2_500, "0.045", "112.50")):  # fmt: skip
        row = FIVE.model_dump()
        row["provisioning"]["rates"]["normal"]["unsecured"] = Decimal(rate)
        found = valued(loan(outstanding * 100), START, PolicyRow.model_validate(row))
        assert found.allowance == wanted


def test_stage_two_loses_over_the_remaining_life_and_stage_one_over_a_year() -> None:
    facts = loan(kind="interest-only", instalments=36)
    account = service(0, "loan", facts, before=START.toordinal() + 1).loan

    def loss(stage: int) -> Decimal:
        risk = Risk("", False, Decimal("0.5"), stage, Decimal("0.1"))
        end = START.toordinal()
        return expected_credit_loss(account, risk, 1_000_00, end, effective_rate=Decimal(0), life_days_min=30)

    assert float(loss(1)) == pytest.approx(1_000_00 * 0.1 * 0.5)
    days = (date(2028, 1, 1) - START).days
    assert float(loss(2)) == pytest.approx(1_000_00 * (1 - 0.9 ** (days / 365)) * 0.5)
    assert loss(3) == 1_000_00 * Decimal("0.5")


def test_stage_three_interest_is_income_on_the_net_amount_alone() -> None:
    found = valued(loan(security="secured"), date(2025, 5, 31), IFRS)
    assert (found.group, found.inputs.exposure, found.inputs.unpaid_interest) == ("stage-3", "1200.00", "50.00")
    assert (found.allowance, found.suspended_interest) == ("420.00", "17.50")  # 35 % of each: nothing is counted twice


def test_a_loan_past_its_last_due_date_may_still_default() -> None:
    facts = loan(100_00, instalments=1)
    found = valued(facts, date(2025, 2, 15), IFRS)
    assert found.group == "stage-1"
    assert Decimal(found.allowance) > 0


def test_deferred_fees_are_the_discount_that_ifrs_9_amortises() -> None:
    """IFRS 9, guidance B.26: 1,250 at 4.72 % over five years for 1,000 yields 10 %; amortised cost 1,041, 1,086, 1,136,
    1,190. Leap days move the figures by less than one."""
    fee = [{"name": "discount", "amount": "250.00"}]
    facts = loan(
        1_250_00, kind="interest-only", annual_rate="0.0472", instalments=5, every=12, upfront_fees=fee,
        first_due_date=date(2026, 1, 1),
    )  # fmt: skip
    servicing = service(0, "loan", facts, before=START.toordinal() + 1)
    plan = plan_of(servicing, [(START.toordinal(), 250_00)])
    assert float(plan.effective_rate) == pytest.approx(0.10, abs=0.0005)
    for year, cost in ((2025, 1_000), (2026, 1_041), (2027, 1_086), (2028, 1_136), (2029, 1_190), (2030, 1_250)):
        found = deferred_fees(plan, 250_00, date(year, 1, 1).toordinal(), 1_250_00, "half-up")
        assert 1_250 - found / 100 == pytest.approx(cost, abs=1)
    assert deferred_fees(plan, 250_00, START.toordinal(), 1_250_00, "half-up") == 250_00


def test_a_prepayment_earns_its_part_of_the_fees() -> None:
    facts = loan(upfront_fees=[{"name": "origination", "share": "0.02"}])
    whole = valued(facts, date(2025, 1, 31), FIVE)
    less = valued(paid(facts, date(2025, 1, 31), 600_00), date(2025, 1, 31), FIVE)
    assert Decimal(0) < Decimal(whole.deferred_fees) < Decimal("24.00")
    left = Decimal(less.inputs.exposure) / Decimal("1200.00")
    assert Decimal("0.5") < left < Decimal("0.6")
    assert abs(Decimal(less.deferred_fees) - Decimal(whole.deferred_fees) * left) <= Decimal("0.01")
    at_once = PolicyRow.model_validate(FIVE.model_dump() | {"fees": "at-once"})
    assert valued(facts, date(2025, 1, 31), at_once).deferred_fees == "0.00"


def test_a_force_of_interest_is_the_internal_rate_that_a_search_finds() -> None:
    flows = ((0, -97_000), *((30 * k, 9_000) for k in range(1, 13)))
    dated = [(START + timedelta(days=day), Decimal(amount)) for day, amount in flows]
    rate = force_of_interest(flows).exp() - 1
    assert abs(rate - dated_internal_rate(dated)) < Decimal("1e-20")
    with pytest.raises(NoRate):
        force_of_interest(((0, -100), (30, -1)))


def test_what_is_no_asset_is_not_valued() -> None:
    end = date(2025, 1, 31)
    settled = paid(loan(), date(2025, 1, 20), 1_300_00)
    charged_off = [*loan(), ServicingFact("o", date(2025, 1, 20).toordinal(), ChargeOff(reason="gone"))]
    for facts in (settled, charged_off, loan()[:1]):
        assert measure("loan", facts, end.toordinal(), FIVE)[1] is None
    later = paid(loan(), date(2025, 2, 3), 1_300_00)  # settled since: on the period end it ran
    assert valued(later, end, FIVE).allowance == "12.00"


def test_a_policy_is_whole_or_refused() -> None:
    assert set(policies()) == {"five-classes", "ifrs-9"}
    with pytest.raises(UnknownValuationPolicy, match="there are five-classes, ifrs-9"):
        policy_on("own", START)
    row = IFRS.model_dump()
    row["provisioning"]["buckets"] = row["provisioning"]["buckets"][:2]
    with pytest.raises(ValidationError, match="all three stages"):
        PolicyRow.model_validate(row)
    matrix = FIVE.model_dump()
    del matrix["provisioning"]["rates"]["loss"]
    with pytest.raises(ValidationError, match="each class"):
        PolicyRow.model_validate(matrix)


def test_a_tranche_after_the_last_date_of_the_terms_is_planned_by_the_dates_agreed_since() -> None:
    fee = [{"name": "origination", "share": "0.02"}]
    moved = Reschedule(changes=(DueDateMoved(due=date(2025, 3, 1), to=date(2025, 6, 1)),), reason="asked for")
    facts = loan(instalments=2, upfront_fees=fee)
    facts[1] = DisbursementFact("d", START.toordinal(), 600_00, USD)
    facts += [
        ServicingFact("r", date(2025, 2, 10).toordinal(), moved),
        DisbursementFact("e", date(2025, 4, 1).toordinal(), 600_00, USD),
    ]
    found = valued(facts, date(2025, 4, 30), FIVE)
    assert found.inputs.upfront_fees == "24.00"
    assert Decimal(0) < Decimal(found.deferred_fees) < Decimal("24.00")
