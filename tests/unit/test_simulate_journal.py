"""A simulation that is killed, wherever it is, goes on to the same end: nothing is done twice, nothing otherwise."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lendlog.simulate.client import Client
from lendlog.simulate.journal import Journal, JournalBroken

DAYS = 4


class Killed(Exception):
    pass


class Api:
    """Answers a command once a key, like the services; what it answers else depends on how many dates are closed."""

    def __init__(self) -> None:
        self.closed = 0
        self.done: Counter[str] = Counter()
        self.answers: dict[str, Any] = {}
        self.left = 10**6
        """Requests until a kill."""
        self.lose_answer = False
        """Whether the last one is taken in before."""

    async def request(
        self, _role: str, _service: str, method: str, path: str, _body: Any, headers: Any, _query: Any
    ) -> tuple[int, Any]:
        self.left -= 1
        if self.left < 0 and not self.lose_answer:
            raise Killed
        found = (200, {"closed": self.closed}) if method == "GET" else self._command(path, headers["idempotency-key"])
        if self.left < 0:
            raise Killed
        return found

    def _command(self, path: str, key: str) -> tuple[int, Any]:
        if key in self.answers:
            return 202, self.answers[key]
        if path == "/blocked" and self.closed < 2:
            return 409, {"type": "https://x/blocked", "detail": "not yet"}
        self.done[key] += 1
        self.closed += path == "/close"
        self.answers[key] = {"n": len(self.answers)}
        return 202, self.answers[key]


async def life(path: Path, api: Api, *, fresh: bool) -> list[Any]:
    """What a lender heard: it reads, tries what may be refused, writes on what it read, and closes the date."""
    with Journal(path, fresh=fresh) as journal:
        client = Client({}, {}, keys="sim-7")
        client.journal = journal
        return await _live(client, api)


async def _live(client: Client, api: Api) -> list[Any]:
    client._request = api.request  # type: ignore[method-assign] # the socket's place
    heard: list[Any] = []
    for day in range(DAYS):
        heard.append(seen := await client.get("risk", "monitoring", "/alerts", limit="5"))
        heard.append(due := await client.read(f"due-{day}", lambda: _read(api)))
        heard.append(await client.attempt("officer", "origination", "/blocked", key=f"blocked-{day}"))
        heard.append(await client.post("teller", "ledger", "/pay", key=f"pay-{day}-{seen['closed']}-{due}"))
        heard.append(await client.post("operator", "ledger", "/close", key=f"close-{day}"))
    return [*heard, dict(client.refusals), client.requests]


async def _read(api: Api) -> int:
    return api.closed


@pytest.mark.parametrize("lose_answer", [False, True])
async def test_killed_at_any_request_the_life_is_the_same(tmp_path: Path, lose_answer: bool) -> None:
    whole = Api()
    expected = await life(tmp_path / "whole", whole, fresh=True)
    for point in range(4 * DAYS):
        api, path = Api(), tmp_path / f"killed-{point}"
        api.left, api.lose_answer = point, lose_answer
        with pytest.raises(Killed):
            await life(path, api, fresh=True)
        api.left = 10**6
        assert (await life(path, api, fresh=False))[:-1] == expected[:-1], point
        assert api.done == whole.done
        assert set(api.done.values()) == {1}


def test_a_last_line_that_was_cut_off_is_dropped_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, fresh=True) as journal:
        for n in range(3):
            journal.keep("GET /book", [200, n])
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes() + b'["close-2024-01-0')
    with Journal(path) as again:
        assert [again.recall("GET /book")[1] for _ in range(3)] == [0, 1, 2]
        assert not again.has("GET /book")
        again.keep("close-1", [202, {}])
    with Journal(path) as third:
        assert (third.names("close-"), third.count) == (1, 4)
    path.write_bytes(b"{\n" + path.read_bytes())
    with pytest.raises(JournalBroken, match="journal:1"):
        Journal(path)


def test_a_fresh_book_begins_a_fresh_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", fresh=True) as first:
        first.keep("open", [202, {}])
    with Journal(tmp_path / "journal", fresh=True) as second:
        assert second.count == 0
