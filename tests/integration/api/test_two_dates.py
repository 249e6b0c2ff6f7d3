"""Figures as known on one date and effective on another, over HTTP, by commands, and against every posting there is."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from lendlog.cli import build
from lendlog.platform import Platform
from lendlog.portfolio_at import portfolio_at
from services.ledger import queries
from services.ledger.queries.balances import _BALANCES
from services.ledger.queries.late import _LATE
from services.ledger.queries.reports import income_document, movements_document, movements_of, trial_balance_document
from services.ledger.queries.tallies import balances_document, tally
from shared.access import issue
from shared.database import connect
from tests.integration.api.client import LOAN, ROLES, Client, problem, rule
from tests.integration.api.test_process import serving
from tests.integration.api.test_story import worker
from tests.integration.verify.conftest import DAYS, FIRST, PARTITIONS, fill
from tests.places import Place, new_place
from tests.property.test_two_dates import date_of, parts

pytestmark = pytest.mark.servers
OPENED, CLOSED = date(2024, 1, 31), date(2024, 3, 10)
EUR = {"currency": "EUR"}


class Reader:
    """The auditor's readings."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def read(self, path: str, status: int = 200) -> Any:
        answer = await self.client.send("auditor", "GET", path)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def loan(self, *dates: str) -> Any:
        return await self.read("/v1/loans/loan-1?" + "&".join(dates))

    async def close(self, start: date, end: date) -> None:
        for n in range((end - start).days + 1):
            body = {"business_date": (start + timedelta(days=n)).isoformat()}
            answer = await self.client.send("operator", "POST", "/v1/book/closings", body)
            assert answer.status_code == 202, answer.text
        await self.read(answer.headers["location"])


