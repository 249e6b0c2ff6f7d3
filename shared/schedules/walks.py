"""From periods, interest spans and what is asked for each period to principal and interest."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

from shared.money import Rounding, divide
from shared.schedules.accrual import Factor, Span


@dataclass(frozen=True, slots=True)
class Asking:
    """How principal is asked for: a level instalment, principal and interest together, or parts of principal.

    principal_multiple: what principal is rounded to. whole_multiple: what a part of principal plus its interest is
    rounded to, if not 1: the part, itself rounded to it, plus rounded interest. ends_early: principal was prepaid, and
    the last instalments are not needed.
    """

    level: bool
    principal_multiple: int
    whole_multiple: int
    rounding: Rounding
    ends_early: bool = False

    def principal(self, target: int, charge: int) -> int:
        """The principal of an instalment of `target`, whose own period bore `charge` of interest."""
        if self.level:
            part = target - charge
            if self.principal_multiple > 1:
                return divide(part, self.principal_multiple, self.rounding) * self.principal_multiple
            return part
        if self.whole_multiple > 1:
            return target + divide(charge, self.whole_multiple, self.rounding) * self.whole_multiple - charge
        return target


@dataclass(slots=True)
class Walk:
    """Principal repaid, interest borne and interest asked for, by period; `balance` is what is left after the last."""

    principal: list[int]
    borne: list[int]
    asked: list[int]
    balance: int


def interest(spans: Sequence[Span], balance: int, rounding: Rounding) -> tuple[int, int]:
    """What a period bears that opens with `balance`, each span rounded once, and the balance that it ends with."""
    charge = 0
    for added, numerator, denominator in spans:
        balance += added
        if numerator:
            charge += divide(balance * numerator, denominator, rounding)
    return charge, balance


def declining(
    spans: Sequence[tuple[Span, ...]],
    targets: Sequence[int],
    asking: Asking,
    *,
    no_principal: Sequence[bool],
    no_payment: Sequence[bool],
    closing: int,
    until: int | None = None,
) -> Walk:
    """Interest on what is outstanding; the last instalment takes all principal that is left.

    closing: the number of the last instalment that is to repay principal; it takes all that is left by then.
    until: stop before the period of that number, with the balance that it opens with.
    """
    principal: list[int] = []
    borne: list[int] = []
    balance = 0
    last, rounding = len(spans) - 1, asking.rounding
    for number, period in enumerate(spans):
        if number == until:
            break
        charge, balance = interest(period, balance, rounding)
        if number in (closing, last):
            part = balance
        elif no_principal[number]:
            part = 0
        else:
            part = asking.principal(targets[number], charge)
            if asking.ends_early:
                part = min(part, balance)
        balance -= part
        principal.append(part)
        borne.append(charge)
    return Walk(principal, borne, _asked_for(borne, no_payment, last), balance)


def flat(
    spans: Sequence[tuple[Span, ...]],
    lent: Sequence[int],
    targets: Sequence[int],
    asking: Asking,
    *,
    no_principal: Sequence[bool],
    no_payment: Sequence[bool],
    until: int | None = None,
) -> Walk:
    """Interest on all that was paid out (`spans`), principal of what of it is `lent`, by the period that it came in.

    The last instalment takes all principal that is left, and the interest that makes the exact sum rounded once.
    """
    principal: list[int] = []
    borne: list[int] = []
    balance = so_far = 0
    last, rounding = len(spans) - 1, asking.rounding
    exact = _flat_interest(spans)
    whole = divide(*_sum(exact), rounding)
    for number, bears in enumerate(exact):
        if number == until:
            break
        balance += lent[number]
        charge = whole - so_far
        if number < last:
            charge = min(charge, divide(*bears, rounding))
        so_far += charge
        part = 0 if no_principal[number] else asking.principal(targets[number], charge)
        if number == last or (asking.ends_early and part > balance):
            part = balance
        balance -= part
        principal.append(part)
        borne.append(charge)
    return Walk(principal, borne, _asked_for(borne, no_payment, last), balance)


def _asked_for(borne: Sequence[int], no_payment: Sequence[bool], last: int) -> list[int]:
    """When interest is asked for: what a period puts off goes to the next that does not, at last to number `last`."""
    asked, put_off = [], 0
    for number, charge in enumerate(borne):
        put_off += charge
        if no_payment[number] and number != last:
            asked.append(0)
        else:
            asked.append(put_off)
            put_off = 0
    return asked


def _flat_interest(spans: Sequence[tuple[Span, ...]]) -> list[Factor]:
    """The exact interest of each period on all that was paid out by then."""
    made, paid_out = [], 0
    for period in spans:
        terms = []
        for added, numerator, denominator in period:
            paid_out += added
            terms.append((paid_out * numerator, denominator))
        made.append(terms[0] if len(terms) == 1 else _sum(terms))
    return made


def _sum(fractions: Sequence[Factor]) -> Factor:
    """The sum of fractions over their least common denominator."""
    of = lcm(*{denominator for _, denominator in fractions})
    return sum(numerator * (of // denominator) for numerator, denominator in fractions), of
