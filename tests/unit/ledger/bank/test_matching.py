"""What lines of a statement become: every kind of match, and that taking a statement is one fact, once."""

import json
from dataclasses import replace
from datetime import date

import pytest

from services.ledger.bank import refusals
from services.ledger.bank.lender import MatchingRow
from services.ledger.bank.pain_parts import reference_of
from services.ledger.commands.model import TakeStatement
from services.ledger.commands.refusals import ChangedMeanwhile, ReservedLoanId
from services.ledger.engine.account import decode_loan
from services.ledger.memory import MemoryBooks, digest_in_memory
from shared.errors import Refusal
from tests.unit.ledger.bank.samples import PERSON, PERSONS_IBAN, TOPICS, House, camt, entry

RECEIVE = MatchingRow(
    version="test@1", start=date(1900, 1, 1), source="test", window_days=5, claims="receive", transit_days=5
)


@pytest.fixture
def house() -> House:
    """Two loans of 1200 in twelve instalments of 100, paid out on the day on which the book opened."""
    house = House()
    house.lend("loan-1")
    house.lend("loan-2")
    house.close_through("2024-02-27")
    return house


def outstanding(house: House, loan_id: str) -> int:
    return next(decode_loan(raw) for name, raw in house.books.states.values() if name == loan_id).principal_outstanding


def test_a_line_that_names_a_loan_is_a_payment_of_its_value_date(house: House) -> None:
    house.take(camt(entry("100.00", text="LOAN-1", value="2024-02-26"), closing="5100.00"))
    assert house.outcomes() == {1: "received"}
    (allocation,) = house.line(1).allocations
    payment = house.events("loan-1")[-1]
    assert (payment.id, payment.effectivedate, payment.data.reference) == (
        allocation.event_id, date(2024, 2, 26), "B-1",
    )  # fmt: skip
    assert outstanding(house, "loan-1") == 110_000


def test_a_line_stands_for_the_payment_that_was_recorded_before_it(house: House) -> None:
    by_reference = house.pay("loan-1", "100.00", "2024-02-10", "receipt/77")
    by_amount = house.pay("loan-2", "55.00", "2024-02-26")
    of_loan = house.pay("loan-2", "100.00", "2024-02-25")
    before = len(house.records)
    house.take(
        camt(
            entry("100.00", e2e="receipt/77"),
            entry("55.00", bank="B-2"),
            entry("100.00", text="loan-2", bank="B-3"),
            closing="5255.00",
        )
    )
    assert house.outcomes() == {1: "matched", 2: "matched", 3: "matched"}
    assert [house.line(n).allocations[0].event_id for n in (1, 2, 3)] == [by_reference, by_amount, of_loan]
    assert len(house.records) == before + 1, "the books have the payments already: nothing but the statement is new"


def test_money_out_by_file_is_the_disbursement_of_its_end_to_end_id(house: House) -> None:
    """Two loans of one amount and day: the reference alone, which banks may write in capitals, tells them apart."""
    ids = [house.id(f"dloan-{n}") for n in (1, 2)]
    references = [reference_of(ids[1]), reference_of(ids[0]).upper()]
    lines = [entry("-1200.00", e2e=one, bank=f"B-{n}") for n, one in enumerate(references)]
    house.take(camt(*lines, closing="2600.00"))
    assert house.outcomes() == {1: "disbursed", 2: "disbursed"}
    assert [house.line(n).allocations[0].event_id for n in (2, 1)] == ids


def test_one_recorded_payment_stands_for_one_line_only(house: House) -> None:
    house.pay("loan-1", "100.00", "2024-02-26")
    house.take(camt(entry("100.00"), entry("100.00", bank="B-2"), closing="5200.00"))
    assert house.outcomes() == {1: "matched", 2: "unmatched"}
    assert house.line(2).line.candidates == ("loan-2",), "the only one that still asks for 100 about now"


def test_equal_lines_for_one_loan_are_two_payments(house: House) -> None:
    house.take(camt(entry("100.00", text="loan-1"), entry("100.00", text="loan-1", bank="B-2"), closing="5200.00"))
    assert house.outcomes() == {1: "received", 2: "received"}
    assert outstanding(house, "loan-1") == 100_000


def test_an_amount_other_than_expected_is_told(house: House) -> None:
    recorded = house.pay("loan-1", "90.00", "2024-02-20", "receipt/78")
    house.take(
        camt(
            entry("95.00", e2e="receipt/78"),
            entry("40.00", text="loan-2", bank="B-2"),
            entry("300.00", text="loan-2", bank="B-3"),
            closing="5435.00",
        )
    )
    assert house.outcomes() == {1: "partial", 2: "partial", 3: "received"}  # 300: three instalments whole
    assert (house.line(1).allocations[0].event_id, house.line(1).line.expected) == (recorded, "90.00")
    assert (house.line(2).allocations[0].loan_id, house.line(2).line.expected) == ("loan-2", "100.00")