async def test_a_backdated_payment_is_known_from_its_booking_on(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await connect(place.url("ledger_api"), place.api_schema)
    tokens = {role: await issue(database, name=role, role=role) for role in ROLES}
    await database.close()
    async with serving(place) as (_, http), worker(place):
        client = Client(http, tokens)
        reader = Reader(client)
        await client.opened()
        await client.send("officer", "POST", "/v1/loans", LOAN)
        await client.send("officer", "POST", "/v1/loans/loan-1/disbursement", {"amount": "1200.00", **EUR})
        await reader.close(OPENED, CLOSED)
        paid = await client.pay({"amount": "106.62", "effective_date": "2024-02-28", **EUR})
        await reader.read(paid.headers["location"])
        await reader.close(CLOSED + timedelta(days=1), CLOSED + timedelta(days=2))

        before = await reader.loan("known=2024-03-10", "effective=2024-03-05")
        after = await reader.loan("known=2024-03-11", "effective=2024-03-05")
        assert (before["days_past_due"], after["days_past_due"]) == (5, 0)
        assert before["principal_outstanding"] > after["principal_outstanding"]
        assert (before["as_of"]["date"], before["as_of"]["known"]) == ("2024-03-05", "2024-03-10")
        assert before["as_of"]["offset"] < after["as_of"]["offset"]
        now = await reader.loan("as_of=2024-03-05")
        assert now == after | {"as_of": now["as_of"]}
        for what in ("schedule", "statement"):
            seen = [
                (await reader.read(f"/v1/loans/loan-1/{what}?known=2024-03-{day}&effective=2024-03-05"))["instalments"]
                for day in (10, 11)
            ]
            assert [one[0]["outstanding"] for one in seen] == ["106.62", "0.00"]
        assert (await reader.read("/v1/loans/loan-1/delinquency?on=2024-03-05&known=2024-03-10"))["days_past_due"] == 5
        assert (await reader.loan("known=2024-01-30"))["status"] == "unknown"

        quotes = [
            Decimal((await reader.read(f"/v1/loans/loan-1/payoff?on=2024-03-20&known=2024-03-{day}"))["total"])
            for day in (10, 11)
        ]
        assert quotes[0] - quotes[1] == Decimal("106.62")
        await late_money_leaves_the_arrears_of_its_date(place)

        cash = {}
        for n in range((CLOSED - OPENED).days + 3):
            known = (OPENED + timedelta(days=n)).isoformat()
            one = (await reader.read(f"/v1/trial-balance?known={known}"))["currencies"]["EUR"]
            assert one["difference"] == "0.00"
            assert one["debits"] == one["credits"]
            cash[known] = next(line["balance"] for line in one["accounts"] if line["account"] == "cash")
        assert (cash["2024-03-10"], cash["2024-03-11"]) == ("-1200.00", "-1093.38")
        told = await reader.read("/v1/loans/loan-1/balances?effective=2024-02-27")
        assert {line["account"]: line["balance"] for line in told["currencies"]["EUR"]["accounts"]} == {
            "cash": "-1200.00",
            "loans-receivable": "1200.00",
        }

        moved = await reader.read("/v1/movements?from=2024-03-01&to=2024-03-12")
        assert [fact["event_id"] for fact in moved["late_facts"]] == [paid.json()["event_id"]]
        assert moved["late_facts"][0]["counts_from"] == "2024-02-28"
        line = next(line for line in moved["currencies"]["EUR"]["accounts"] if line["account"] == "cash")
        assert (line["opening"], line["late_debit"], line["closing"]) == ("-1200.00", "106.62", "-1093.38")
        by_value = await reader.read("/v1/movements?from=2024-02-01&to=2024-02-29&by=value&known=2024-03-10")
        assert by_value["late_facts"] == []
        income = await reader.read("/v1/income-statement?from=2024-02-01&to=2024-02-29")
        assert income["currencies"]["EUR"]["income"][0]["account"] == "interest-income"
        assert income["currencies"]["EUR"]["result"] > "0.00"

        await refused(client)
        await asyncio.to_thread(command_line, place, tmp_path, monkeypatch)


class Unwatched:
    """Monitoring without a loan."""

    async def fetch(self, *_: Any) -> list[Any]:
        return []


async def late_money_leaves_the_arrears_of_its_date(place: Place) -> None:
    """The portfolio of 5 March as the tenth told it, and as it turned out to be."""
    books, value = await connect(place.url("reader"), place.ledger_schema), date(2024, 3, 5)
    try:
        told, found = [
            await portfolio_at(Unwatched(), books, known=date(2024, 3, day), effective=value) for day in (10, 11)
        ]
    finally:
        await books.close()
    late, prompt = told["currencies"]["EUR"], found["currencies"]["EUR"]
    assert (late["par1"]["loans"], prompt["par1"]["loans"], prompt["loans"]) == (1, 0, 1)
    assert (told["as_of"], told["known"], told["effective"]) == ("2024-03-05", "2024-03-10", "2024-03-05")


async def refused(client: Client) -> None:
    """Dates that the books know nothing of, and periods that are none."""
    for path, name, field in (
        ("/v1/loans/loan-1?known=2024-03-14", "as-of-ahead", "query/known"),
        ("/v1/loans/loan-1/balances?effective=2024-03-14", "as-of-ahead", "query/effective"),
        ("/v1/loans/loan-1?effective=2024-03-01&as_of=2024-03-02", "dates-differ", "query/as_of"),
        ("/v1/loans/loan-1/payoff?on=2024-03-14&known=2024-03-14", "as-of-ahead", "query/known"),
        ("/v1/trial-balance?known=2024-03-14", "as-of-ahead", "query/known"),
        ("/v1/movements?from=2024-03-02&to=2024-03-01", "period-reversed", "query/to"),
        ("/v1/income-statement?from=2024-03-02&to=2024-03-14", "as-of-ahead", "query/to"),
    ):
        answer = await client.send("auditor", "GET", path)
        assert (rule(answer), problem(answer)["errors"][0]["field"]) == (name, field), path
    for path in ("/v1/movements?from=2024-03-02", "/v1/movements?from=2024-03-02&to=2024-03-03&by=weight"):
        assert (await client.send("auditor", "GET", path)).status_code == 422
    assert (await client.send("auditor", "GET", "/v1/loans/loan-9/balances")).status_code == 404


def command_line(place: Place, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The same by commands."""

    @asynccontextmanager
    async def reading() -> AsyncIterator[tuple[None, Any]]:
        connection = await connect(place.url("reader"), place.ledger_schema)
        try:
            yield None, connection
        finally:
            await connection.close()

    for module in (
        "loan_command",
        "payoff_command",
        "balance_command",
        "statement_command",
        "trial_balance_command",
        "two_dates",
    ):
        patch.setattr(f"lendlog.{module}.reading", reading)
        patch.setattr(f"lendlog.{module}.run_to_end", asyncio.run)  # signals are the main thread's

    def call(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(build(arguments), arguments, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return str(done.stdout)

    dates = ("--known", "2024-03-10", "--effective", "2024-03-05")
    assert json.loads(call("loan", "show", "loan-1", *dates, "--json"))["days_past_due"] == 5
    assert json.loads(call("balance", "loan-1", *dates, "--json"))["known"] == "2024-03-10"
    assert "loans-receivable" in call("balance", "loan-1")
    assert (
        json.loads(call("payoff", "loan-1", "--on", "2024-03-20", *dates, "--json"))["as_of"]["known"] == "2024-03-10"
    )
    trial = json.loads(call("trial-balance", "--as-of", "2024-03-05", "--known", "2024-03-10", "--json"))
    assert [one["difference"] for one in trial["currencies"].values()] == ["0.00"]
    assert "difference 0.00" in call("trial-balance")
    period = ("--from", "2024-03-01", "--to", "2024-03-12")
    assert len(json.loads(call("movements", *period, "--json"))["late_facts"]) == 1
    assert "late facts:" in call("movements", *period)
    assert "EUR result:" in call("income-statement", *period)
    shown = json.loads(call("loan", "statement", "loan-1", *dates, "--json"))
    statement = json.loads(call("statement", "loan-1", "--format", "json", *dates))
    assert statement == shown | {"balances": statement["balances"]}
    assert statement["balances"].keys() == {"EUR"}
    assert "balances in EUR:" in call("statement", "loan-1")
    call("statement", "loan-1", "--format", "pdf", "--out", str(folder / "loan-1.pdf"))
    assert (folder / "loan-1.pdf").read_bytes().startswith(b"%PDF-")
    with pytest.raises(queries.AsOfAhead):
        call("trial-balance", "--as-of", "2024-03-14")


@pytest.fixture(scope="module")
def troubled(servers: Platform) -> Iterator[Place]:
    """Books with every kind of row."""
    place = new_place(servers, PARTITIONS)
    asyncio.run(place.create())
    yield asyncio.run(fill(place)).place
    asyncio.run(place.drop())


@pytest.fixture
async def books(troubled: Place) -> AsyncIterator[asyncpg.Connection]:
    """The administrator inside a transaction that is rolled back."""
    opened = await connect(troubled.admin_url, troubled.ledger_schema)
    transaction = opened.transaction()
    await transaction.start()
    yield opened
    await transaction.rollback()
    await opened.close()


def up_to(rows: list[Any], known: date, effective: date) -> list[dict[str, Any]]:
    return [dict(row) for row in rows if row["booking_date"] <= known and row["effective_date"] <= effective]


async def test_reports_are_the_sums_of_the_postings_that_they_name(books: asyncpg.Connection) -> None:
    rows = await books.fetch("SELECT * FROM posting")
    events = await books.fetch("SELECT * FROM event WHERE loan IS NOT NULL")
    opened = await books.fetchval("SELECT min(open_date) FROM position")
    loans = await books.fetch("SELECT partition, loan, loan_id FROM loan WHERE loan >= 0 ORDER BY loan_id")
    pick = random.Random(3)
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    for _ in range(12):
        known, effective = pick.choice(days), pick.choice(days)
        counted = up_to(rows, known, effective)
        told = await queries.trial_balance(books, known=known, effective=effective)
        assert told["currencies"] == trial_balance_document(tally(counted))
        one = pick.choice(loans)
        mine = [row for row in counted if (row["partition"], row["loan"]) == (one["partition"], one["loan"])]
        view = await queries.balances_view(books, one["loan_id"], known=known, effective=effective)
        assert view is not None
        assert view["currencies"] == {
            code: {"accounts": balances_document(sides, code)} for code, sides in tally(mine).items()
        }
    late = 0
    for by in ("booking", "value"):
        for _ in range(6):
            opens, closes = sorted((pick.choice(days), pick.choice(days)))
            found = movements_of(parts(up_to(rows, opened, opened), opens, closes, by))  # type: ignore[arg-type]
            told = await queries.movements(books, opens=opens, closes=closes, by=by)  # type: ignore[arg-type]
            assert told["currencies"] == movements_document(found)
            income = await queries.income_statement(books, opens=opens, closes=closes, by=by)  # type: ignore[arg-type]
            assert income["currencies"] == income_document(found)
            cut, last = (opens, closes) if by == "booking" else (closes + timedelta(days=1), opened)
            changed = {
                (row["partition"], row["loan"], row["offset"])
                for row in rows
                if cut <= row["booking_date"] <= last and row["effective_date"] < cut
            }
            expected = {
                str(row["event_id"])
                for row in events
                if cut <= row["booking_date"] <= last
                and row["effective_date"] <= opened
                and (row["effective_date"] < cut or (row["partition"], row["loan"], row["offset"]) in changed)
            }
            assert {fact["event_id"] for fact in told["late_facts"]} == expected
            late += len(expected)
    assert late > 10


async def test_reports_of_accounting_periods_are_the_sums_of_the_postings_that_they_name(
    books: asyncpg.Connection,
) -> None:
    rows = [dict(row) for row in await books.fetch("SELECT * FROM posting")]
    ids = {(row["partition"], row["offset"]): str(row["event_id"]) for row in await books.fetch("SELECT * FROM event")}
    pick, late = random.Random(5), 0
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    for opens, closes in ((date(2025, 2, 1), date(2025, 2, 28)), *(sorted(pick.sample(days, 2)) for _ in range(6))):
        found = movements_of(parts(rows, opens, closes, "accounting"))
        told = await queries.movements(books, opens=opens, closes=closes, by="accounting")
        assert told["currencies"] == movements_document(found)
        income = await queries.income_statement(books, opens=opens, closes=closes, by="accounting")
        assert income["currencies"] == income_document(found)
        balance = await queries.trial_balance(books, through=closes)
        counted = (row for row in rows if date_of(row, "accounting") <= closes)
        assert balance["currencies"] == trial_balance_document(tally(counted))
        expected = {
            ids[row["partition"], row["offset"]]
            for row in rows
            if row["effective_date"] < opens <= date_of(row, "accounting") <= closes
        }
        assert {fact["event_id"] for fact in told["late_facts"]} == expected
        late += len(expected)
    assert late > 2


async def test_the_whole_book_on_two_dates_is_each_of_its_loans_on_them(books: asyncpg.Connection) -> None:
    pick = random.Random(5)
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    for _ in range(3):
        dates = queries.Dates(pick.choice(days), pick.choice(days))
        seen = {}
        async for loan, _journal in queries.loans_at(books, dates):
            seen[loan.loan_id] = queries.figures(loan, dates.day.toordinal())
        for row in await books.fetch("SELECT loan_id FROM loan WHERE loan >= 0"):
            view = await queries.loan_view(books, row["loan_id"], known=dates.known, effective=dates.effective)
            assert view is not None
            if row["loan_id"] in seen:
                assert seen[row["loan_id"]].items() <= view.items()
            else:
                assert view["status"] == "unknown"
        assert len(seen) > 5


async def test_no_reading_of_one_loan_reads_the_postings_of_others(books: asyncpg.Connection) -> None:
    await books.execute(
        """
        INSERT INTO posting
            (loan, "offset", amount, effective_date, booking_date, n, debit, credit, currency, partition)
        SELECT 1000000000 + i / 20, 1000000000 + i, 100, '2025-01-05', '2025-01-05', 0, 1010, 1210, 203, i % 2
        FROM generate_series(1, 200000) i
        """
    )
    await books.execute("ANALYZE posting")
    day = date(2025, 3, 1)
    for sql, arguments in ((_BALANCES, (0, 1000000500, day, day)), (queries.HISTORY, (0, 1000000500))):
        plan = await books.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments)
        scans = list(nodes(json.loads(plan)[0]["Plan"]))
        assert {scan["Relation Name"] for scan in scans if "Relation Name" in scan} <= {"posting_p0", "event_p0"}
        assert all("Seq Scan" not in scan["Node Type"] for scan in scans if scan.get("Relation Name") == "posting_p0")


async def test_the_late_facts_of_a_month_read_the_events_of_a_month(books: asyncpg.Connection) -> None:
    await books.execute(
        """
        INSERT INTO event (partition, "offset", event_id, loan, effective_date, booking_date, record)
        SELECT 0, 1000000000 + i, gen_random_uuid(), 1, day, day, decode(repeat(md5(i::text), 30), 'hex')
        FROM (SELECT i, DATE '2025-04-01' + i / 50 AS day FROM generate_series(1, 20000) i) made
        """
    )
    await books.execute("ANALYZE event")
    await books.execute(  # what autovacuum does soon after rows were added
        "SELECT brin_summarize_new_values(inhrelid) FROM pg_inherits"
        " WHERE inhparent = to_regclass('event_booking_date')"
    )
    month = (date(2025, 6, 1), date(2025, 6, 30), date(2025, 6, 30), 1000)
    plan = json.loads(await books.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {_LATE}", *month))[0]["Plan"]
    (read,) = (scan for scan in nodes(plan) if scan.get("Relation Name") == "event_p0")
    assert read["Node Type"] == "Bitmap Heap Scan"
    assert read["Actual Rows"] == 50 * 30
    assert read["Rows Removed by Index Recheck"] < 3 * 50 * 30


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for one in plan.get("Plans", []):
        yield from nodes(one)
