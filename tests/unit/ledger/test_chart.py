"""The chart of accounts: every role has one account, and reports tell the lender's accounts."""

from pathlib import Path

import pytest

from services.ledger import chart
from services.ledger.chart import DEFAULT, BadChart, load
from services.ledger.engine.accounts import FEES_RECEIVABLE, INTEREST_RECEIVABLE, NAMES
from services.ledger.queries.reports import Movements, income_document, movements_document
from services.ledger.queries.tallies import balances_document, tally

SHARED = 'accounts:\n  - {code: "R1", name: receivable, class: asset, roles: [interest-receivable, fees-receivable]}\n'


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    """The default chart with some of its text replaced."""
    text = DEFAULT.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "chart.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default_chart_names_the_roles_themselves() -> None:
    accounts = load(DEFAULT).by_role()
    assert {number: (one.code, one.name) for number, one in accounts.items()} == {
        number: (str(number), name) for number, name in NAMES.items()
    }


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("roles: [cash]", "roles: []", "no account plays cash"),
        ("roles: [cash]", "roles: [money]", "1010 plays money, which is no role"),
        ("roles: [cash]", "roles: [cash, suspense]", "1010 is of class asset, but suspense is liability"),
        ("roles: [fraud-loss]", "roles: [fraud-loss, credit-loss]", "5210 and 5220 both play credit-loss"),
        ('code: "1210"', 'code: "1010"', "two accounts have the code 1010"),
        ("name: cash, class: asset", "name: cash, class: equity", "1010 is of class equity, but cash is asset or"),
        ("class: asset, roles: [cash]", "class: money, roles: [cash]", "accounts/0/class: Input should be"),
        ("accounts:", "accounts: [", "is not YAML"),
    ],
)
def test_a_chart_that_can_not_be_used_says_why(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(BadChart, match=problem):
        load(written(tmp_path, (old, new)))


def test_a_missing_chart_says_which(tmp_path: Path) -> None:
    with pytest.raises(BadChart, match=r"none\.yaml can't be read: No such file"):
        load(tmp_path / "none.yaml")


def test_roles_that_share_an_account_are_one_line_of_every_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(
        tmp_path, ("roles: [interest-receivable]", "roles: []"), ("roles: [fees-receivable]", "roles: []"),
        ("accounts:\n", SHARED), ("interest-forgone, class: income", "interest-forgone, class: expense"),
    )  # fmt: skip
    monkeypatch.setenv("LENDLOG_CHART", str(path))
    chart.accounts.cache_clear()
    try:
        rows = [
            {"currency": 978, "debit": INTEREST_RECEIVABLE, "credit": 4110, "amount": 500},
            {"currency": 978, "debit": FEES_RECEIVABLE, "credit": 4120, "amount": 300},
            {"currency": 978, "debit": 4116, "credit": INTEREST_RECEIVABLE, "amount": 100},
        ]
        found = tally(rows)
        line = {"code": "R1", "account": "receivable", "debit": "8.00", "credit": "1.00", "balance": "7.00"}
        assert line in balances_document(found["EUR"], "EUR")
        moved = Movements(opening=tally(rows[:1]), prompt=tally(rows[1:]), late={})
        (told,) = [one for one in movements_document(moved)["EUR"]["accounts"] if one["code"] == "R1"]
        assert (told["opening"], told["debit"], told["credit"], told["closing"]) == ("5.00", "3.00", "1.00", "7.00")
        income = income_document(moved)["EUR"]
        assert [one["code"] for one in income["expense"]] == ["4116"]
        assert (income["total_income"], income["total_expense"], income["result"]) == ("3.00", "1.00", "2.00")
    finally:
        chart.accounts.cache_clear()
