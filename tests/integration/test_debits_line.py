"""Direct debits on a platform that runs: a mandate, the file of a day, the bank's answers, and the audit of it all."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import parse

import httpx
import pytest

from shared.events.envelope import new_event_id
from tests.integration.api.client import LOAN, TERMS
from tests.integration.origination.driving import PARTY, PERSONAL
from tests.unit.ledger.bank.samples import camt, entry

pytestmark = [pytest.mark.servers, pytest.mark.ops, pytest.mark.alone, pytest.mark.timeout(600)]

LENDLOG = (sys.executable, "-c", "from lendlog.cli import main; main()")
SECONDS = 90
IBAN = "CZ6508000000192000145399"
SPACE = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.008.001.08"}


class House:
    """A home of its own with its platform, commands on it, and calls of its APIs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        ports = ("LENDLOG_POSTGRES_PORT", "LENDLOG_KAFKA_PORT", "LENDLOG_API_PORT", "LENDLOG_METRICS_PORT")
        self.environment = os.environ | dict.fromkeys(ports, "0")
        self.environment |= {"LENDLOG_HOME": str(home), "LENDLOG_LEDGER_WORKERS": "1"}
        self.environment["LENDLOG_SERVICES"] = "ledger,origination,collections"

    def file(self, name: str) -> dict[str, Any]:
        path = self.home / name
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def is_ready(self) -> bool:
        """Whether the APIs answer that they are."""
        found = self.file("run.json")
        urls = [url for name, url in found.get("addresses", {}).items() if name.endswith("-api")]
        try:
            return found.get("state") == "running" and all(
                httpx.get(f"{url}/readyz", trust_env=False).status_code == 200 for url in urls
            )
        except httpx.TransportError:
            return False

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*LENDLOG, *arguments, "--json"], env=self.environment, text=True, capture_output=True, timeout=SECONDS
        )

    def call(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        done = self.run(*arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return dict(json.loads(done.stdout))

    def post(self, service: str, role: str, path: str, body: Any) -> dict[str, Any]:
        url = self.file("run.json")["addresses"][f"{service}-api"]
        headers = {
            "authorization": f"Bearer {self.file('tokens.json')[role]}",
            "idempotency-key": new_event_id(),
        }
        answer = httpx.post(url + path, json=body, headers=headers, trust_env=False, timeout=30)
        assert answer.status_code in (200, 202), answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, kafka_jars: Path) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("debits") / "home")
    running = subprocess.Popen([*LENDLOG, "run"], env=house.environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while running.poll() is None and not house.is_ready():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield house
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(SECONDS)


def lend(house: House, loan_id: str, account: dict[str, str] | None) -> str:
    person = PERSONAL | ({"account": account} if account else {})
    borrower = house.post("origination", "officer", "/v1/parties", {"party": PARTY, "personal": person})["borrower_id"]
    terms = TERMS | {"annual_rate": "0"}
    house.post("ledger", "officer", "/v1/loans", LOAN | {"loan_id": loan_id, "borrower_id": borrower, "terms": terms})
    money = {"amount": "1200.00", "currency": "EUR"}
    house.post("ledger", "officer", f"/v1/loans/{loan_id}/disbursement", money)
    return str(borrower)


def test_an_instalment_is_collected_comes_back_and_is_tried_again(house: House, tmp_path: Path) -> None:
    house.post("ledger", "operator", "/v1/book", {"business_date": "2024-01-31"})
    account = {"holder": "王小明", "iban": IBAN}
    lend(house, "loan-1", account)
    disputed = lend(house, "loan-2", account)
    lend(house, "loan-3", None)
    house.call("mandate", "sign", "loan-1", "--reference", "M-1", "--on", "2024-01-31")
    for n in (2, 3):
        mandate = {"reference": f"M-{n}", "signed_on": "2024-01-31", "scheme": "CORE"}
        house.post("ledger", "officer", f"/v1/loans/loan-{n}/mandates", mandate)
    house.post("collections", "collector", f"/v1/borrowers/{disputed}/stops", {"kind": "dispute", "reason": "told"})
    house.call("close-date", "2024-02-28")

    out = tmp_path / "february.xml"
    make = ("debit", "make", "--account", "main-eur", "--due", "2024-02-29", "--out")
    made = house.call(*make, str(out))
    assert [(one["loan_id"], one["amount"], one["state"]) for one in made["items"]] == [("loan-1", "100.00", "asked")]
    assert sorted((one["loan_id"], one["reason"]) for one in made["skipped"]) == [
        ("loan-2", "the borrower disputes the debt"),
        ("loan-3", "the vault holds no account with an IBAN"),
    ]
    assert sha256(out.read_bytes()).hexdigest() == made["digest"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    document = parse(out)
    assert document.findtext(".//p:DbtrAcct/p:Id/p:IBAN", namespaces=SPACE) == IBAN
    assert document.findtext(".//p:GrpHdr/p:CtrlSum", namespaces=SPACE) == "100.00"
    reference = made["items"][0]["reference"]
    assert "no account with an IBAN" in house.run(*make, str(tmp_path / "again.xml")).stdout
    assert not list(tmp_path.glob("again*"))

    house.call("close-date", "2024-02-29")
    paid = tmp_path / "paid.xml"
    lines = [entry("-1200.00", text=f"loan-{n}", on="2024-01-31", bank=f"B-{n}") for n in (1, 2, 3)]
    paid.write_bytes(camt(*lines, entry("100.00", e2e=reference, on="2024-02-29"), closing="1500.00", day="2024-02-29"))
    house.call("reconcile", str(paid))
    (run,) = house.call("debit", "list")["runs"]
    assert run["outcomes"] == {"collected": 1}
    assert "bank has answered" in house.run("debit", "void", run["run_id"], "--reason", "late").stdout

    back = tmp_path / "back.xml"
    back.write_bytes(
        camt(
            entry("-100.00", e2e=reference, returned=True, on="2024-03-01"),
            opening="1500.00", closing="1400.00", number=2, day="2024-03-01",
        )
    )  # fmt: skip
    house.call("close-date", "2024-03-01")
    house.call("reconcile", str(back))
    (item,) = house.call("debit", "list", "--run", run["run_id"])["items"]
    assert (item["state"], item["code"], item["again_on"]) == ("returned", "AM04", "2024-03-06")
    house.call("close-date", "2024-03-05")
    again = house.call(*make[:-3], "--due", "2024-03-06", "--out", str(tmp_path / "march.xml"))
    (item,) = again["items"]
    assert (item["attempt"], item["sequence"], item["due"]) == (2, "RCUR", "2024-02-29")

    report = tmp_path / "report.xml"
    report.write_text(
        "<Document><CstmrPmtStsRpt><GrpHdr><MsgId>R-1</MsgId></GrpHdr><OrgnlGrpInfAndSts>"
        f"<OrgnlMsgId>{again['run_id']}</OrgnlMsgId><OrgnlMsgNmId>pain.008.001.08</OrgnlMsgNmId>"
        "<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>MD01</Cd></Rsn></StsRsnInf></OrgnlGrpInfAndSts>"
        "</CstmrPmtStsRpt></Document>"
    )
    assert house.call("debit", "status", str(report), code=1)["rejected"] == 1
    assert house.call("debit", "status", str(report))["rejected"] == 0
    (mandate,) = house.call("mandate", "list", "--loan", "loan-1")["mandates"]
    assert (mandate["state"], mandate["reason"]) == ("suspended", "MD01")
    audit = house.call("verify")
    assert audit["checks"]["direct-debits"] == "ok"
