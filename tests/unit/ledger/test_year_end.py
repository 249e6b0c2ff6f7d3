"""The close of a year: its result is retained earnings, once; statements stay as they are."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.commands import model, refusals
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.engine.accounts import INCOME_SUMMARY, NAMES, RETAINED_EARNINGS
from services.ledger.engine.entries import RESULT
from services.ledger.memory import MemoryBooks, digest_in_memory
from services.ledger.queries.reports import income_document, movements_of, trial_balance_document, without_years
from services.ledger.queries.tallies import tally
from services.ledger.queries.years import lines_of_result
from services.ledger.verify import Audit
from services.ledger.verify.recomputed import NOTHING, Recomputed
from services.ledger.verify.tamper import World
from services.ledger.year_end import YearNotNamed, year_closed_id, year_named
from shared.events.entries import GENERAL_LEDGER, EntryLine, YearClosed
from shared.events.envelope import new_event_id
from shared.merkle import canonical
from shared.money import minor_units
from shared.streams.ports import Record
from tests.property.histories_of_entries import close, entry, event, record
from tests.property.test_batches import TOPICS
from tests.property.test_tamper import books as tables
from tests.property.test_tamper import rows_of
from tests.property.test_two_dates import date_of, parts, postings

OPENED, END, NEXT = date(2024, 12, 1), date(2024, 12, 31), date(2025, 12, 31)
STAMP = Stamp("2025-01-10T10:00:00.000000Z")
OPEN = date(2025, 1, 10)


class Books:
    """One partition's books in memory, with what an accountant does to them."""

    def __init__(self) -> None:
        self.books = MemoryBooks(0, TOPICS)
        self.records: list[Record] = []
        self.day = OPENED
        self.tell(event("BookOpened", "book", {"business_date": OPENED.isoformat()}))

    def tell(self, *said: dict[str, Any]) -> None:
        for one in said:
            self.records.append(record(len(self.records), one))
            self.books.take(self.records[-1])
        assert not self.books.hosted.intake.parked
        assert not self.books.dead_letters

    def close_dates(self, through: date) -> None:
        while self.day <= through:
            self.tell(event("BusinessDateClosed", "book", {"business_date": self.day.isoformat()}))
            self.day = date.fromordinal(self.day.toordinal() + 1)

    def book(self, debit: str, credit: str, amount: str, on: date, code: str = "EUR") -> None:
        line = {"debit": debit, "credit": credit, "amount": amount, "currency": code}
        self.tell(*entry(GENERAL_LEDGER, on, [line]))

    def rows(self) -> list[dict[str, Any]]:
        return postings(self.books)

    def lines(self, end: date) -> tuple[EntryLine, ...]:
        """What the books give for the close, as `queries.closing_lines` reads it."""

        def counts(row: dict[str, Any]) -> bool:
            return date_of(row, "accounting") <= end or INCOME_SUMMARY in (row["debit"], row["credit"])

        return lines_of_result(tally(row for row in self.rows() if counts(row)))

    def close_year(self, end: date) -> None:
        lines = [line.model_dump() for line in self.lines(end)]
        said = {"year_end": end.isoformat(), "lines": lines, "closed_by": "ann"}
        self.tell(event("YearClosed", GENERAL_LEDGER, said, effective=end, event_id=year_closed_id(end)))

    def balances(self, through: date, code: str = "EUR") -> dict[str, str]:
        """By value date."""
        rows = (row for row in self.rows() if row["effective_date"] <= through)
        document = trial_balance_document(tally(rows)).get(code, {"accounts": [], "difference": "0.00"})
        assert document["difference"].strip("0.") == ""
        return {line["account"]: line["balance"] for line in document["accounts"]}

    def income(self, opens: date, closes: date, code: str = "EUR") -> dict[str, Any]:
        """The income statement of an accounting period."""
        rows = without_years(parts(self.rows(), opens, closes, "accounting"))
        found: dict[str, Any] = income_document(movements_of(rows)).get(code, {})
        return found


