"""Laws of schedules: no minor unit is made or lost, whatever the terms."""

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.errors import Refusal
from shared.events.servicing import DueDateMoved, GraceGranted, RateChanged, TermExtended
from shared.events.terms import Terms
from shared.money import decimal_text, minor_units
from shared.schedules import (
    Dated,
    FirstDueNotAfterDisbursement,
    PaidOut,
    Schedule,
    UnschedulableTerms,
    check,
    paid_out_whole,
    recalculated,
    schedule,
)
from shared.schedules.checks import is_plain
from shared.schedules.dates import on_grid, planned
from shared.schedules.loan import assembled, followed
from shared.schedules.plain import plain

days = st.dates(date(1990, 1, 1), date(2100, 12, 31))
RATES = ["0", "0.0001", "0.049", "0.12", "0.365", "1.5", "0.12345678"]


@st.composite
def loans(draw: st.DrawFn) -> tuple[Terms, date]:
    """Plain terms: kind, amount, rate and dates."""
    code = draw(st.sampled_from(["EUR", "JPY", "KWD", "CZK"]))
    first = draw(days)
    terms = Terms(
        kind=draw(st.sampled_from(["equal-instalment", "equal-principal"])),
        principal=decimal_text(draw(st.integers(0, 10**12)), code),
        currency=code,
        annual_rate=draw(st.sampled_from(RATES)),
        instalments=draw(st.integers(1, 60)),
        every=draw(st.integers(1, 13)),
        unit=draw(st.sampled_from(["day", "week", "month"])),
        first_due_date=first,
        day_count=draw(st.sampled_from(["30/360", "actual/365"])),
        rounding=draw(st.sampled_from(["half-even", "half-up"])),
    )
    return terms, first - timedelta(days=draw(st.integers(-2, 400)))


@st.composite
def odd_terms(draw: st.DrawFn) -> Terms:
    """Terms of every kind, with fields that need not go together."""
    kind = draw(
        st.sampled_from(["equal-instalment", "equal-principal", "flat", "interest-only", "seasonal", "irregular"])
    )
    first, count = draw(st.dates(date(2015, 1, 1), date(2035, 12, 31))), draw(st.integers(1, 30))
    principal = draw(st.integers(1, 10**9))
    given: dict[str, Any] = {"kind": kind, "first_due_date": first, "instalments": count}

    def sometimes(name: str, values: st.SearchStrategy[Any], share: int = 6, unless: tuple[str, ...] = ()) -> None:
        """One time in `share`; with kinds that it does not go with hardly ever."""
        if draw(st.integers(1, share if kind not in unless else 40)) == 1:
            given[name] = draw(values)

    small = st.integers(1, 20000).map(lambda minor: decimal_text(minor, "EUR"))
    own = ("seasonal", "irregular", "interest-only")
    sometimes("rate_changes", st.tuples(days, st.sampled_from(RATES)).map(lambda pair: [dated_rate(*pair)]))
    sometimes("every", st.integers(1, 6), 2)
    sometimes("unit", st.sampled_from(["day", "week"]), 3)
    sometimes("month_end", st.just("last-day"), 40)
    sometimes("year_rule", st.just("disbursement-year"), 40)
    sometimes("schedule", st.just("progressive"), 2)
    sometimes("annuity", st.just("nominal-month"), 6, (*own, "flat", "equal-principal"))
    sometimes("rounding", st.just("half-up"), 3)
    sometimes("principal_multiple", small)
    sometimes("instalment_multiple", small, 6, own)
    sometimes("balloon", small, 6, own)
    sometimes("grace_principal", st.integers(1, 8), 6, own)
    sometimes("grace_interest_payment", st.integers(1, 8))
    sometimes("grace_interest_charge", st.integers(1, 8))
    sometimes("down_payment", st.sampled_from(["0.1", "0.25", "0.3333"]), 6, ("irregular",))
    sometimes("holidays", st.sampled_from([{"country": "CN"}, {"country": "DE", "with_interest": True}]))
    sometimes("recalculation", recalculations, 2, ("flat",))
    if kind == "seasonal":
        due = draw(st.sampled_from(on_grid(first, count, given.get("every", 1), given.get("unit", "month"), "clamp")))
        month = due.month
        given["shares"] = {month: "0.4", month % 12 + 1: "0.6"} if draw(st.booleans()) else {month: "1"}
    if kind == "irregular":
        gaps = draw(st.lists(st.integers(1, 90), min_size=count - 1, max_size=count - 1))
        due = [first]
        for gap in gaps:
            due.append(due[-1] + timedelta(days=gap))
        part = principal // count
        amounts = [part] * (count - 1) + [principal - part * (count - 1)]
        given["plan"] = [
            {"due": day, "principal": decimal_text(amount, "EUR")} for day, amount in zip(due, amounts, strict=True)
        ]
    return Terms(
        principal=decimal_text(principal, "EUR"),
        currency="EUR",
        annual_rate=draw(st.sampled_from(RATES)),
        day_count=draw(
            st.sampled_from(["equal-periods", "30/360", "actual/360", "actual/364", "actual/365", "actual/actual"])
        ),
        **given,
    )


