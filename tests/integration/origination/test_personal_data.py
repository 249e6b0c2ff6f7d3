"""Personal data on real servers: in the vault alone, every reading noted, gone after erasure."""

import json
from typing import Any

import pytest

from shared.database import connect
from shared.events.parties import PersonalDataErased
from shared.topics import APPLICATIONS, ORIGINATION_INBOX, PARTIES
from tests.integration.api.client import rule
from tests.integration.origination.driving import PARTY, PERSONAL, Office

pytestmark = pytest.mark.servers
NUMBER = "360426199101010071"
IBAN = "CZ6508000000192000145399"
PERSON = PERSONAL | {
    "official_number": {"kind": "cn.ric", "number": NUMBER},
    "account": {"holder": "王小明", "iban": IBAN},
}
SECRETS = ("王小明", "wang@example.com", "13800000000", NUMBER, IBAN)


async def registered(lender: Office, personal: Any, **headers: str) -> Any:
    return await lender.send("officer", "POST", "/v1/parties", {"party": PARTY, "personal": personal}, **headers)


async def everything_stored(lender: Office) -> str:
    """Every row of both schemas, as text."""
    database = await connect(lender.place.admin_url)
    try:
        tables = await database.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ($1, $2)",
            lender.schema,
            f"{lender.schema}_api",
        )
        rows = [
            json.dumps([str(row["line"]) for row in found], ensure_ascii=False)
            for one in tables
            for found in [
                await database.fetch(
                    f"SELECT convert_from(convert_to(t::text, 'UTF8'), 'UTF8') AS line "
                    f'FROM "{one["schemaname"]}"."{one["tablename"]}" t'
                )
            ]
        ]
    finally:
        await database.close()
    return "\n".join(rows)


async def test_nothing_personal_is_anywhere_but_sealed_in_the_vault(lender: Office) -> None:
    borrower_id = await lender.borrower(personal=PERSON)
    await lender.done("officer", f"{await lender.draft(borrower_id)}/submission")
    await lender.until("count(*) = 1 FROM application WHERE status = 'approved'")
    told = [
        value for topic in (PARTIES, APPLICATIONS, ORIGINATION_INBOX) for _, value in await lender.records(topic.name)
    ]
    stored, log = await everything_stored(lender), b"\n".join(told).decode()
    assert borrower_id in stored
    assert borrower_id in log
    for secret in SECRETS:
        assert secret not in log
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_an_address_is_read_for_a_purpose_and_the_reading_is_noted(lender: Office) -> None:
    borrower_id = await lender.borrower(personal=PERSON)
    place = f"/v1/parties/{borrower_id}/contact"
    found = await lender.read(f"{place}/email?purpose=reminder", "service")
    assert (found["address"], found["name"]) == ("wang@example.com", "王小明")
    assert rule(await lender.send("collector", "GET", f"{place}/letter?purpose=collection")) == "no-such-address"
    for who, asked in (("officer", "email?purpose=reminder"), ("auditor", "email?purpose=reminder")):
        assert rule(await lender.send(who, "GET", f"{place}/{asked}")) == "forbidden"
    assert rule(await lender.send("service", "GET", f"{place}/email")) == "invalid-request"
    assert rule(await lender.send("service", "GET", "/v1/parties/nobody/contact/email?purpose=reminder")) == (
        "unknown-party"
    )
    noted = (await lender.read(f"/v1/parties/{borrower_id}/readings", "auditor"))["readings"]
    assert [(line["reader"], line["what"], line["purpose"], line["found"]) for line in noted] == [
        ("collector", "letter", "collection", True),
        ("service", "email", "reminder", True),
    ]
    [missed] = (await lender.read("/v1/parties/nobody/readings", "auditor"))["readings"]
    assert missed["found"] is False


