"""Money out by the commands as processes, on a platform that runs: the vault says where to pay, and notes who asked."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.api.client import TERMS
from tests.integration.origination.driving import PARTY
from tests.integration.test_commands_line import SECONDS, Desk, _read
from tests.unit.ledger.bank.pay_outs import pain002, said

pytestmark = [pytest.mark.servers, pytest.mark.ops, pytest.mark.alone]

IBAN = "CZ6508000000192000145399"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, kafka_jars: Path) -> Iterator[Desk]:
    """A platform of ledger and origination that runs."""
    desk = Desk(tmp_path_factory.mktemp("pay-out") / "home")
    desk.environment["LENDLOG_SERVICES"] = "ledger,origination"
    running = desk.start("run", "--no-demo")
    try:
        deadline = time.monotonic() + SECONDS
        while running.poll() is None and json.loads(_read(desk.home / "run.json")).get("state") != "running":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield desk
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(SECONDS)
        assert running.stderr is not None
        running.stderr.close()


def asked(desk: Desk, service: str, role: str, method: str, path: str, body: Any = None) -> Any:
    """What a service's API answers, once it is there."""
    url = json.loads((desk.home / "run.json").read_text())["addresses"][f"{service}-api"]
    token = json.loads((desk.home / "tokens.json").read_text())[role]
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            headers = {"authorization": f"Bearer {token}"}
            answer = httpx.request(method, url + path, json=body, headers=headers, trust_env=False, timeout=30)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
            continue
        assert answer.status_code < 400, answer.text
        return answer.json()


def lent(desk: Desk, loan_id: str, personal: dict[str, Any]) -> str:
    """A borrower with a loan that is paid out; the borrower's id."""
    body = {"party": PARTY, "personal": personal}
    borrower: str = asked(desk, "origination", "officer", "POST", "/v1/parties", body)["borrower_id"]
    loan = {"loan_id": loan_id, "borrower_id": borrower, "product": "micro@1", "terms": TERMS}
    asked(desk, "ledger", "officer", "POST", "/v1/loans", loan)
    money = {"amount": "1200.00", "currency": "EUR"}
    paid = asked(desk, "ledger", "officer", "POST", f"/v1/loans/{loan_id}/disbursement", money)
    asked(desk, "ledger", "auditor", "GET", f"/v1/loans/{loan_id}?after={paid['event_id']}")
    return borrower


def test_who_is_to_be_paid_is_asked_of_the_vault_and_what_the_bank_rejects_is_undone(
    desk: Desk, tmp_path: Path
) -> None:
    asked(desk, "ledger", "operator", "POST", "/v1/book", {"business_date": "2024-01-31"})
    first = lent(desk, "loan-1", {"name": "Ludmila Veselá", "account": {"holder": "Ludmila Veselá", "iban": IBAN}})
    second = lent(desk, "loan-2", {"name": "Karel Malý"})
    run = ("pay-out", "make", "--account", "main-eur", "--until", "2024-01-31", "--out")
    out = tmp_path / "first.xml"
    made = desk.call(*run, str(out), code=1)
    assert [(one["loan_id"], one["why"]) for one in made["left_out"]] == [("loan-2", "no-account")]
    assert (out.stat().st_mode & 0o777, IBAN.encode() in out.read_bytes()) == (0o600, True)
    assert "exists" in desk.call(*run, str(out), code=2)["error"]

    account = {"holder": "Karel Malý", "iban": "DE02 1203 0000 0000 2020 51"}
    asked(desk, "origination", "officer", "PUT", f"/v1/parties/{second}/account", account)
    other = desk.call(*run, str(tmp_path / "second.xml"))
    assert [item["loan_id"] for item in other["file"]["items"]] == ["loan-2"]
    again = desk.call(*run, str(tmp_path / "third.xml"))
    assert (again, (tmp_path / "third.xml").exists()) == ({"file": None, "path": None, "left_out": []}, False)
    void = ("pay-out", "void", other["file"]["file_id"], "--reason", "not sent", "--by", "anna")
    assert desk.call(*void)["state"] == "voided"
    assert "voided" in desk.call(*void, code=2)["error"]

    (item,) = made["file"]["items"]
    report = tmp_path / "status.xml"
    report.write_bytes(pain002(made["file"]["message_id"], said(item["reference"], "RJCT", "AC04")))
    assert desk.call("pay-out", "status", str(report), code=1)["changed"][0]["loan_id"] == "loan-1"
    assert desk.call("pay-out", "status", str(report))["repeated"]
    assert desk.call("loan", "show", "loan-1")["status"] == "contracted"
    assert [one["state"] for one in desk.call("pay-out", "list")["files"]] == ["answered", "voided"]

    for borrower, count in ((first, 1), (second, 3)):
        noted = asked(desk, "origination", "auditor", "GET", f"/v1/parties/{borrower}/readings")["readings"]
        assert [line["what"] for line in noted] == ["account"] * count
        assert {line["reader"] for line in noted} <= {"accountant", "officer"}
    assert desk.call("verify")["ok"]
    assert desk.call("replay", "--batch", "1")["digest"] == desk.call("digest")["digest"]
