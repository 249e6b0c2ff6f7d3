"""What the simulated desks count."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast

import pytest

from lendlog.simulate.borrowers import make_borrower
from lendlog.simulate.client import Client
from lendlog.simulate.paying import Account
from lendlog.simulate.plan import Plan
from lendlog.simulate.watch_desks import WatchDesks

FIRST = date(2024, 1, 5)


@dataclass
class Answers:
    """Stands for the API: a pass after the other."""

    passes: list[dict[str, Any]]
    asked: list[str] = field(default_factory=list)

    async def get(self, *_: object, **__: object) -> dict[str, Any]:
        return {"alerts": []}

    async def read(self, _: str, reader: Callable[[], Awaitable[list[str]]]) -> list[str]:
        return await reader()

    async def post(self, role: str, service: str, path: str, body: Any = None, *, key: str) -> dict[str, Any]:
        self.asked.append(key)
        return self.passes[len(self.asked) - 1]


def passed(due: int, *, sent: int = 0, failed: int = 0, **denied: int) -> dict[str, Any]:
    rules = {rule.replace("_", "-"): count for rule, count in denied.items()}
    return {"due": due, "sent": sent, "failed": failed, "unclear": 0, "denied": rules}


async def reminded(channel: str, *passes: dict[str, Any]) -> dict[str, Any]:
    """Two reminders begin on the first morning, and the passes follow day by day."""
    plan = Plan(7, 10, 1)
    borrower = next(one for one in (make_borrower(7, n) for n in range(99)) if one.channels[0] == channel)
    plan.payers.accounts[borrower.number] = Account(borrower, "L1", ())

    async def newly_due(day: date) -> list[str]:
        return ["b-1", "b-1"] if day == FIRST else []

    desks = WatchDesks(cast(Client, Answers(list(passes))), plan, {"b-1": borrower.number}, newly_due)
    for n in range(len(passes)):
        await desks._remind(FIRST + timedelta(days=n))
    return desks.reminders.document()


async def test_a_reminder_that_no_pass_could_send_is_counted_once_and_the_channel_is_named() -> None:
    none = passed(2, no_channel=2)
    assert await reminded("email", none, none, none) == {"due": 2, "channel": "none configured"}


async def test_what_was_sent_after_a_failed_attempt_was_due_once() -> None:
    assert await reminded("email", passed(2, sent=1, failed=1), passed(1, sent=1)) == {
        "due": 2,
        "sent": 2,
        "unclear": 0,
        "not_sent": 0,
        "failed_attempts": 1,
    }


@pytest.mark.parametrize(("channel", "denied"), [("voice", {"no_channel": 2}), ("email", {"dispute": 2})])
async def test_borrowers_without_an_address_and_denials_tell_nothing_of_the_set_up(
    channel: str, denied: dict[str, int]
) -> None:
    found = await reminded(channel, passed(2, **denied))
    assert found == {"due": 2, "sent": 0, "unclear": 0, "not_sent": 2, "failed_attempts": 0}