async def test_an_account_is_read_by_whoever_pays_and_replaced_by_an_officer_and_both_are_noted(lender: Office) -> None:
    borrower_id = await lender.borrower()
    place = f"/v1/parties/{borrower_id}/account"
    assert rule(await lender.send("accountant", "GET", f"{place}?purpose=pay-out")) == "no-account"
    wrong = await lender.send("officer", "PUT", place, {"holder": "王小明", "iban": IBAN[:-1] + "8"})
    assert rule(wrong) == "wrong-iban"
    assert IBAN[:-1] not in wrong.text
    body = {"holder": "王小明", "iban": IBAN, "bic": "GIBACZPX"}
    before = len(await lender.records(PARTIES.name))
    written = await lender.send("officer", "PUT", place, body, idempotency_key="one")
    assert written.status_code == 202, written.text
    assert (await lender.send("officer", "PUT", place, body, idempotency_key="one")).json() == written.json()
    found = await lender.read(f"{place}?purpose=direct-debit", "service")
    assert found == body | {"borrower_id": borrower_id, "number": None, "bank_code": None, "clearing": None}
    for who, method in (("officer", "GET"), ("teller", "GET"), ("applicant", "GET"), ("accountant", "PUT")):
        if who in lender.tokens:
            assert rule(
                await lender.send(who, method, f"{place}?purpose=pay-out", body if method == "PUT" else None)
            ) == ("forbidden")
    assert rule(await lender.send("service", "GET", place)) == "invalid-request"
    noted = (await lender.read(f"/v1/parties/{borrower_id}/readings", "auditor"))["readings"]
    assert [(line["reader"], line["what"], line["purpose"]) for line in noted] == [
        ("service", "account", "direct-debit"),
        ("officer", "account", "replacement"),
        ("accountant", "account", "pay-out"),
    ]
    assert len(await lender.records(PARTIES.name)) == before
    for secret in (IBAN, IBAN.encode().hex()):
        assert secret not in await everything_stored(lender)


async def test_after_erasure_nobody_reads_and_nothing_begins(lender: Office) -> None:
    borrower_id = await lender.borrower(personal=PERSON)
    await lender.done("supervisor", f"/v1/parties/{borrower_id}/erasure")
    contact = f"/v1/parties/{borrower_id}/contact/email?purpose=reminder"
    assert rule(await lender.send("service", "GET", contact)) == "personal-data-is-erased"
    account = f"/v1/parties/{borrower_id}/account"
    assert rule(await lender.send("service", "GET", f"{account}?purpose=pay-out")) == "personal-data-is-erased"
    assert rule(await lender.send("officer", "PUT", account, PERSON["account"])) == "personal-data-is-erased"
    assert rule(await lender.send("officer", "PUT", f"/v1/parties/{borrower_id}/personal", PERSON)) == (
        "personal-data-is-erased"
    )
    asked = {"purpose": "telemetry", "evidence": "store/1"}
    refused = await lender.send("officer", "POST", f"/v1/parties/{borrower_id}/consents", asked)
    assert rule(refused) == "personal-data-is-erased"
    await lender.until(f"bool_and(erased AND channels = '{{}}') FROM party WHERE subject = '{borrower_id}'")
    told = [value for _, value in await lender.records(PARTIES.name)]
    assert PersonalDataErased.model_validate_json(told[-1]).subject == borrower_id
    again = await registered(lender, PERSON)
    assert again.status_code == 202, again.text


async def test_data_is_not_erased_while_a_loan_is_under_way(lender: Office) -> None:
    borrower_id, _ = await lender.agreed()
    refused = await lender.send("supervisor", "POST", f"/v1/parties/{borrower_id}/erasure", {})
    assert rule(refused) == "loans-outstanding"
    contact = f"/v1/parties/{borrower_id}/contact/sms?purpose=service"
    assert (await lender.read(contact, "service"))["address"] == "+8613800000000"


async def test_a_wrong_check_digit_and_a_second_registration_are_refused_without_repeating_the_number(
    lender: Office,
) -> None:
    wrong = PERSON | {"official_number": {"kind": "cn.ric", "number": "360426199101010072"}}
    answer = await registered(lender, wrong)
    assert rule(answer) == "wrong-check-digit"
    assert "360426199101010072" not in answer.text
    first = await registered(lender, PERSON, idempotency_key="one")
    assert first.status_code == 202, first.text
    assert (await registered(lender, PERSON, idempotency_key="one")).json() == first.json()
    spaced = PERSON | {"official_number": {"kind": "cn.ric", "number": "360426 19910101 0071"}}
    twice = await registered(lender, spaced)
    assert rule(twice) == "party-already-registered"
    assert NUMBER not in twice.text
    other = await registered(lender, PERSON | {"name": "李"}, idempotency_key="one")
    assert rule(other) == "idempotency-key-reused"


async def test_members_of_a_group_and_circumstances_reach_the_readings(lender: Office) -> None:
    members = [await lender.borrower() for _ in range(3)]
    group = await lender.done("officer", "/v1/groups", {"members": members})
    await lender.until(f"count(*) = 6 FROM relation WHERE group_id = '{group['group']}'")
    await lender.done("officer", f"/v1/parties/{members[0]}/flags", {"flag": "hardship"})
    await lender.until(f"flags = '{{hardship}}' FROM party WHERE subject = '{members[0]}'")
    shown = await lender.read(f"/v1/parties/{members[0]}", "collector")
    assert (len(shown["relations"]), shown["flags"]) == (2, ["hardship"])
    assert rule(await lender.send("officer", "POST", "/v1/groups", {"members": members[:2]})) == "not-a-group"