recalculations = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["reduce-instalment", "keep-instalment"]),
        "rest": st.sampled_from(["day", "due-date"]),
        "payoff_until": st.sampled_from(["day", "due-date"]),
    }
)


def dated_rate(day: date, rate: str) -> dict[str, Any]:
    return {"from_date": day, "annual_rate": rate}


def due_dates(terms: Terms) -> list[date]:
    """As the terms name them; none where they name none."""
    try:
        return list(planned(terms))
    except Refusal:
        return [terms.first_due_date]


def made(terms: Terms, disbursed_on: date) -> Schedule:
    try:
        return paid_out_whole(terms, disbursed_on=disbursed_on)
    except FirstDueNotAfterDisbursement:
        assert terms.first_due_date <= disbursed_on
        assume(False)
    except UnschedulableTerms:
        assume(False)
    raise AssertionError("assume(False) returns nothing")


@given(loans())
def test_principal_sums_to_what_was_lent_and_dates_ascend(loan: tuple[Terms, date]) -> None:
    terms, disbursed_on = loan
    plan = made(terms, disbursed_on)
    assert sum(plan.principal) == minor_units(terms.principal, terms.currency)
    assert len(plan.due) == len(plan.principal) == len(plan.interest) == terms.instalments
    assert plan.due[0] == terms.first_due_date
    assert all(earlier < later for earlier, later in zip(plan.due, plan.due[1:], strict=False))
    assert min(plan.principal) >= 0
    assert min(plan.interest) >= 0
    assert all(one.total > 0 for one in plan.instalments)


@given(loans(), st.integers(1, 10**9))
def test_a_plain_loan_asks_for_what_the_course_of_any_loan_gives(loan: tuple[Terms, date], amount: int) -> None:
    terms, disbursed_on = loan
    assume(is_plain(terms) and terms.first_due_date > disbursed_on)
    paid = PaidOut(disbursed_on, amount)
    quick = plain(terms, paid)
    if quick is not None:
        course = followed(terms, [paid], [])
        assert quick == assembled(course, course.walk())


@given(loans())
def test_instalments_are_equal_except_the_last(loan: tuple[Terms, date]) -> None:
    terms, disbursed_on = loan
    plan = made(terms, disbursed_on)
    parts = plan.principal if terms.kind == "equal-principal" else tuple(one.total for one in plan.instalments)
    assert len(set(parts[:-1])) <= 1


@given(loans())
def test_zero_interest_charges_nothing(loan: tuple[Terms, date]) -> None:
    terms, disbursed_on = loan
    plan = made(terms.model_copy(update={"annual_rate": "0"}), disbursed_on)
    assert not any(plan.interest)


@given(principal=st.integers(10**4, 10**12), instalments=st.integers(1, 60), bps=st.integers(1, 5000))
def test_monthly_interest_is_a_twelfth_of_a_year_on_the_balance(principal: int, instalments: int, bps: int) -> None:
    """The whole table against a textbook one in exact fractions: f / (1 - (1+f)^-n), interest on what is left."""
    terms = Terms(
        kind="equal-instalment",
        principal=decimal_text(principal, "EUR"),
        currency="EUR",
        annual_rate=f"0.{bps:04d}",
        instalments=instalments,
        first_due_date=date(2024, 2, 29),
    )
    plan = made(terms, date(2024, 1, 31))
    factor = Fraction(bps, 120_000)
    instalment = round(principal * factor / (1 - (1 + factor) ** -instalments))
    balance = principal
    for part, charge in zip(plan.principal[:-1], plan.interest, strict=False):
        assert charge == round(balance * factor)
        assert part == instalment - charge
        balance -= part
    assert plan.principal[-1] == balance


