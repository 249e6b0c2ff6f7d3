"""Principal by shares: what part of it each instalment repays, for the kinds that are no annuity."""

from collections import Counter
from collections.abc import Sequence
from math import lcm

from shared.events.terms import Terms
from shared.money import Rounding, divide, minor_units
from shared.schedules.accrual import Factor, exact_rate
from shared.schedules.dates import Period
from shared.schedules.refusals import SeasonNotInTerm


def weights(terms: Terms, over: Sequence[Period], first: int) -> list[Factor]:
    """The weight of each of the periods `over`, of which the first is instalment number `first` (from 0).

    A season that occurs several times repays an equal part of its share each time. Raises SeasonNotInTerm.
    """
    match terms.kind:
        case "seasonal":
            return _seasonal(terms, over, whole=first == 0)
        case "irregular":
            return [(minor_units(one.principal, terms.currency), 1) for one in terms.plan[first:]]
        case "interest-only":
            return [(0, 1)] * (len(over) - 1) + [(1, 1)]
        case _:
            return [(1, 1)] * len(over)


def _seasonal(terms: Terms, over: Sequence[Period], *, whole: bool) -> list[Factor]:
    months = [period.end.month for period in over]
    times = Counter(months)
    made = []
    for month in months:
        share, scale = exact_rate(terms.shares.get(month, "0"))
        made.append((share, scale * times[month]))
    if whole:
        for month, text in sorted(terms.shares.items()):
            if month not in times and exact_rate(text)[0]:
                detail = f"Month {month} must repay {text} of the principal, and no instalment falls due in it."
                raise SeasonNotInTerm(detail, field="shares")
    return made


def parts(principal: int, shares: Sequence[Factor], multiple: int, rounding: Rounding) -> list[int]:
    """`principal` times each share's part of their sum, a multiple of `multiple`. The sum of shares is not zero."""
    of = lcm(*{denominator for _, denominator in shares})
    number = sum(numerator * (of // denominator) for numerator, denominator in shares)
    made: dict[Factor, int] = {}
    for share in shares:
        if share not in made:
            made[share] = divide(principal * share[0] * of, share[1] * number * multiple, rounding) * multiple
    return [made[share] for share in shares]
