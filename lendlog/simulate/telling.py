"""What the outside tells of borrowers and their trades, day by day: movements of the account, sales, a machine's hours,
registers, market indices; now and then with a wrong clock or a wrong unit."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from lendlog.simulate.applying import inflow
from lendlog.simulate.borrowers import CURRENCY, Borrower
from lendlog.simulate.chance import chance, id_of
from lendlog.simulate.climate import Climate
from lendlog.simulate.paying import Account
from shared.calendar import add_months
from shared.events.envelope import Envelope
from shared.events.signals import (
    AccountMoved,
    FigureReported,
    Figures,
    Indicator,
    IndicatorPublished,
    Movement,
    PublicRecord,
    RecordFound,
)
from shared.money import decimal_text

SOURCE = "/simulate"
INFLOW_DAYS, COSTS_DAY, HOUSEHOLD_DAY, BANK_DAY = (6, 16, 26), 12, 20, 28
ACCOUNT_DAYS = (*INFLOW_DAYS, COSTS_DAY, HOUSEHOLD_DAY, BANK_DAY)
SALES_DAY, MACHINE_DAY = 4, 2
WRONG_CLOCK, WRONG_UNIT = 1 / 4_000, 1 / 250
"""Of movements, whose clock is ten years off; of figures, whose unit has changed."""
Data = Movement | Figures | PublicRecord


class Teller:
    """Knows each borrower's balance."""

    def __init__(self, seed: int, climate: Climate) -> None:
        self._seed, self._climate = seed, climate
        self._balances: dict[int, int] = {}

    def of_day(self, account: Account, day: date) -> Iterator[Data]:
        """What is told of one borrower on a day, before its payments."""
        borrower = account.borrower
        stopped = account.has_stopped(day)
        if borrower.banked and not (stopped and borrower.number % 3 == 0):  # a third of those who stop move nothing
            yield from self._movements(borrower, day, stopped)
        if borrower.reports and day.day == SALES_DAY:
            yield self._figure(borrower, day, "sales", 0.5 if stopped else 1.0)
        if borrower.machine and day.day == MACHINE_DAY:
            yield self._figure(borrower, day, "machine-hours", 0.3 if stopped else 1.0)
        if account.stopped_on is not None and day == account.stopped_on + timedelta(days=20):
            yield from self._records(borrower, day)

    def paid(self, account: Account, amount: int, day: date) -> Movement | None:
        """A payment as the account shows it."""
        if not account.borrower.banked:
            return None
        return self._moved(account.borrower, day, -amount, "loan-instalment")

    def returned(self, account: Account, amount: int, day: date) -> Movement | None:
        """A payment that came back."""
        if not account.borrower.banked:
            return None
        return self._moved(account.borrower, day, amount, "returned-item")

    def indices(self, day: date) -> Iterator[IndicatorPublished]:
        """Indices that become known on a day."""
        if day.day != 5:
            return
        for n, index in enumerate(self._climate.indices(day)):
            yield IndicatorPublished(
                id=id_of(self._seed, "index", index.trade, index.region, day.isoformat()),
                source=SOURCE,
                subject=f"{index.trade}.{index.region}",
                time=f"{day}T00:{n % 60:02d}:00Z",
                data=Indicator(
                    indicator="sales-index",
                    industry=index.trade,
                    region=index.region,
                    value=index.value,
                    unit="index",
                    observed_on=index.observed_on,
                ),
            )

    def _movements(self, borrower: Borrower, day: date, stopped: bool) -> Iterator[Movement]:
        if day.day not in ACCOUNT_DAYS:
            return
        usual = inflow(self._seed, borrower, self._climate, day.replace(day=1))
        usual = usual * 2 // 5 if stopped else usual
        if day.day in INFLOW_DAYS:
            yield self._moved(borrower, day, usual // len(INFLOW_DAYS), "sales" if borrower.costs else "ordinary")
        if day.day == COSTS_DAY and borrower.costs:
            yield self._moved(borrower, day, -int(usual * borrower.costs), "ordinary")
        if day.day == HOUSEHOLD_DAY:
            kept = self._saved(borrower, usual)
            yield self._moved(borrower, day, -(borrower.household + kept), "household")
        if day.day == BANK_DAY and self._balances.get(borrower.number, 0) < 0:
            yield self._moved(borrower, day, -2_000, "penalty-interest")

    def _saved(self, borrower: Borrower, usual: int) -> int:
        """What goes out besides, so that balances neither grow for ever."""
        free = usual - int(usual * borrower.costs) - borrower.household
        return max(0, free * 2 // 5) if self._balances.get(borrower.number, 0) > borrower.monthly else 0

    def _moved(self, borrower: Borrower, day: date, amount: int, kind: str) -> Movement:
        balance = self._balances.get(borrower.number, borrower.monthly // 2) + amount
        self._balances[borrower.number] = balance
        draw = chance(self._seed, "clock", borrower.number, day.isoformat(), kind)
        observed = add_months(day, -120) if draw.random() < WRONG_CLOCK else day
        return Movement.model_validate(
            {
                "direction": "in" if amount >= 0 else "out",
                "amount": decimal_text(abs(amount), CURRENCY),
                "balance": decimal_text(balance, CURRENCY),
                "currency": CURRENCY,
                "kind": kind,
                "observed_on": observed,
            }
        )

    def _figure(self, borrower: Borrower, day: date, name: str, part: float) -> Figures:
        over = add_months(day.replace(day=1), -1)
        draw = chance(self._seed, "figure", borrower.number, name, day.isoformat())
        wrong = draw.random() < WRONG_UNIT
        if name == "sales":
            value, unit = inflow(self._seed, borrower, self._climate, over) / 100, CURRENCY
        else:
            weather = self._climate.weather(borrower.trade, borrower.region, over)
            value, unit = 160 * self._climate.season(borrower.trade, over) * weather * draw.uniform(0.85, 1.15), "h"
        if wrong:
            value, unit = value / 1000, f"k{unit}"
        return Figures(
            name=name,
            value=f"{value * part:.2f}",
            unit=unit,
            period_start=over,
            observed_on=day,
            device=name == "machine-hours",
        )

    def _records(self, borrower: Borrower, day: date) -> Iterator[PublicRecord]:
        draw = chance(self._seed, "records", borrower.number)
        if draw.random() < 0.5:
            kind = draw.choice(("bureau-overdue", "new-lender", "tax-arrears", "court-case"))
            yield PublicRecord.model_validate({"kind": kind, "count": 1, "observed_on": day})


_KINDS: dict[type[Data], Callable[..., Envelope]] = {
    Movement: AccountMoved,
    Figures: FigureReported,
    PublicRecord: RecordFound,
}


def signal(seed: int, number: int, borrower_id: str, day: date, nth: int, data: Data) -> Envelope:
    """The event that tells it: the `nth` of this borrower on this day."""
    return _KINDS[type(data)](
        id=id_of(seed, "signal", number, day.isoformat(), nth),
        source=SOURCE,
        subject=borrower_id,
        time=f"{day}T{6 + nth % 12:02d}:00:00Z",
        data=data,
    )
