"""Fees that follow from the terms are charges of their own: each has an id that a waiver or a credit can name."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from services.ledger.engine.facts import ContractFact, DisbursementFact, Fact, ServicingFact
from services.ledger.engine.lines import ChargeLine
from services.ledger.engine.statement import statement
from shared.errors import InvariantBroken
from shared.events.origination import Contract
from shared.events.servicing import ChargeCredit
from shared.events.terms import Terms, UpfrontFee
from shared.money import currency

CODE = "CZK"
START = date(2025, 1, 1).toordinal()
FEES = (UpfrontFee(name="arrangement", amount="10.00", share="0.01"), UpfrontFee(name="arrangement", share="0.02"))


def of_terms(**more: Any) -> list[Fact]:
    terms = Terms(
        kind="equal-principal", principal="1000.00", currency=CODE, annual_rate="0.12", instalments=4,
        first_due_date=date(2025, 2, 1), **more,
    )  # fmt: skip
    return [ContractFact("contract", Contract(borrower_id="B1", product="p@1", terms=terms))]


def paid_out(event_id: str, amount: int, day: int = START) -> Fact:
    return DisbursementFact(event_id, day, amount, currency(CODE).number)


def credit(event_id: str, charge: ChargeLine, amount: str) -> Fact:
    data = ChargeCredit(charge_id=charge.event_id, amount=amount, currency=CODE, reason="mistaken")
    return ServicingFact(event_id, START, data)


def charges(facts: Sequence[Fact]) -> tuple[ChargeLine, ...]:
    return statement("L1", facts, before=START).charges


def test_fees_withheld_of_two_disbursements_of_one_day_are_four_charges() -> None:
    facts = [*of_terms(upfront_fees=FEES), paid_out("d1", 40_000), paid_out("d2", 60_000)]
    told = statement("L1", facts, before=START)
    assert [charge.amount for charge in told.charges] == [1_400, 800, 600, 1_200]
    assert len({charge.event_id for charge in told.charges}) == 4
    assert [line.amount for line in told.transactions if line.kind == "fee-withheld"] == [1_400, 800, 600, 1_200]


def test_a_fee_withheld_keeps_its_id_whatever_else_was_paid_out() -> None:
    first, second = paid_out("d1", 40_000), paid_out("d2", 50_000)
    alone = {charge.event_id for charge in charges([*of_terms(upfront_fees=FEES), second])}
    assert alone <= {charge.event_id for charge in charges([*of_terms(upfront_fees=FEES), first, second])}


def test_each_fee_withheld_can_be_credited_whole_and_no_further() -> None:
    facts = [*of_terms(upfront_fees=FEES), paid_out("d1", 40_000), paid_out("d2", 60_000)]
    for n, charge in enumerate(charges(facts)):
        facts.append(credit(f"c{n}", charge, f"{charge.amount // 100}.00"))
    told = statement("L1", facts, before=START)
    assert sum(line.amount for line in told.transactions if line.kind == "charge-adjustment") == 4_000
    with pytest.raises(InvariantBroken, match="more than the charge"):
        charges([*facts, credit("again", told.charges[1], "0.01")])
