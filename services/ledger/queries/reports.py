"""Reports on the whole book: trial balance, movements between two dates, income statement, late facts.

Each reads the postings of all partitions once: they are narrow, and no index would spare reading most of them. Of four
million a trial balance took 0.5 to 1.3 s and movements 2.2 to 3.5 s, on two cores that had other work too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from services.ledger.chart import EXPENSE, INCOME
from services.ledger.engine.accounts import INCOME_SUMMARY
from services.ledger.queries.late import adjusting_facts, late_facts
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.tallies import Tally, added, balances_document, by_account, difference, head, tally
from services.ledger.queries.two_dates import Dates, dates_of_book, open_date, period_of_book
from shared.money import decimal_text

By = Literal["booking", "value", "accounting"]
"""Booking date, value date, or the accounting date: the later of the value date and the first date of the periods that
were open when it was booked. What is booked after a period's close has an accounting date after it, so that what a
closed period shows by accounting date never changes."""

# Sums by pair of accounts: each posting is read once, and put on its two accounts afterwards.
_SUMS = """
SELECT currency, debit, credit, sum(amount) AS amount FROM posting
WHERE booking_date <= $1 AND effective_date <= $2
GROUP BY currency, debit, credit
"""
# The same of a period of booking dates: before it, in it, and of it what has a value date before it.
_BY_BOOKING = """
SELECT CASE WHEN booking_date < $3 THEN 'opening' WHEN effective_date < $3 THEN 'late' ELSE 'prompt' END AS part,
       currency, debit, credit, sum(amount) AS amount
FROM posting WHERE booking_date <= least($1::date, $4::date) AND effective_date <= $2
GROUP BY 1, 2, 3, 4
"""
# The same of a period of value dates: before it, in it, and of it what was booked after it.
_BY_VALUE = """
SELECT CASE WHEN effective_date < $3 THEN 'opening' WHEN booking_date > $4 THEN 'late' ELSE 'prompt' END AS part,
       currency, debit, credit, sum(amount) AS amount
FROM posting WHERE booking_date <= $1 AND effective_date <= least($2::date, $4::date)
GROUP BY 1, 2, 3, 4
"""
# The same of a period of accounting dates: before it, in it, and of it what has a value date in a period before it.
_BY_ACCOUNTING = """
SELECT CASE WHEN greatest(effective_date, open_from) < $3 THEN 'opening'
            WHEN effective_date < $3 THEN 'late' ELSE 'prompt' END AS part,
       currency, debit, credit, sum(amount) AS amount
