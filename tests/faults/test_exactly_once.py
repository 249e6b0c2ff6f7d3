"""Every accepted event counts once, whatever is redelivered, repeated, unreadable or killed."""

from pathlib import Path

import pytest

from lendlog.histories import History
from tests.faults.ledger_run import assert_all_agree, caught_up, produce, workers
from tests.places import Place

pytestmark = pytest.mark.servers


async def test_a_troubled_history_gives_the_same_books_live_replayed_and_in_memory(
    place: Place, tmp_path: Path
) -> None:
    history = History(seed=11, loans=120, days=75, trouble=3)
    await produce(place, history.records())
    with workers(place, tmp_path, 2) as running:
        await caught_up(place, alive=running)
    counts = await assert_all_agree(place)
    assert counts["events"] > 1000
    assert counts["parked"] > 0
    assert counts["suspense"] > 0
    assert counts["dead_letters"] > 0
