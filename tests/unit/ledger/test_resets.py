"""A loan that follows a reference rate: when its rate is reset, to what, and what that does to the instalments."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.ledger.digest import canonical_state
from services.ledger.engine.account import INTEREST, PRINCIPAL
from services.ledger.engine.accounts import INTEREST_INCOME
from services.ledger.engine.lines import ResetLine
from services.ledger.engine.payoff import payoff
from services.ledger.engine.statement import Statement, statement
from shared.errors import Refusal
from shared.events.terms import ReferenceRate, Terms
from shared.money import minor_units
from shared.schedules import check
from shared.schedules.resets import in_force, index_value, next_reset, reset_rate
from tests.property.histories_of_servicing import CODE, FIRST, INDEX, LOAN, Life
from tests.property.test_engine import in_order

LENT = "120000.00"
PAID_OUT = ("origination.LoanDisbursed.v1", {"amount": LENT, "currency": CODE})
YEARLY = {"rule": "yearly", "month": 1, "day": 1}
RESET = date(2026, 1, 1)


def terms(**changes: Any) -> dict[str, Any]:
    """120,000.00 over two years at 4.50 %: a prime rate of 3.00 % and 1.50 %, reset each 1 January."""
    reference = {"index": INDEX, "spread": "0.0150", "resets": YEARLY} | changes.pop("reference", {})
    return {
        "kind": "equal-instalment", "principal": LENT, "currency": CODE, "annual_rate": "0.045", "instalments": 24,
        "first_due_date": "2025-02-01", "day_count": "equal-periods", "reference": reference,
    } | changes  # fmt: skip


def until(life: Life, day: date) -> Life:
    """Close dates until `day` is open."""
    while life.day < day:
        life.close()
    return life


def lived(until_open: date, rate: str = "0.028", **changes: Any) -> Life:
    """The loan with the prime rate of 20 December, on a later date."""
    life = until(Life(terms(**changes), PAID_OUT, rates=()), date(2025, 12, 20))
    life.publish(INDEX, life.day, rate)
    return until(life, until_open)


def told(life: Life) -> Statement:
    return statement(LOAN, life.facts, before=life.day.toordinal())


def told_of(life: Life) -> list[bytes]:
    """The derived events of the loan."""
    return [message.value for message in life.books.messages if message.value and LOAN.encode() in message.value]


def annuity(principal: Decimal, annual_rate: str, months: int) -> int:
    """The textbook's instalment in minor units: P r / (1 - (1 + r)^-n)."""
    rate = Decimal(annual_rate) / 12
    return round(principal * 100 * rate / (1 - (1 + rate) ** -months))


def test_a_reset_makes_the_annuity_of_what_is_outstanding_over_what_is_left() -> None:
    """By the textbook's formula: 5,237.74 a month at 4.50 %; 61,347.22 are left after twelve, which make 5,232.12 a
    month at 4.30 %, and the last one takes what rounding left. The first month's interest is 61,347.22 x 0.043 / 12.
    """
    loan = lived(RESET + timedelta(days=1)).loan
    total = [loan.asked[INTEREST][k] + loan.asked[PRINCIPAL][k] for k in range(24)]
    assert total[:12] == [annuity(Decimal(LENT), "0.045", 24)] * 12 == [523774] * 12
    left = Decimal(sum(loan.asked[PRINCIPAL][12:])) / 100
    assert left == Decimal("61347.22")
    assert total[12:23] == [annuity(left, "0.043", 12)] * 11 == [523212] * 11
    assert abs(total[23] - total[22]) < 12
    assert loan.asked[INTEREST][12] == round(left * 100 * Decimal("0.043") / 12) == 21983


def test_a_reset_inside_a_period_counts_each_day_at_its_own_rate() -> None:
    reset = {"resets": {"rule": "yearly", "month": 1, "day": 10}}
    loan = lived(date(2026, 1, 11), reference=reset, day_count="actual/365").loan
    left = sum(loan.asked[PRINCIPAL][12:])
    wanted = left * (Decimal("0.045") * 9 + Decimal("0.043") * 22) / 365
    assert loan.asked[INTEREST][12] == round(wanted)
    assert loan.asked[INTEREST][13] == round((left - loan.asked[PRINCIPAL][12]) * Decimal("0.043") * 28 / 365)


