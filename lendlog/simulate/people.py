"""What the lender's people decide where rules leave it to them: officers, approvers, risk, collectors."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from lendlog.simulate.borrowers import Borrower
from lendlog.simulate.chance import chance

Verdict = Literal["approve", "decline"]
ALERTS_A_DAY = 40
"""What the risk desk looks at in a day at most."""
CASES_A_DAY = 8
"""What the collectors work in a day at most."""
RISK_ABOVE = 500_000_00
"""From this amount on head office decides (the credit policy's authority); in minor units."""


@dataclass(frozen=True, slots=True)
class Course:
    """What becomes of one application, as far as people decide it."""

    recommends: Verdict
    decides: Verdict
    decider: Literal["approver", "risk"]
    reviews: bool
    """Whether the borrower takes an automatic decline to people."""
    accepts_after: int | None
    """Days from the offer to the borrower's word; None: he never answers, or withdraws."""
    withdraws: bool


def course(seed: int, borrower: Borrower) -> Course:
    """Drawn once a borrower."""
    draw = chance(seed, "course", borrower.number)
    doubtful = borrower.habit in ("sinking", "recovering", "tight")
    answers = draw.random() < 0.96
    return Course(
        recommends="approve" if draw.random() < (0.75 if doubtful else 0.93) else "decline",
        decides="approve" if draw.random() < (0.8 if doubtful else 0.95) else "decline",
        decider="risk" if borrower.amount >= RISK_ABOVE else "approver",
        reviews=draw.random() < 0.15,
        accepts_after=draw.choice((0, 0, 1, 1, 2, 4)) if answers else None,
        withdraws=draw.random() < 0.5,
    )


@dataclass(frozen=True, slots=True)
class AlertAct:
    """What the risk desk does with an alert."""

    action: Literal["acknowledge", "snooze", "release", "resolve"]
    until: date | None = None


def on_alert(
    seed: int, number: int, *, indicator: str, severity: str, blocks: bool, age: int, day: date
) -> AlertAct | None:
    """What is done today with an alert that is open and `age` days old; None: nothing.

    The block of a red one is lifted by a named person when it has lasted for days and turned out to be harmless.
    """
    draw = chance(seed, "alert", number, indicator, day.isoformat())
    if blocks:
        return AlertAct("release") if age >= 3 and draw.random() < 0.25 else None
    if severity == "yellow":
        return AlertAct("acknowledge") if age == 0 and draw.random() < 0.4 else None
    if age == 0:
        return AlertAct("acknowledge") if draw.random() < 0.8 else AlertAct("snooze", day + timedelta(days=14))
    return None


@dataclass(frozen=True, slots=True)
class Talk:
    """How a collector's attempt ends."""

    outcome: Literal["answered", "unanswered"]
    promise: tuple[int, date] | None = None
    """What the borrower promises (minor units), and for when."""
    says: Literal["nothing", "dispute", "hardship"] = "nothing"
    again_days: int = 3
    """After so many days the case comes up again, if it is still open."""


def on_case(seed: int, borrower: Borrower, past_due: int, day: date) -> Talk:
    """What comes of calling a borrower today."""
    draw = chance(seed, "talk", borrower.number, day.isoformat())
    if draw.random() < (0.6 if borrower.habit in ("sinking", "recovering") else 0.3):
        return Talk("unanswered", again_days=draw.randrange(1, 4))
    luck = draw.random()
    if luck < 0.02:
        return Talk("answered", says="dispute")
    if luck < 0.04:
        return Talk("answered", says="hardship")
    if luck < 0.75:
        return Talk("answered", (past_due, day + timedelta(days=draw.randrange(2, 12))))
    return Talk("answered", again_days=draw.randrange(4, 9))
