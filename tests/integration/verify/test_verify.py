"""The audit finds nothing in honest books, and names the row of whatever is planted into them."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest

from lendlog.histories import History
from lendlog.verify_command import log_reader
from services.ledger.engine.account import FEE, INTEREST, PENALTY, Loan, decode_group, decode_loan, encode_loan
from services.ledger.verify import ALL_CHECKS, CHECKS, Audit, verify
from services.ledger.worker import topics_of
from shared.database import connect
from shared.streams import processor
from tests.faults.ledger_run import produce
from tests.integration.verify.conftest import PARTITIONS, Audited, take_in
from tests.places import Place

pytestmark = pytest.mark.servers


async def test_honest_books_pass_every_check(books: Audited, connection: asyncpg.Connection) -> None:
    asides = ("suspense", "parked_loan", "parked_event", "dead_letter", "conflict")
    for table in (*asides, "reference_rate", "outbox", "event", "posting"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}"), f"the history has no {table}"
    assert await connection.fetchval("SELECT sum(duplicates) FROM position")
    audit = await verify(connection, books.read)
    assert audit.findings == {}
    document = audit.document()
    assert document["ok"]
    assert document["checks"] == dict.fromkeys(ALL_CHECKS, "ok")
    assert document["loans"] == await connection.fetchval("SELECT count(*) FROM loan WHERE loan >= 0")
    for accounts in document["trial_balance"].values():
        assert accounts["total"]["debit"] == accounts["total"]["credit"]


KEYS = {
    "position": ("partition",),
    "relay": ("partition",),
    "event": ("partition", "offset"),
    "posting": ("partition", "loan", "offset", "n"),
    "loan": ("partition", "loan_id"),
    "parked_loan": ("partition", "loan_id"),
    "parked_event": ("partition", "offset"),
    "suspense": ("partition", "loan", "offset"),
    "dead_letter": ("partition", "offset"),
    "conflict": ("partition", "offset"),
    "reference_rate": ("partition", "offset"),
    "outbox": ("partition", "sequence"),
    "closed_period": ("partition", "offset"),
}


class Lie(NamedTuple):
    """One row that is changed, deleted or added; the check that must name it; other checks that may see it, too."""

    check: str
    table: str
    do: str
    where: str = "true"
    also: str = ""

    def __str__(self) -> str:
        return f"{self.check}: {self.table} {self.do[:40]}"


NEW_OUTBOX = "INSERT (partition, sequence, messages) SELECT partition, outbox_next, '' FROM position"
NEW_SUSPENSE = """INSERT (partition, "offset", loan, event_id, amount, currency)
 SELECT partition, 0, loan, gen_random_uuid(), 1, 203 FROM loan WHERE loan >= 0 AND loan_id LIKE 'L%'"""
NEW_POSTING = """INSERT (partition, loan, "offset", n, debit, credit, amount, currency, effective_date, booking_date)
 SELECT partition, loan, 10000000, 0, 1010, 2310, 1, 840, '2025-01-02', '2025-01-02' FROM loan WHERE loan >= 0"""
STATED = "position('effectivedate'::bytea IN record) > 0"
ALONE = """loan >= 0 AND (SELECT count(*) FROM posting q WHERE (q.partition, q.loan, q.effective_date)
 = (t.partition, t.loan, t.effective_date)) = 1 AND debit = 1010 AND credit = 1210"""
BALANCES = "principal interest-due interest-ahead interest-accrued overpayment suspense"

WITHOUT_LINES = """loan IS NOT NULL AND booking_date < '2025-02-01' AND NOT EXISTS
 (SELECT FROM posting p WHERE (p.partition, p."offset") = (t.partition, t."offset"))"""

LIES = (
    Lie("partitions", "relay", "DELETE"),
    Lie("position", "position", "last_offset = last_offset - 1"),
    Lie("position", "position", "last_leaf = sha256('')"),
    Lie("counts", "position", "events = events + 1"),
    Lie("counts", "position", "duplicates = duplicates + 1"),
    Lie("counts", "position", "holes = holes + 1"),
    Lie("tree", "position", "tree_frontier = set_byte(tree_frontier, 3, 255 - get_byte(tree_frontier, 3))"),
    *(
        Lie("records", table, "record = set_byte(record, 15, 255 - get_byte(record, 15))", where, also="log folds")
        for table, where in (
            ("event", "loan IS NULL"),
            ("event", "loan IS NOT NULL"),
            ("parked_event", "true"),
            ("dead_letter", "true"),
            ("conflict", "true"),
        )
    ),
    Lie("records", "event", '"offset" = "offset" + 10000000', "loan IS NULL", also="counts log postings"),
    Lie("event-ids", "event", "event_id = gen_random_uuid()", "loan IS NULL"),
    Lie("event-ids", "parked_event", "event_id = gen_random_uuid()"),
    Lie("event-ids", "conflict", "event_id = gen_random_uuid()"),
    Lie("log", "event", "DELETE", "loan IS NULL", also="counts postings event-dates"),
    Lie(
        "log",
        "dead_letter",
        "DELETE",
        "settled_by IS NULL AND position('someone-else'::bytea IN record) = 0",
        also="counts",
    ),
    Lie("log", "conflict", "DELETE", also="counts"),
    Lie("outbox", "outbox", "DELETE"),
    Lie("outbox", "outbox", NEW_OUTBOX),
    Lie("events", "event", "loan = 10000000", "loan IS NOT NULL", also=f"folds {BALANCES}"),
    Lie(
        "events", "event", "loan = (SELECT max(loan) FROM loan)", "loan IS NOT NULL", also=f"folds postings {BALANCES}"
    ),
    Lie("event-dates", "event", "booking_date = booking_date + 400", also="postings folds"),
    Lie("event-dates", "event", "booking_date = booking_date - 1", "loan IS NULL", also="postings"),
    Lie("event-dates", "event", "effective_date = effective_date - 1", STATED, also="folds"),
    Lie("event-dates", "event", "effective_date = booking_date + 1", f"NOT {STATED}", also="folds"),
    Lie("postings", "posting", NEW_POSTING, also="folds suspense"),
    Lie("postings", "posting", "loan = 10000000", "debit = 1010", also=f"folds {BALANCES}"),
    Lie("postings", "posting", "booking_date = booking_date + 1"),
    Lie("postings", "posting", "debit = 1", "debit = 1010", also="folds"),
    Lie("postings", "posting", "currency = 1", "debit = 1010", also=f"folds {BALANCES}"),
    Lie("loan-columns", "loan", "next_action = next_action + 1", "next_action IS NOT NULL"),
    Lie("loan-columns", "loan", "as_of = as_of + 1", "loan >= 0"),
    Lie(
        "loan-columns",
        "loan",
        "state = '\\x93'",
        "loan >= 0 AND octet_length(state) > 0",
        also="events accrual-groups suspense-rows",
    ),
    Lie("suspense-rows", "suspense", "amount = amount + 1"),
    Lie("suspense-rows", "suspense", "DELETE"),
    Lie("suspense-rows", "suspense", NEW_SUSPENSE),
    Lie("reference-rates", "reference_rate", "annual_rate = '0.5'", also="folds"),
    Lie("reference-rates", "reference_rate", "DELETE", also="folds"),
    Lie("replayed-rates", "reference_rate", "from_date = from_date + 1", also="reference-rates folds"),
    Lie("parked", "parked_loan", "first_offset = first_offset + 1"),
    Lie("parked", "parked_event", "loan_id = 'Z'"),
    Lie("income", "posting", "credit = 4110", "loan >= 0 AND credit = 1210", also=f"folds {BALANCES}"),
    Lie("income", "posting", "effective_date = effective_date + 1", "loan < -1"),
    Lie("income", "posting", "debit = 1010", "loan < -1 AND debit = 1230"),
    Lie("folds", "posting", "amount = amount + 1", ALONE, also=BALANCES),
    Lie("folds", "posting", "effective_date = effective_date - 1", ALONE),
    Lie("folds", "posting", "credit = 1220", ALONE, also=BALANCES),
    Lie("folds", "posting", "debit = credit, credit = debit", ALONE, also=BALANCES),
    Lie(
        "four-eyes",
        "event",
        "loan = (SELECT max(loan) FROM loan l WHERE l.partition = t.partition)",
        "position('JournalEntryApproved'::bytea IN record) > 0",
        also=f"events postings folds parked {BALANCES}",
    ),
    Lie("periods", "posting", "open_from = open_from + 1", "open_from > '-infinity'"),
    Lie("periods", "posting", "open_from = '2025-01-15'", "open_from = '-infinity'"),
    Lie("periods", "closed_period", "period_end = period_end + 1"),
    Lie("periods", "closed_period", "DELETE"),
    Lie("replayed-periods", "closed_period", "period_end = period_end - 1", also="periods"),
    Lie("replayed-position", "position", "duplicates = duplicates + 1", also="counts"),
    Lie("replayed-events", "event", "booking_date = booking_date + 1", WITHOUT_LINES),
    Lie("replayed-postings", "posting", "n = n + 100", "loan >= 0"),
    Lie("replayed-loans", "loan", "as_of = as_of + 1", "loan >= 0", also="loan-columns"),
    Lie("replayed-asides", "parked_loan", "reason = 'another'"),
    Lie("replayed-asides", "dead_letter", "tried_at = 1", "settled_by IS NULL"),
    Lie("replayed-outbox", "outbox", "messages = set_byte(messages, 20, 255 - get_byte(messages, 20))"),
)


@pytest.mark.parametrize("lie", LIES, ids=str)
async def test_a_bad_row_is_named(books: Audited, connection: asyncpg.Connection, lie: Lie) -> None:
    row = await tell(connection, lie)
    audit = await verify(connection, books.read)
    finding = audit.findings[lie.check]
    assert (finding.table, finding.key) == (lie.table, {name: row[name] for name in KEYS[lie.table]}), finding.problem
    assert not audit.ok
    assert others(audit, lie.check) <= set(lie.also.split())


def others(audit: Audit, check: str) -> set[str]:
    """The other checks that found something; those against a fold of the log find everything."""
    return {name for name in audit.findings if name != check and not name.startswith("replayed")}


async def tell(connection: asyncpg.Connection, lie: Lie) -> Any:
    """Plant the lie; the row as it then is (of a deleted one, as it was)."""
    if lie.do.startswith("INSERT"):
        return await connection.fetchrow(f"INSERT INTO {lie.table} {lie.do[6:]} LIMIT 1 RETURNING *")
    picked = f"picked AS (SELECT tableoid AS one, ctid AS two FROM {lie.table} t WHERE {lie.where} LIMIT 1)"
    verb, at = f"UPDATE {lie.table} t SET {lie.do} FROM picked", "t.tableoid = one AND t.ctid = two"
    if lie.do == "DELETE":
        verb = f"DELETE FROM {lie.table} t USING picked"
    row = await connection.fetchrow(f"WITH {picked} {verb} WHERE {at} RETURNING t.*")
    assert row is not None, f"the history gives nothing to lie about: {lie}"
    return row


class StateLie(NamedTuple):
    """A state that is changed."""

    check: str
    applies: Callable[[Any], object]
    change: Callable[[Any], object]
    also: str = "folds"


def more(name: str) -> Callable[[Any], None]:
    """One minor unit more."""
    return lambda state: setattr(state, name, getattr(state, name) + 1)


def dearer(loan: Loan) -> None:
    loan.waiting = [(offset, event_id, amount + 1, currency) for offset, event_id, amount, currency in loan.waiting]


def dearer_instalment(loan: Loan) -> None:
    loan.asked[INTEREST][0] += 1


def less_left(loan: Loan) -> None:
    """Of interest, in the first instalment that is open."""
    loan.left[INTEREST][loan.first_open] -= 1


def more_left(part: int) -> Callable[[Loan], None]:
    """Of another part there."""

    def change(loan: Loan) -> None:
        loan.left[part][loan.first_open] += 1

    return change


def more_valued(name: str) -> Callable[[Loan], None]:
    """Of one balance of valuation."""

    def change(loan: Loan) -> None:
        assert loan.valued is not None
        loan.valued = msgspec.structs.replace(loan.valued, **{name: getattr(loan.valued, name) + 1})

    return change


def interest_is_open(loan: Loan) -> bool:
    return loan.first_open < len(loan.due) and loan.earns_until < 0 and loan.left[INTEREST][loan.first_open] > 1


STATE_LIES = (
    StateLie("principal", lambda loan: loan.status, more("principal_outstanding")),
    StateLie("overpayment", lambda loan: loan.overpaid, more("overpaid")),
    StateLie("suspense", lambda loan: loan.waiting, dearer, "folds suspense-rows"),
    StateLie("interest-due", lambda loan: interest_is_open(loan) and loan.first_open < loan.fallen, less_left),
    StateLie("interest-ahead", lambda loan: interest_is_open(loan) and loan.first_open >= loan.fallen, less_left),
    StateLie("interest-accrued", lambda loan: loan.fallen, dearer_instalment, "folds accrual-groups"),
    StateLie("fees-due", lambda loan: loan.first_open < len(loan.due), more_left(FEE)),
    StateLie("penalties-due", lambda loan: loan.first_open < len(loan.due), more_left(PENALTY)),
    StateLie("allowance", lambda loan: loan.valued, more_valued("allowance")),
    StateLie("suspended-interest", lambda loan: loan.valued, more_valued("suspended_interest")),
    StateLie("deferred-fees", lambda loan: loan.valued, more_valued("deferred_fees")),
    StateLie("folds", lambda loan: loan.last_key, more("last_key"), ""),
    StateLie("folds", lambda loan: loan.borrower_id, lambda loan: setattr(loan, "borrower_id", "B"), ""),
)
GROUP_LIES = (
    StateLie("accrual-groups", lambda _: True, more("numerator")),
    StateLie("accrual-groups", lambda _: True, more("remainder")),
)


@pytest.mark.parametrize("lie", [*STATE_LIES, *GROUP_LIES], ids=lambda lie: lie.check)
async def test_a_changed_state_is_named(books: Audited, connection: asyncpg.Connection, lie: StateLie) -> None:
    decode = decode_group if lie in GROUP_LIES else decode_loan
    rows = await connection.fetch(
        f"SELECT * FROM loan WHERE (loan < -1) = {lie in GROUP_LIES} ORDER BY partition, loan"
    )
    row, state = next((row, state) for row in rows if lie.applies(state := decode(row["state"])))
    lie.change(state)
    await connection.execute(
        "UPDATE loan SET state = $3 WHERE partition = $1 AND loan = $2",
        row["partition"],
        row["loan"],
        encode_loan(state),
    )
    audit = await verify(connection, books.read)
    finding = audit.findings[lie.check]
    assert (finding.table, finding.key) == ("loan", {"partition": row["partition"], "loan_id": row["loan_id"]})
    assert others(audit, lie.check) <= set(lie.also.split())


async def test_a_posting_that_was_deleted_is_missed(books: Audited, connection: asyncpg.Connection) -> None:
    row = await tell(connection, Lie("folds", "posting", "DELETE", ALONE))
    audit = await verify(connection, books.read)
    loan_id = await connection.fetchval(
        "SELECT loan_id FROM loan WHERE partition = $1 AND loan = $2", row["partition"], row["loan"]
    )
    finding = audit.findings["folds"]
    assert (finding.table, finding.key) == ("posting", {"partition": row["partition"], "loan_id": loan_id})
    assert "a row is missing" in finding.problem


async def test_a_row_of_a_partition_that_there_is_not_is_noticed(
    books: Audited, connection: asyncpg.Connection
) -> None:
    await tell(connection, Lie("partitions", "dead_letter", "partition = 99"))
    finding = (await verify(connection, books.read)).findings["partitions"]
    assert (finding.table, finding.key, finding.column) == ("dead_letter", {"partition": 99}, "partition")


async def test_a_row_that_the_books_lost_altogether_is_missed(books: Audited, connection: asyncpg.Connection) -> None:
    """An accrual group, and a record at the end of the log that the position claims to have taken in."""
    group = await tell(connection, Lie("accrual-groups", "loan", "DELETE", "loan < -1"))
    audit = await verify(connection, books.read)
    assert audit.findings["accrual-groups"].key == {
        "partition": group["partition"],
        "loan_id": f"group {group['loan']}",
    }


async def test_a_log_that_lost_its_last_record_is_noticed(books: Audited, connection: asyncpg.Connection) -> None:
    async def shorter(partition: int, end: int, start: int = 0) -> Any:
        assert not start
        yield books.log[partition][: -1 if partition else None]

    audit = await verify(connection, shorter)
    last = books.log[1][-1].offset
    assert audit.findings["position"].key == {"partition": 1}
    assert audit.findings["records"].key == {"partition": 1, "offset": last}
    assert others(audit, "") == {"position", "records", "counts", "tree"}


async def test_a_closing_under_way_passes_every_check(
    places: Callable[..., Awaitable[Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some loans have closed the date, the others and the accrual groups have not."""
    place = await places(partitions=PARTITIONS)
    await produce(place, History(seed=3, loans=60, days=30, partitions=PARTITIONS).records())
    passed = 0

    def stop(point: str) -> None:
        nonlocal passed
        passed += point == "closing.between-transactions"
        if passed == 9:
            raise InterruptedError

    monkeypatch.setattr(processor, "reach", stop)
    with pytest.raises(InterruptedError):
        await take_in(place, closing_chunk=2)
    connection = await connect(place.url("reader"), place.ledger_schema)
    try:
        assert await connection.fetchval("SELECT count(resume_loan) FROM position") == 1
        reader = log_reader(place.kafka_bootstrap, topics_of(place.settings()).lifecycle)
        assert (await verify(connection, reader)).findings == {}
    finally:
        await connection.close()


def test_every_check_has_a_lie() -> None:
    told = {lie.check for lie in (*LIES, *STATE_LIES, *GROUP_LIES)}
    assert told | {"signed-heads"} == CHECKS.keys(), "of heads that differ: tests/property/test_tamper.py"
