"""Contacts under the gate: asked and reserved in one transaction that holds the borrower."""

import asyncio

import pytest

from services.collections.access_matrix import MATRIX
from tests.integration.collections.desk import NOON, Desk, late, rule

pytestmark = pytest.mark.servers
CALL = {"channel": "voice", "purpose": "collection", "at": NOON}


async def test_of_fifty_senders_at_once_exactly_three_may_call(desk: Desk) -> None:
    await desk.has(late())
    answers = await asyncio.gather(
        *(desk.send("service", "POST", "/v1/borrowers/b-1/contacts", CALL) for _ in range(50))
    )
    reserved = [answer.json()["contact_id"] for answer in answers if answer.status_code == 202]
    assert len(set(reserved)) == 3
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(refused) == 47
    assert {rule(answer) for answer in refused} == {"contact-denied"}
    assert "cn-voice-daily" in refused[0].json()["detail"]
    events = await desk.published("collections.inbox.v1")
    assert sorted(event["data"]["contact_id"] for event in events) == sorted(reserved)
    assert {event["type"] for event in events} == {"collections.ContactReserved.v1"}


async def test_a_call_that_nobody_answered_frees_its_place_and_is_concluded_once(desk: Desk) -> None:
    await desk.has(late())
    path = "/v1/borrowers/b-1/contacts"
    made = [(await desk.send("service", "POST", path, CALL)).json()["contact_id"] for _ in range(3)]
    check = await desk.send(
        "collector", "GET", "/v1/borrowers/b-1/contact-check", channel="voice", purpose="collection", at=NOON
    )
    assert (check.json()["verdict"], check.json()["rule"]) == ("deny", "cn-voice-daily")
    assert check.json()["earliest"] == "2026-03-11T00:00:00+00:00"
    conclusion = f"/v1/contacts/{made[0]}/conclusion"
    stranger = await desk.send("collector", "POST", conclusion, {"outcome": "unanswered"})
    assert rule(stranger) == "not-the-callers"
    assert (await desk.send("service", "POST", conclusion, {"outcome": "unanswered"})).status_code == 202
    again = await desk.send("service", "POST", conclusion, {"outcome": "answered"})
    assert rule(again) == "contact-already-concluded"
    assert (await desk.send("service", "POST", path, CALL)).status_code == 202
    shown = await desk.send("b-1", "GET", path)
    assert sorted(contact["outcome"] for contact in shown.json()["contacts"]) == ["reserved"] * 3 + ["unanswered"]
    assert rule(await desk.send("b-2", "GET", path)) == "forbidden"


async def test_a_stop_counts_from_the_moment_in_which_it_is_recorded(desk: Desk) -> None:
    await desk.has(late())
    stop = {"kind": "dispute", "reason": "says that it was paid"}
    assert (await desk.send("collector", "POST", "/v1/borrowers/b-1/stops", stop)).status_code == 202
    denied = await desk.send("service", "POST", "/v1/borrowers/b-1/contacts", CALL)
    assert denied.json()["detail"].startswith("dispute: ")
    lifting = "/v1/borrowers/b-1/stops/lifting"
    assert rule(await desk.send("collector", "POST", lifting, stop)) == "forbidden"
    assert (await desk.send("supervisor", "POST", lifting, stop)).status_code == 202
    assert rule(await desk.send("supervisor", "POST", lifting, stop)) == "stop-not-set"
    assert (await desk.send("service", "POST", "/v1/borrowers/b-1/contacts", CALL)).status_code == 202


async def test_a_collector_asks_about_now_and_nobody_is_contacted_on_old_figures(desk: Desk) -> None:
    await desk.has(late())
    assert rule(await desk.send("collector", "POST", "/v1/borrowers/b-1/contacts", CALL)) == "instant-not-yours"
    now = {"channel": "voice", "purpose": "collection"}
    denied = await desk.send("collector", "POST", "/v1/borrowers/b-1/contacts", now)
    assert "cn-figures" in denied.json()["detail"]
    nobody = await desk.send("service", "POST", "/v1/borrowers/b-9/contacts", CALL)
    assert nobody.json()["detail"].startswith("no-party: ")


async def test_every_route_refuses_strangers(desk: Desk) -> None:
    for method, path in MATRIX:
        filled = path.format(borrower_id="b-1", case_id="c", contact_id="c", loan_id="L", promise_id="p", stage="t0")
        assert (await desk.http.request(method, filled)).status_code == 401, path
        assert (await desk.send("officer", method, filled)).status_code == 403, path
