"""The Berka movements and districts as signals: what they say, when they may be known, and when they are published."""

import os
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lendlog.berka import borrower_id
from lendlog.berka_files import DamagedFile
from lendlog.berka_import import import_berka, signal_steps
from lendlog.berka_signals import Signal, read_signals
from services.ledger.commands.model import CloseDate, Command, OpenBook
from shared.errors import MissingPrecondition
from shared.events.signals import AccountMoved, IndicatorPublished

BERKA = Path(os.environ.get("LENDLOG_BERKA", "../shared/data/berka"))
THROUGH = date(1994, 3, 31)
LOANS = '"loan_id";"account_id";"date";"amount";"duration";"payments";"status"\n5314;1787;930705;96396;12;8033.00;"B"\n'
FIELDS = ("trans_id", "account_id", "date", "type", "operation", "amount", "balance", "k_symbol", "bank", "account")
DISTRICTS = ";".join(f"A{n}" for n in range(1, 17))
DISTRICT = '55;"Brno";"south Moravia";387570;0;0;0;1;1;100.0;9897;1.60;1.96;140;18721;18696'


def folder(where: Path, *movements: str, before: Sequence[str] = (), districts: Sequence[str] = (DISTRICT,)) -> Path:
    (where / "loan.asc").write_text(LOANS)
    (where / "trans.asc").write_text("\n".join([";".join(f'"{name}"' for name in FIELDS), *movements]) + "\n")
    (where / "trans_before_loan.csv").write_text("\n".join([";".join(FIELDS), *before]) + "\n")
    (where / "district.asc").write_text("\n".join([DISTRICTS, *districts]) + "\n")
    return where


def moved(where: Path, *movements: str, before: Sequence[str] = ()) -> list[AccountMoved]:
    found = read_signals(folder(where, *movements, before=before), date(1998, 12, 31))
    return [one for day in found.days.values() for one in day if isinstance(one, AccountMoved)]


@pytest.mark.berka
def test_every_movement_of_a_borrowers_account_becomes_known_on_its_day() -> None:
    signals = read_signals(BERKA, THROUGH)
    assert signals.figures() == {"movements": 7863, "indicators": 0, "indicators_after_through": 307}
    assert all(one.data.observed_on == day for day, some in signals.days.items() for one in some)
    assert list(signals.days) == sorted(signals.days)
    of_5314 = [one for some in signals.days.values() for one in some if one.subject == borrower_id("1787")]
    paid = [one for one in of_5314 if isinstance(one, AccountMoved) and one.data.kind == "loan-instalment"]
    assert [(one.data.observed_on, one.data.amount) for one in paid] == [(date(1994, 3, 12), "8033.20")]


@pytest.mark.berka
def test_balances_follow_from_movements() -> None:
    """All but ten, each on the last day of the first part of the bank's file: it ends in the middle of that day."""
    signals = read_signals(BERKA, date(1998, 12, 31))
    of_borrower: dict[str, list[AccountMoved]] = {}
    for some in signals.days.values():
        for one in some:
            if isinstance(one, AccountMoved):
                of_borrower.setdefault(one.subject, []).append(one)
    jumps = []
    for movements in of_borrower.values():
        for before, after in pairwise(movements):
            signed = float(after.data.amount) * (1 if after.data.direction == "in" else -1)
            if abs(float(before.data.balance) + signed - float(after.data.balance)) > 0.101:
                jumps.append(after.data.observed_on)
    gaps = [day for day in jumps if day <= THROUGH]
    assert gaps == [THROUGH] * 10
    assert len(jumps) - len(gaps) <= len(of_borrower)  # once an account, between the two files


def test_a_days_movements_are_put_into_the_order_of_their_balances(tmp_path: Path) -> None:
    found = moved(
        tmp_path,
        '1;1787;930322;"PRIJEM";"VKLAD";1100.00;1100.00;"";;',
        '2;1787;930323;"VYDAJ";"VYBER";200.00;1400.00;"SIPO";;',
        '3;1787;930323;"PRIJEM";"VKLAD";500.00;1600.00;"";;',
        '4;1788;930323;"PRIJEM";"VKLAD";1.00;1.00;"";;',  # nobody borrows on this account
    )
    assert [(one.data.direction, one.data.balance, one.data.kind) for one in found] == [
        ("in", "1100.00", "ordinary"),
        ("in", "1600.00", "ordinary"),
        ("out", "1400.00", "household"),
    ]


def test_both_files_words_mean_the_same(tmp_path: Path) -> None:
    found = moved(
        tmp_path,
        '1;1787;930322;"VYBER";"VYBER";10.00;-10.00;"SANKC. UROK";;',
        '2;1787;930323;"VYDAJ";"PREVOD NA UCET";5.00;-15.00;"UVER";"AB";"1"',
        before=[
            "11;1787;950322;withdrawal in cash;withdrawal in cash;10.00;-10.00;sanction interest if negative balance;;",
            "12;1787;950323;credit;credit in cash;15.50;5.50;;;",
        ],
    )
    assert [(one.data.direction, one.data.amount, one.data.balance, one.data.kind) for one in found] == [
        ("out", "10.00", "-10.00", "penalty-interest"),
        ("out", "5.00", "-15.00", "loan-instalment"),
        ("out", "10.00", "-10.00", "penalty-interest"),
        ("in", "15.50", "5.50", "ordinary"),
    ]
    assert b"1787" not in b"".join(one.to_json() for one in found)


