"""One broken loan parks, its later events wait in order, the others go on; a release after a fix catches it up, and a
replay by the mended engine gives the same books."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lendlog.histories import History, Produced
from services.ledger import book, fact_reading, reading, replay
from shared.streams.intake import NotUnderstood
from tests.faults.in_process import Driven, driven
from tests.faults.ledger_run import assert_all_agree, produce, records_of
from tests.faults.test_repeats import rows
from tests.places import Place

pytestmark = pytest.mark.servers
SEED = 71
NEW = b'"product":"trader@1","grace_days":3'


def written_by_a_newer_engine(history: History, loan: str) -> list[Produced]:
    """The history, in which this loan's contract has a field that nobody knows yet."""
    found = []
    for one in history.records():
        value = one.value or b""
        if one.key == loan.encode() and b"LoanContracted" in value:
            value = value.replace(b'"product":"trader@1"', NEW)
        found.append(Produced(one.partition, one.key, value))
    return found


def mend(patch: pytest.MonkeyPatch) -> None:
    """An engine that knows the field."""
    read = reading.read

    def mended(record: Any) -> Any:
        try:
            return read(record)
        except NotUnderstood:
            known = json.loads(record.value)
            known["data"].pop("grace_days", None)
            return read(replace(record, value=json.dumps(known).encode()))

    patch.setattr(book, "read_to_fold", mended)
    patch.setattr(fact_reading, "read_to_fold", mended)
    patch.setattr(replay, "read", mended)


async def release(place: Place, ledger: Driven, history: History, **other: Any) -> None:
    """An operator lets the parked loan go on, as the API writes it."""
    (parked,) = await rows(place, "SELECT * FROM parked_loan")
    data = {"first_held_offset": parked["first_offset"], "held_reason": parked["reason"], "reason": "upgraded"} | other
    await produce(place, [history._event("ledger.ParkedLoanReleased.v1", parked["loan_id"], data)])
    await ledger.take_all(0, await records_of(place, 0))


async def test_a_loan_parks_alone_waits_in_order_and_is_caught_up_after_the_fix(
    places: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await places(partitions=1)
    history = History(seed=SEED, loans=12, days=45, partitions=1, trouble=0.3)
    records = written_by_a_newer_engine(history, "L0000003")
    await produce(place, records[:-4])
    async with driven(place) as ledger:
        await ledger.claim((0,))
        await ledger.take_all(0, await records_of(place, 0))
        (parked,) = await rows(place, "SELECT * FROM parked_loan WHERE loan_id = 'L0000003'")
        held = await rows(place, "SELECT * FROM parked_event WHERE loan_id = 'L0000003' ORDER BY \"offset\"")
        assert len(held) > 5
        assert held[0]["offset"] == parked["first_offset"]
        wanted = [r.offset for r in await records_of(place, 0) if r.key == b"L0000003"]
        assert [row["offset"] for row in held] == [offset for offset in wanted if offset >= held[0]["offset"]]
        open_dates = await rows(place, "SELECT open_date FROM position")
        assert open_dates[0]["open_date"].toordinal() - history.first_day.toordinal() >= 44, "the others went on"
        await produce(place, [_release(history, parked, "too early")])
        await ledger.take_all(0, await records_of(place, 0))
        (again,) = await rows(place, "SELECT * FROM parked_loan WHERE loan_id = 'L0000003'")
        assert again["first_offset"] == parked["first_offset"]
        assert again["reason"] != parked["reason"], "parked again, by the release"
        await produce(place, [_release(history, parked, "pressed twice")])  # names a parking that is over
        mend(monkeypatch)
        await ledger.take_all(0, await records_of(place, 0))
        assert await rows(place, "SELECT * FROM parked_loan WHERE loan_id = 'L0000003'"), "an old release does nothing"
        await produce(place, [_release(history, again, "upgraded"), *records[-4:]])
        await ledger.take_all(0, await records_of(place, 0))
        await ledger.relayed()
        assert not await rows(place, "SELECT * FROM parked_loan WHERE loan_id = 'L0000003'")
        assert not await rows(place, "SELECT * FROM parked_event WHERE loan_id = 'L0000003'")
    await assert_all_agree(place)


def _release(history: History, parked: dict[str, Any], reason: str) -> Produced:
    data = {"first_held_offset": parked["first_offset"], "held_reason": parked["reason"], "reason": reason}
    return history._event("ledger.ParkedLoanReleased.v1", parked["loan_id"], data)


async def test_a_loan_released_over_a_second_broken_event_parks_there(places: Callable[..., Any]) -> None:
    place = await places(partitions=1)
    history = History(seed=SEED + 1, loans=3, days=15, partitions=1)
    records = list(history.records())
    nothing = {"payment_id": history._id(), "reason": "of nothing"}
    first = history._event("ledger.PaymentReversed.v1", "L0000001", nothing)
    await produce(place, [*records, first, history._payment("L0000001", 500), history._payment("L0000002", 700)])
    async with driven(place) as ledger:
        await ledger.claim((0,))
        await ledger.take_all(0, await records_of(place, 0))
        await release(place, ledger, history)
        await release(place, ledger, history)
        await release(place, ledger, history, first_held_offset=0)
        await ledger.relayed()
        (parked,) = await rows(place, "SELECT * FROM parked_loan")
        assert parked["loan_id"] == "L0000001"
        assert len(await rows(place, "SELECT * FROM parked_event")) == 2
        assert len(await rows(place, "SELECT * FROM dead_letter")) == 1, "a release of nothing is a dead letter"