@pytest.fixture
def books() -> Books:
    """December 2024 with a result in two currencies, closed in January, after which a late fact of it came."""
    found = Books()
    found.close_dates(date(2025, 1, 4))
    found.book("cash", "fee-income", "100.00", date(2024, 12, 20))
    found.book("operating-expense", "payables", "30.00", END)
    found.book("bank-charges", "cash", "12", date(2024, 12, 5), "JPY")
    found.tell(close(END))
    found.book("cash", "fee-income", "7.00", date(2025, 1, 2))
    return found


def test_the_result_goes_to_retained_earnings_and_leaves_nothing_behind(books: Books) -> None:
    before = books.income(OPENED, END)
    assert (before["total_income"], before["total_expense"], before["result"]) == ("100.00", "30.00", "70.00")
    books.close_year(END)
    balances = books.balances(END)
    assert balances.pop("retained-earnings") == "-70.00"
    assert {name: balances[name] for name in ("fee-income", "operating-expense", "income-summary")} == dict.fromkeys(
        ("fee-income", "operating-expense", "income-summary"), "0.00"
    )
    yen = books.balances(END, "JPY")
    assert (yen["retained-earnings"], yen["bank-charges"]) == ("12", "0")


def test_statements_of_the_year_and_of_the_next_are_as_if_it_had_not_been_closed(books: Books) -> None:
    january = date(2025, 1, 1), date(2025, 1, 31)
    before = [books.income(OPENED, END), books.income(*january), books.income(OPENED, END, "JPY")]
    books.close_year(END)
    assert [books.income(OPENED, END), books.income(*january), books.income(OPENED, END, "JPY")] == before
    assert before[1]["result"] == "7.00"


def test_the_next_year_takes_what_is_its_own_and_what_came_late_for_this_one(books: Books) -> None:
    books.close_year(END)
    assert books.lines(END) == (), "there is nothing left to take"
    books.tell(
        event("PaymentReceived", "L1", {"amount": "5.00", "currency": "EUR"}, effective=date(2024, 12, 30)),
    )
    books.close_dates(NEXT)
    books.tell(close(NEXT))
    assert books.lines(NEXT) == (
        EntryLine(debit="fee-income", credit="income-summary", amount="7.00", currency="EUR"),
        EntryLine(debit="income-summary", credit="retained-earnings", amount="7.00", currency="EUR"),
    )
    books.close_year(NEXT)
    assert books.balances(NEXT)["retained-earnings"] == "-77.00"


def test_a_replay_gives_the_same_books_and_a_year_is_closed_once(books: Books) -> None:
    books.close_year(END)
    again = MemoryBooks(0, TOPICS)
    for one in (*books.records, replace(books.records[-1], offset=len(books.records))):
        again.take(one)
    assert digest_in_memory([again]) == digest_in_memory([books.books])


def pair(debit: str, credit: str, amount: str = "1.00") -> dict[str, str]:
    return {"debit": debit, "credit": credit, "amount": amount, "currency": "EUR"}


@pytest.mark.parametrize(
    ("lines", "words", "end", "subject"),
    [
        ([pair("cash", "income-summary")], "cash against income-summary", END, GENERAL_LEDGER),
        ([pair("fee-income", "retained-earnings")], "fee-income against", END, GENERAL_LEDGER),
        ([pair("fee-income", "gold")], "fee-income against gold", END, GENERAL_LEDGER),
        ([pair("income-summary", "income-summary")], "against income-summary", END, GENERAL_LEDGER),
        ([pair("fee-income", "income-summary")], "leaves something on income-summary", END, GENERAL_LEDGER),
        ([], "in a period that is open", date(2025, 1, 1), GENERAL_LEDGER),
        ([], "on a loan", END, "L1"),
    ],
)
def test_a_close_that_should_never_have_come_parks_and_books_nothing(
    books: Books, lines: list[dict[str, str]], words: str, end: date, subject: str
) -> None:
    books.tell(event("PaymentReceived", "L1", {"amount": "5.00", "currency": "EUR"}))
    held, rows = len(books.records), books.rows()
    said = {"year_end": end.isoformat(), "lines": lines, "closed_by": "ann"}
    books.books.take(record(held, event("YearClosed", subject, said, effective=end)))
    reason = books.books.hosted.intake.parked[subject].reason
    assert words in reason or "nothing is known of" in reason
    assert books.rows() == rows


