"""The account movements and districts of the Berka data set as signals, by the day on which each became known. Pure.

Only accounts that have a loan in loan.asc: nobody else in the files borrows, and the lender has no business with the
account of somebody who does not. They are followed from their first movement on, before the loan is granted, too: what
an account looked like then is what a decision and a borrower's own level rest on.

District figures belong to years: unemployment to 1995 and 1996; the others name no year, and the file that has them
can't be older than the youngest figure in it. Each is known from the last day of its year on and is not published
before: a figure of 1995 in a book of 1994 would be knowledge that nobody had.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Literal

from lendlog.berka import MOVEMENT_FIELDS, borrower_id, event_id, loans_of
from lendlog.berka_files import CURRENCY, Row, rows
from shared.events.envelope import SCHEMA_BASE
from shared.events.signals import AccountMoved, Indicator, IndicatorPublished, Movement
from shared.money import decimal_text

SOURCE = "/berka"
INDUSTRY = "all"
"""The figures are of whole districts, not of a trade in them."""
Kind = Literal["ordinary", "household", "loan-instalment", "penalty-interest"]
Signal = AccountMoved | IndicatorPublished

_INFLOWS = ("PRIJEM", "credit")
_OUTFLOWS = ("VYDAJ", "VYBER", "withdrawal", "withdrawal in cash")
_KINDS: dict[str, Kind] = {
    "SIPO": "household",
    "household": "household",
    "UVER": "loan-instalment",
    "SANKC. UROK": "penalty-interest",
    "sanction interest if negative balance": "penalty-interest",
}
"""k_symbol in the bank's words and in those of trans_before_loan.csv; every other one is ordinary."""
_DISTRICT_FIELDS = tuple(f"A{n}" for n in range(1, 17))
_DISTRICT_FIGURES = (
    ("A11", "average-salary", "CZK/month", date(1996, 12, 31)),
    ("A12", "unemployment", "%", date(1995, 12, 31)),
    ("A13", "unemployment", "%", date(1996, 12, 31)),
    ("A14", "entrepreneurs", "per-1000", date(1996, 12, 31)),
)
"""Column, indicator, unit, and the first day on which the figure can be known."""
_ROUNDING = 10
"""Minor units by which a balance may differ from the one before it and the movement: the bank rounds balances."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """A row of trans.asc or trans_before_loan.csv; amounts in minor units, `amount` negative for an outflow."""

    trans_id: str
    account_id: str
    day: date
    amount: int
    balance: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Signals:
    """What is to be published, by day. `later`: indicators of the file that are not known by the last day."""

    days: Mapping[date, Sequence[Signal]]
    later: int

    def figures(self) -> dict[str, int]:
        """Counts."""
        found = [signal for day in self.days.values() for signal in day]
        moved = sum(isinstance(signal, AccountMoved) for signal in found)
        return {"movements": moved, "indicators": len(found) - moved, "indicators_after_through": self.later}


def read_signals(folder: Path, through: date) -> Signals:
    """Movements and indicators known up to and including `through`, each day's in the order in which they happened;
    every row of the files is checked, later ones too.

    Raises MissingPrecondition if a file is absent (trans_before_loan.csv may be: with the bank's whole trans.asc
    nothing is missing), DamagedFile naming file and line of a row that can't be right.
    """
    days: defaultdict[date, list[Signal]] = defaultdict(list)
    accounts = {loan.account_id for loan in loans_of(folder / "loan.asc")}
    for moved in _in_order(_movements(folder, accounts)):
        if moved.day <= through:
            days[moved.day].append(_account_moved(moved))
    later = 0
    for indicator in _indicators(folder / "district.asc"):
        if indicator.data.observed_on <= through:
            days[indicator.data.observed_on].append(indicator)
        else:
            later += 1
    return Signals(dict(sorted(days.items())), later)


def region(district_id: str) -> str:
    """The word that stands for a district in keys of markets."""
    return f"district-{district_id}"


def _movements(folder: Path, accounts: set[str]) -> list[_Moved]:
    found: list[_Moved] = []
    seen: set[str] = set()
    before = folder / "trans_before_loan.csv"
    sources = [rows(folder / "trans.asc", MOVEMENT_FIELDS)]
    if before.exists():
        sources.append(rows(before, MOVEMENT_FIELDS, quoted=False))
    for source in sources:
        for row in source:
            moved = _moved(row)
            if moved.account_id in accounts and moved.trans_id not in seen:
                seen.add(moved.trans_id)
                found.append(moved)
    return found


def _moved(row: Row) -> _Moved:
    direction = row.word("type")
    if direction not in (*_INFLOWS, *_OUTFLOWS):
        row.damaged(f"the type {direction[:40]!r} says neither in nor out")
    return _Moved(
        row.number("trans_id"),
        row.number("account_id"),
        row.day("date"),
        row.amount("amount") * (1 if direction in _INFLOWS else -1),
        row.amount("balance", signed=True),
        _KINDS.get(row.word("k_symbol"), "ordinary"),
    )


def _in_order(movements: Sequence[_Moved]) -> Iterator[_Moved]:
    """Account by account, day by day, and within a day so that each balance follows from the one before it: the files
    keep no order within a day."""
    by_day = sorted(movements, key=lambda moved: (moved.account_id, moved.day))
    account, balance = None, None
    for (account_id, _), group in groupby(by_day, key=lambda moved: (moved.account_id, moved.day)):
        if account_id != account:
            account, balance = account_id, None
        day = list(group)
        for moved in _chain(day, balance) or day:
            balance = moved.balance
            yield moved


def _chain(rest: list[_Moved], balance: int | None) -> list[_Moved] | None:
    """An order of `rest` in which every balance follows from the one before it; None if there is none."""
    if not rest:
        return []
    for index, moved in enumerate(rest):
        if balance is None or abs(balance + moved.amount - moved.balance) <= _ROUNDING:
            following = _chain(rest[:index] + rest[index + 1 :], moved.balance)
            if following is not None:
                return [moved, *following]
    return None


def _account_moved(moved: _Moved) -> AccountMoved:
    """The event; its time is the row's day, so that every import makes the same event of a row."""
    return AccountMoved(
        id=event_id("movement", moved.trans_id),
        source=SOURCE,
        subject=borrower_id(moved.account_id),
        time=f"{moved.day}T00:00:00Z",
        dataschema=f"{SCHEMA_BASE}signals.AccountMoved.v1.json",
        data=Movement(
            direction="in" if moved.amount >= 0 else "out",
            amount=decimal_text(abs(moved.amount), CURRENCY),
            balance=decimal_text(moved.balance, CURRENCY),
            currency=CURRENCY,
            kind=moved.kind,
            observed_on=moved.day,
        ),
    )


def _indicators(file: Path) -> Iterator[IndicatorPublished]:
    """Every figure of every district; a `?` of the file is no figure."""
    for row in rows(file, _DISTRICT_FIELDS, quoted=False):
        district = row.number("A1")
        for column, indicator, unit, known in _DISTRICT_FIGURES:
            value = row.word(column)
            if value == "?":
                continue
            whole, point, decimals = value.partition(".")
            if not (whole.isascii() and whole.isdigit() and len(whole) <= 9 and (not point or decimals.isdigit())):
                row.damaged(f"{column} {value[:40]!r} is not a figure")
            yield IndicatorPublished(
                id=event_id("district", district, indicator, known.isoformat()),
                source=SOURCE,
                subject=f"{INDUSTRY}.{region(district)}",
                time=f"{known}T00:00:00Z",
                dataschema=f"{SCHEMA_BASE}market.IndicatorPublished.v1.json",
                data=Indicator(
                    indicator=indicator,
                    industry=INDUSTRY,
                    region=region(district),
                    value=value,
                    unit=unit,
                    observed_on=known,
                ),
            )
