"""`lendlog schedule`: what it prints, and what it refuses."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from lendlog import cli
from lendlog.cli import build

LOAN = ["--principal", "100000", "--rate", "12", "--n", "12", "--start", "2025-01-01"]


def run(*options: str) -> Any:
    arguments = ["schedule", *LOAN, *options]
    return CliRunner().invoke(build(arguments), arguments)


def document(*options: str) -> dict[str, Any]:
    result = run(*options, "--json")
    assert result.exit_code == 0, result.output
    made: dict[str, Any] = json.loads(result.output)
    return made


def test_the_document_has_rows_totals_and_the_annual_rate() -> None:
    made = document()
    assert made["instalments"][0] == {
        "due": "2025-02-01",
        "days": 31,
        "principal": "7884.88",
        "interest": "1000.00",
        "total": "8884.88",
        "balance": "92115.12",
    }
    assert made["instalments"][-1]["balance"] == "0.00"
    assert made["totals"] == {"principal": "100000.00", "interest": "6618.53", "total": "106618.53"}
    assert made["all_in_rate"] == {"effective": "0.126825", "nominal": "0.120000"}
    assert made["currency"] == "CNY"


def test_the_table_is_aligned_and_ends_with_totals_and_the_rate() -> None:
    lines = run("--currency", "EUR").output.splitlines()
    assert lines[0].split() == ["due", "days", "principal", "interest", "total", "balance"]
    assert len({len(line) for line in lines[:13]}) == 1
    assert lines[13].split() == ["total", "100000.00", "6618.53", "106618.53"]
    assert lines[14] == "all-in annual rate  12.6825 % effective, 12.0000 % nominal; amounts in EUR"


def test_a_season_has_shares_and_months_that_ask_for_nothing() -> None:
    made = document("--kind", "seasonal", "--shares", "6:0.2,10:0.8", "--zero", "1,2")["instalments"]
    assert {row["due"][5:7]: row["principal"] for row in made if row["principal"] != "0.00"} == {
        "06": "20000.00",
        "10": "80000.00",
    }
    assert made[0]["total"] == "0.00"
    assert made[1]["interest"] == "2000.00"


def test_a_plan_names_dates_and_principal() -> None:
    made = document("--n", "2", "--kind", "irregular", "--plan", "2025-06-30:40000,2025-12-31:60000")["instalments"]
    assert [(row["due"], row["principal"]) for row in made] == [("2025-06-30", "40000.00"), ("2025-12-31", "60000.00")]


def test_a_down_payment_and_holidays_are_shown() -> None:
    options = ["--holidays", "CN", "--first-due", "2025-10-01", "--n", "18", "--kind", "interest-only"]
    made = document("--down-payment", "0.25", *options)
    assert made["instalments"][0] | {"down_payment": True, "principal": "25000.00"} == made["instalments"][0]
    assert made["instalments"][1]["due"] == "2025-10-09"
    assert made["flagged_years"] == [2027]


def test_a_fee_is_withheld_and_the_rate_counts_it() -> None:
    """12 payments of 8884.88 for 98450: at 14.9773 % a year, a twelfth a month, they are worth that."""
    made = document("--fee", "opening:1.5%", "--fee", "stamp:50")
    assert made["fees"] == [{"name": "opening", "amount": "1500.00"}, {"name": "stamp", "amount": "50.00"}]
    assert (made["fees_withheld"], made["paid_out"]) == ("1550.00", "98450.00")
    assert made["all_in_rate"] == {"effective": "0.160495", "nominal": "0.149773"}
    assert made["totals"] == document()["totals"]
    lines = run("--fee", "opening:1.5%", "--fee", "stamp:50").output.splitlines()
    assert lines[-2] == "withheld: opening 1500.00, stamp 50.00; paid out 98450.00"


def test_each_instalment_asks_for_its_fees_and_the_rate_counts_them() -> None:
    made = document("--instalment-fee", "account:5", "--instalment-fee", "service:0.1%:outstanding")
    assert [made["instalments"][n]["fees"] for n in (0, 1, 11)] == ["105.00", "97.12", "13.80"]
    assert made["instalments"][0]["total"] == "8989.88"
    assert made["totals"]["fees"] == "721.86"
    assert float(made["all_in_rate"]["nominal"]) == pytest.approx(0.1331, abs=0.0001)
    assert "fees" in run("--instalment-fee", "account:5").output.splitlines()[0].split()


def test_without_fees_none_are_shown() -> None:
    assert not {"fees", "fees_withheld", "paid_out"} & set(document())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--kind", "seasonal", "--shares", "6:0.2,10:0.7"], "The shares sum to 0.2 + 0.7, not to 1."),
        (["--kind", "seasonal", "--shares", "13:1"], "'13' is no month: --shares 6:0.2,10:0.8, --zero 1,2."),
        (["--kind", "seasonal", "--shares", "6:1", "--zero", "6"], "Month 6 has a share and is to repay nothing."),
        (["--fee", "opening"], "'opening' is no fee: --fee opening:1.5% or --fee opening:50."),
        (
            ["--instalment-fee", "account"],
            "'account' is no fee: --instalment-fee account:5 or --instalment-fee service:0.1%:outstanding.",
        ),
        (["--instalment-fee", "a:5", "--instalment-fee", "a:6"], "Two fees of an instalment are called a."),
        (["--fee", "opening:x%"], "'opening:x%' is no fee: --fee opening:1.5% or --fee opening:50."),
        (["--fee", "opening:1e5"], "'1e5' is not a plain decimal amount."),
        (["--fee", "opening:100%"], "The upfront fees are no less than the principal."),
        (["--rate", "twelve"], "'twelve' is no rate: --rate 12 is 12 % a year."),
        (["--principal", "1e5"], "'1e5' is not a plain decimal amount."),
        (["--plan", "tomorrow:400"], "'tomorrow' is no date: --plan 2025-06-30:400,2025-12-31:600."),
        (["--grace-principal", "12"], "A grace of 12 periods leaves none of 12 after it."),
        (["--first-due", "2025-01-01"], "The first due date 2025-01-01 is not after the disbursement on 2025-01-01."),
    ],
)
def test_what_gives_no_schedule_is_exit_2_with_a_sentence(
    options: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["lendlog", "schedule", *LOAN, *options, "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert json.loads(capsys.readouterr().out) == {"error": sentence}
