"""Terms, what was paid out and what was agreed since become instalments."""

from collections.abc import Sequence
from datetime import date

from shared.events.terms import Terms
from shared.money import minor_units
from shared.schedules.checks import check, is_plain
from shared.schedules.course import Course
from shared.schedules.fees import with_fees
from shared.schedules.model import Dated, Instalment, PaidOut, Schedule, in_order
from shared.schedules.plain import plain
from shared.schedules.refusals import UnschedulableTerms
from shared.schedules.walks import Walk
from shared.schedules.working_days import has_data


def schedule(terms: Terms, paid_out: Sequence[PaidOut], changes: Sequence[Dated] = ()) -> Schedule:
    """The instalments of a loan after all that was paid out and agreed, one event after the other in order of date.

    paid_out: in any order, one at least. changes: (the date from which it is agreed, the change), in order. On one day
    money comes first. Raises the refusals of `check` and of this package; the amounts of `paid_out` may sum to more or
    less than the principal, which is for the caller to judge.
    """
    check(terms)
    made = _principal_and_interest(terms, paid_out, changes)
    return with_fees(terms, paid_out, made) if terms.instalment_fees else made


def _principal_and_interest(terms: Terms, paid_out: Sequence[PaidOut], changes: Sequence[Dated]) -> Schedule:
    if len(paid_out) == 1 and not changes and paid_out[0].amount > 0 and is_plain(terms):
        quick = plain(terms, paid_out[0])
        if quick is not None:
            return quick
    course = followed(terms, paid_out, changes)
    walk = course.walk()
    if min(walk.principal) <= 0:
        refuse_if_broken(course, walk)
    return assembled(course, walk)


def paid_out_whole(terms: Terms, *, disbursed_on: date) -> Schedule:
    """The instalments of a loan whose whole principal is paid out on one day: for previews and quotes."""
    return schedule(terms, (PaidOut(disbursed_on, minor_units(terms.principal, terms.currency)),))


def followed(terms: Terms, paid_out: Sequence[PaidOut], changes: Sequence[Dated]) -> Course:
    """The loan's course after these events."""
    if not paid_out or any(paid.amount <= 0 for paid in paid_out):
        raise UnschedulableTerms("Nothing is paid out.", field="amount")
    if len(paid_out) == 1 and not changes:
        course = Course(terms, paid_out[0].on)
        course.disburse(paid_out[0])
        return course
    course = Course(terms, min(paid.on for paid in paid_out))
    for _, event in in_order(paid_out, changes):
        if isinstance(event, PaidOut):
            course.disburse(event)
        else:
            course.change(event)
    return course


def assembled(course: Course, walk: Walk) -> Schedule:
    """The instalments, each down payment before what falls due on its day or later, and the years without data."""
    made = []
    start = course.periods[0].start
    for period, principal, interest in zip(course.periods, walk.principal, walk.asked, strict=True):
        made.append(Instalment(start, period.due, principal, interest))
        start = period.due
    while course.asking.ends_early and made[-1].total == 0:
        made.pop()
    if course.down_payments:
        made += [Instalment(on, on, amount, 0, True) for on, amount in course.down_payments]
        made.sort(key=lambda one: (one.due, not one.down_payment))
    flagged: tuple[int, ...] = ()
    if (shift := course.terms.holidays) is not None:
        years = sorted({day.year for day in course.days})
        flagged = tuple(year for year in years if not has_data(shift.country, year))
    return Schedule(tuple(made), flagged)


def refuse_if_broken(course: Course, walk: Walk) -> None:
    """Raises UnschedulableTerms where principal is negative, or an instalment is zero that the terms don't excuse."""
    terms, count = course.terms, len(course.periods)
    must_ask = is_plain(terms) or terms.kind in ("equal-instalment", "equal-principal", "flat")
    for number, (part, charge) in enumerate(zip(walk.principal, walk.asked, strict=True)):
        if part < 0:
            detail = (
                f"Instalment {number + 1} of {count} would not even pay its interest, or rounding would leave less "
                "than nothing for it."
            )
            raise UnschedulableTerms(detail, field="instalments")
        excused = course.no_principal[number] or course.asking.ends_early or not must_ask
        if part + charge == 0 and not excused:
            detail = f"Instalment {number + 1} of {count} would be zero: the principal is too small to divide."
            raise UnschedulableTerms(detail, field="principal")