def test_the_reset_is_of_the_end_of_its_date_and_of_no_date_before() -> None:
    before, after = lived(RESET), lived(RESET + timedelta(days=1))
    assert before.loan.floating is not None
    assert after.loan.floating is not None
    assert (before.loan.floating.annual_rate, after.loan.floating.annual_rate) == ("0.045", "0.043")
    other = lived(RESET + timedelta(days=1), "0.03")

    def income(life: Life) -> list[Any]:
        return [p[2:5] for p in life.books.postings.values() if INTEREST_INCOME in (p[6], p[7]) and p[3] < RESET]

    assert income(after) == income(other), "what the old year earned stands, whatever the new rate"


def test_what_is_published_for_the_reset_date_counts_until_it_ends() -> None:
    life = lived(RESET)
    life.publish(INDEX, RESET, "0.031")
    life.publish(INDEX, RESET, "0.032")
    assert told(until(life, date(2026, 1, 2))).reference_rate.resets == (ResetLine(RESET, "0.032", "0.047"),)  # type: ignore[union-attr]


def test_a_rate_from_before_the_open_date_is_a_dead_letter_and_changes_nothing() -> None:
    life, other = lived(date(2026, 1, 5)), lived(date(2026, 1, 5))
    data = {"index": INDEX, "from_date": "2025-12-31", "annual_rate": "0.09"}
    life.take("ledger.ReferenceRatePublished.v1", data, subject="book")
    assert list(life.books.dead_letters) == [life.offset - 1]
    assert life.books.hosted.book.rates == other.books.hosted.book.rates
    assert canonical_state(life.loan) == canonical_state(other.loan)


def test_a_reset_to_the_rate_that_is_in_force_books_and_tells_nothing() -> None:
    life = lived(RESET, "0.030")
    booked, sent = len(life.books.postings), len(told_of(life))
    life.close()
    assert life.loan.floating is not None
    assert life.loan.floating.next_reset == 0, "the loan ends before the next 1 January"
    assert len([m for m in life.books.messages if LOAN.encode() in (m.value or b"")]) == sent + 1, (
        "an instalment fell due"
    )
    assert len(life.books.postings) == booked + 2
    assert told(life).reference_rate.resets == (ResetLine(RESET, "0.030", "0.045"),)  # type: ignore[union-attr]


def test_an_unchanged_reset_alone_is_not_told() -> None:
    reset = {"resets": {"rule": "yearly", "month": 1, "day": 10}}
    life = lived(date(2026, 1, 10), "0.030", reference=reset)
    sent = told_of(life)
    life.close()
    assert told_of(life) == sent


def test_a_changed_reset_is_told_with_the_new_rate_though_no_instalment_falls_due() -> None:
    reset = {"resets": {"rule": "yearly", "month": 1, "day": 10}}
    life = lived(date(2026, 1, 11), reference=reset)
    last = told_of(life)[-1]
    assert b'"type":"ledger.EntryPosted.v1"' in last
    assert b'"cause":"ledger.BusinessDateClosed.v1"' in last
    assert b'"annual_rate":"0.043"' in last


def pay(life: Life, amount: str, on: date) -> None:
    assert life.tell("ledger.PaymentReceived.v1", {"amount": amount, "currency": CODE}, on)


@pytest.mark.parametrize("on", [date(2025, 12, 30), RESET, date(2026, 1, 3)])
@pytest.mark.parametrize("more", [{}, {"recalculation": {}}])
def test_a_payment_told_late_gives_the_account_that_it_would_have_given_in_time(on: date, more: Any) -> None:
    late, in_time = lived(date(2026, 1, 5), **more), lived(on, **more)
    pay(late, "30000.00", on)
    pay(in_time, "30000.00", on)
    until(in_time, late.day)
    for one in (late, in_time):
        until(one, date(2026, 3, 2))
    assert late.loan.asked == in_time.loan.asked
    assert late.loan.left == in_time.loan.left
    assert late.loan.floating == in_time.loan.floating
    in_order(late)


