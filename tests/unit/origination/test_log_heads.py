"""The log's head that is kept with a contract: the last published one, or a word why there is none."""

import asyncio
from typing import Any

import pytest

from services.origination import log_heads
from services.origination.log_heads import LogHeads
from shared.events.applications import Acceptance, LogHead
from shared.events.checkpoints import SignedHead
from shared.partitioner import partition_for
from shared.streams.ports import RetryableError

PARTITION = partition_for(b"loan-1", 8)
HEAD = SignedHead(
    origin="o/p1",
    partition=1,
    size=2,
    root="A" * 43 + "=",
    note="the note",
    previous_size=0,
    consistency=[],
    rotations=[],
)


def asked(monkeypatch: pytest.MonkeyPatch, answer: Any, times: int = 1) -> tuple[list[LogHead], list[tuple[Any, ...]]]:
    """What `of_loan` says, and what was read for it."""
    calls = []

    async def last_published(*given: Any) -> SignedHead | None:
        calls.append(given)
        if isinstance(answer, Exception):
            raise answer
        if answer is asyncio.sleep:
            await asyncio.sleep(60)
        found: SignedHead | None = answer
        return found

    async def ask() -> list[LogHead]:
        heads = LogHeads("broker", "x.heads", 8)
        return [await heads.of_loan("loan-1") for _ in range(times)]

    monkeypatch.setattr(log_heads, "last_published", last_published)
    monkeypatch.setattr(log_heads, "ANSWER_SECONDS", 0.01)
    return asyncio.run(ask()), calls


def test_the_head_is_that_of_the_loans_partition_and_is_read_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    found, read = asked(monkeypatch, HEAD, times=3)
    assert found == [LogHead(partition=PARTITION, note="the note")] * 3
    assert read == [("broker", "x.heads", PARTITION)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [(None, "none-signed"), (RetryableError("away"), "not-reached"), (asyncio.sleep, "not-reached")],
    ids=["none", "away", "slow"],
)
def test_a_contract_without_a_head_says_why(monkeypatch: pytest.MonkeyPatch, answer: Any, why: Any) -> None:
    (found,), _ = asked(monkeypatch, answer)
    assert found == LogHead(partition=PARTITION, missing=why)


def test_an_acceptance_from_before_heads_were_kept_still_reads() -> None:
    old = {"application_id": "a", "offer_id": "3f9c0a1b-2d4e-8f60-a182-93a4b5c6d7e8", "shown_sha256": "a" * 64}
    assert Acceptance.model_validate(old | {"method": "signature", "evidence": "x", "by": "o"}).log_head is None