def test_what_fits_several_or_nothing_waits_in_suspense(house: House) -> None:
    house.take(camt(entry("100.00"), entry("17.00", bank="B-2"), closing="5117.00"))
    assert house.outcomes() == {1: "ambiguous", 2: "unmatched"}
    for n in (1, 2):
        line = house.line(n)
        (allocation,) = line.allocations
        assert allocation.loan_id == f"unmatched.{line.line_id}"
        (_, raw) = next(state for state in house.books.states.values() if state[0] == allocation.loan_id)
        assert [amount for _, _, amount, _ in decode_loan(raw).waiting] == [line.amount]


def test_a_claim_of_the_amount_is_proposed_or_received_as_the_rules_say(house: House) -> None:
    house.pay("loan-2", "100.00", "2024-02-01")
    content = camt(entry("100.00"), closing="5100.00")
    house.take(content)
    assert (house.outcomes(), house.line(1).line.candidates) == ({1: "unmatched"}, ("loan-1",))
    other = House()
    other.lend("loan-1")
    other.close_through("2024-02-27")
    other.take(content, rules=RECEIVE)
    assert (other.outcomes(), other.line(1).allocations[0].loan_id) == ({1: "received"}, "loan-1")


def test_money_out_is_the_disbursement_that_the_books_have(house: House) -> None:
    house.lend("loan-3", "700.00", on="2024-02-26")
    house.take(
        camt(
            entry("-700.00"),
            entry("-1200.00", text="loan-1", bank="B-2"),
            entry("-9.50", bank="B-3"),
            closing="3090.50",
        )
    )
    assert house.outcomes() == {1: "disbursed", 2: "disbursed", 3: "unmatched"}
    assert [one.loan_id for n in (1, 2) for one in house.line(n).allocations] == ["loan-3", "loan-1"]
    assert house.line(3).allocations == ()


def test_a_returned_payment_is_taken_back(house: House) -> None:
    house.take(camt(entry("100.00", e2e="DD-2024-1", text="loan-1"), closing="5100.00"))
    assert outstanding(house, "loan-1") == 110_000
    back = entry("-100.00", on="2024-02-28", e2e="DD-2024-1", returned=True, bank="B-9")
    house.take(camt(back, opening="5100.00", closing="5000.00", number=2))
    (reversal,) = house.events("loan-1")[-1:]
    assert house.line(1).outcome == "received"
    assert [one.outcome for one in house.state().lines.values()] == ["received", "returned"]
    assert reversal.data.payment_id == house.line(1).allocations[0].event_id
    assert outstanding(house, "loan-1") == 120_000


def test_a_return_on_the_same_statement_is_found(house: House) -> None:
    house.take(
        camt(
            entry("100.00", e2e="DD-2024-1", text="loan-1"),
            entry("-100.00", e2e="DD-2024-1", returned=True, bank="B-2"),
            closing="5000.00",
        )
    )
    assert house.outcomes() == {1: "received", 2: "returned"}
    assert outstanding(house, "loan-1") == 120_000


def test_a_return_that_names_nothing_changes_nothing(house: House) -> None:
    house.take(camt(entry("-100.00", returned=True), closing="4900.00"))
    assert (house.outcomes(), house.line(1).allocations) == ({1: "unmatched"}, ())


def test_nothing_personal_is_on_the_log(house: House) -> None:
    house.take(camt(entry("100.00", text="loan-1"), entry("3.00", e2e=PERSONS_IBAN, bank="B-2"), closing="5103.00"))
    for record in house.records:
        assert record.value is not None
        assert not any(word in record.value.decode() for word in (*PERSON.split(), PERSONS_IBAN))
    assert not any(PERSONS_IBAN.encode() in (message.value or b"") for message in house.books.messages)


def test_the_same_statement_again_changes_nothing(house: House) -> None:
    content = camt(entry("100.00", text="loan-1"), entry("17.00", bank="B-2"), closing="5117.00")
    assert len(house.take(content)) == 3
    digest = house.digest()
    house.pay("loan-2", "17.00", "2024-02-27")  # now the second line would match otherwise
    events = len(house.records)
    assert house.take(content) == []
    assert len(house.records) == events
    assert house.digest()["suspense"] == digest["suspense"] == 1


