"""Manual entries and the close of a period: what is refused and why, and what the log takes in all the same."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.commands import StatedLine, decision_id, model, paired, refusals, reversed_lines
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.digest import canonical_state
from services.ledger.engine import accounts
from services.ledger.engine.account import GENERAL_NUMBER
from services.ledger.engine.accounts import BANK_CHARGES, CASH, PAYABLES, SUSPENSE
from services.ledger.memory import MemoryBooks
from services.ledger.periods import NotAPeriod, PeriodNotNamed, period_named, period_or_dates
from services.ledger.queries.tallies import account_of
from shared.errors import Refusal
from shared.events.entries import GENERAL_LEDGER, EntryLine, JournalEntryApproved
from shared.events.envelope import Envelope, new_event_id
from shared.money import minor_units
from tests.property.histories_of_entries import LINES, close, entry, event, record
from tests.property.test_batches import TOPICS

OPEN = date(2024, 2, 10)
STAMP = Stamp("2024-02-10T10:00:00.000000Z")
CHARGES = (EntryLine(debit="bank-charges", credit="cash", amount="12.50", currency="EUR"),)


def proposal(lines: tuple[EntryLine, ...] = CHARGES, on: date = OPEN, maker: str = "ann", **more: Any) -> Any:
    return model.ProposeEntry(
        GENERAL_LEDGER, on, lines, "bank statement", "stmt/2", maker, new_event_id(), more.get("reverses")
    )


def approval(of: model.ProposeEntry, checker: str = "bob") -> model.ApproveEntry:
    return model.ApproveEntry(of.loan_id, of.event_id, checker, decision_id(of.event_id, of.loan_id))


def decline(of: model.ProposeEntry, checker: str = "bob") -> model.DeclineEntry:
    return model.DeclineEntry(of.loan_id, of.event_id, checker, "no", decision_id(of.event_id, of.loan_id))


def closing(end: date) -> model.ClosePeriod:
    return model.ClosePeriod(end, "ann", new_event_id())


def after(*commands: model.Command, guards: Guards | None = None) -> Guards:
    guards = guards or Guards(OPEN)
    for command in commands:
        decide(command, guards, partitions=4, stamp=STAMP)
        evolve(command, guards)
    return guards


def event_of(command: model.Command, guards: Guards) -> Envelope:
    return decide(command, guards, partitions=4, stamp=STAMP)[0]


def refused(kind: type[Refusal], command: model.Command, guards: Guards, *, words: str = ".") -> Refusal:
    with pytest.raises(kind, match=words) as raised:
        event_of(command, guards)
    return raised.value


def test_an_entry_is_booked_once_a_second_person_approves_it_and_says_who_they_were() -> None:
    made = proposal(on=OPEN - timedelta(days=3))
    event_of(made, Guards(OPEN))
    approved = event_of(approval(made), after(made))
    assert isinstance(approved, JournalEntryApproved)
    assert (approved.data.maker, approved.data.checker) == ("ann", "bob")
    assert (approved.effectivedate, approved.subject) == (made.value_date, GENERAL_LEDGER)
    assert approved.data.lines == list(CHARGES)


def test_nobody_decides_on_an_entry_of_their_own_and_nobody_twice() -> None:
    made = proposal()
    for command in (approval(made, "ann"), decline(made, "ann")):
        refused(refusals.FourEyes, command, after(made))
    for first in (approval(made), decline(made)):
        for second in (approval(made), decline(made), approval(made, "eve")):
            refused(refusals.EntryDecided, second, after(made, first), words="by bob")
            assert second.event_id == first.event_id, "no log holds two decisions"
    refused(refusals.UnknownEntry, approval(proposal()), after(made))
    refused(refusals.UnknownEntry, replace(approval(made), loan_id="loan-1"), after(made))


@pytest.mark.parametrize(
    ("line", "rule", "field"),
    [
        ({"debit": "loans-receivable"}, refusals.ControlAccount, "lines/0/debit"),
        ({"credit": "interest-income"}, refusals.ControlAccount, "lines/0/credit"),
        ({"credit": "petty-cash"}, refusals.UnknownAccount, "lines/0/credit"),
        ({"credit": "bank-charges"}, refusals.SameAccount, "lines/0/credit"),
        ({"amount": "0.00"}, refusals.AmountZero, "lines/0/amount"),
    ],
)
def test_an_entry_that_the_books_could_not_take_is_refused_at_its_line(
    line: dict[str, str], rule: type[Refusal], field: str
) -> None:
    broken = proposal((CHARGES[0].model_copy(update=line),))
    assert refused(rule, broken, Guards(OPEN)).field == field


def test_an_entry_has_a_value_date_in_a_period_that_is_open_when_it_is_made_and_when_it_is_approved() -> None:
    end = date(2024, 1, 31)
    closed = after(closing(end))
    assert refused(refusals.PeriodIsClosed, proposal(on=end), closed, words="from 2024-02-01 on").field == "value_date"
    event_of(proposal(on=end + timedelta(days=1)), closed)
    refused(refusals.ValueDateAhead, proposal(on=OPEN + timedelta(days=1)), Guards(OPEN))
    early = proposal(on=end)
    waiting = after(early, closing(end))
    refused(refusals.PeriodIsClosed, approval(early), waiting)
    event_of(decline(early), waiting)


def test_periods_close_in_order_once_their_last_date_has_been() -> None:
    refused(refusals.PeriodNotOver, closing(date(2024, 2, 29)), Guards(OPEN), words="2024-02-10 is open")
    refused(refusals.PeriodNotOver, closing(OPEN), Guards(OPEN))
    closed = after(closing(date(2023, 12, 31)))
    for again in (date(2023, 12, 31), date(2023, 11, 30)):
        refused(refusals.PeriodIsClosed, closing(again), closed, words="up to 2023-12-31")
    later = Guards(date(2024, 3, 5), date(2023, 12, 31))
    refused(refusals.PeriodSkipped, closing(date(2024, 2, 29)), later, words="2024-01-31 is still open")
    assert after(closing(date(2024, 1, 31)), guards=later).closed_through == date(2024, 1, 31)
    assert decide(closing(date(2024, 1, 31)), Guards(OPEN), partitions=3, stamp=STAMP)[1] == (0, 1, 2)
    refused(refusals.BookNotOpen, closing(date(2024, 1, 31)), Guards())


def test_an_approved_entry_is_reversed_by_another_and_only_once() -> None:
    made = proposal()
    back = proposal(reversed_lines(CHARGES), reverses=made.event_id)
    refused(refusals.EntryNotApproved, back, after(made))
    refused(refusals.EntryNotApproved, back, after(made, decline(made)))
    refused(refusals.EntryReversed, proposal(CHARGES, reverses=made.event_id), after(made, approval(made), back))
    again = after(made, approval(made), back, decline(back))
    event_of(proposal(reversed_lines(CHARGES), reverses=made.event_id), again)


def test_what_is_no_loan_gets_no_contract_and_no_money() -> None:
    for name in ("book", GENERAL_LEDGER):
        money = model.ReceivePayment(name, "1.00", "EUR", None, None, new_event_id())
        refused(refusals.ReservedId, money, Guards(OPEN))


def stated(account: str, amount: str, *, debit: bool, currency: str = "EUR") -> StatedLine:
    return StatedLine(account if debit else None, None if debit else account, amount, currency)


def test_an_entry_whose_debits_are_not_its_credits_is_refused_with_the_difference() -> None:
    lines = [stated("bank-charges", "12.50", debit=True), stated("cash", "12.49", debit=False)]
    with pytest.raises(refusals.EntryUnbalanced, match=r"debits are 12\.50, credits 12\.49: 0\.01 too much in debits"):
        paired(lines)
    with pytest.raises(refusals.EntryUnbalanced, match="In JPY"):
        paired([stated("cash", "5.00", debit=True), stated("equity", "5", debit=False, currency="JPY")][1:])
    with pytest.raises(refusals.SameAccount, match="cash has debits and credits in EUR"):
        paired([stated("cash", "1.00", debit=True), stated("cash", "1.00", debit=False)])


@given(
    debits=st.lists(
        st.tuples(st.sampled_from(["bank-charges", "operating-expense"]), st.integers(1, 10**6)), min_size=1
    ),
    cut=st.lists(st.integers(1, 10**6)),
)
def test_pairs_debit_and_credit_each_account_by_what_was_stated(debits: list[tuple[str, int]], cut: list[int]) -> None:
    total, credits_ = sum(amount for _, amount in debits), []
    for n, amount in enumerate(cut):
        if amount < total - sum(taken for _, taken in credits_):
            credits_.append((("cash", "payables")[n % 2], amount))
    credits_.append(("equity", total - sum(taken for _, taken in credits_)))
    lines = [stated(name, str(Decimal(amount) / 100), debit=True) for name, amount in debits]
    lines += [stated(name, str(Decimal(amount) / 100), debit=False) for name, amount in credits_]
    found: dict[str, int] = {}
    for pair in paired(lines):
        amount = minor_units(pair.amount, "EUR")
        found[pair.debit] = found.get(pair.debit, 0) + amount
        found[pair.credit] = found.get(pair.credit, 0) - amount
    wanted: dict[str, int] = {}
    for sign, side in ((1, debits), (-1, credits_)):
        for name, amount in side:
            wanted[name] = wanted.get(name, 0) + sign * amount
    assert found == wanted


# The log ------------------------------------------------------------------------------------------------------------

FIRST = date(2025, 1, 1)


class Log:
    """Books in memory, told one event after another."""

    def __init__(self) -> None:
        self.books = MemoryBooks(0, TOPICS)
        self.offset = 0
        self.tell(event("BookOpened", "book", {"business_date": FIRST.isoformat()}))

    def tell(self, *events: dict[str, Any]) -> int:
        for one in events:
            self.books.take(record(self.offset, one))
            self.offset += 1
        return self.offset - 1

    def close_dates(self, through: date) -> None:
        day = date.fromordinal(self.books.hosted.open_day or 0)
        while day <= through:
            self.tell(event("BusinessDateClosed", "book", {"business_date": day.isoformat()}))
            day += timedelta(days=1)

    @property
    def state(self) -> tuple[Any, ...]:
        books = self.books
        return dict(books.states), dict(books.postings), dict(books.periods), books.hosted.book.open_from

    def parked(self, subject: str) -> str:
        return self.books.hosted.intake.parked[subject].reason


def test_a_general_entry_is_posted_on_the_general_ledger_and_tells_no_borrowers_service() -> None:
    log = Log()
    before = list(log.books.messages)
    offset = log.tell(*entry(GENERAL_LEDGER, FIRST, LINES[1]))
    found = [row for row in log.books.postings.values() if row[0] == GENERAL_NUMBER]
    assert [(row[1], row[2]) for row in found] == [(offset, 30000), (offset, 1000)]
    assert log.books.states[GENERAL_NUMBER][0] == GENERAL_LEDGER
    assert log.books.messages == before


def test_an_entry_of_a_loan_moves_no_balance_that_the_loans_state_explains() -> None:
    log = Log()
    contract = {
        "kind": "equal-instalment", "principal": "1000.00", "currency": "CZK", "annual_rate": "0.12",
        "instalments": 3, "first_due_date": "2025-01-31",
    }  # fmt: skip
    agreed = event("x", "L1", {"borrower_id": "B1", "product": "p@1", "terms": contract})
    paid = event("x", "L1", {"amount": "1000.00", "currency": "CZK"})
    log.tell(agreed | {"type": "origination.LoanContracted.v1"}, paid | {"type": "origination.LoanDisbursed.v1"})
    state, told = canonical_state(log.books.hosted.book.loans["L1"]), list(log.books.messages)
    log.tell(*entry("L1", FIRST, LINES[0]))
    assert log.books.messages == told, "a promise of payment would take the cash for the borrower's"
    assert canonical_state(log.books.hosted.book.loans["L1"]) == state
    log.tell(event("PaymentReceived", "L1", {"amount": "10.00", "currency": "CZK"}, effective=FIRST))
    log.tell(event("ChargeLevied", "L1", {"part": "fee", "name": "visit", "amount": "5.00", "currency": "CZK",
                                          "due": "2025-01-31"}, effective=FIRST))  # fmt: skip
    assert not log.books.hosted.intake.parked
    manual = [row for row in log.books.postings.values() if BANK_CHARGES in (row[6], row[7])]
    assert [row[2] for row in manual] == [1250]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (entry(GENERAL_LEDGER, FIRST, LINES[0], checker="ann"), "both made and approved"),
        (entry(GENERAL_LEDGER, FIRST, LINES[3]), "loans-receivable, which only the loans themselves move"),
        (entry(GENERAL_LEDGER, FIRST + timedelta(days=9), LINES[0]), "still to come"),
        (entry(GENERAL_LEDGER, FIRST, [LINES[0][0] | {"debit": "cash"}]), "cash on both sides"),
        (entry(GENERAL_LEDGER, FIRST, [LINES[0][0] | {"debit": "gold"}]), "no account"),
        (entry(GENERAL_LEDGER, FIRST, [LINES[0][0] | {"amount": "0"}]), "zero"),
        ([event("PaymentReceived", GENERAL_LEDGER, {"amount": "1.00", "currency": "CZK"})], "no loan"),
        ([event("EventUndone", GENERAL_LEDGER, {"event_id": new_event_id(), "reason": "x"})], "no loan"),
        (entry("L9", FIRST, LINES[0]), "nothing is known of"),
    ],
)
def test_what_should_never_have_come_parks_its_subject_and_books_nothing(
    events: list[dict[str, Any]], words: str
) -> None:
    log = Log()
    log.tell(*events)
    assert words in log.parked(events[0]["subject"])
    assert not log.books.postings


def test_an_entry_for_a_closed_period_parks_and_can_be_discarded_so_that_the_next_ones_go_on() -> None:
    log = Log()
    log.close_dates(date(2025, 2, 3))
    log.tell(close(date(2025, 1, 31)))
    first = log.tell(*entry(GENERAL_LEDGER, date(2025, 1, 31), LINES[0]))
    log.tell(*entry(GENERAL_LEDGER, date(2025, 2, 1), LINES[1]))
    reason = log.parked(GENERAL_LEDGER)
    assert "in a period that is closed" in reason
    assert not [row for row in log.books.postings.values() if row[0] == GENERAL_NUMBER]
    about = {"first_held_offset": first, "held_reason": reason, "reason": "declined", "discard_first": True}
    log.tell(event("ParkedLoanReleased", GENERAL_LEDGER, about))
    assert [row[6] for row in log.books.postings.values() if row[7] == PAYABLES]
    assert not log.books.hosted.intake.parked


def test_a_close_that_is_repeated_out_of_order_or_too_early_becomes_a_dead_letter_and_changes_nothing() -> None:
    log = Log()
    log.close_dates(date(2025, 2, 3))
    january = close(date(2025, 1, 31))
    log.tell(january)
    before = log.state
    log.tell(january)  # the same event again is dropped
    assert not log.books.dead_letters
    for end in (date(2025, 1, 31), date(2025, 1, 15), date(2025, 2, 4), date(2025, 2, 28)):
        at = log.tell(close(end))
        assert at in log.books.dead_letters
    assert log.state == before
    log.tell(close(date(2025, 2, 3)))
    assert list(log.books.periods) == [date(2025, 1, 31), date(2025, 2, 3)]


def test_a_payment_for_a_closed_period_is_taken_and_counts_in_the_open_one() -> None:
    log = Log()
    log.close_dates(date(2025, 2, 3))
    log.tell(close(date(2025, 1, 31)))
    log.tell(event("PaymentReceived", "L1", {"amount": "7.00", "currency": "CZK"}, effective=date(2025, 1, 20)))
    ((_, _, amount, value, booked, _, debit, credit, _, _, since),) = log.books.postings.values()
    assert (debit, credit, amount) == (CASH, SUSPENSE, 700)
    assert (value, booked, since) == (date(2025, 1, 20), date(2025, 2, 4), date(2025, 2, 1))


def test_what_a_release_books_after_a_close_of_the_same_date_counts_after_it() -> None:
    log = Log()
    log.close_dates(date(2025, 2, 3))
    held = log.tell(event("PaymentReversed", "L1", {"payment_id": new_event_id(), "reason": "of nothing"}))
    log.tell(event("PaymentReceived", "L1", {"amount": "7.00", "currency": "CZK"}, effective=date(2025, 1, 20)))
    log.tell(close(date(2025, 1, 31)))
    about = {"first_held_offset": held, "held_reason": log.parked("L1"), "reason": "typo", "discard_first": True}
    log.tell(event("ParkedLoanReleased", "L1", about))
    ((_, offset, _, _, _, _, _, _, _, _, since),) = log.books.postings.values()
    assert (offset, since) == (held + 1, date(2025, 2, 1))


def test_two_decisions_on_one_entry_under_its_id_are_a_conflict_and_the_first_stands() -> None:
    log = Log()
    proposed, approved = entry(GENERAL_LEDGER, FIRST, LINES[0])
    about = {"entry_id": proposed["id"], "reason": "no", "maker": "ann", "checker": "bob"}
    log.tell(proposed, approved, event("JournalEntryDeclined", GENERAL_LEDGER, about, event_id=approved["id"]))
    assert len(log.books.postings) == 1
    assert len(log.books.events) == 3


def test_accounts_of_manual_entries_are_none_whose_balance_a_check_of_states_looks_at() -> None:
    checked = (
        accounts.LOANS_RECEIVABLE, accounts.INTEREST_RECEIVABLE, accounts.ACCRUED_INTEREST, accounts.FEES_RECEIVABLE,
        accounts.PENALTIES_RECEIVABLE, accounts.UNEARNED_INTEREST, accounts.OVERPAYMENT, accounts.SUSPENSE,
        accounts.INTEREST_INCOME,
    )  # fmt: skip
    assert not accounts.MANUAL.intersection(checked)
    assert accounts.NAMES.keys() >= accounts.MANUAL
    kinds = {account_of(account).kind for account in accounts.MANUAL}
    assert kinds == {"asset", "liability", "equity", "income", "expense"}


def test_a_period_is_a_month_or_two_dates_and_never_both() -> None:
    february = period_named("2024-02")
    assert (february.first, february.last, february.name) == (date(2024, 2, 1), date(2024, 2, 29), "2024-02")
    for text in ("2024-13", "2024", "24-02", "2024-2", "0000-01", "2024-02-01"):
        with pytest.raises(NotAPeriod):
            period_named(text)
    assert period_or_dates("2024-02", None, None) == (february.first, february.last, True)
    assert period_or_dates(None, OPEN, OPEN) == (OPEN, OPEN, False)
    for name, opens, ends in (("2024-02", OPEN, None), (None, OPEN, None), (None, None, None)):
        with pytest.raises(PeriodNotNamed):
            period_or_dates(name, opens, ends)
