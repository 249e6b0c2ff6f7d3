"""A loan's servicing over HTTP, from two tranches to a recovery: tried out, previewed, recorded, and replayed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lendlog.cli import build
from lendlog.verify_command import log_reader
from services.ledger import queries
from services.ledger.api import Services
from services.ledger.commands import BreaksRule, ChangedMeanwhile, LoanNotContracted, ServiceLoan, Standing
from services.ledger.commands.state import Disbursed, MoneyOut
from services.ledger.explanation import why_entry
from services.ledger.restructuring import Restructuring, Share, limit_rows
from services.ledger.verify import verify
from services.ledger.worker import topics_of
from shared.access import issue
from shared.database import connect
from shared.errors import MissingPrecondition
from shared.events.envelope import new_event_id
from shared.events.servicing import RateChanged, Reschedule, WriteOff
from shared.events.terms import Terms
from tests.faults.ledger_run import caught_up, live_digest, replayed, workers
from tests.integration.api.client import LOAN, ROLES, TERMS, Client, problem, rule
from tests.integration.api.test_process import serving
from tests.places import Place

pytestmark = pytest.mark.servers


class Desk:
    """The officer's and the teller's calls on one loan, each followed by what the books then say."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.path = "/v1/loans/loan-1"

    async def ask(self, role: str, what: str, body: dict[str, Any], status: int = 202) -> dict[str, Any]:
        answer = await self.client.send(role, "POST", f"{self.path}/{what}", body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        if status == 202:
            found["loan"] = await self.read(answer.headers["location"])
            assert found["loan"]["parked"] is None
        return found

    async def officer(self, what: str, **body: Any) -> dict[str, Any]:
        return await self.ask("officer", what, body)

    async def pay(self, amount: str) -> dict[str, Any]:
        return await self.ask("teller", "payments", {"amount": amount, "currency": "EUR"})

    async def preview(self, what: str, role: str = "officer", **body: Any) -> dict[str, Any]:
        return await self.ask(role, f"{what}?preview=true", body, 200)

    async def refused(self, what: str, **body: Any) -> tuple[int, str]:
        answer = await self.client.send("officer", "POST", f"{self.path}/{what}", body)
        return answer.status_code, rule(answer)

    async def read(self, path: str) -> dict[str, Any]:
        answer = await self.client.send("auditor", "GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def close(self, day: str) -> None:
        answer = await self.client.send("operator", "POST", "/v1/book/closings", {"business_date": day})
        await self.read(answer.headers["location"])

    async def statement(self) -> dict[str, Any]:
        return await self.read(f"{self.path}/statement")


EUR = {"currency": "EUR"}


async def tranches(desk: Desk) -> None:
    """The contract's amount in two parts, and not a cent more."""
    assert await desk.refused("charges", part="fee", name="late-fee", amount="1", **EUR, due="2024-02-29") == (
        409,
        "loan-not-contracted",
    )
    await desk.client.send("officer", "POST", "/v1/loans", LOAN)
    assert await desk.refused("refunds", amount="1", **EUR) == (409, "loan-not-disbursed")
    first = await desk.officer("disbursement", amount="800.00", **EUR)
    assert first["loan"]["principal_outstanding"] == "800.00"
    assert await desk.refused("disbursement", amount="400.01", **EUR) == (422, "above-contract")
    assert await desk.refused("disbursement", amount="1", currency="USD") == (422, "other-currency")
    seen = await desk.preview("disbursement", amount="400.00", **EUR)
    second = await desk.officer("disbursement", amount="400.00", **EUR)
    assert second["loan"]["principal_outstanding"] == "1200.00"
    assert (await desk.statement())["instalments"] == seen["after"]["statement"]["instalments"]
    assert seen["difference"]["principal_outstanding"] == "400.00"


async def charges(desk: Desk) -> None:
    """A fee is waived, another credited."""
    fee = {"part": "fee", "name": "late-fee", "amount": "12.00", **EUR, "due": "2024-02-29"}
    charged = await desk.officer("charges", **fee)
    assert charged["loan"]["fees_due"] == "12.00"
    waiver = f"charges/{charged['event_id']}/waiver"
    assert (await desk.officer(waiver, reason="goodwill"))["loan"]["fees_due"] == "0.00"
    assert await desk.refused(waiver, reason="once more") == (409, "breaks-rule")
    adjustment = {"amount": "1.00", **EUR, "reason": "too much"}
    assert await desk.refused(f"charges/{charged['event_id']}/adjustments", **adjustment) == (409, "breaks-rule")
    assert await desk.refused(f"charges/{new_event_id()}/waiver", reason="typo") == (409, "breaks-rule")
    first, again = [
        await desk.client.send(
            "officer", "POST", f"{desk.path}/charges", fee | {"part": "penalty"}, idempotency_key="k"
        )
        for _ in range(2)
    ]
    assert (first.status_code, first.json()) == (202, again.json())
    away = f"events/{first.json()['event_id']}/undoing"
    taken = [
        await desk.client.send("officer", "POST", f"{desk.path}/{away}", {"reason": "typo"}, idempotency_key="u")
        for _ in range(2)
    ]
    assert [answer.status_code for answer in taken] == [202, 202]
    assert taken[0].json() == taken[1].json()
    penalty = await desk.officer("charges", **fee | {"part": "penalty", "amount": "5.00"})
    adjusted = await desk.officer(f"charges/{penalty['event_id']}/adjustments", amount="2.00", **EUR, reason="too much")
    line = (await desk.statement())["transactions"][-1]
    assert (line["event_id"], line["kind"], line["amount"]) == (adjusted["event_id"], "charge-adjustment", "2.00")
    assert await desk.refused("charges", **fee | {"currency": "USD"}) == (422, "other-currency")
    assert await desk.refused("charges", **fee, effective_date="2024-01-30") == (422, "before-disbursement")
    assert await desk.refused("charges", **fee, effective_date="2024-02-02") == (422, "value-date-ahead")


async def rescheduling(desk: Desk) -> None:
    """A preview records nothing and shows what the reschedule then does."""
    body = {"changes": [{"change": "due-date", "due": "2024-02-29", "to": "2024-03-15"}], "reason": "harvest is late"}
    before = await desk.statement()
    seen = await desk.preview("reschedules", **body)
    assert await desk.statement() == before
    assert seen["before"]["statement"]["instalments"] == before["instalments"]
    assert [one["due_date"] for one in seen["difference"]["instalments"]][:2] == ["2024-02-29", "2024-03-15"]
    nowhere = {"changes": [{"change": "rate", "from_due": "2024-02-28", "annual_rate": "0.1"}], "reason": "typo"}
    assert await desk.refused("reschedules", **nowhere) == (409, "breaks-rule")
    await desk.officer("reschedules", **body)
    after = await desk.statement()
    assert after["instalments"] == seen["after"]["statement"]["instalments"]
    entries = (await desk.read(f"{desk.path}/entries"))["entries"]
    assert entries[-1]["postings"] == seen["difference"]["entries"]


async def restructuring(desk: Desk) -> None:
    """The only loan is all of the portfolio: more than may be restructured, unless the authority says why."""
    rate = {"changes": [{"change": "rate", "from_due": "2024-05-15", "annual_rate": "0.11"}], "reason": "flood"}
    body = rate | {"restructure": True}
    for what in ("reschedules", "reschedules?preview=true"):
        assert await desk.refused(what, **body) == (409, "restructured-share-above-limit")
    body["override"] = "every borrower of the valley"
    assert await desk.refused("reschedules", **body) == (403, "override-not-allowed")
    seen = await desk.preview("reschedules", "approver", **body)
    told = seen["event"]["data"]["override"]
    assert (seen["restructuring"]["share_before"], seen["restructuring"]["share_after"]) == ("0.000000", "1.000000")
    assert told == {"reason": body["override"], "by": "approver"} | seen["restructuring"]
    done = await desk.ask("approver", "reschedules", body)
    again = await desk.preview("reschedules", **body | {"override": None})
    assert (again["restructuring"]["share_before"], again["restructuring"]["times"]) == ("1.000000", 2)
    undone = await desk.officer(f"events/{done['event_id']}/undoing", reason="the flood was elsewhere")
    assert undone["loan"]["as_of"]["offset"] > done["loan"]["as_of"]["offset"]


async def money_taken_back(desk: Desk) -> None:
    """A payment comes back, a credit was a mistake."""
    paid = await desk.pay("300.00")
    back = f"payments/{paid['event_id']}/chargeback"
    assert await desk.refused(back, amount="300.01", **EUR) == (409, "breaks-rule")
    assert await desk.refused(f"payments/{new_event_id()}/chargeback", amount="1", **EUR) == (404, "unknown-payment")
    owed = paid["loan"]["principal_outstanding"]
    returned = await desk.pay("10.00")
    await desk.officer(f"payments/{returned['event_id']}/reversal", reason="returned by the bank")
    charged_back = await desk.officer(back, amount="100.00", **EUR)
    assert float(charged_back["loan"]["principal_outstanding"]) == float(owed) + 100
    assert await desk.refused(f"payments/{paid['event_id']}/reversal", reason="typo") == (409, "breaks-rule")
    credited = await desk.officer("credits", kind="goodwill-credit", amount="50.00", **EUR)
    undoing = f"events/{credited['event_id']}/undoing"
    undone = await desk.officer(undoing, reason="wrong loan")
    assert undone["loan"]["principal_outstanding"] == charged_back["loan"]["principal_outstanding"]
    assert await desk.refused(undoing, reason="twice") == (409, "breaks-rule")


async def delinquency(desk: Desk) -> None:
    """Days past due count, and stand still in a pause."""
    for n in range(61):
        await desk.close((date(2024, 1, 31) + timedelta(days=n)).isoformat())
    late = await desk.read(f"{desk.path}/delinquency")
    await desk.officer("pauses", start="2024-03-20", end="2024-04-30")
    assert await desk.refused("pauses", start="2024-04-01", end="2024-03-01") == (409, "breaks-rule")
    paused = await desk.read(f"{desk.path}/delinquency")
    assert paused["paused"]
    assert paused["days_delinquent"] < late["days_delinquent"] or late["days_past_due"] == 0
    await desk.officer("resumption", reason="agreed")
    assert await desk.refused("resumption", reason="again", effective_date="2024-03-19") == (409, "breaks-rule")


async def ending(desk: Desk) -> None:
    """A quote that ends the loan, a charge-off, and money that comes in after it."""
    quote = await desk.read(f"{desk.path}/payoff?on=2024-04-15")
    assert (quote["on"], quote["currency"]) == ("2024-04-15", "EUR")
    seen = await desk.preview("payments", "teller", amount=quote["total"], **EUR)
    assert seen["after"]["statement"]["status"] == "settled"
    assert await desk.refused("charge-off", reason="x", effective_date="2024-02-01") == (409, "breaks-rule")
    called = await desk.preview("acceleration", reason="default")
    assert called["after"]["statement"]["instalments"] != called["before"]["statement"]["instalments"]
    off = await desk.officer("charge-off", reason="insolvent")
    assert off["loan"]["charged_off_on"] == "2024-04-01"
    assert await desk.refused("re-amortisation", reason="too late") == (409, "breaks-rule")
    await desk.pay("20.00")
    last = (await desk.read(f"{desk.path}/entries"))["entries"][-1]["postings"]
    assert [(line["credit"], line["amount"]) for line in last] == [("recoveries", "20.00")]
    await desk.officer("write-off", reason="estate is empty")
    assert await desk.refused("refunds", amount="1", **EUR) == (409, "breaks-rule")
    recovered = await desk.pay("30.00")
    assert recovered["loan"]["status"] == "written-off"
    assert (await desk.statement())["transactions"][-1]["kind"] == "recovery"
    for question, answer in (("payoff?on=2024-04-01", "no-payoff"), ("delinquency?on=2024-04-02", "as-of-ahead")):
        refused = await desk.client.send("auditor", "GET", f"{desk.path}/{question}")
        assert (rule(refused), problem(refused)["errors"][0]["field"]) == (answer, "query/on")


async def explained(books: Any) -> None:
    """Every entry of the loan has its rule, and the loan before and after."""
    view = await queries.entries_view(books, "loan-1")
    assert view is not None
    for entry in view["entries"]:
        told = await why_entry(books, entry["partition"], entry["offset"], "loan-1")
        assert told is not None
        assert told["rule"]
        assert told["postings"] == entry["postings"]
        assert {told["before"]["loan_id"], told["after"]["loan_id"]} == {"loan-1"}
        if entry["type"] in ("ledger.LoanChargedOff.v1", "ledger.LoanWrittenOff.v1"):
            assert told["before"] != told["after"]


def command_line(place: Place, statement: dict[str, Any], api: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    """The same statement, and the same preview, by commands."""

    @asynccontextmanager
    async def reading() -> AsyncIterator[tuple[None, Any]]:
        connection = await connect(place.url("reader"), place.ledger_schema)
        try:
            yield None, connection
        finally:
            await connection.close()

    for module in ("loan_command", "loan_previewing", "payoff_command"):
        patch.setattr(f"lendlog.{module}.reading", reading)
        patch.setattr(f"lendlog.{module}.run_to_end", asyncio.run)  # signals are the main thread's

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(build(arguments), arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert json.loads(call("loan", "statement", "loan-1", "--json")) == statement
    preview = ("loan", "preview", "loan-1")
    charge = (*preview, "charge", "--amount", "7", "--name", "late-fee")
    assert json.loads(call(*charge, "--json")) == api
    assert json.loads(call("payoff", "loan-1", "--on", "2024-02-10", "--json"))["on"] == "2024-02-10"
    lines = call("loan", "statement", "loan-1").splitlines()
    head = lines.index("instalments:") + 1
    assert len({len(line) for line in lines[head : lines.index("", head)]}) == 1
    moved = call(*preview, "reschedule", "--move", "2024-03-15:2024-03-20", "--extend", "2024-03-20:1")
    assert "2024-03-20" in moved
    assert "would be booked" in moved
    for kind in (("credit", "--amount", "1"), ("refund", "--amount", "1"), ("charge-off",), ("write-off",)):
        assert "fees-receivable" in call(*charge)
        assert json.loads(call(*preview, *kind, "--json"))["difference"]["entries"]
    for broken, sentence in (
        (("reschedule",), "--move"),
        (("reschedule", "--move", "tomorrow"), "--help"),
        (("charge", "--amount", "-1"), "amount"),
    ):
        with pytest.raises(MissingPrecondition, match=sentence):
            call(*preview, *broken)
    with pytest.raises(BreaksRule):
        call(*preview, "waive", new_event_id())
    with pytest.raises(MissingPrecondition, match="no loan"):
        call("payoff", "nobody", "--on", "2024-02-10")


async def test_a_loan_from_two_tranches_to_a_recovery(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    tokens = {role: await issue(database, name=role, role=role) for role in (*ROLES, "approver")}
    await database.close()
    async with serving(place) as (_, http):
        with workers(place, tmp_path) as alive:
            desk = Desk(Client(http, tokens))
            await desk.client.opened()
            for step in (tranches, charges, rescheduling, restructuring, money_taken_back):
                await step(desk)
            fee = {"part": "fee", "name": "late-fee", "amount": "7", **EUR, "due": "2024-01-31"}
            seen = await desk.preview("charges", **fee)
            await asyncio.to_thread(command_line, place, await desk.statement(), seen, monkeypatch)
            for step in (delinquency, ending):
                await step(desk)
            await caught_up(place, alive=alive)
    live = await live_digest(place)
    assert live["parked"] == 0
    replay, _ = await replayed(place)
    assert replay == live
    books = await connect(place.admin_url, place.ledger_schema)
    await explained(books)
    audit = await verify(books, log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle))
    await books.close()
    assert audit.findings == {}


async def test_terms_give_a_schedule_without_a_contract(client: Client) -> None:
    body = {"terms": TERMS, "disbursed_on": "2024-01-31"}
    answer = await client.send("auditor", "POST", "/v1/schedules", body)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert len(made["instalments"]) == 12
    assert made["instalments"][-1]["balance"] == "0.00"
    assert made["total"] == "1279.42"
    late = await client.send("auditor", "POST", "/v1/schedules", body | {"disbursed_on": "2024-03-01"})
    assert (late.status_code, problem(late)["errors"][0]["field"]) == (422, "/disbursed_on")
    broken = await client.send("auditor", "POST", "/v1/schedules", body | {"terms": TERMS | {"principal": "0.02"}})
    assert (rule(broken), problem(broken)["errors"][0]["field"]) == ("unschedulable-terms", "/terms/principal")


async def test_a_bad_servicing_request_is_refused_by_field(client: Client) -> None:
    await client.opened()
    for path, body, field in (
        ("charges", {"part": "tax", "name": "x", "amount": "1", "currency": "EUR", "due": "2024-02-29"}, "/part"),
        ("charges", {"part": "fee", "name": "x", "amount": "-1", "currency": "EUR", "due": "2024-02-29"}, "/amount"),
        ("reschedules", {"changes": [], "reason": "x"}, "/changes"),
        ("re-ageing", {"first_due": "2024-02-30", "instalments": 3, "reason": "x"}, "/first_due"),
        ("pauses", {"start": "2024-02-01", "end": "2024-02-02", "colour": "red"}, "/colour"),
        ("write-off", {"reason": ""}, "/reason"),
    ):
        answer = await client.send("officer", "POST", f"/v1/loans/loan-1/{path}", body)
        assert (answer.status_code, problem(answer)["errors"][0]["field"]) == (422, field), answer.text


async def test_a_command_that_was_tried_out_on_another_state_of_the_loan_is_not_recorded(
    client: Client, services: Services
) -> None:
    await client.opened()
    await client.send("officer", "POST", "/v1/loans", LOAN)
    await client.send("officer", "POST", "/v1/loans/loan-1/disbursement", {"amount": "1200", "currency": "EUR"})
    money = (MoneyOut(new_event_id(), date(2024, 1, 31), 120_000),)
    loan = Disbursed("b-1", Terms.model_validate(TERMS), money)

    def write_off(loan_id: str) -> ServiceLoan:
        return ServiceLoan(loan_id, WriteOff(reason="lost"), None, new_event_id())

    def tried(command: ServiceLoan, standing: Standing) -> Any:
        return services.commands.record_together([command], standings={command.loan_id: standing})

    last = await services.commands.last_event("loan-1")
    with pytest.raises(ChangedMeanwhile):
        await tried(write_off("loan-1"), Standing(loan, frozenset(), new_event_id()))
    await tried(write_off("loan-1"), Standing(loan, frozenset(), last))
    with pytest.raises(ChangedMeanwhile):
        await tried(write_off("loan-1"), Standing(loan, frozenset(), last))
    with pytest.raises(LoanNotContracted):
        await services.commands.record(write_off("loan-2"))
    await tried(write_off("loan-2"), Standing(loan, frozenset()))
    flood = Reschedule(
        changes=(RateChanged(from_due=date(2024, 2, 29), annual_rate="0"),), restructure=True, reason="flood"
    )
    seen = Restructuring(Share(0, 10_000_000), 120_000, 0, limit_rows()[0])
    for loan_id in ("loan-3", "loan-4"):  # both were tried out before either was recorded
        stood = Standing(loan, frozenset(), restructuring=seen)
        restructure = ServiceLoan(loan_id, flood, None, new_event_id())
        if loan_id == "loan-3":
            await tried(restructure, stood)
        else:
            with pytest.raises(ChangedMeanwhile):
                await tried(restructure, stood)
    waiting = await client.send("officer", "POST", "/v1/loans/loan-1/write-off", {"reason": "lost"})
    assert (waiting.status_code, rule(waiting)) == (504, "not-in-the-books-yet")
