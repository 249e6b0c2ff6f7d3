"""The commands on the books as processes, on a platform that runs: figures, audits, replays, and what is set aside.

The bank's loans are imported once; the tests that change the log come last.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaProducer

from shared.partitioner import partition_for
from shared.topics import LIFECYCLE

pytestmark = [pytest.mark.servers, pytest.mark.ops, pytest.mark.alone, pytest.mark.berka]

LENDLOG = (sys.executable, "-c", "from lendlog.cli import main; main()")
BERKA = Path(os.environ.get("LENDLOG_BERKA", "../shared/data/berka"))
IMPORT = ("import", "berka", str(BERKA), "--through", "1994-03-31", "--json")
PUBLISHED = {"loans": 38, "repayments": 123, "repaid": "483565.80"}
SIGNALS = {"movements": 7863, "indicators": 0, "indicators_after_through": 307}
SECONDS = 90


class Desk:
    """A home of its own, and commands on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        ports = ("LENDLOG_POSTGRES_PORT", "LENDLOG_KAFKA_PORT", "LENDLOG_API_PORT", "LENDLOG_METRICS_PORT")
        named = ("LENDLOG_POSTGRES_URL", "LENDLOG_KAFKA_BOOTSTRAP")
        self.environment = {name: value for name, value in os.environ.items() if name not in named}
        self.environment |= dict.fromkeys(ports, "0") | {
            "LENDLOG_HOME": str(home),
            "LENDLOG_LEDGER_WORKERS": "1",
            "LENDLOG_SERVICES": "ledger",
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A command under way; its standard error can be read."""
        return subprocess.Popen(
            [*LENDLOG, *arguments], env=self.environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def call(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The one JSON document that a command prints; it must end with `code`."""
        done = subprocess.run(
            [*LENDLOG, *arguments, "--json"], env=self.environment, text=True, capture_output=True, timeout=SECONDS
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.count("\n") == 1
        return dict(json.loads(done.stdout))

    def produce(self, key: str, value: bytes) -> int:
        """Append a record to the log as a foreign writer would; its partition."""
        bootstrap = json.loads((self.home / "run.json").read_text())["addresses"]["kafka"]
        partition = partition_for(key.encode(), LIFECYCLE.partitions)

        async def send() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
            await producer.start()
            await producer.send_and_wait(LIFECYCLE.name, key=key.encode(), value=value, partition=partition)
            await producer.stop()

        asyncio.run(send())
        return partition

    def until(self, noun: str, field: str) -> dict[str, Any]:
        """The only row that `NOUN list` shows, once it does."""
        deadline = time.monotonic() + SECONDS
        while not (rows := self.call(noun, "list")[field]):
            assert time.monotonic() < deadline
        assert len(rows) == 1
        return dict(rows[0])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, kafka_jars: Path) -> Iterator[Desk]:
    """A platform that runs, into which the import was killed half-way and started again."""
    desk = Desk(tmp_path_factory.mktemp("commands") / "home")
    running = desk.start("run")
    try:
        deadline = time.monotonic() + SECONDS
        while running.poll() is None and json.loads(_read(desk.home / "run.json")).get("state") != "running":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        killed = desk.start(*IMPORT[:-1])
        assert killed.stderr is not None
        assert any("of 470 commands" in line for line in killed.stderr)
        killed.kill()
        killed.wait()
        killed.stderr.close()
        yield desk
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(SECONDS)
        assert running.stderr is not None
        running.stderr.close()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else "{}"


def test_a_killed_import_resumes_and_the_books_are_the_banks(desk: Desk) -> None:
    books = PUBLISHED | {"outstanding": "4172830.20"}
    for _ in range(2):  # again, whatever is there
        assert desk.call(*IMPORT[:-1]) == {"file": PUBLISHED, "books": books, "signals": SIGNALS}
    loan = desk.call("loan", "show", "5314", "--as-of", "1994-03-31")
    assert (loan["days_past_due"], loan["past_due_since"], loan["as_of"]["date"]) == (231, "1993-08-12", "1994-03-31")
    for day, days in (("1993-07-12", 0), ("1993-07-13", 1), ("1994-03-11", 242)):  # its only payment came a day later
        assert desk.call("loan", "show", "5314", "--as-of", day)["days_past_due"] == days
    assert "1994-04-01" in desk.call("loan", "show", "5314", "--as-of", "1994-04-02", code=2)["error"]
    assert desk.call("loan", "show", "none", code=2) == {"error": "The books hold no loan none."}


def test_every_entry_is_explained_by_its_event(desk: Desk) -> None:
    desk.call(*IMPORT[:-1])
    history = desk.call("loan", "history", "5314")["entries"]
    contract, disbursement, payment = (entry["type"] for entry in history[:3])
    assert contract == "origination.LoanContracted.v1"
    assert disbursement == "origination.LoanDisbursed.v1"
    assert payment == "ledger.PaymentReceived.v1"
    why = desk.call("why", "entry", f"{history[2]['partition']}/{history[2]['offset']}")
    assert why["event"]["id"] == history[2]["event_id"]
    assert why["loan_id"] == "5314"
    assert why["postings"] == history[2]["postings"] != []
    assert "allocation order" in why["rule"]
    assert why["terms"]["allocation"] == "instalment-interest-principal"
    (line,) = why["postings"]
    less = float(why["before"]["principal_outstanding"]) - float(why["after"]["principal_outstanding"])
    assert round(less, 2) == float(line["amount"])
    assert desk.call("why", "entry", "0/999999", code=2) == {"error": "The books hold no entry 0/999999."}
    assert "PARTITION/OFFSET" in desk.call("why", "entry", "x", code=2)["error"]


def test_audit_and_replays_agree_with_the_books(desk: Desk) -> None:
    desk.call(*IMPORT[:-1])
    audit = desk.call("verify")
    assert audit["ok"]
    assert audit["loans"] == 38
    assert set(audit["checks"].values()) == {"ok"}
    books = desk.call("digest")
    for arguments in (("--batch", "1"), ("--processes", "3")):
        replayed = desk.call("replay", *arguments)
        assert {name: replayed[name] for name in books} == books
        assert replayed["records"] == books["events"]
        assert desk.call("digest", "--scratch") == books


def test_dates_are_closed_through_the_one_named(desk: Desk) -> None:
    desk.call(*IMPORT[:-1])
    before = desk.call("loan", "show", "5314")
    closed = desk.call("close-date", "1994-04-03")
    assert closed in ({"closed": 3, "open_date": "1994-04-04"}, {"closed": 0, "open_date": "1994-04-04"})
    assert desk.call("close-date", "1994-04-03") == {"closed": 0, "open_date": "1994-04-04"}
    after = desk.call("loan", "show", "5314")
    assert (before["days_past_due"], after["days_past_due"]) == (232, 235)


def test_what_is_set_aside_is_shown_mended_and_still_replayed(desk: Desk) -> None:
    """An unreadable record, a reversal of nothing: neither stops other loans; one more payment changes the digest."""
    assert desk.call("dlq", "list") == {"dead_letters": []}
    before = desk.call("digest")
    partition = desk.produce("5314", b'{"amount": ')
    dead = desk.until("dlq", "dead_letters")
    place = f"{partition}/{dead['offset']}"
    assert desk.call("dlq", "show", place) == dead
    assert dead["value"] == '{"amount": '
    assert desk.call("dlq", "retry", place, code=1)["settled_by"] is None
    assert desk.call("why", "entry", place)["outcome"] == "dead"

    mended = desk.home / "mended.json"
    event = foreign("ledger.PaymentReceived.v1", "5314", {"amount": "100.00", "currency": "CZK"})
    mended.write_bytes(event)
    settled = desk.call("dlq", "retry", place, "--value", str(mended), "--reason", "cut off by its writer")
    assert settled["settled_by"] == json.loads(event)["id"]
    assert "settled" in desk.call("dlq", "retry", place, code=2)["error"]
    after = desk.call("digest")
    assert after["digest"] != before["digest"]
    assert after["postings"] == before["postings"] + 1

    desk.produce("5316", foreign("ledger.PaymentReversed.v1", "5316", {"payment_id": str(uuid.uuid4()), "reason": "x"}))
    parked = desk.until("parked", "parked")
    assert (parked["loan_id"], parked["held"]) == ("5316", 1)
    assert len(desk.call("parked", "show", "5316")["events"]) == 1
    assert desk.call("loan", "show", "5316")["parked"]["reason"] == parked["reason"]
    again = desk.call("parked", "release", "5316", code=1)  # nothing was mended
    assert again["parked"]["first_offset"] == parked["first_offset"]
    assert desk.call("parked", "release", "5314", code=2) == {"error": "5314 is not parked."}

    assert desk.call("verify")["ok"]
    books = desk.call("digest")
    assert (books["parked"], books["dead_letters"]) == (1, 0)
    assert desk.call("replay", "--batch", "1")["digest"] == books["digest"]


def foreign(kind: str, loan_id: str, data: dict[str, Any]) -> bytes:
    """An event as another writer makes it."""
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/elsewhere",
        "type": kind,
        "subject": loan_id,
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event).encode()


def test_a_command_starts_the_servers_that_it_needs_and_leaves_none(tmp_path: Path, kafka_jars: Path) -> None:
    desk = Desk(tmp_path / "home")
    empty = desk.call("digest")
    assert (empty["loans"], empty["events"]) == (0, 0)
    assert desk.call("verify")["ok"]
    assert desk.call("replay")["digest"] == empty["digest"]
    assert "Open the book" in desk.call("close-date", "2025-01-01", code=2)["error"]
    left = [process for process in psutil.process_iter() if str(desk.home) in " ".join(_words(process))]
    assert left == []


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
