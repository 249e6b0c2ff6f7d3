"""How cases are worked: steps by days past due, and the rule `priority@1` that orders the queue. `policies/strategy-*`.

priority@1 = the step's points + amount + broken promises + alert, higher first; each part an integer:
- step: as the table of steps has it; it rises to two months past due and falls after that, so that old debt is not
  called first because it is old;
- amount: `amount_points_each` for every time that what is past due can be halved and still is a unit of its currency or
  more, at most `amount_points_most`; of several currencies the highest; a currency without a unit gives none;
- broken promises: points for each one of the last `broken_within_days`, up to a limit;
- alert: by the severest that stands.
No part says how much more a call would bring in: that needs a randomised hold-out first.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from services.collections.dated import Rule, documents, require_in_force, require_seamless
from shared.errors import Refusal
from shared.events.monitoring import Severity
from shared.events.parties import Code
from shared.money import minor_units

PRIORITY_RULE = "priority@1"


class StepsNotAscending(Refusal):
    """Each step begins after the one before it, the first where a case opens."""


class Step(Rule):
    """What is done from `from_day` days past due on, until the next step."""

    name: Code
    from_day: Annotated[int, Field(ge=1)]
    points: Annotated[int, Field(ge=0)]


class Priority(Rule):
    """The weights of priority@1. `amount_unit`: currency → decimal amount."""

    amount_unit: dict[str, str]
    amount_points_each: Annotated[int, Field(ge=0)]
    amount_points_most: Annotated[int, Field(ge=0)]
    broken_promise_points: Annotated[int, Field(ge=0)]
    broken_promise_points_most: Annotated[int, Field(ge=0)]
    alert_points: dict[Severity, Annotated[int, Field(ge=0)]]

    @field_validator("amount_unit")
    @classmethod
    def _amounts(cls, units: dict[str, str]) -> dict[str, str]:
        for code, unit in units.items():
            if minor_units(unit, code) == 0:
                raise ValueError(f"a unit of nothing for {code}")
        return units


class ReminderRule(Rule):
    """A kind of reminder, sent once between these days from the instalment's due date (negative: before it)."""

    kind: Literal["t-3", "t0", "t+1"]
    from_day: int
    to_day: int


class PromiseRule(Rule):
    """Who may promise how much, and when a promise counts as kept."""

    tolerance_days: Annotated[int, Field(ge=0, le=31)]
    """Money with a value date up to so many days after the due date is in time."""
    partly_kept_percent: Annotated[int, Field(ge=1, le=100)]
    ahead_days_most: Annotated[int, Field(ge=1, le=366)]
    active_most: Annotated[int, Field(ge=1)]
    broken_most: Annotated[int, Field(ge=0)]
    broken_within_days: Annotated[int, Field(ge=1)]


class Strategy(Rule):
    """One version, for the business dates on which it is valid."""

    name: Literal["strategy"]
    version: Annotated[int, Field(ge=1)]
    valid_from: date
    valid_until: date | None = None
    opens_at_days_past_due: Annotated[int, Field(ge=1)]
    steps: Annotated[list[Step], Field(min_length=1)]
    priority: Priority
    reminders: list[ReminderRule]
    promises: PromiseRule

    @model_validator(mode="after")
    def _ascending(self) -> "Strategy":
        days = [step.from_day for step in self.steps]
        if days[0] != self.opens_at_days_past_due or any(day >= after for day, after in pairwise(days)):
            raise StepsNotAscending(f"Steps begin on days {days}, cases at {self.opens_at_days_past_due}.")
        return self

    def step(self, days_past_due: int) -> Step:
        """The step of a case that is so many days past due; before the first one, the first one."""
        begun = [step for step in self.steps if step.from_day <= days_past_due]
        return begun[-1] if begun else self.steps[0]

    def priority_of(
        self, *, step: Step, past_due: Mapping[str, int], broken_promises: int, alerts: Iterable[str]
    ) -> int:
        """By the rule priority@1; `past_due` in minor units by currency."""
        weights = self.priority
        broken = min(broken_promises * weights.broken_promise_points, weights.broken_promise_points_most)
        severest = max((weights.alert_points.get(severity, 0) for severity in alerts), default=0)  # type: ignore[call-overload] # a severity of a later version gives none
        return step.points + self._amount_points(past_due) + broken + severest

    def _amount_points(self, past_due: Mapping[str, int]) -> int:
        weights = self.priority
        doublings = [
            (amount // minor_units(weights.amount_unit[code], code)).bit_length()
            for code, amount in past_due.items()
            if code in weights.amount_unit
        ]
        return min(weights.amount_points_each * max(doublings, default=0), weights.amount_points_most)


@lru_cache(maxsize=1)
def strategies() -> tuple[Strategy, ...]:
    """The package's strategies; raises what a slip in a file is called."""
    found = tuple(Strategy.model_validate(content) for _, content in documents("strategy-"))
    require_seamless(found, "strategies")
    return found


@lru_cache(maxsize=4096)
def strategy_on(day: date) -> Strategy:
    """The strategy of a business date; raises PolicyMissing."""
    return require_in_force(strategies(), day)
