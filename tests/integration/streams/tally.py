"""A small service of borrowers for tests of the kit: it adds up what moved on accounts, and closes its days.

`python -m tests.integration.streams.tally` is its worker; it stands on monitoring's inbox and schema.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import InvariantBroken
from shared.events import monitoring, signals
from shared.events.envelope import Envelope
from shared.streams.fold import Context, Row
from shared.streams.subject_service import SubjectService, run
from shared.topics import MARKET, MONITORING_INBOX

FORBIDDEN = "666.00"
"""A movement of this amount breaks a rule, after it has changed the state."""


class Tally(msgspec.Struct):
    """What moved on one borrower's account, in minor units."""

    count: int = 0
    total: int = 0
    touched: bool = False


class Market(msgspec.Struct):
    """How many values the market has had."""

    values: int = 0


class TallyFold:
    """Counts and adds up."""

    service = "monitoring"
    events: Mapping[str, type[Envelope]] = {
        "signals.AccountMoved.v1": signals.AccountMoved,
        "market.IndicatorPublished.v1": signals.IndicatorPublished,
    }
    state_type, group_type = Tally, Market
    tables: Mapping[str, tuple[str, ...]] = {"tally": ("count", "total")}
    history: Mapping[str, tuple[str, ...]] = {"tally_day": ("subject", "day", "total")}

    def new_state(self, subject: str) -> Tally:
        return Tally()

    def new_group(self) -> Market:
        return Market()

    def concerns_group(self, event: Any) -> bool:
        return isinstance(event, signals.IndicatorPublished)

    def apply(self, state: Tally, event: Any, context: Context) -> None:
        state.count += 1
        state.total += int(event.data.amount.replace(".", ""))
        state.touched = True
        facts = monitoring.SetAside(signal_id=event.id, reason=f"count {state.count}", rule="clock-too-far")
        context.emit("monitoring.alerts.v1", event.subject, monitoring.SignalSetAside, facts)
        if event.data.amount == FORBIDDEN:
            raise InvariantBroken("the forbidden amount")

    def apply_to_group(self, event: Any, context: Context) -> None:
        context.group.values += 1

    def close_group(self, day: date, context: Context) -> None:
        pass

    def close(self, state: Tally, day: date, context: Context) -> None:
        state.touched = False
        context.put("tally_day", context.subject, day, state.total)

    def next_action(self, state: Tally) -> date | None:
        return date.min if state.touched else None

    def rows(self, state: Tally) -> Mapping[str, Sequence[Row]]:
        return {"tally": [(state.count, state.total)]}


SERVICE = SubjectService(
    name="monitoring",
    inbox=MONITORING_INBOX,
    fold=TallyFold,
    migrations=Path(__file__).with_name("tally_migrations"),
    everywhere=(MARKET,),
)

if __name__ == "__main__":
    run(SERVICE)
