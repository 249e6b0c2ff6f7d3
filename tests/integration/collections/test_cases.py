"""The desk: one case, one collector; promises and plans."""

import asyncio
from datetime import timedelta

import pytest

from tests.integration.collections.desk import OPEN, Desk, late, rule

pytestmark = pytest.mark.servers


async def test_of_two_collectors_one_gets_the_case(desk: Desk) -> None:
    state = late()
    await desk.has(state)
    assert state.case is not None
    answers = await asyncio.gather(*(desk.send(one, "POST", "/v1/queue/next") for one in ("collector", "second")))
    assert sorted(answer.status_code for answer in answers) == [200, 404]
    got, missed = sorted(answers, key=lambda answer: answer.status_code)
    assert rule(missed) == "queue-empty"
    assert got.json()["case_id"] == state.case.case_id
    holder = got.json()["taken_by"]
    other = "second" if holder == "collector" else "collector"
    lease = f"/v1/cases/{state.case.case_id}/lease"
    assert rule(await desk.send(other, "POST", lease)) == "case-taken-by-another"
    assert (await desk.send(holder, "POST", lease)).status_code == 200
    await desk.api.execute("UPDATE lease SET until = now() - interval '1 second'")
    assert (await desk.send(other, "POST", lease)).status_code == 200  # the lease had ended


async def test_a_case_that_is_given_back_is_passed_over_until_its_date(desk: Desk) -> None:
    small, large = late("b-1"), late("b-2")
    assert small.case is not None
    assert large.case is not None
    large.case.priority += 100
    await desk.has(small)
    await desk.has(large)
    first = (await desk.send("collector", "POST", "/v1/queue/next")).json()
    assert first["borrower_id"] == "b-2"
    back = f"/v1/cases/{first['case_id']}/return"
    assert rule(await desk.send("second", "POST", back, {})) == "case-not-taken"
    skipped = await desk.send(
        "collector", "POST", back, {"reason": "engaged", "again_on": str(OPEN + timedelta(days=2))}
    )
    assert skipped.status_code == 202
    assert (await desk.send("collector", "POST", "/v1/queue/next")).json()["borrower_id"] == "b-1"
    assert rule(await desk.send("second", "POST", "/v1/queue/next")) == "queue-empty"
    await desk.books.execute("UPDATE position SET open_date = $1", OPEN + timedelta(days=2))
    assert (await desk.send("second", "POST", "/v1/queue/next")).json()["borrower_id"] == "b-2"
    told = [event["type"].split(".")[1] for event in await desk.published("collections.inbox.v1")]
    assert told == ["CaseTaken", "CaseGivenBack", "CaseTaken", "CaseTaken"]


async def test_a_promise_above_the_debt_is_refused_by_name_and_so_is_one_too_many(desk: Desk) -> None:
    await desk.has(late())
    path = "/v1/loans/b-1-L1/promises"
    promise = {"amount": "500.00", "currency": "CNY", "due_date": str(OPEN + timedelta(days=5))}
    for wrong, named in (
        ({"amount": "6000.01"}, "promise-above-debt"),
        ({"amount": "0.00"}, "amount-zero"),
        ({"currency": "USD"}, "other-currency"),
        ({"due_date": "2026-03-09"}, "date-passed"),
        ({"due_date": "2026-05-01"}, "date-too-far-ahead"),
    ):
        assert rule(await desk.send("collector", "POST", path, promise | wrong)) == named
    assert rule(await desk.send("collector", "POST", "/v1/loans/none/promises", promise)) == "unknown-loan"
    answers = await asyncio.gather(*(desk.send("collector", "POST", path, promise) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [202, 202, 409, 409, 409]
    told = await desk.published("collections.inbox.v1")
    assert [event["data"]["amount"] for event in told] == ["500.00", "500.00"]


async def test_a_plan_is_a_fact_about_the_loan_and_a_promise_for_every_part(desk: Desk) -> None:
    await desk.has(late())
    path = "/v1/loans/b-1-L1/plans"
    parts = [{"due_date": str(OPEN + timedelta(days=days)), "amount": "250.00"} for days in (7, 37)]
    plan = {"currency": "CNY", "parts": parts, "evidence": "call/1"}
    assert rule(await desk.send("supervisor", "POST", path, plan | {"parts": parts[::-1]})) == "plan-not-in-order"
    above = [part | {"amount": "3000.01"} for part in parts]
    assert rule(await desk.send("supervisor", "POST", path, plan | {"parts": above})) == "plan-above-debt"
    assert rule(await desk.send("collector", "POST", path, plan)) == "forbidden"
    agreed = await desk.send("supervisor", "POST", path, plan)
    assert agreed.status_code == 202
    (fact,) = await desk.published("loans.lifecycle.v1")
    assert (fact["type"], fact["subject"], fact["id"]) == (
        "collections.PlanAgreed.v1",
        "b-1-L1",
        agreed.json()["plan_id"],
    )
    told = await desk.published("collections.inbox.v1")
    assert [event["data"]["plan_id"] for event in told] == [fact["id"]] * 2
