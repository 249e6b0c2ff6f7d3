"""The Berka reader and plan, on the real files and on damaged ones."""

import os
from datetime import date, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from lendlog.berka import borrower_id, first_due_date, plan, read, terms
from lendlog.berka_files import DamagedFile
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.commands.model import CloseDate, ConcludeContract, Disburse, OpenBook, ReceivePayment
from shared.errors import MissingPrecondition
from shared.money import decimal_text
from shared.schedules import paid_out_whole

BERKA = Path(os.environ.get("LENDLOG_BERKA", "../shared/data/berka"))
THROUGH = date(1994, 3, 31)
LOANS = '"loan_id";"account_id";"date";"amount";"duration";"payments";"status"'
MOVEMENTS = '"trans_id";"account_id";"date";"type";"operation";"amount";"balance";"k_symbol";"bank";"account"'
LOAN = '5314;1787;930705;96396;12;8033.00;"B"'
MOVEMENT = '527534;1787;930712;"VYDAJ";"PREVOD NA UCET";8033.00;43431.90;"UVER";"OP";"33671474"'


def folder(where: Path, *, loans: str = LOAN, movements: str = MOVEMENT) -> Path:
    (where / "loan.asc").write_text(f"{LOANS}\n{loans}\n")
    (where / "trans.asc").write_text(f"{MOVEMENTS}\n{movements}\n")
    return where


@pytest.mark.berka
def test_the_first_nine_months_are_what_the_bank_published() -> None:
    portfolio = read(BERKA, THROUGH)
    assert portfolio.figures() == {"loans": 38, "repayments": 123, "repaid": "483565.80"}
    outstanding = sum(loan.amount for loan in portfolio.loans) - sum(payment.amount for payment in portfolio.payments)
    assert decimal_text(outstanding, "CZK") == "4172830.20"
    assert portfolio.loans[0].granted == date(1993, 7, 5)


@pytest.mark.berka
def test_every_loan_of_the_file_has_equal_instalments_as_the_file_says() -> None:
    portfolio = read(BERKA, date(1998, 12, 31))
    assert len(portfolio.loans) == 682
    for loan in portfolio.loans:
        made = paid_out_whole(terms(loan), disbursed_on=loan.granted)
        assert set(made.principal) == {loan.instalment}
        assert not any(made.interest)


@pytest.mark.parametrize(
    ("granted", "due"),
    [
        (date(1993, 7, 5), date(1993, 7, 12)),
        (date(1993, 7, 11), date(1993, 7, 12)),
        (date(1993, 7, 12), date(1993, 8, 12)),
        (date(1993, 12, 31), date(1994, 1, 12)),
        (date(1994, 1, 30), date(1994, 2, 12)),
    ],
)
def test_the_first_instalment_is_due_on_the_next_12th(granted: date, due: date) -> None:
    assert first_due_date(granted) == due


@pytest.mark.berka
def test_the_plan_goes_by_business_date_and_closes_every_day() -> None:
    commands = plan(read(BERKA, THROUGH), THROUGH)
    assert commands[0] == OpenBook(date(1993, 7, 5), event_id=commands[0].event_id)
    closed = [command.business_date for command in commands if isinstance(command, CloseDate)]
    assert closed == [date(1993, 7, 5) + timedelta(days=n) for n in range(270)]
    assert closed[-1] == THROUGH
    kinds = [kind for kind, _ in groupby(commands[1:], type)]
    order = [ConcludeContract, Disburse, ReceivePayment, CloseDate]
    assert all(order.index(one) < order.index(other) for one, other in pairwise(kinds) if one is not CloseDate)
    assert len({command.event_id for command in commands}) == len(commands) == 1 + 270 + 2 * 38 + 123


@pytest.mark.berka
def test_the_plan_breaks_no_rule_of_the_ledger() -> None:
    guards, stamp = Guards(), Stamp("2026-01-01T00:00:00Z")
    for command in plan(read(BERKA, THROUGH), THROUGH):
        decide(command, guards, partitions=8, stamp=stamp)
        evolve(command, guards)
    assert guards.open_date == date(1994, 4, 1)


@pytest.mark.berka
def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    shorter = plan(read(BERKA, date(1993, 12, 31)), date(1993, 12, 31))
    assert plan(read(BERKA, THROUGH), THROUGH)[: len(shorter)] == shorter


def test_no_number_of_an_account_stands_in_a_borrower_id() -> None:
    assert borrower_id("1787") == borrower_id("1787") != borrower_id("1801")
    assert "1787" not in borrower_id("1787")


@pytest.mark.berka
def test_a_date_before_the_first_grant_has_nothing_to_import() -> None:
    with pytest.raises(MissingPrecondition, match="1993-07-04"):
        plan(read(BERKA, date(1993, 7, 4)), date(1993, 7, 4))


def test_a_small_file_is_read(tmp_path: Path) -> None:
    assert read(folder(tmp_path), THROUGH).figures() == {"loans": 1, "repayments": 1, "repaid": "8033.00"}
    assert read(folder(tmp_path), date(1993, 7, 11)).figures() == {"loans": 1, "repayments": 0, "repaid": "0.00"}


@pytest.mark.parametrize(
    "loan",
    [
        "5314;1787;930705;96396;12;8033.00",
        '5314;1787;930705;96396;12;8033.00;"B";',
        '5314;1787;931305;96396;12;8033.00;"B"',
        '5314;1787;9307;96396;12;8033.00;"B"',
        '5314;1787;930705;96,396;12;8033.00;"B"',
        '5314;1787;930705;-96396;12;8033.00;"B"',
        '5314;1787;930705;96396;12;8033.005;"B"',
        '5314;1787;930705;96397;12;8033.00;"B"',
        '5314;1787;930705;0;0;8033.00;"B"',
        ';1787;930705;96396;12;8033.00;"B"',
        '5314;1787;930705;96396;12;8033.00;"X"',
        '5315;1787;930705;96396;12;8033.00;"B"',
        "",
        "\x00\xff",
    ],
)
def test_a_damaged_loan_is_named_by_file_and_line(tmp_path: Path, loan: str) -> None:
    with pytest.raises(DamagedFile, match=r"loan\.asc, line 3: "):
        read(folder(tmp_path, loans=f"{LOAN}\n{loan}"), THROUGH)


@pytest.mark.parametrize(
    ("field", "bad"),
    [(0, "x"), (0, "527534"), (1, "99"), (2, "930231"), (2, "tomorrow"), (5, "1e3"), (5, ""), (5, "0"), (6, "much")],
)
def test_a_damaged_movement_is_named_by_file_and_line(tmp_path: Path, field: int, bad: str) -> None:
    fields = MOVEMENT.replace("527534", "527535").split(";")
    fields[field] = bad
    with pytest.raises(DamagedFile, match=r"trans\.asc, line 3: "):
        read(folder(tmp_path, movements=f"{MOVEMENT}\n{';'.join(fields)}"), THROUGH)


def test_a_row_after_the_date_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=r"trans\.asc, line 2: "):
        read(folder(tmp_path, movements=MOVEMENT.replace("930712", "99071")), date(1993, 7, 10))


def test_a_missing_file_and_a_wrong_header_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPrecondition, match=r"loan\.asc"):
        read(tmp_path, THROUGH)
    folder(tmp_path)
    (tmp_path / "trans.asc").write_text("trans_id,account_id\n")
    with pytest.raises(DamagedFile, match=r"trans\.asc, line 1: "):
        read(tmp_path, THROUGH)
