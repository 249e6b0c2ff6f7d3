"""A borrower whom monitoring had to park, on real servers: seen, released once, folded on, and the same by replay."""

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lendlog import aside
from services.monitoring.access_matrix import MATRIX
from shared.access import ROLES
from shared.events.envelope import Envelope
from shared.merkle import record_of
from shared.topics import PARTIES, SIGNALS
from tests.integration.monitoring.running import PARTITIONS, TIME, Monitoring, event_id, rule, running

pytestmark = pytest.mark.servers
OPENED = date(2024, 1, 1)
ONE, OTHER = "borrower-parked", "borrower-well"
_EVENTS = 'SELECT record FROM event ORDER BY partition, "offset"'
AT = f"/v1/parked/{ONE}/release"


class Registered(Envelope):
    """A party's registration as a newer writer would send it."""

    data: dict[str, Any]


@pytest.fixture
async def monitoring(places: Any) -> Monitoring:
    return Monitoring(await places(partitions=PARTITIONS, services=("monitoring",)))


async def test_a_parked_borrower_is_seen_released_once_and_folds_on(monitoring: Monitoring, tmp_path: Path) -> None:
    with running(monitoring.place, tmp_path) as worker:
        await monitoring.register(OTHER)
        await monitoring.close(OPENED - timedelta(days=1), OPENED)
        unknown = Registered(
            id=event_id("newer"), source="/origination", subject=ONE, time=TIME, type="origination.PartyRegistered.v1",
            data={"kind": "robot"},
        )  # fmt: skip
        await monitoring.publish(PARTIES.name, [unknown])
        await monitoring.until("(SELECT count(*) FROM parked_event) = 1", worker)
        await monitoring.register(ONE)
        await monitoring.moved(ONE, date(2024, 1, 1), "10.00")
        await monitoring.until("(SELECT count(*) FROM parked_event) = 3", worker)
        garbled = Registered(
            id=event_id("garbled"), source="/bank", subject=OTHER, time=TIME, type="signals.AccountMoved.v1", data={}
        )
        await monitoring.publish(SIGNALS.name, [garbled])
        await monitoring.until("EXISTS (SELECT FROM dead_letter)", worker)

        async with monitoring.api(*(ROLES - {"applicant"})) as client:
            (parked,) = (await client.get("/v1/parked", "auditor"))["parked"]
            assert (parked["borrower_id"], parked["held"]) == (ONE, 3)
            assert "kind" in parked["reason"]
            (dead,) = (await client.get("/v1/dead-letters", "operator"))["dead_letters"]
            assert event_id("garbled") in dead["value"]

            body = {"first_held_offset": parked["first_offset"], "reason": "looked at"}
            for role in sorted(ROLES - {"applicant", "operator"}):
                stranger = await client.send(role, "POST", AT, body)
                assert (stranger.status_code, rule(stranger)) == (403, "forbidden"), role
                may_see = role in MATRIX["GET", "/v1/parked"]
                assert ((await client.send(role, "GET", "/v1/parked")).status_code == 200) == may_see, role
            elsewhere = await client.send("operator", "POST", AT, body | {"first_held_offset": 999})
            assert (elsewhere.status_code, rule(elsewhere)) == (409, "held-elsewhere")
            nobody = await client.send("operator", "POST", f"/v1/parked/{OTHER}/release", body)
            assert (nobody.status_code, rule(nobody)) == (409, "not-parked")

            platform: Any = SimpleNamespace(service_settings=monitoring.place.settings)
            row = {"service": "monitoring"} | parked
            await aside.release_borrower(platform, row, "asked for", discard_first=False)  # nothing was mended
            again = (await client.get("/v1/parked", "operator"))["parked"][0]
            assert "(again at " in again["reason"]

            mended = body | {"discard_first": True, "reason": "the writer was too new"}
            both = await asyncio.gather(*(client.send("operator", "POST", AT, mended) for _ in range(2)))
            codes = sorted(answer.status_code for answer in both)
            assert codes == [202, 409]
            lost = next(answer for answer in both if answer.status_code == 409)
            assert rule(lost) in ("already-released", "not-parked")
            won = next(answer for answer in both if answer.status_code == 202).json()["event_id"]
            await monitoring.until("NOT EXISTS (SELECT FROM parked_subject)", worker)
            assert (await client.get("/v1/parked", "operator"))["parked"] == []

        values = [record_of(row["record"]).value or b"" for row in await monitoring.fetch(_EVENTS)]
        released = [json.loads(value) for value in values if b"ParkedSubjectReleased" in value]
        assert [event["data"]["by"] for event in released] == ["command line", "operator"]
        assert released[1]["id"] == won
        dead = await monitoring.fetch("SELECT reason FROM dead_letter ORDER BY reason")
        assert dead[0]["reason"] == "discarded at its release: the writer was too new"
        await monitoring.close(OPENED + timedelta(days=1), OPENED + timedelta(days=2))
        await monitoring.until_open(OPENED + timedelta(days=3), worker)
        known = await monitoring.fetch("SELECT count(*) AS n FROM subject WHERE subject = $1 AND as_of > 0", ONE)
        assert known[0]["n"] == 1
    live = await monitoring.digest()
    assert live["parked_event"] == 0
    assert await monitoring.replayed(1) == live
    assert await monitoring.replayed(5000) == live
