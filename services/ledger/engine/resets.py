"""The rate of a loan that follows a reference rate is reset: at the end of its reset date, before what is due on that
date falls due.

So a payment of the reset date counts before the reset, and what is published for that date still counts for it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from services.ledger.engine.account import ACTIVE, SETTLED, Loan
from services.ledger.engine.changes import redraw
from services.ledger.engine.lines import ResetLine
from shared.errors import InvariantBroken
from shared.events.terms import ReferenceRate
from shared.schedules.model import RateReset
from shared.schedules.resets import Published, Rates, index_value, next_reset, reset_rate

if TYPE_CHECKING:
    from services.ledger.engine.servicing import Servicing

reference_of = lru_cache(maxsize=256)(ReferenceRate.model_validate_json)
"""The reference rate of an account, of its text."""


def following(loan: Loan, day: int) -> int:
    """The first reset date after the ordinal `day` and the disbursement; 0 without a reference rate."""
    if loan.floating is None:
        return 0
    reference = reference_of(loan.floating.reference)
    found = next_reset(reference, start=date.fromordinal(loan.start), after=date.fromordinal(day))
    return 0 if found is None else found.toordinal()


def _is_too_late(loan: Loan, day: int) -> bool:
    """Whether no instalment of the schedule falls due after the day."""
    last = next((k for k in reversed(range(len(loan.due))) if k not in loan.additional), None)
    return last is None or loan.due[last] <= day


def coming(s: Servicing) -> int:
    """The reset date that the account waits for; 0: none comes, or none would change anything."""
    loan = s.loan
    ended = s.fixed is not None or loan.charged_off or loan.status not in (ACTIVE, SETTLED)
    return 0 if ended or _is_too_late(loan, s.next_reset) else s.next_reset


def _rate_after(loan: Loan, published: Published, day: int) -> tuple[str | None, str]:
    """(the index's value, the rate from the reset on `day` on); the rate as it is written now where it stays."""
    assert loan.floating is not None
    reference, now = reference_of(loan.floating.reference), loan.floating.annual_rate
    value = index_value(reference, published, date.fromordinal(day))
    if value is None or Decimal(rate := reset_rate(reference, value)) == Decimal(now):
        return value, now
    return value, rate


def reset(s: Servicing, day: int) -> None:
    """Reset the rate on the ordinal `day`, and lay the instalments to come out anew if it is another. It stays where
    nothing was published, where the instalments are no longer those of the terms, and where it would give none."""
    loan, on = s.loan, date.fromordinal(day)
    if loan.floating is None or loan.status != ACTIVE or loan.charged_off or s.fixed or _is_too_late(loan, day):
        return
    before = loan.floating.annual_rate
    value, rate = _rate_after(loan, s.published, day)
    if rate != before:
        s.changes.append((on, RateReset(on, rate)))
        try:
            redraw(s, day)
        except InvariantBroken:  # no event is at fault, so that nothing can park: before anything was changed
            s.changes.pop()
            rate = before
        else:
            loan.floating.annual_rate = rate
            loan.last_key = max(loan.last_key, 2 * day + 1)
    s.resets.append(ResetLine(on, value, rate))


def must_refold(loan: Loan, rates: Rates, before: int) -> bool:
    """Whether a reset before the ordinal `before` changes the rate of the account."""
    floating = loan.floating
    if floating is None or loan.status != ACTIVE:
        return False
    published, day = rates.get(reference_of(floating.reference).index, {}), floating.next_reset
    while 0 < day < before:
        if _rate_after(loan, published, day)[1] != floating.annual_rate:
            return True
        day = following(loan, day)
    return False


def pass_in_place(loan: Loan, before: int) -> bool:
    """Let the reset dates before `before` pass, none of which changes anything. True if one passed."""
    floating = loan.floating
    if floating is None or not 0 < floating.next_reset < before:
        return False
    coming_next = following(loan, before - 1)
    floating.next_reset = 0 if _is_too_late(loan, coming_next) else coming_next
    return True
