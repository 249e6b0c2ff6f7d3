"""The statement of account as a PDF, read back as a reader does, and its words."""

from io import BytesIO
from typing import Any, get_args

import pytest
from pypdf import PdfReader

from lendlog.loan_reading import CHARGES, INSTALMENTS, SIDES, TRANSACTIONS, percent, statement_lines, terms_in_short
from lendlog.statement_pdf import statement_pdf
from lendlog.statement_words import WORDS, word
from services.ledger.engine.account import PARTS, STATUS
from services.ledger.engine.accounts import NAMES
from shared.events.terms import Terms

TERMS = {
    "kind": "equal-instalment", "principal": "1200.00", "currency": "EUR", "annual_rate": "0.1825", "instalments": 60,
    "every": 2, "unit": "week", "first_due_date": "2024-02-29", "day_count": "30/360",
}  # fmt: skip
AMOUNTS = dict.fromkeys(
    ("principal", "interest", "fees", "penalties", "overpaid", "paid", "outstanding", "waived"), "0.00"
)


def document(instalments: int = 60, **changes: Any) -> dict[str, Any]:
    """A statement with balances."""
    rows = [
        AMOUNTS
        | {"number": n, "due_date": "2024-02-29", "total": f"{n}.00", "balance": f"{1200 - n}.00", "paid_on": None}
        for n in range(1, instalments + 1)
    ]
    money = AMOUNTS | {"date": "2024-01-31", "amount": "1200.00", "balance": "1200.00"}
    charge = AMOUNTS | {
        "charge_id": "0" * 36,
        "part": "fee",
        "name": "late-fee",
        "due_date": "2024-03-01",
        "amount": "7.00",
    }
    side = {"code": "1210", "account": "loans-receivable", "debit": "1200.00", "credit": "0.00", "balance": "1200.00"}
    made = {
        "loan_id": "loan-1", "currency": "EUR", "parked": None, "borrower_id": "b-1", "product": "micro@1",
        "terms": TERMS, "status": "active", "charged_off_on": None, "principal_outstanding": "1200.00",
        "reference_rate": None,
        "outstanding": "1254.49", "overpaid": "0.00", "instalments": rows, "disbursements": [],
        "transactions": [money | {"kind": "disbursement"}, money | {"kind": "fee-withheld", "balance": "-3.10"}],
        "charges": [charge], "balances": {"EUR": {"accounts": [side]}},
        "as_of": {"date": "2024-01-31", "known": "2024-02-10", "offset": 3, "partition": 0},
    }  # fmt: skip
    return made | changes


def pages(pdf: bytes) -> list[str]:
    """The text of each page on one line."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def test_a_statement_says_who_what_and_as_of_when_on_every_page() -> None:
    found = pages(statement_pdf(document(), lender="Field & Vine"))
    assert len(found) == 2
    for text in (
        "Statement of account",
        "lender Field & Vine",
        "loan loan-1",
        "borrower b-1",
        "terms equal instalment, 1200.00 EUR, 18.25 % a year, 30/360",
        "schedule 60 instalments, period 2 week",
        "principal outstanding 1200.00",
    ):
        assert text in found[0]
    for number, text in enumerate(found, start=1):
        assert "loan-1 · known on 2024-02-10, effective on 2024-01-31" in text
        assert f"page {number} of 2" in text
        assert "no. due principal" in text  # the header of the instalments is repeated
    second = found[1]
    assert "60 2024-02-29 0.00 0.00 0.00 0.00 60.00 0.00 0.00 1140.00" in second
    assert "2024-01-31 fee withheld 1200.00 0.00 0.00 0.00 0.00 0.00 -3.10" in second
    assert "fee late-fee 2024-03-01 7.00 0.00 0.00 0.00" in second
    assert "Balances in EUR" in second
    assert "loans receivable 1200.00 0.00 1200.00" in second


def test_a_statement_in_chinese_can_be_read_as_text() -> None:
    found = "\n".join(pages(statement_pdf(document(), lender="某某小额贷款有限公司", language="zh-CN")))
    for text in (
        "贷款对账单",
        "贷款人 某某小额贷款有限公司",
        "等额本息",
        "期数 还款日 本金 利息",
        "放款扣费",
        "应收贷款本金",
        "第 1 页，共 2 页",
    ):
        assert text in found


def test_a_loan_before_its_contract_and_a_parked_one_have_a_statement() -> None:
    nothing = dict.fromkeys(("borrower_id", "product", "terms", "currency"))
    bare = document(0, transactions=[], charges=[], balances={}, **nothing)
    assert "schedule" not in pages(statement_pdf(bare))[0]
    assert list(statement_lines(bare))
    parked = document(parked={"since": "2024-02-01"})
    assert "The loan is held since 2024-02-01" in pages(statement_pdf(parked))[0]
    assert "自 2024-02-01 起" in pages(statement_pdf(parked, language="zh-CN"))[0]


def test_a_statement_tells_the_rate_in_force_and_how_it_came_about() -> None:
    reset = {"date": "2024-01-01", "index_value": "0.0310", "annual_rate": "0.121"}
    rate = {"index": "CN-LPR-1Y", "annual_rate": "0.121", "next_reset_on": "2025-01-01", "resets": [reset]}
    found = " ".join(pages(statement_pdf(document(reference_rate=rate))))
    for text in ("reference rate CN-LPR-1Y: 12.1 %", "next reset on 2025-01-01", "2024-01-01 0.0310 0.121"):
        assert text in found
    assert "利率重定价" in " ".join(pages(statement_pdf(document(reference_rate=rate), language="zh-CN")))
    lines = list(statement_lines(document(reference_rate=rate)))
    assert any("CN-LPR-1Y, now 12.1 % a year, reset next on 2025-01-01" in line for line in lines)
    fixed = rate | {"annual_rate": None, "next_reset_on": None, "resets": []}
    assert any("until another rate was agreed" in line for line in statement_lines(document(reference_rate=fixed)))


@pytest.mark.parametrize("language", sorted(WORDS))
def test_the_same_statement_gives_the_same_bytes(language: str) -> None:
    assert statement_pdf(document(), language=language) == statement_pdf(document(), language=language)


def test_every_word_of_a_statement_has_a_chinese_one() -> None:
    names = {*INSTALMENTS, *TRANSACTIONS, *CHARGES, *SIDES, *PARTS, *STATUS, *NAMES.values(), "overpaid", "paid_on"}
    names -= {"charge_id"}
    for field in ("kind", "unit"):
        names |= set(get_args(Terms.model_fields[field].annotation))
    assert {name for name in names if word(name, "zh-CN").isascii()} == set()
    assert WORDS["en"].keys() - WORDS["zh-CN"].keys() == set()


def test_terms_are_told_in_one_line() -> None:
    assert terms_in_short(TERMS) == (
        "equal-instalment, 1200.00 EUR at 18.25 % a year (30/360), 60 x every 2 weeks from 2024-02-29"
    )
    assert [percent(rate) for rate in ("0", "0.1", "0.0325", "1.5")] == ["0 %", "10 %", "3.25 %", "150 %"]
    lines = list(statement_lines(document()))
    assert "balances in EUR:" in lines