def sound(plan: Schedule, lent: int) -> None:
    """What holds for every schedule."""
    assert sum(plan.principal) == lent
    assert min(plan.principal) >= 0
    assert min(plan.interest) >= 0
    assert list(plan.due) == sorted(plan.due)
    start = min(one.start for one in plan.instalments)
    for one in plan.instalments:
        assert one.start <= one.due
        if not one.down_payment:
            assert one.start == start, "periods follow one another"
            start = one.due


@st.composite
def lives(draw: st.DrawFn) -> tuple[Terms, list[PaidOut], list[Dated]]:
    """Odd terms, money paid out in parts, and changes."""
    terms = draw(odd_terms())
    lent, start = minor_units(terms.principal, "EUR"), terms.first_due_date - timedelta(days=draw(st.integers(1, 80)))
    first = draw(st.integers(1, lent))
    paid = [PaidOut(start, first)]
    if first < lent and draw(st.booleans()):
        paid.append(PaidOut(start + timedelta(days=draw(st.integers(0, 300))), lent - first))
    changes: list[Dated] = []
    on = due_dates(terms)
    for _ in range(draw(st.integers(0, 2))):
        due = draw(st.sampled_from(on)) if draw(st.integers(1, 20)) > 1 else start
        change = draw(
            st.one_of(
                st.integers(-20, 200).map(lambda n, due=due: DueDateMoved(due=due, to=due + timedelta(days=n))),
                st.sampled_from(RATES).map(lambda rate, due=due: RateChanged(from_due=due, annual_rate=rate)),
                st.integers(1, 9).map(lambda n, due=due: TermExtended(from_due=due, instalments=n)),
                st.tuples(st.integers(0, 4), st.integers(0, 4)).map(
                    lambda pair, due=due: GraceGranted(from_due=due, principal=pair[0], interest=pair[1])
                ),
            )
        )
        changes.append((due - timedelta(days=draw(st.integers(0, 60))), change))
    return terms, paid, changes


@settings(max_examples=200)
@given(lives())
def test_whatever_is_agreed_principal_is_repaid_or_the_terms_are_refused(
    life: tuple[Terms, list[PaidOut], list[Dated]],
) -> None:
    terms, paid, changes = life
    try:
        plan = schedule(terms, paid, changes)
    except Refusal:
        return
    check(terms)
    sound(plan, sum(one.amount for one in paid))
    if not changes:
        assert sum(not one.down_payment for one in plan.instalments) == terms.instalments


@settings(max_examples=150)
@given(lives())
def test_nothing_that_has_fallen_due_is_changed_later(life: tuple[Terms, list[PaidOut], list[Dated]]) -> None:
    terms, paid, changes = life
    events = [*((one.on, one) for one in paid[1:]), *((max(on, paid[0].on), change) for on, change in changes)]
    for day, _ in sorted(events, key=lambda event: event[0]):
        money = [one for one in paid if one.on < day or one is paid[0]]
        agreed = [one for one in changes if one[0] < day]
        try:
            before, after = schedule(terms, money, agreed), schedule(terms, paid, changes)
        except Refusal:
            return
        due = [one for one in before.instalments if one.due < day]
        assert [one for one in after.instalments if one.due < day] == due


@settings(max_examples=200)
@given(lives(), st.lists(st.tuples(st.integers(0, 900), st.integers(1, 10**8)), max_size=6), st.integers(0, 1000))
def test_whatever_is_paid_principal_is_repaid_and_no_figure_is_negative(
    life: tuple[Terms, list[PaidOut], list[Dated]], money: list[tuple[int, int]], seen: int
) -> None:
    terms, paid, changes = life
    payments = [(paid[0].on + timedelta(days=late), amount) for late, amount in money]
    try:
        usual = schedule(terms, paid, changes)
        plan = recalculated(terms, paid, payments, paid[0].on + timedelta(days=seen), changes)
    except Refusal:
        return
    sound(plan, sum(one.amount for one in paid))
    assert len(plan.instalments) <= len(usual.instalments)


@given(loans(), st.booleans(), st.sampled_from(["cumulative", "progressive"]))
def test_paying_each_instalment_on_its_day_changes_nothing(
    loan: tuple[Terms, date], keep: bool, generator: str
) -> None:
    terms, disbursed_on = loan
    effect = {"effect": "keep-instalment" if keep else "reduce-instalment"}
    terms = Terms.model_validate(terms.model_dump() | {"recalculation": effect, "schedule": generator})
    plan = made(terms, disbursed_on)
    payments = [(one.due, one.total) for one in plan.instalments]
    paid = [PaidOut(disbursed_on, minor_units(terms.principal, terms.currency))]
    assert recalculated(terms, paid, payments, plan.due[-1]) == plan