def test_a_payment_told_after_a_reset_that_its_value_date_is_before_is_booked_as_it_would_have_been() -> None:
    life = lived(date(2026, 1, 15), reference={"resets": {"rule": "yearly", "month": 1, "day": 10}})
    pay(life, "75000.00", date(2026, 1, 8))
    in_order(life)


def test_a_loan_settled_at_its_reset_is_not_reset_and_one_whose_payment_is_taken_back_is() -> None:
    life = lived(date(2025, 12, 28))
    enough = payoff(LOAN, life.facts, on=life.day.toordinal()).total
    pay(life, f"{enough // 100}.{enough % 100:02d}", life.day)
    until(life, date(2026, 1, 5))
    assert told(life).reference_rate.resets == ()  # type: ignore[union-attr]
    life.tell("ledger.PaymentReversed.v1", {"payment_id": life.facts[-1].event_id, "reason": "returned"}, life.day)
    assert told(life).reference_rate.annual_rate == "0.043"  # type: ignore[union-attr]
    assert life.loan.asked == lived(date(2026, 1, 5)).loan.asked


def reschedule(life: Life, **change: Any) -> None:
    data = {"changes": [change], "reason": "agreed"}
    assert life.tell("ledger.LoanRescheduled.v1", data, life.day)


def test_an_agreed_rate_ends_the_reference() -> None:
    life = lived(date(2025, 12, 28))
    reschedule(life, change="rate", from_due="2026-03-01", annual_rate="0.02")
    until(life, date(2026, 1, 5))
    assert life.loan.floating is None
    assert told(life).reference_rate.resets == ()  # type: ignore[union-attr]


def test_days_without_interest_stay_without_it_over_a_reset() -> None:
    life = lived(date(2025, 12, 28))
    reschedule(life, change="interest-pause", start="2026-01-01", end="2026-02-28")
    until(life, date(2026, 3, 5))
    assert life.loan.asked[INTEREST][12:14] == [0, 0]
    left = sum(life.loan.asked[PRINCIPAL][14:])
    assert life.loan.asked[INTEREST][14] == round(Decimal(left) * Decimal("0.043") / 12)


def test_without_a_value_the_rate_stays_and_the_statement_says_so() -> None:
    life = until(Life(terms(), PAID_OUT, rates=()), date(2026, 1, 5))
    found = told(life).reference_rate
    assert found is not None
    assert (found.annual_rate, found.resets) == ("0.045", (ResetLine(RESET, None, "0.045"),))


def test_a_parked_loan_is_reset_when_it_is_released() -> None:
    life = lived(date(2025, 12, 28))
    life.tell("ledger.ChargeWaived.v1", {"charge_id": life.facts[0].event_id, "reason": "none"}, life.day)
    (parked,) = life.books.hosted.intake.parked.values()
    until(life, date(2026, 1, 5))
    assert life.loan.floating is not None
    assert life.loan.floating.annual_rate == "0.045"
    about = {"first_held_offset": parked.first_offset, "held_reason": parked.reason, "discard_first": True}
    life.take("ledger.ParkedLoanReleased.v1", about | {"reason": "seen"})
    assert life.loan.asked == lived(date(2026, 1, 5)).loan.asked
    in_order(life)


def reference(**changes: Any) -> ReferenceRate:
    return ReferenceRate.model_validate({"index": INDEX, "spread": "0.0150", "resets": YEARLY} | changes)