def command(end: date = END, after: date | None = None) -> model.CloseYear:
    return model.CloseYear(end, (), "ann", after, year_closed_id(end))


def test_years_close_in_order_once_their_last_period_is_closed() -> None:
    def event_of(asked: model.CloseYear, guards: Guards) -> Any:
        return decide(asked, guards, partitions=4, stamp=STAMP)

    with pytest.raises(refusals.YearNotOver, match="Close the period that ends on 2024-12-31 first"):
        event_of(command(), Guards(OPEN, date(2024, 11, 30)))
    closed = Guards(OPEN, END)
    stated, partitions = event_of(command(), closed)
    assert isinstance(stated, YearClosed)
    assert (stated.subject, stated.effectivedate, partitions) == (GENERAL_LEDGER, END, (None,))
    evolve(command(), closed)
    for again in (command(after=END), replace(command(date(2023, 12, 31), END), event_id=new_event_id())):
        with pytest.raises(refusals.YearIsClosed, match="up to 2024"):
            event_of(again, closed)
    later = Guards(date(2026, 1, 5), NEXT)
    later.year_closed = END
    with pytest.raises(refusals.ChangedMeanwhile):
        event_of(command(NEXT), later)  # its figures still had last year's result in them
    event_of(command(NEXT, END), later)
    assert year_named("2024") == END
    for text in ("24", "2024-12", "abcd", "1899", "²²²²"):
        with pytest.raises(YearNotNamed):
            year_named(text)


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["EUR", "JPY"]), st.sampled_from(sorted(RESULT))), st.integers(-999, 999), max_size=9
    )
)
def test_lines_clear_every_account_in_every_currency(net: dict[tuple[str, int], int]) -> None:
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for (code, role), amount in net.items():
        found.setdefault(code, {})[role] = (max(amount, 0), max(-amount, 0))
    left = {(code, NAMES[role]): amount for (code, role), amount in net.items()}
    for line in lines_of_result(found):
        minor = minor_units(line.amount, line.currency)
        for name, signed in ((line.debit, minor), (line.credit, -minor)):
            left[line.currency, name] = left.get((line.currency, name), 0) + signed
    results = {code: sum(amount for (of, _), amount in net.items() if of == code) for code, _ in net}
    for (code, name), amount in left.items():
        assert amount == (results[code] if name == NAMES[RETAINED_EARNINGS] else 0)


def audited(books: Books) -> Audit:
    """The audit of these books, as if a worker had written them."""
    leaves = [(one.offset, canonical(one)) for one in books.records]
    made = Recomputed(0, TOPICS, NOTHING, 1 << 30)
    made.fold(leaves, batch=11)
    of = World(1, rows_of(made, leaves), {0: leaves})
    found = Audit()
    found.take(tables(of, of.rows, leaves, {}))
    found.finish()
    return found


def test_the_audit_reckons_the_result_again(books: Books) -> None:
    books.close_year(END)
    assert audited(books).findings == {}


def test_the_audit_names_a_close_that_takes_another_result(books: Books) -> None:
    lines = [pair("fee-income", "income-summary", "99.00"), pair("income-summary", "retained-earnings", "99.00")]
    said = {"year_end": END.isoformat(), "lines": lines, "closed_by": "ann"}
    books.tell(event("YearClosed", GENERAL_LEDGER, said, effective=END))
    findings = audited(books).findings
    assert list(findings) == ["years"]
    assert "leaves 12 minor units of JPY on bank-charges" in findings["years"].problem
