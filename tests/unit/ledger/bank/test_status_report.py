"""What the bank says of a file: the nearest status counts, and a report of something else is refused by name."""

import pytest

from services.ledger.bank.pain002 import Said, read_pain002, statuses
from services.ledger.bank.refusals import (
    AmountDiffers,
    HostileXml,
    NotAStatusReport,
    NotXml,
    SumDiffers,
    UnknownPaymentFile,
    UnknownReference,
)
from shared.errors import Refusal
from tests.unit.ledger.bank.pay_outs import pain002, said

FILE = {"M1": {"a1": 120_000, "a2": 50_000}}


@pytest.mark.parametrize("version", ["03", "10"])
def test_a_transactions_status_counts_before_its_blocks_and_the_files(version: str) -> None:
    content = pain002("M1", said("a2", "RJCT", "AC04", "500.00"), payment="PART", group="ACCP", version=version)
    found = statuses(read_pain002(content), FILE, "EUR")
    assert found == {"a1": Said("ACCP"), "a2": Said("RJCT", "AC04")}


def test_a_file_that_is_rejected_whole_is_rejected_in_each_item() -> None:
    found = statuses(read_pain002(pain002("M1", group="RJCT", count=2, total="1700.00")), FILE, "EUR")
    assert {one.status for one in found.values()} == {"RJCT"}
    assert statuses(read_pain002(pain002("M1", payment="ACSC")), FILE, "EUR").keys() == FILE["M1"].keys()
    assert statuses(read_pain002(pain002("M1")), FILE, "EUR") == {}


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (pain002("M1", count=3), SumDiffers),
        (pain002("M1", total="1700.01"), SumDiffers),
        (pain002("M1", total="1,700"), NotAStatusReport),
        (pain002("M1", said("a9", "RJCT")), UnknownReference),
        (pain002("M1", said("a1", "RJCT", amount="1200.01")), AmountDiffers),
        (pain002("M1", said("a1", "RJCT", amount="1200.00", code="USD")), AmountDiffers),
        (pain002("M1", said("a1", "RJCT")).replace(b"<OrgnlPmtInfId>M1", b"<OrgnlPmtInfId>M2"), UnknownPaymentFile),
        (pain002("M1", said("a1", "rejected")), NotAStatusReport),
        (pain002("M1", said("a1", "RJCT"), said("a1", "ACSC")), NotAStatusReport),
        (pain002("M1").replace(b"<OrgnlMsgId>M1</OrgnlMsgId>", b""), NotAStatusReport),
        (b"<Document/>", NotAStatusReport),
        (b"no xml", NotXml),
        (b"", NotXml),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', HostileXml),
    ],
)
def test_a_report_of_something_else_is_refused_by_name(content: bytes, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        statuses(read_pain002(content), FILE, "EUR")


def test_what_the_bank_wrote_for_people_is_not_read() -> None:
    assert "Vesela" not in repr(read_pain002(pain002("M1", said("a1", "RJCT", "AC04"))))