@pytest.mark.parametrize(
    ("changes", "value", "rate"),
    [
        ({}, "0.0305", "0.0455"),
        ({"spread": "-0.002"}, "0.0305", "0.0285"),
        ({"spread": "-0.05"}, "0.0305", "0"),
        ({"floor": "0.05"}, "0.0305", "0.05"),
        ({"cap": "0.04", "floor": "0.01"}, "0.0305", "0.04"),
        ({"spread": "0.00000001"}, "-0.00000001", "0"),
        ({"spread": "9.99999999"}, "9.99999999", "19.99999998"),
    ],
)
def test_the_rate_is_the_value_with_the_spread_between_floor_and_cap(changes: Any, value: str, rate: str) -> None:
    assert reset_rate(reference(**changes), value) == rate


def test_a_value_is_in_force_from_its_date_until_the_next() -> None:
    published = {date(2025, 12, 20): "0.030", date(2026, 1, 20): "0.031"}
    found = [in_force(published, day) for day in (date(2025, 12, 19), date(2025, 12, 20), date(2026, 1, 19))]
    assert found == [None, "0.030", "0.030"]
    assert index_value(reference(lookback_days=0), published, date(2026, 1, 20)) == "0.031"
    assert index_value(reference(lookback_days=1), published, date(2026, 1, 20)) == "0.030"


@pytest.mark.parametrize(
    ("resets", "start", "dates"),
    [
        (YEARLY, date(2025, 1, 1), [date(2026, 1, 1), date(2027, 1, 1)]),
        (YEARLY, date(2024, 12, 31), [date(2025, 1, 1), date(2026, 1, 1)]),
        ({"rule": "every-months", "months": 12}, date(2024, 2, 29), [date(2025, 2, 28), date(2026, 2, 28)]),
        ({"rule": "every-months", "months": 1}, date(2025, 1, 31), [date(2025, 2, 28), date(2025, 3, 31)]),
        ({"rule": "every-months", "months": 600}, date(9980, 1, 1), [None]),
    ],
)
def test_reset_dates_are_counted_from_the_disbursement(resets: Any, start: date, dates: list[date | None]) -> None:
    found, after = [], start
    for _ in dates:
        day = next_reset(reference(resets=resets), start=start, after=after)
        found.append(day)
        after = day or after
    assert found == dates


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": {"floor": "0.05", "cap": "0.04"}}, "reference/floor"),
        ({"rate_changes": [{"from_date": "2025-06-01", "annual_rate": "0.05"}]}, "rate_changes"),
        ({"annuity": "nominal-month"}, "annuity"),
        ({"reference": {"resets": {"rule": "yearly", "month": 2, "day": 29}}}, "reference/resets/day"),
    ],
)
def test_terms_that_contradict_their_reference_rate_are_refused(changes: Any, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(Terms.model_validate(terms(**changes)))
    assert (type(refused.value).__name__, refused.value.field) == ("TermsContradict", field)


@pytest.mark.parametrize(
    "changes",
    [{"resets": {"rule": "weekly"}}, {"spread": "150bp"}, {"spread": "+0.01"}, {"index": "lpr"}, {"lookback_days": -1}],
)
def test_a_reference_rate_of_another_form_is_not_read(changes: Any) -> None:
    with pytest.raises(ValueError, match="validation error"):
        reference(**changes)


def test_a_first_disbursement_told_after_a_reset_date_is_laid_out_with_it() -> None:
    life = Life(terms(), PAID_OUT, rates=())
    assert minor_units(LENT, CODE) == life.loan.principal_outstanding
    (contract, out) = life.told
    late = until(Life(terms(), PAID_OUT, rates=()), FIRST)
    late.tell("ledger.EventUndone.v1", {"event_id": late.told[1][3], "reason": "mistaken"}, FIRST)
    late = until(late, date(2025, 12, 20))
    late.publish(INDEX, late.day, "0.028")
    until(late, date(2026, 1, 5))
    assert late.tell(out[0], out[1], out[2])
    assert late.loan.asked == lived(date(2026, 1, 5)).loan.asked
    assert late.loan.floating == lived(date(2026, 1, 5)).loan.floating
    assert contract[0] == "origination.LoanContracted.v1"
