"""Whatever happens to a loan, each line that is booked is a row of the table of posting rules."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings

from services.ledger.engine.account import WRITTEN_OFF, Loan
from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, PaymentFact, ValuationFact
from services.ledger.engine.folding import in_order
from services.ledger.engine.postings import RULES
from services.ledger.engine.servicing import Servicing
from shared.events import servicing as events
from tests.property.histories_of_servicing import LOAN, Step, contracts, steps
from tests.property.test_engine import lived

ROWS = {(rule.happening, rule.debit, rule.credit) for rule in RULES}
OUT = "a payment is charged back, a credit balance is refunded"
CHANGE = ("claims change", "money paid too much is used")
HAPPENINGS: dict[type[Any], tuple[str, ...]] = {
    events.Charge: ("charge", *CHANGE),
    events.Waiver: ("charge is waived",),
    events.ChargeCredit: ("fee credited", "penalty credited"),
    events.Chargeback: (OUT,),
    events.Refund: (OUT,),
    events.ChargeOff: ("charge-off",),
    events.WriteOff: ("write-off",),
    events.Prepayment: ("payment", "charge", *CHANGE),
}
RELEASED = "valuation of less, the claim ends"
TIME = ("an instalment falls due", "charge", RELEASED, *CHANGE)


def happenings(fact: Fact, loan: Loan) -> Iterator[str]:
    """What a fact is in the table, for a loan as it is before it."""
    match fact:
        case ValuationFact():
            yield from ("valuation", RELEASED)
            return
        case DisbursementFact():
            yield from ("disbursement", "disbursement uses what waited", *CHANGE)
            return
        case PaymentFact():
            names: tuple[str, ...] = ("payment", "payment that fits no disbursed loan in its currency")
        case ContractFact():
            return
        case _ if isinstance(fact.data, events.Credit):
            names = ("goodwill credit" if fact.data.kind == "goodwill-credit" else "merchant or payout refund",)
        case _:
            names = HAPPENINGS.get(type(fact.data), CHANGE)
    after = " after a write-off" if loan.status == WRITTEN_OFF else " after a charge-off" if loan.charged_off else ""
    for name in names:
        yield name + after
    if loan.refolds or loan.charges:
        yield from CHANGE
    if loan.valued:
        yield RELEASED


@settings(max_examples=300)
@given(contracts(), steps)
def test_every_line_is_a_row_of_the_table(terms: dict[str, Any], todo: list[Step]) -> None:
    for life in lived(terms, todo):
        last = life
    loan = Servicing(0, LOAN)
    for fact in in_order(last.facts):
        if not isinstance(fact, ContractFact):
            booked = len(loan.journal)
            loan.pass_time(fact.effective)
            for line in loan.journal[booked:]:
                assert any((name, line.debit, line.credit) in ROWS for name in TIME), line
        booked, names = len(loan.journal), tuple(happenings(fact, loan.loan))
        loan.fold(fact)
        for line in loan.journal[booked:]:
            assert any(row in ROWS for name in names for row in [(name, line.debit, line.credit)]), (names, line)
