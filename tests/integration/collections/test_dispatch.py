"""Reminders: sent once, whatever happens on the way; what nobody can know becomes visible and is not repeated."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from services.collections.addresses import OriginationAddresses
from services.collections.channel import AddressUnavailable, Failed, Unclear
from services.collections.dispatch import Dispatcher
from tests.integration.collections.desk import NOON, Desk, Recording, late, moment, reminded, rule

pytestmark = pytest.mark.servers


async def outcomes(desk: Desk) -> list[str]:
    rows = await desk.api.fetch("SELECT outcome FROM contact ORDER BY reserved_at, contact_id")
    return [row["outcome"] for row in rows]


async def test_a_reminder_goes_out_once_in_the_borrowers_language(desk: Desk, channel: Recording) -> None:
    await desk.has(reminded())
    passed = await desk.send("operator", "POST", "/v1/reminders/dispatch", {"at": NOON})
    assert (passed.status_code, passed.json()["sent"]) == (200, 1)
    again = (await desk.send("service", "POST", "/v1/reminders/dispatch", {"at": NOON})).json()
    assert (again["due"], again["sent"]) == (0, 0)
    ((address, message),) = channel.sent
    assert (address, message.language) == ("b-1@borrowers.example", "zh-CN")
    assert "b-1-L1" in message.text
    assert "b-1-L1" not in message.subject
    told = [event["data"]["outcome"] for event in await desk.published("collections.inbox.v1")]
    assert told == ["reserved", "sent"]


async def test_at_night_nothing_goes_out_and_on_the_next_day_it_is_too_late_for_this_one(
    desk: Desk, channel: Recording
) -> None:
    await desk.has(reminded())
    early = (await desk.send("operator", "POST", "/v1/reminders/dispatch", {"at": "2026-03-09T22:00:00Z"})).json()
    assert early["denied"] == {"cn-hours": 1}  # six in the morning of the 10th in Shanghai
    late_one = (await desk.send("operator", "POST", "/v1/reminders/dispatch", {"at": "2026-03-11T04:00:00Z"})).json()
    assert late_one["due"] == 0
    assert channel.sent == []


async def test_what_was_refused_is_tried_again_and_what_is_unclear_is_not(
    desk: Desk, dispatcher: Dispatcher, channel: Recording
) -> None:
    await desk.has(reminded("b-1"))
    await desk.has(reminded("b-2"))
    channel.ends = {
        "b-1@borrowers.example": Failed("550 no such mailbox"),
        "b-2@borrowers.example": Unclear("the line was lost"),
    }
    first = await dispatcher.run_pass(moment(NOON))
    assert (first["failed"], first["unclear"]) == (1, 1)
    channel.ends = {}
    second = await dispatcher.run_pass(moment(NOON) + timedelta(hours=1))
    assert (second["due"], second["sent"]) == (1, 1)
    assert [address for address, _ in channel.sent].count("b-2@borrowers.example") == 1
    (unclear,) = (await desk.send("auditor", "GET", "/v1/contacts")).json()["contacts"]
    assert (unclear["borrower_id"], unclear["detail"]) == ("b-2", "the line was lost")
    conclusion = f"/v1/contacts/{unclear['contact_id']}/conclusion"
    found_out = await desk.send("operator", "POST", conclusion, {"outcome": "sent", "detail": "the borrower has it"})
    assert found_out.status_code == 202


async def test_a_pass_that_died_leaves_unclear_and_never_a_second_message(
    desk: Desk, dispatcher: Dispatcher, channel: Recording
) -> None:
    await desk.has(reminded())
    channel.open.clear()
    dying = asyncio.create_task(dispatcher.run_pass(moment(NOON)))
    async with asyncio.timeout(20):
        await channel.asked.wait()
    assert await outcomes(desk) == ["reserved"]  # committed before anything is sent
    assert rule(await desk.send("operator", "POST", "/v1/reminders/dispatch", {"at": NOON})) == "dispatch-under-way"
    dying.cancel()
    await asyncio.wait({dying})
    channel.open.set()
    after = await dispatcher.run_pass(moment(NOON))
    assert (after["left_unclear"], after["due"]) == (1, 0)
    assert await outcomes(desk) == ["unclear"]
    assert len(channel.sent) == 1


async def test_a_promise_or_a_dispute_silences_and_a_reminder_still_needs_the_gate(
    desk: Desk, channel: Recording
) -> None:
    await desk.has(reminded("b-1"))
    await desk.has(reminded("b-2", channels=("voice",)))
    await desk.send("collector", "POST", "/v1/borrowers/b-1/stops", {"kind": "dispute", "reason": "a test"})
    passed = (await desk.send("operator", "POST", "/v1/reminders/dispatch", {"at": NOON})).json()
    assert passed["denied"] == {"dispute": 1, "no-channel": 1}
    assert channel.sent == []


async def test_the_day_after_is_reminded_until_a_case_stands(desk: Desk, channel: Recording) -> None:
    await desk.has(late("b-1"))
    passed = (await desk.send("operator", "POST", "/v1/reminders/dispatch", {"at": NOON})).json()
    assert passed["due"] == 0


async def test_addresses_come_from_originations_api_and_its_silence_is_no_address() -> None:
    asked: list[tuple[str, str | None, str | None]] = []

    async def contact(request: web.Request) -> web.Response:
        asked.append((request.path, request.query.get("purpose"), request.headers.get("authorization")))
        if request.match_info["borrower"] == "gone":
            return web.json_response({}, status=410)
        if request.match_info["borrower"] == "down":
            return web.json_response({}, status=503)
        return web.json_response({"address": "li.hua@borrowers.example", "name": "Li Hua"})

    app = web.Application()
    app.router.add_get("/v1/parties/{borrower}/contact/{channel}", contact)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with OriginationAddresses(f"http://127.0.0.1:{port}", "a-token") as book:
            assert await book.address("b-1", "email", "reminder") == "li.hua@borrowers.example"
            assert await book.address("gone", "email", "reminder") is None
            with pytest.raises(AddressUnavailable):
                await book.address("down", "email", "reminder")
    finally:
        await runner.cleanup()
    assert asked[0] == ("/v1/parties/b-1/contact/email", "reminder", "Bearer a-token")
