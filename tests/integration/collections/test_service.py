"""Collections as it runs: worker, API, the servers around them; killed in the middle of a sending; and replayed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.integration.collections.post import Taking, post
from tests.integration.collections.running import PARTITIONS, Collections, Process, process

pytestmark = pytest.mark.servers
OPENED, DUE, NEXT = date(2026, 3, 1), date(2026, 3, 10), date(2026, 4, 10)


class Hanging(Taking):
    """Takes messages, and says so only when `answers` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.took, self.answers = asyncio.Event(), asyncio.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        answer = await super().handle_DATA(server, session, envelope)
        self.took.set()
        await self.answers.wait()
        return answer


@asynccontextmanager
async def origination() -> AsyncIterator[str]:
    """The URL of a contact API that has an address for everybody."""

    async def contact(request: web.Request) -> web.Response:
        return web.json_response({"address": f"{request.match_info['borrower']}@borrowers.example", "name": "Li Hua"})

    app = web.Application()
    app.router.add_get("/v1/parties/{borrower}/contact/email", contact)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def collections(places: Any) -> Collections:
    return Collections(await places(partitions=PARTITIONS, services=("collections",)))


class Calls:
    """Calls one API process as one of the roles."""

    def __init__(self, http: httpx.AsyncClient, api: Process, tokens: dict[str, str]) -> None:
        self.http, self.api, self.tokens = http, api, tokens

    async def __call__(self, role: str, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        answer = await self.http.request(method, self.api.url + path, json=body, headers=headers, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json()


async def test_killed_in_the_middle_of_a_sending_it_is_unclear_and_never_sent_again(
    collections: Collections, tmp_path: Path
) -> None:
    place, taking = collections.place, Hanging()
    tokens = await collections.tokens("operator", "auditor")
    noon = {"at": "2026-03-07T04:00:00Z"}
    async with httpx.AsyncClient() as http, origination() as book, post(taking) as port:
        about = {"LENDLOG_ORIGINATION_URL": book, "LENDLOG_SMTP_URL": f"smtp://127.0.0.1:{port}"}
        with process(place, "app", tmp_path) as worker:
            await collections.register("b-1")
            await collections.close(OPENED - timedelta(days=1), OPENED)
            await collections.entry("b-1", date(2026, 3, 2), next_due=DUE)
            await collections.close(date(2026, 3, 2), date(2026, 3, 6))
            await collections.until("(SELECT count(*) FROM reminder) = 1", worker)
            with process(place, "api", tmp_path, **about) as api:
                await api.ready(http)
                sending = asyncio.create_task(
                    Calls(http, api, tokens)("operator", "POST", "/v1/reminders/dispatch", noon)
                )
                async with asyncio.timeout(60):
                    await taking.took.wait()
                api.kill()
                with pytest.raises(httpx.TransportError):
                    await sending
            with process(place, "api", tmp_path, **about) as api:
                await api.ready(http)
                call = Calls(http, api, tokens)
                (unclear,) = (await call("auditor", "GET", "/v1/contacts"))["contacts"]
                assert (unclear["borrower_id"], unclear["outcome"]) == ("b-1", "unclear")
                taking.answers.set()
                again = await call("operator", "POST", "/v1/reminders/dispatch", noon)
                assert (again["due"], again["sent"]) == (0, 0)
                metrics = (await http.get(f"{api.url}/metrics")).text
                assert "lendlog_collections_unclear_contacts 1.0" in metrics
                await collections.until("(SELECT outcome FROM contact_log) = 'unclear'", worker, api)
            assert taking.recipients == ["b-1@borrowers.example"]
            live = await collections.digest()
            for batch in (1, 1000):
                assert (await collections.replayed(batch))["digest"] == live["digest"]


async def test_a_promise_recorded_parks_the_case_and_its_breach_resumes_it_and_all_of_it_replays(
    collections: Collections, tmp_path: Path
) -> None:
    place = collections.place
    tokens = await collections.tokens("collector", "auditor")
    async with httpx.AsyncClient() as http:
        with process(place, "app", tmp_path) as worker, process(place, "api", tmp_path) as api:
            call = Calls(http, api, tokens)
            for borrower in ("b-1", "b-2"):
                await collections.register(borrower)
            await collections.close(OPENED - timedelta(days=1), OPENED)
            for borrower in ("b-1", "b-2"):
                await collections.entry(borrower, date(2026, 3, 2), next_due=DUE)
            await collections.close(date(2026, 3, 2), date(2026, 3, 9))
            await collections.until_open(DUE, worker)
            await collections.entry("b-1", DUE, next_due=NEXT, since=DUE)
            await collections.entry("b-2", DUE, next_due=NEXT, since=DUE)
            await collections.close(DUE, date(2026, 3, 14))
            await collections.until("(SELECT count(*) FROM collection_case WHERE status = 'open') = 2", worker, api)
            await api.ready(http)

            taken = await call("collector", "POST", "/v1/queue/next")
            other = "b-2" if taken["borrower_id"] == "b-1" else "b-1"
            promise = {"amount": "500.00", "currency": "CNY", "due_date": "2026-03-18"}
            await call("collector", "POST", f"/v1/loans/{taken['borrower_id']}-loan/promises", promise)
            await collections.until("(SELECT count(*) FROM collection_case WHERE status = 'parked') = 1", worker, api)
            await collections.entry(other, date(2026, 3, 15), next_due=NEXT, cash="500.00")
            await collections.close(date(2026, 3, 15), date(2026, 3, 19))
            await collections.until_open(date(2026, 3, 20), worker)
            await collections.until("NOT EXISTS (SELECT FROM outbox)", worker)

            case = await call("auditor", "GET", f"/v1/cases/{taken['case_id']}/history")
            lines = [line["type"].split(".")[1] for line in case["history"]]
            assert lines == ["CaseOpened", "CaseTaken", "PromiseMade", "CaseParked", "PromiseBroken", "CaseResumed"]
            assert case["history"][0]["cause"]["type"] == "ledger.LedgerDateClosed.v1"
            assert "ledger.events.v1/" in case["history"][0]["cause"]["source"]
            closed = await call("auditor", "GET", f"/v1/borrowers/{other}/case")
            assert (closed["status"], closed["past_due"]) == ("closed", {})
            live = await collections.digest()
            for batch in (1, 1000):
                assert (await collections.replayed(batch))["digest"] == live["digest"]