def test_a_run_that_was_killed_resumes_where_it_was(house: House) -> None:
    """The relay is killed after any number of the events, and publishes them again; a replay gives the same books."""
    content = camt(
        entry("100.00", text="loan-1"), entry("17.00", bank="B-2"), entry("40.00", text="loan-2", bank="B-3"),
        closing="5157.00",
    )  # fmt: skip
    before = len(house.records)
    events = house.take(content)
    wanted = house.digest()
    assert len(events) == 4
    for sent in range(len(events) + 1):
        books = MemoryBooks(0, TOPICS)
        stream = [*house.records[:before], *house.records[before : before + sent], *house.records[before:]]
        for offset, record in enumerate(stream):
            books.take(replace(record, offset=offset))
        assert digest_in_memory([books]) == wanted


def refused(house: House, content: bytes) -> type[Refusal]:
    before = house.digest(), len(house.records), dict(house.guards.accounts)
    with pytest.raises(Refusal) as found:
        house.take(content)
    assert (house.digest(), len(house.records), dict(house.guards.accounts)) == before, "something was half taken"
    return type(found.value)


def test_statements_follow_each_other(house: House) -> None:
    one = camt(entry("100.00", text="loan-1"), closing="5100.00", number=7)
    assert refused(house, camt(entry("1.00"), opening="4000.00", closing="4001.00")) is refusals.StatementGap
    house.take(one)
    follows = {"opening": "5100.00", "closing": "5101.00"}
    changed = camt(entry("100.00", text="loan-2"), closing="5100.00", number=7)
    assert refused(house, changed) is refusals.StatementChanged
    assert refused(house, camt(entry("1.00"), number=9, **follows)) is refusals.StatementGap
    assert refused(house, camt(entry("1.00"), number=6, **follows)) is refusals.StatementOutOfOrder
    early = camt(entry("1.00", on="2024-02-20"), number=8, day="2024-02-20", **follows)
    assert refused(house, early) is refusals.StatementOutOfOrder
    assert refused(house, camt(entry("1.00"), number=8, opening="5099.00", closing="5100.00")) is refusals.StatementGap
    ahead = camt(entry("1.00", on="2024-03-09"), number=8, day="2024-03-09", **follows)
    assert refused(house, ahead) is refusals.BookBehindStatement
    other = camt(entry("1.00"), iban="DE75512108001245126199", **follows)
    assert refused(house, other) is refusals.UnknownBankAccount
    house.take(camt(entry("1.00"), number=8, **follows))
    assert [one.statement_id for one in house.state().statements] == ["S-7", "S-8"]


def test_numbers_begin_again_with_a_year(house: House) -> None:
    house.take(camt(entry("1.00"), closing="5001.00", number=60))
    house.close_through("2025-01-01")
    house.take(
        camt(
            entry("1.00", on="2025-01-02"), opening="5001.00", closing="5002.00", number=1, day="2025-01-02",
            statement_id="S-2025-1",
        )
    )  # fmt: skip
    assert len(house.state().statements) == 2


def test_a_statement_that_was_matched_on_older_knowledge_is_refused(house: House) -> None:
    house.take(camt(entry("1.00"), closing="5001.00"))
    (taken,) = house.events("bank.main-eur")
    late = taken.data.model_copy(
        update={"statement_id": "S-2", "opening": "5001.00", "closing": "5001.00", "lines": ()}
    )
    late = late.model_copy(update={"sequence": 2, "digest": "0" * 64})
    with pytest.raises(ChangedMeanwhile):
        house.record(TakeStatement(late, 0, None, house.id("late")))


def test_a_statement_without_lines_moves_the_account_on(house: House) -> None:
    house.take(camt(closing="5000.00"))
    house.take(camt(entry("1.00"), closing="5001.00", number=2))
    assert len(house.state().statements) == 2


def test_what_the_bank_said_is_kept_on_its_own_subject_alone_and_told_to_nobody(house: House) -> None:
    told = len(house.books.messages)
    house.take(camt(closing="5000.00"))
    assert len(house.books.messages) == told
    (taken,) = house.events("bank.main-eur")
    house.fold(taken.model_copy(update={"id": house.id("forged"), "subject": "loan-1"}))
    assert list(house.books.hosted.intake.parked) == ["loan-1"]
    assert json.loads(taken.to_json())["data"]["lines"] == []


def test_no_loan_takes_an_id_of_the_banks(house: House) -> None:
    for loan_id in ("bank.main-eur", "unmatched.1"):
        with pytest.raises(ReservedLoanId):
            house.lend(loan_id)