@pytest.mark.parametrize(
    ("through", "known"), [("1995-12-30", 0), ("1995-12-31", 1), ("1996-12-30", 1), ("1996-12-31", 4)]
)
def test_no_figure_of_a_district_is_known_before_its_year_is_over(tmp_path: Path, through: str, known: int) -> None:
    signals = read_signals(folder(tmp_path), date.fromisoformat(through))
    assert signals.figures() == {"movements": 0, "indicators": known, "indicators_after_through": 4 - known}
    for some in signals.days.values():
        for one in some:
            assert isinstance(one, IndicatorPublished)
            assert one.subject == f"{one.data.industry}.{one.data.region}" == "all.district-55"


def test_a_file_read_twice_gives_the_same_events(tmp_path: Path) -> None:
    where = folder(tmp_path, '1;1787;930322;"PRIJEM";"VKLAD";1100.00;1100.00;"";;')
    assert read_signals(where, THROUGH) == read_signals(where, THROUGH)


@pytest.mark.parametrize(
    ("old", "new"), [("PRIJEM", "JINAM"), ("1100.00;1100.00", "1100.00;1,1"), ("930322", "930231")]
)
def test_a_damaged_movement_is_named_by_file_and_line(tmp_path: Path, old: str, new: str) -> None:
    row = '1;1787;930322;"PRIJEM";"VKLAD";1100.00;1100.00;"";;'
    with pytest.raises(DamagedFile, match=r"trans\.asc, line 3: "):
        moved(tmp_path, row, row.replace("1;1787", "2;1787").replace(old, new))


def test_a_damaged_district_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=r"district\.asc, line 3: A12"):
        read_signals(folder(tmp_path, districts=[DISTRICT, DISTRICT.replace("1.60", "1.6.0")]), THROUGH)
    folder(tmp_path, districts=[DISTRICT.replace("1.60", "?")])
    assert read_signals(tmp_path, date(1995, 12, 31)).figures()["indicators"] == 0
    (tmp_path / "district.asc").unlink()
    with pytest.raises(MissingPrecondition, match=r"district\.asc"):
        read_signals(tmp_path, THROUGH)


class Desk:
    """Stands for the ledger's commands, its books and the outside; notes what comes, in order."""

    def __init__(self, open_date: date | None = None) -> None:
        self.open_date = open_date
        self.came: list[tuple[str, date | None]] = []
        self.recorded: list[Command] = []
        self.published: list[date] = []

    async def record_many(self, commands: Sequence[Command]) -> None:
        self.recorded += commands
        for command in commands:
            if isinstance(command, OpenBook | CloseDate):
                self.came.append((type(command).__name__, command.business_date))

    async def publish(self, day: date | None, signals: Sequence[Signal]) -> None:
        assert signals
        self.came.append(("signals", day))
        self.published += [one.data.observed_on for one in signals]

    async def fetchval(self, query: str, *_: Any) -> str | None:
        return self.open_date.isoformat() if self.open_date and "open_date" in query else None

    async def fetchrow(self, *_: Any) -> dict[str, int]:
        return {"loans": 1, "repayments": 0, "repaid": 0, "outstanding": 9639600}

    async def caught_up(self) -> None:
        pass

    async def run(self, where: Path, through: date) -> dict[str, int]:
        compared = await import_berka(
            where, through, commands=self, outside=self, api=self, books=self, caught_up=self.caught_up
        )
        assert compared.equal
        return compared.signals


MOVEMENTS = (
    '1;1787;930322;"PRIJEM";"VKLAD";1100.00;1100.00;"";;',
    '2;1787;930705;"PRIJEM";"VKLAD";100.00;1200.00;"";;',
    '3;1787;930708;"PRIJEM";"VKLAD";100.00;1300.00;"";;',
    '4;1787;930802;"PRIJEM";"VKLAD";100.00;1400.00;"";;',
    '5;1787;930803;"PRIJEM";"VKLAD";100.00;1500.00;"";;',
)


async def test_signals_come_while_a_date_of_their_month_is_open_and_none_of_it_is_closed(tmp_path: Path) -> None:
    first, desk = date(1993, 7, 5), Desk()
    figures = await desk.run(folder(tmp_path, *MOVEMENTS), date(1993, 8, 3))
    assert figures["movements"] == 5
    days = [first + timedelta(days=n) for n in range(30)]
    assert desk.came == [
        ("signals", None),
        ("OpenBook", first),
        ("signals", first),
        *(("CloseDate", day) for day in days if day.month == 7),
        ("signals", date(1993, 8, 1)),
        *(("CloseDate", day) for day in days if day.month == 8),
    ]
    assert len(desk.recorded) == 1 + 2 + 30


async def test_an_import_that_goes_on_publishes_what_the_one_before_it_did_not(tmp_path: Path) -> None:
    """The date at which it was killed comes again: its signals may be there in part."""
    desk = Desk(open_date=date(1993, 7, 8))
    await desk.run(folder(tmp_path, *MOVEMENTS), date(1993, 8, 3))
    assert [day for what, day in desk.came if what == "signals"] == [date(1993, 7, 8), date(1993, 8, 1)]
    assert desk.published == [date(1993, 7, 8), date(1993, 8, 2), date(1993, 8, 3)]


async def test_a_districts_figure_comes_on_its_own_day(tmp_path: Path) -> None:
    days = read_signals(folder(tmp_path, *MOVEMENTS), date(1996, 12, 31)).days
    steps = signal_steps(days, date(1993, 7, 5), None)
    found = [day for day, some in steps.items() if any(isinstance(one, IndicatorPublished) for one in some)]
    assert found == [date(1995, 12, 31), date(1996, 12, 31)]
