"""A file of credit transfers says exactly what is to be paid, and is read back the same."""

from datetime import date
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.bank.camt_nodes import all_of, at, local, text_at
from services.ledger.bank.credit_transfer import Transfer, credit_transfers
from services.ledger.bank.lender import read_lender
from services.ledger.bank.pain002 import Said, read_pain002, statuses
from services.ledger.bank.pain_parts import Party
from shared.money import CURRENCIES, decimal_text, minor_units
from tests.unit.ledger.bank.pay_outs import CHINESE, CZECH, LENDER, pain001

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"
CODES = st.sampled_from(["EUR", "CZK", "CNY", "JPY", "KWD"])
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=140)
PARTIES = st.one_of(
    st.builds(lambda name: Party(name, iban=CZECH.iban), NAMES),
    st.builds(lambda name: Party(name, number=CHINESE.number, bank_code="102100099996", clearing="CNAPS"), NAMES),
)
TRANSFERS = st.lists(
    st.builds(
        Transfer,
        reference=st.text("0123456789abcdef", min_size=32, max_size=32),
        amount=st.integers(1, 10**15),
        to=PARTIES,
        text=st.just("Loan loan-1"),
    ),
    min_size=1,
    max_size=8,
)


def names(node: Any) -> list[str]:
    return [local(child) for child in node]


def read(content: bytes) -> tuple[Any, Any]:
    """Group header, and the payment information."""
    body = at(fromstring(content), "CstmrCdtTrfInitn")
    return at(body, "GrpHdr"), at(body, "PmtInf")


@given(TRANSFERS, CODES)
def test_what_is_paid_adds_up_and_is_read_back_to_the_minor_unit(transfers: list[Transfer], code: str) -> None:
    header, payment = read(pain001(transfers, code))
    entries = list(all_of(payment, "CdtTrfTxInf"))
    amounts = [at(entry, "Amt/InstdAmt") for entry in entries]
    minor = [minor_units(amount.text, amount.get("Ccy")) for amount in amounts]
    assert minor == [one.amount for one in transfers]
    assert {amount.get("Ccy") for amount in amounts} == {code}
    for node in (header, payment):
        assert (text_at(node, "NbOfTxs"), text_at(node, "CtrlSum")) == (str(len(minor)), decimal_text(sum(minor), code))
    decimals = [len(amount.text.partition(".")[2]) for amount in amounts]
    assert set(decimals) == {CURRENCIES[code].exponent}
    assert [text_at(entry, "PmtId/EndToEndId") for entry in entries] == [one.reference for one in transfers]
    sepa = text_at(payment, "PmtTpInf/SvcLvl/Cd") == "SEPA"
    assert sepa == (code == "EUR" and all(one.to.iban for one in transfers))
    for entry, one in zip(entries, transfers, strict=True):
        name = at(entry, "Cdtr/Nm").text
        assert name == (one.to.name[:70] if sepa else one.to.name)
        assert text_at(entry, "CdtrAcct/Id/IBAN") == one.to.iban
        assert text_at(entry, "CdtrAcct/Id/Othr/Id") == one.to.number


def test_elements_stand_in_the_order_of_the_schema() -> None:
    transfers = [Transfer("a1", 100_00, CZECH, "Loan 1"), Transfer("a2", 1, CHINESE, "Loan 2")]
    content = pain001(transfers, "CZK")
    assert content.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    document = fromstring(content)
    assert document.tag == "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}Document"
    header, payment = read(content)
    assert names(header) == ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"]
    assert names(payment)[:11] == [
        "PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt", "ChrgBr",
        "CdtTrfTxInf",
    ]  # fmt: skip
    by_iban, by_code = all_of(payment, "CdtTrfTxInf")
    assert names(by_iban) == ["PmtId", "Amt", "Cdtr", "CdtrAcct", "Purp", "RmtInf"]
    assert names(by_code) == ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "Purp", "RmtInf"]
    assert text_at(by_iban, "Purp/Cd") == "LOAN"
    member = at(by_code, "CdtrAgt/FinInstnId/ClrSysMmbId")
    assert (text_at(member, "ClrSysId/Cd"), text_at(member, "MmbId")) == ("CNAPS", "102100099996")
    assert (text_at(payment, "DbtrAgt/FinInstnId/BICFI"), text_at(payment, "ReqdExctnDt/Dt")) == (
        LENDER.bic,
        "2024-02-01",
    )


def test_the_examples_of_the_documents_are_a_file_of_ours_and_an_answer_to_it() -> None:
    content = (EXAMPLES / "pay-out.pain001.xml").read_bytes()
    header, payment = read(content)
    entries = list(all_of(payment, "CdtTrfTxInf"))
    parties = [
        Party(
            text_at(one, "Cdtr/Nm") or "",
            text_at(one, "CdtrAcct/Id/IBAN"),
            bic=text_at(one, "CdtrAgt/FinInstnId/BICFI"),
        )
        for one in entries
    ]
    amounts = [minor_units(text_at(one, "Amt/InstdAmt") or "", "EUR") for one in entries]
    references = [text_at(one, "PmtId/EndToEndId") or "" for one in entries]
    message_id = text_at(header, "MsgId") or ""
    made = credit_transfers(
        message_id,
        [
            Transfer(reference, amount, party, f"Loan loan-{n}")
            for n, (reference, amount, party) in enumerate(zip(references, amounts, parties, strict=True), start=1)
        ],
        by=read_lender().account("main-eur").party(),
        currency="EUR",
        on=date(2024, 1, 31),
        made_at="2024-01-31T09:00:00+00:00",
    )
    assert made == content
    report = read_pain002((EXAMPLES / "status.pain002.xml").read_bytes())
    found = statuses(report, {message_id: dict(zip(references, amounts, strict=True))}, "EUR")
    assert found == dict(zip(references, (Said("ACSC"), Said("RJCT", "AC04")), strict=True))


def test_nothing_that_is_printed_of_a_party_names_it() -> None:
    assert "Veselá" not in repr(Transfer("a1", 1, CZECH, "Loan 1"))
    assert "CZ65" not in repr(CZECH)
