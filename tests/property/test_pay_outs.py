"""Whatever order files are made, voided and answered in: a disbursement stands in one live file alone, a rejected one
is undone once, and the books are those of a replay."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.bank.pain_parts import reference_of
from services.ledger.bank.payment_files import broken_rules
from services.ledger.bank.refusals import (
    DisbursementInFile,
    FileNotWaiting,
    FileWasVoided,
    RejectedBefore,
    ReportChanged,
    UnknownPaymentFile,
    UnknownReference,
)
from services.ledger.commands.refusals import LoanNotContracted, LoanNotDisbursed
from services.ledger.engine.accounts import CASH
from services.ledger.memory import MemoryBooks, digest_in_memory
from shared.events.payment_files import PAYMENT_FILES
from shared.money import minor_units
from tests.unit.ledger.bank.pay_outs import PayingHouse, file_id, pain002, said
from tests.unit.ledger.bank.samples import TOPICS

REFUSED = (
    DisbursementInFile, FileNotWaiting, FileWasVoided, RejectedBefore, ReportChanged, UnknownPaymentFile,
    UnknownReference, LoanNotContracted, LoanNotDisbursed,
)  # fmt: skip
LOANS = ["loan-1", "loan-2"]
FILES = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), FILES, st.sets(st.sampled_from(LOANS), min_size=1).map(sorted)),
        st.tuples(st.just("void"), FILES),
        st.tuples(
            st.just("report"),
            FILES,
            st.sampled_from(LOANS),
            st.sampled_from(["RJCT", "ACSC", "ACTC"]),
            st.integers(1, 2),
        ),
        st.tuples(st.just("undo"), st.sampled_from(LOANS)),
    ),
    max_size=12,
)


def do(house: PayingHouse, step: Any) -> None:
    match step:
        case "make", n, loans:
            if file_id(n) not in house.recorded:
                house.make(n, loans)
        case "void", n:
            house.void(n)
        case "report", n, loan_id, status, number:
            reference = reference_of(house.id(f"d{loan_id}"))
            content = pain002(reference_of(file_id(n)), said(reference, status), report=f"R-{number}")
            assert house.report(content) in (True, False)
            assert house.report(content) is False
        case "undo", loan_id:
            disbursement = house.id(f"d{loan_id}")
            if not any(fact.reverses == disbursement for fact in house.facts().values()):
                house.undo(loan_id)


@settings(max_examples=120)
@given(STEPS)
def test_a_disbursement_is_paid_once_whatever_order_things_come_in(steps: list[Any]) -> None:
    house = PayingHouse()
    for loan_id in LOANS:
        house.lend(loan_id)
    for step in steps:
        before = len(house.records)
        try:
            do(house, step)
        except REFUSED:
            assert len(house.records) == before, "a refusal recorded something"
    assert not house.books.hosted.intake.parked
    state, facts = house.files(), house.facts()
    live = [one for one in state.files.values() if one.voided is None]
    carried = [item.item.disbursement_id for one in live for item in one.items.values()]
    assert len(carried) == len(set(carried))
    assert list(broken_rules(house.events(PAYMENT_FILES))) == []
    for one in state.files.values():
        assert sum(one.amounts.values()) == minor_units(one.file.total, "EUR")
    undone = {fact.reverses for fact in facts.values() if fact.reverses}
    rejected = {x.item.disbursement_id for one in live for x in one.items.values() if x.said.status == "RJCT"}
    assert rejected <= undone
    assert len(undone) == sum(fact.reverses is not None for fact in facts.values())
    cash = sum(
        row[2] if row[6] == CASH else -row[2] for row in house.books.postings.values() if CASH in (row[6], row[7])
    )
    assert cash == -120_000 * (len(LOANS) - len(undone))
    again = MemoryBooks(0, TOPICS)
    for record in house.records:
        again.take(record)
    assert digest_in_memory([again]) == house.digest()
