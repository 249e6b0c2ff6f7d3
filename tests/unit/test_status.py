"""What `run` and `status` say of the services, and of a home from which nothing runs."""

from pathlib import Path
from typing import Any

import pytest

from lendlog.run import _of_services
from lendlog.servers.runfile import RunFile
from lendlog.status import lines, running_platform
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings

COMMON = {"lag": 0, "events": 7, "parked": 0, "dead_letters": 0, "conflicts": 0, "open_date": "2024-05-04"}
SERVICES = {
    "origination": COMMON | {"halted": {}, "applications": {"declined": 4, "paid-out": 30}, "blocked_borrowers": 1},
    "monitoring": COMMON | {"halted": {"3": "a reason"}, "alerts": {"orange": 1, "red": 2}},
    "collections": COMMON
    | {"halted": {}, "cases": {"open": 1, "parked": 0, "closed": 2}, "first_in_queue": "c-1", "reminders_due": 6},
}
IDLE = {"origination": COMMON | {"events": 0, "halted": {}, "applications": {}}}


def test_a_plain_line_tells_applications_alerts_and_cases() -> None:
    assert _of_services(SERVICES) == (
        " | origination events=7 applications=declined:4,paid-out:30 blocked_borrowers=1"
        " | monitoring events=7 alerts=orange:1,red:2 halted=1"
        " | collections events=7 cases=open:1,closed:2 first_in_queue=c-1 reminders_due=6"
    )
    assert _of_services(IDLE) == " | origination idle"


def test_status_tells_the_same_in_words() -> None:
    document: dict[str, Any] = {"ledger": None, "services": SERVICES, "addresses": {}, "processes": []}
    assert dict(lines(document)) == {
        "origination": "0 lag, 7 events, open date 2024-05-04, applications declined: 4, paid-out: 30,"
        " 1 blocked borrowers",
        "monitoring": "0 lag, 7 events, open date 2024-05-04, halted 3: a reason, alerts orange: 1, red: 2",
        "collections": "0 lag, 7 events, open date 2024-05-04, cases open: 1, closed: 2, first in queue c-1,"
        " 6 reminders due",
    }


async def test_where_only_the_demo_has_a_run_its_home_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(MissingPrecondition, match="start it with `lendlog run`"):
        await running_platform(PlatformSettings(home=home))
    assert not home.exists()
    (home / "demo").mkdir(parents=True)
    with pytest.raises(MissingPrecondition, match="start it with `lendlog run`"):
        await running_platform(PlatformSettings(home=home))
    RunFile.new(home / "demo" / "run.json").write()
    with pytest.raises(MissingPrecondition, match=f"LENDLOG_HOME={home}/demo lendlog status"):
        await running_platform(PlatformSettings(home=home))
