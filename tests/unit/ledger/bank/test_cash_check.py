"""The daily check of cash, three ways: each difference is found, and explained where it can be."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from services.ledger.bank.assigning import Part, to_fact, to_loans, to_outside, to_transfer
from services.ledger.bank.cash_check import cash_check
from services.ledger.bank.lender import BankAccount, read_lender
from services.ledger.bank.refusals import UnknownLine
from services.ledger.bank.views import line_documents
from services.ledger.commands import decision_id, refinance
from services.ledger.commands.model import ApproveEntry, ProposeEntry, ReversePayment
from shared.events import origination, servicing
from shared.events.entries import GENERAL_LEDGER, EntryLine
from shared.events.envelope import new_event_id
from tests.unit.ledger.bank.samples import IBAN, House, camt, entry


def check(house: House, on: str, **sides: Any) -> dict[str, Any]:
    if "books" in sides:
        sides["books"] = list(sides["books"].values())
    sources = house.sources(**sides)
    found: dict[str, Any] = cash_check(sources, date.fromisoformat(on), 5)["currencies"]["EUR"]
    parts = sum(round(float(item["amount"]) * 100) for item in found["items"] if item["kind"] != "log")
    if not sides:
        assert parts == round(float(found["difference"]) * 100), "the items are the whole difference"
    apart = sum(float(one["difference"]) for one in found["accounts"]) - float(found["elsewhere"])
    assert round(apart * 100) == round(float(found["difference"]) * 100), "so are accounts and what is elsewhere"
    return found


def kinds(found: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((item["kind"], item["amount"]) for item in found["items"])


@pytest.fixture
def house() -> House:
    house = House()
    house.lend("loan-1")
    house.close_through("2024-02-29")
    return house


def test_all_three_agree_once_bank_and_books_have_the_same(house: House) -> None:
    house.take(
        camt(
            entry("-1200.00", text="loan-1", on="2024-02-01"), entry("100.00", text="loan-1", bank="B-2"),
            entry("17.00", bank="B-3"), closing="3917.00",
        )
    )  # fmt: skip
    found = check(house, "2024-02-28")
    assert (found["ok"], found["items"], found["difference"]) == (True, [], "0.00")
    assert (found["bank"], found["books"], found["log"]) == ("3917.00", "-1083.00", "-1083.00")
    assert found["accounts"] == [
        {
            "account": "main-eur", "statement_id": "S-1", "through": "2024-02-28", "closing": "3917.00",
            "opening": "5000.00", "bank": "3917.00", "books": "-1083.00", "difference": "0.00", "ok": True,
        }
    ]  # fmt: skip
    assert found["elsewhere"] == "0.00"


def test_what_only_the_books_have_is_on_its_way_for_some_days(house: House) -> None:
    house.take(camt(entry("-1200.00", text="loan-1", on="2024-02-01"), closing="3800.00"))
    house.pay("loan-1", "100.00", "2024-02-26", "receipt/1")
    assert kinds(check(house, "2024-02-28")) == [("in-transit", "-100.00")]
    assert check(house, "2024-02-28")["ok"]
    late = check(house, "2024-03-03")
    assert (kinds(late), late["ok"]) == ([("not-at-the-bank", "-100.00")], False)
    assert late["items"][0]["loans"] == ["loan-1"]


def test_what_only_the_bank_has_is_a_finding_until_a_person_says_what_it_is(house: House) -> None:
    house.take(camt(entry("-1200.00", text="loan-1"), entry("-9.50", bank="B-2"), closing="3790.50"))
    assert kinds(check(house, "2024-02-28")) == [("not-in-the-books", "-9.50")]
    assert not check(house, "2024-02-28")["ok"]
    after = house.state().last_event
    assert after is not None
    house.record(*to_outside(house.line(2), "the bank's fee", after))
    found = check(house, "2024-02-28")
    assert (kinds(found), found["ok"]) == ([("outside", "-9.50")], True)
    assert found["items"][0]["reason"] == "the bank's fee"


def test_another_amount_than_was_recorded_is_a_finding(house: House) -> None:
    house.pay("loan-1", "90.00", "2024-02-20", "receipt/78")
    house.take(camt(entry("-1200.00", text="loan-1"), entry("95.00", e2e="receipt/78", bank="B-2"), closing="3895.00"))
    found = check(house, "2024-02-28")
    assert (kinds(found), found["ok"]) == ([("amount-differs", "5.00")], False)


def test_a_payment_that_was_taken_back_while_the_bank_has_it_is_a_finding(house: House) -> None:
    house.take(camt(entry("-1200.00", text="loan-1"), entry("100.00", text="loan-1", bank="B-2"), closing="3900.00"))
    payment = house.line(2).allocations[0].event_id
    house.record(ReversePayment("loan-1", payment, "by mistake", new_event_id()))
    assert kinds(check(house, "2024-02-29")) == [("amount-differs", "100.00")]
    assert not check(house, "2024-02-29")["ok"]


def test_a_return_explains_the_days_between(house: House) -> None:
    house.take(
        camt(
            entry("-1200.00", text="loan-1", on="2024-02-01"),
            entry("100.00", e2e="DD-2024-1", text="loan-1", bank="B-2", on="2024-02-20"),
            closing="3900.00",
        )
    )  # fmt: skip
    back = entry("-100.00", e2e="DD-2024-1", on="2024-02-29", returned=True)
    house.take(camt(back, opening="3900.00", closing="3800.00", number=2, day="2024-02-29"))
    assert check(house, "2024-02-29")["items"] == []
    between = check(house, "2024-02-25")
    assert (kinds(between), between["ok"]) == ([("in-transit", "100.00")], True)


def test_moving_money_between_loans_moves_no_cash(house: House) -> None:
    house.take(camt(entry("-1200.00", text="loan-1"), entry("17.00", bank="B-2"), closing="3817.00"))
    after = house.state().last_event
    assert after is not None
    house.record(*to_loans(house.line(2), [Part("loan-1", 1_000), Part("loan-9", 700)], "told", after))
    assert check(house, "2024-02-28")["items"] == []


def test_books_that_lost_or_changed_a_movement_do_not_agree_with_the_log(house: House) -> None:
    payment = house.pay("loan-1", "100.00", "2024-02-26")
    house.take(camt(entry("-1200.00", text="loan-1"), entry("100.00", bank="B-2"), closing="3900.00"))
    good = house.facts()
    lost = {key: fact for key, fact in good.items() if key != payment}
    assert ("log", "100.00") in kinds(check(house, "2024-02-28", books=lost))
    changed = good | {payment: replace(good[payment], amount=9_000)}
    assert kinds(check(house, "2024-02-28", books=changed)) == [("amount-differs", "10.00"), ("log", "10.00")]
    held = check(house, "2024-02-28", books=lost, aside={payment: "loan-1 is parked"})
    assert {item["kind"] for item in held["items"]} == {"set-aside"}
    assert held["ok"]


def test_the_log_gives_the_books_cash_by_every_kind_of_event() -> None:
    """Withheld fees, chargebacks, refunds, credits, prepayments, undoings: the log moves what the books move."""
    house = House()
    house.lend("loan-1")
    terms = next(e.data.terms for e in house.events("loan-1") if isinstance(e, origination.LoanContracted))
    fees = terms.model_validate(
        terms.model_dump() | {"upfront_fees": [{"name": "handling", "share": "0.01", "amount": "5.00"}]}
    )
    contract = origination.Contract(borrower_id="b-9", product="micro@1", terms=fees)
    head = {"source": "test", "subject": "loan-9", "time": "2024-02-01T00:00:00Z"}

    def state(kind: Any, data: Any, **more: Any) -> str:
        event = kind(id=new_event_id(), **head, **more, data=data)
        house.fold(event)
        return str(event.id)

    state(origination.LoanContracted, contract)
    state(origination.LoanDisbursed, origination.Disbursement(amount="1200.00", currency="EUR"))
    payment = house.pay("loan-9", "100.00", "2024-01-31")
    money = {"amount": "10.00", "currency": "EUR"}
    state(servicing.PaymentChargedBack, servicing.Chargeback(payment_id=payment, reason="recalled", **money))
    state(servicing.CreditReceived, servicing.Credit(kind="goodwill-credit", reason="late", **money))
    gone = state(servicing.CreditReceived, servicing.Credit(kind="merchant-refund", reason="sent back", **money))
    state(servicing.CreditReceived, servicing.Credit(kind="payout-refund", reason="sent back", **money))
    state(servicing.PrincipalPrepaid, servicing.Prepayment(effect="fewer-instalments", **money))
    state(servicing.EventUndone, servicing.Undoing(event_id=gone, reason="by mistake"))
    house.pay("loan-8", "3.00", "2024-01-30")
    assert not house.books.hosted.intake.parked
    log = {fact.event_id: fact for (fact,) in house.log().facts.values()}
    assert {key: fact.amount for key, fact in log.items()} == {key: f.amount for key, f in house.facts().items()}
    assert {key: fact.on for key, fact in log.items()} == {key: f.on for key, f in house.facts().items()}


def test_a_manual_entry_on_cash_is_on_its_way_to_the_bank_and_the_log_knows_it(house: House) -> None:
    house.take(camt(entry("-1200.00", text="loan-1", on="2024-02-01"), closing="3800.00"))
    line = EntryLine(debit="bank-charges", credit="cash", amount="9.50", currency="EUR")
    proposed, day = house.id("proposed"), date(2024, 2, 27)
    house.record(ProposeEntry(GENERAL_LEDGER, day, (line,), "account fee", None, "anna", proposed))
    decision = decision_id(proposed, GENERAL_LEDGER)
    house.record(ApproveEntry(GENERAL_LEDGER, proposed, "boris", decision))
    found = check(house, "2024-02-28")
    assert (found["books"], found["log"], found["ok"]) == ("-1209.50", "-1209.50", True)
    assert kinds(found) == [("in-transit", "9.50")]


def test_an_entry_on_cash_of_two_currencies_moves_each_of_them(house: House) -> None:
    """An exchange of currencies is one entry; the bank shows it on two accounts."""
    house.take(camt(entry("-1200.00", text="loan-1", on="2024-02-01"), entry("-90.00", bank="B-2"), closing="3710.00"))
    lines = (
        EntryLine(debit="cash", credit="clearing", amount="100.00", currency="USD"),
        EntryLine(debit="clearing", credit="cash", amount="90.00", currency="EUR"),
    )
    proposed, day = house.id("exchange"), date(2024, 2, 28)
    house.record(ProposeEntry(GENERAL_LEDGER, day, lines, "exchange", None, "anna", proposed))
    decision = decision_id(proposed, GENERAL_LEDGER)
    house.record(ApproveEntry(GENERAL_LEDGER, proposed, "boris", decision))
    assert [fact.amount for fact in house.facts("USD").values()] == [10_000]
    after = house.state().last_event
    assert after is not None
    house.record(*to_fact(house.line(2), house.facts()[decision], house.state().linked(), "told", after))
    found = check(house, "2024-02-28")
    assert (found["books"], found["log"], found["items"], found["ok"]) == ("-1290.00", "-1290.00", [], True)


@pytest.fixture
def unbooked() -> House:
    """A loan of accounting method none, for which money had come in before its contract."""
    house = House()
    house.pay("loan-1", "40.00", "2024-01-31", "receipt/90")
    house.lend("loan-1", accounting="none")
    house.close_through("2024-02-29")
    return house


def test_what_a_loan_moves_of_which_nothing_is_booked_is_held_against_the_bank_all_the_same(unbooked: House) -> None:
    unbooked.pay("loan-1", "100.00", "2024-02-27", "receipt/91")
    statement = camt(
        entry("40.00", e2e="receipt/90", on="2024-01-31"),
        entry("-1200.00", text="loan-1", on="2024-02-01", bank="B-2"),
        entry("100.00", text="loan-1", bank="B-3"),
        closing="3940.00",
    )
    unbooked.take(statement)
    assert list(unbooked.outcomes().values()) == ["matched", "disbursed", "matched"], "nothing is received twice"
    found = check(unbooked, "2024-02-28")
    assert (found["ok"], found["items"], found["difference"]) == (True, [], "0.00")
    assert (found["books"], found["unbooked"], found["log"]) == ("0.00", "-1060.00", "-1060.00")
    unbooked.pay("loan-1", "60.00", "2024-02-21")
    assert kinds(check(unbooked, "2024-02-28")) == [("not-at-the-bank", "-60.00")]


def test_the_books_of_such_a_loan_must_hold_what_waits_in_suspense_and_nothing_else(unbooked: House) -> None:
    unbooked.pay("loan-2", "17.00", "2024-02-27")
    unbooked.contract("loan-2", "600.00", "b-2", accounting="none")
    waiting = check(unbooked, "2024-02-28")
    assert (waiting["books"], waiting["unbooked"]) == ("17.00", "-1160.00")
    assert kinds(waiting) == [("in-transit", "-17.00"), ("not-at-the-bank", "-40.00"), ("not-at-the-bank", "1200.00")]
    lost = [fact for fact in unbooked.moved() if fact.loan_id != "loan-2"]
    found = cash_check(unbooked.sources(books=lost), date(2024, 2, 28), 5)["currencies"]["EUR"]
    (item,) = [item for item in found["items"] if item["kind"] == "log"]
    assert (item["amount"], item["loans"]) == ("17.00", ["loan-2"])


def test_what_a_new_loan_pays_off_of_an_old_one_never_was_cash(house: House) -> None:
    house.contract("loan-2", "2000.00", "b-loan-1")
    on, event_id = date(2024, 2, 28), house.id("refinanced")
    house.record(
        *refinance("loan-2", "loan-1", amount="2000.00", payoff="1200.00", currency="EUR", on=on, event_id=event_id)
    )
    found = check(house, "2024-02-28")
    assert (found["books"], found["log"]) == ("-2000.00", "-2000.00")


SECOND = BankAccount(
    id="second-eur", number="DE02500105170137075030", currency="EUR", opened_on=date(2024, 1, 31), opening="10.00"
)


@pytest.fixture
def two() -> House:
    """A lender with two accounts in one currency."""
    lender = read_lender()
    house = House(replace(lender, accounts=(*lender.accounts, SECOND)))
    house.lend("loan-1")
    house.close_through("2024-03-10")
    return house


def by_account(found: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {one["account"]: (one["bank"], one["books"], one["difference"]) for one in found["accounts"]}


def test_a_transfer_between_accounts_of_ones_own_is_on_its_way_until_both_banks_have_it(two: House) -> None:
    two.pay("loan-1", "100.00", "2024-02-27", "receipt/77")
    two.take(
        camt(
            entry("-1200.00", text="loan-1", on="2024-02-01"),
            entry("-300.00", bank="B-2", text="loan-1", other=SECOND.number),
            closing="3500.00",
        )
    )
    assert two.outcomes() == {1: "disbursed", 2: "transfer"}
    assert two.line(2).other_account == "second-eur"
    found = check(two, "2024-02-28")
    assert kinds(found) == [("in-transit", "-100.00"), ("in-transit", "-300.00")]
    assert by_account(found) == {"main-eur": ("3500.00", "-1500.00", "0.00"), "second-eur": ("10.00", "0.00", "0.00")}
    assert (found["elsewhere"], found["ok"]) == ("400.00", True), "the receipt of a branch, and what is between banks"
    late = check(two, "2024-03-09")
    assert ("not-at-the-bank", "-300.00") in kinds(late)
    assert [one["ok"] for one in late["accounts"]] == [False, True]

    arrived = entry("300.00", bank="C-1", other=IBAN, on="2024-03-01")
    two.take(camt(arrived, opening="10.00", closing="310.00", iban=SECOND.number, day="2024-03-01"))
    after = check(two, "2024-03-01")
    assert kinds(after) == [("in-transit", "-100.00")]
    assert by_account(after)["second-eur"] == ("310.00", "300.00", "0.00")
    assert kinds(check(two, "2024-02-28")) == [("in-transit", "-100.00"), ("in-transit", "-300.00")]
    assert not two.books.hosted.intake.parked


def test_a_person_may_say_that_a_line_is_a_transfer(two: House) -> None:
    """What had waited in suspense for a loan goes out of the books again, since it was in them already."""
    two.take(camt(entry("-1200.00", text="loan-1", on="2024-02-01"), entry("-300.00", bank="B-2"), closing="3500.00"))
    arrived = entry("300.00", bank="C-1", on="2024-02-28")
    two.take(camt(arrived, opening="10.00", closing="310.00", iban=SECOND.number))
    for account, n, other in (("main-eur", 2, "second-eur"), ("second-eur", 1, "main-eur")):
        state = two.state(account)
        line = next(one for one in state.lines.values() if one.line.n == n)
        assert line.outcome == "unmatched"
        two.record(*to_transfer(line, other, "told", state.last_event or ""))
        state = two.state(account)
        assert to_transfer(state.lines[line.line_id], other, "told", state.last_event or "") == []
    found = check(two, "2024-02-28")
    assert (found["items"], found["elsewhere"], found["books"]) == ([], "0.00", "-1200.00")
    assert by_account(found) == {
        "main-eur": ("3500.00", "-1500.00", "0.00"),
        "second-eur": ("310.00", "300.00", "0.00"),
    }


def test_pages_of_lines_go_on_after_a_line_whatever_it_is_by_now(two: House) -> None:
    two.take(camt(*(entry(f"{n}.00", bank=f"B-{n}") for n in range(1, 6)), closing="5015.00"))
    states = two.sources().accounts
    whole = line_documents(states, "unmatched", None)
    first = line_documents(states, "unmatched", None, limit=2)
    state = two.state()
    two.record(*to_outside(state.lines[first[-1]["line_id"]], "told", state.last_event or ""))
    rest = line_documents(two.sources().accounts, "unmatched", None, beyond=first[-1]["line_id"])
    assert [*first, *rest] == whole
    with pytest.raises(UnknownLine):
        line_documents(states, None, None, beyond=two.id("nobody"))