FROM posting WHERE booking_date <= $1 AND effective_date <= $2 AND greatest(effective_date, open_from) <= $4
GROUP BY 1, 2, 3, 4
"""
_MOVEMENTS: dict[By, str] = {"booking": _BY_BOOKING, "value": _BY_VALUE, "accounting": _BY_ACCOUNTING}
# Sums by pair of accounts up to an accounting date.
_ACCOUNTED = """
SELECT currency, debit, credit, sum(amount) AS amount FROM posting
WHERE booking_date <= $1 AND greatest(effective_date, open_from) <= $2
GROUP BY currency, debit, credit
"""
# The last date of the last period that is closed on every partition.
_CLOSED = """
SELECT CASE WHEN count(*) = count(ended) THEN min(ended) END FROM (
    SELECT max(period_end) AS ended FROM position LEFT JOIN closed_period USING (partition) GROUP BY partition
) AS each
"""


@dataclass(frozen=True, slots=True)
class Movements:
    """Sums before a period and in it; `late` are those that belong to another period by the other date."""

    opening: Tally
    prompt: Tally
    late: Tally

    def moved(self) -> Tally:
        """All sums in the period."""
        return added(self.prompt, self.late)


def movements_of(rows: Iterable[Any]) -> Movements:
    """Rows of `_MOVEMENTS` by part."""
    parts: dict[str, list[Any]] = {"opening": [], "prompt": [], "late": []}
    for row in rows:
        parts[row["part"]].append(row)
    return Movements(**{name: tally(found) for name, found in parts.items()})


def without_years(rows: Iterable[Any]) -> list[Any]:
    """Sums by pair of accounts, without those of closes of years."""
    return [row for row in rows if INCOME_SUMMARY not in (row["debit"], row["credit"])]


async def trial_balance(
    connection: Any, *, known: date | None = None, effective: date | None = None, through: date | None = None
) -> dict[str, Any]:
    """Debits, credits and balance of every account by currency. `difference` is what debits and credits of the chart's
    accounts differ by. Raises AsOfAhead, BookNotOpen.

    `through`: of accounting dates up to this one, in place of value dates: what a closed period ended with, for ever.
    """
    async with snapshot(connection):
        if through is not None:
            dates = await dates_of_book(connection, known, None)
            through = min(through, dates.effective)
            rows = await connection.fetch(_ACCOUNTED, dates.known, through)
            head = {"through": through.isoformat()} | await _closing(connection, through, known)
            return head | {"currencies": trial_balance_document(tally(rows))}
        dates = await dates_of_book(connection, known, effective)
        rows = await connection.fetch(_SUMS, dates.known, dates.effective)
    return dates.document() | {"currencies": trial_balance_document(tally(rows))}


def trial_balance_document(found: Tally) -> dict[str, Any]:
    """A trial balance by currency."""
    return {
        code: {
            "accounts": balances_document(accounts, code),
            "debits": decimal_text(sum(debit for debit, _ in accounts.values()), code),
            "credits": decimal_text(sum(credit for _, credit in accounts.values()), code),
            "difference": decimal_text(difference(accounts), code),
        }
        for code, accounts in found.items()
    }


async def movements(
    connection: Any,
    *,
    opens: date,
    closes: date,
    by: By = "booking",
    known: date | None = None,
    effective: date | None = None,
) -> dict[str, Any]:
    """What each account moved by from `opens` to `closes`, both included, and the late facts behind it.

    By booking date the period is what the books did in it, and once its dates are closed it never changes; late is
    what has a value date before it. By value date it is what happened in it, and late is what was booked after it. By
    accounting date it is what the period was closed with, and late are adjustments of periods closed before.
    opening + debit - credit = closing. Raises AsOfAhead, PeriodReversed, BookNotOpen.
    """
    return await _of_period(movements_document, connection, opens, closes, by, known, effective)


async def income_statement(
    connection: Any,
    *,
    opens: date,
    closes: date,
    by: By = "booking",
    known: date | None = None,
    effective: date | None = None,
) -> dict[str, Any]:
    """Income and expenses of a period by currency, as in `movements`: what accrual groups earned is in it, what the
    close of a year took out of them is not."""
    return await _of_period(income_document, connection, opens, closes, by, known, effective, years=False)


async def _of_period(
    document: Callable[[Movements], dict[str, Any]],
    connection: Any,
    opens: date,
    closes: date,
    by: By,
    known: date | None,
    effective: date | None,
    *,
    years: bool = True,
) -> dict[str, Any]:
    """A report on a period: its dates, a document of its movements by currency, and the late facts behind them.
    `years`: with what the closes of years moved."""
    async with snapshot(connection):
        if by == "accounting" and (opened := await open_date(connection)) is not None and opens <= opened:
            closes = min(closes, opened)  # of the period under way, what there is
        dates = await period_of_book(connection, opens, closes, known, effective)
        rows = await connection.fetch(_MOVEMENTS[by], dates.known, dates.effective, opens, closes)
        if by == "accounting":
            late = await adjusting_facts(connection, opens=opens, closes=closes, known=dates.known, years=years)
            told = await _closing(connection, closes, known)
        else:
            late = await late_facts(connection, **_late_window(dates, opens, closes, by), years=years)
            told = dates.document()
    head = {"from": opens.isoformat(), "to": closes.isoformat(), "by": by} | told
    return head | {"currencies": document(movements_of(rows if years else without_years(rows)))} | late


async def _closing(connection: Any, closes: date, known: date | None) -> dict[str, Any]:
    """Whether all periods up to `closes` are closed; no date of today is told, so that the report of a closed one stays
    as it is."""
    ended = await closed_through(connection)
    closed = ended is not None and closes <= ended
    return {"closed": closed} | ({} if known is None else {"known": known.isoformat()})


async def closed_through(connection: Any) -> date | None:
    """The last date of the last period that is closed on every partition."""
    ended: date | None = await connection.fetchval(_CLOSED)
    return ended


def _late_window(dates: Dates, opens: date, closes: date, by: By) -> dict[str, date]:
    """Which facts are late in a period: of value dates before `cut`, booked from then on."""
    if by == "booking":
        return {"cut": opens, "known": min(dates.known, closes), "effective": dates.effective}
    return {"cut": closes + timedelta(days=1), "known": dates.known, "effective": dates.effective}


def movements_document(found: Movements) -> dict[str, Any]:
    """Movements by currency and account. `late_debit` and `late_credit` are parts of `debit` and `credit`."""
    moved, whole = found.moved(), added(found.opening, found.prompt, found.late)
    documents = {}
    for code, sides in whole.items():
        parts = (one.get(code, {}) for one in (found.opening, moved, found.late))
        lines = []
        for account, (debit, credit, before, less, *in_period) in by_account(sides, *parts):
            amounts = {
                "opening": before - less,
                **dict(zip(("debit", "credit", "late_debit", "late_credit"), in_period, strict=True)),
                "closing": debit - credit,
            }
            lines.append(head(account) | _texts(amounts, code))
        documents[code] = {"accounts": lines, "difference": decimal_text(difference(sides), code)}
    return documents


SIGNS = ((INCOME, -1), (EXPENSE, 1))
"""Kinds of an income statement, with the sign that makes a usual balance positive."""


def income_document(found: Movements) -> dict[str, Any]:
    """Income and expenses by currency; `late` is what is late of an amount, `late_result` of the result."""
    documents = {}
    for code, sides in found.moved().items():
        lines = by_account(sides, found.late.get(code, {}))
        document: dict[str, Any] = {}
        totals = {INCOME: 0, EXPENSE: 0}
        for kind, sign in SIGNS:
            mine = [(account, both) for account, both in lines if account.kind == kind]
            totals[kind] = sum(sign * (both[0] - both[1]) for _, both in mine)
            document[kind] = [
                head(account) | _texts({"amount": sign * (debit - credit), "late": sign * (late - less)}, code)
                for account, (debit, credit, late, less) in mine
            ]
        sums = {"total_income": totals[INCOME], "total_expense": totals[EXPENSE]}
        sums |= {"result": totals[INCOME] - totals[EXPENSE]}
        lates = {
            kind: sum(sign * (both[2] - both[3]) for account, both in lines if account.kind == kind)
            for kind, sign in SIGNS
        }
        sums |= {"late_result": lates[INCOME] - lates[EXPENSE]}
        documents[code] = document | _texts(sums, code)
    return documents


def _texts(amounts: dict[str, int], code: str) -> dict[str, str]:
    return {name: decimal_text(minor, code) for name, minor in amounts.items()}
