"""Events of a loan as facts for the engine, and what taking one back leaves."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, get_args

from services.ledger.engine.facts import (
    ContractFact,
    DisbursementFact,
    Fact,
    Happening,
    PaymentFact,
    ServicingFact,
    TakeOverFact,
    ValuationFact,
    key_of,
)
from services.ledger.engine.opening import in_minor_units
from services.ledger.reading import PlainPayment, read_to_fold
from shared.errors import InvariantBroken
from shared.events import servicing
from shared.events.ledger import PaymentReceived, PaymentReversed
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.events.servicing import EventUndone
from shared.events.take_over import LoanTakenOver
from shared.events.valuation import LoanValued
from shared.schedules.resets import Rates
from shared.streams.ports import Record

_HAPPENINGS = get_args(Happening)
"""Kinds of data that are facts as they are."""
_MONEY = (
    servicing.Credit,
    servicing.ChargeCredit,
    servicing.Chargeback,
    servicing.Prepayment,
    servicing.Refund,
)


def fact_of(event: Any, effective: int, offset: int, rates: Rates) -> Fact | None:
    """The fact that an event states, with its value date as an ordinal; None if it states none of its own. `rates`:
    what was published of reference rates; a contract's fact takes those of the index that it follows."""
    match event:
        case PlainPayment():
            return PaymentFact(event.id, effective, offset, event.amount, event.currency)
        case PaymentReceived():
            amount, number = in_minor_units(event.data.amount, event.data.currency)
            return PaymentFact(event.id, effective, offset, amount, number)
        case LoanContracted():
            follows = event.data.terms.reference
            return ContractFact(event.id, event.data, rates.get(follows.index, {}) if follows is not None else {})
        case LoanDisbursed():
            amount, number = in_minor_units(event.data.amount, event.data.currency)
            if (settles := event.data.settles) is None:
                return DisbursementFact(event.id, effective, amount, number)
            settled, _ = in_minor_units(settles.amount, event.data.currency)
            return DisbursementFact(event.id, effective, amount, number, settled, settles.loan_id)
        case LoanTakenOver():
            return TakeOverFact(event.id, effective, event.data)
        case LoanValued():
            return ValuationFact(event.id, effective, event.data)
        case _ if isinstance(data := getattr(event, "data", None), _HAPPENINGS):
            return ServicingFact(event.id, effective, data)
        case _:
            return None


def taken_back(event: Any) -> str | None:
    """The id of the event that this one takes back, if it does."""
    match event:
        case PaymentReversed():
            return str(event.data.payment_id)
        case EventUndone():
            return str(event.data.event_id)
        case _:
            return None


def without(facts: Sequence[Fact], event: Any) -> list[Fact]:
    """The facts that stand after `event` has taken one back. Raises InvariantBroken if there is nothing to take back,
    or if it must not be."""
    event_id = taken_back(event)
    found = next((fact for fact in facts if fact.event_id == event_id), None)
    if isinstance(event, PaymentReversed) and not isinstance(found, PaymentFact):
        raise InvariantBroken(f"a reversal of {event_id}, which is no payment of this loan that still stands")
    if found is None:
        raise InvariantBroken(f"an undoing of {event_id}, which is no fact of this loan that still stands")
    if isinstance(found, ContractFact):
        raise InvariantBroken("an undoing of the contract")
    if any(_is(fact, servicing.WriteOff) for fact in facts):
        raise InvariantBroken("an undoing after the loan was written off")
    left = [fact for fact in facts if fact is not found]
    if _is(found, servicing.ChargeOff) and any(_is_money(fact) and key_of(fact) >= key_of(found) for fact in left):
        raise InvariantBroken("an undoing of a charge-off after money came in or went out")
    return left


def _is(fact: Fact, kind: type[Happening]) -> bool:
    return isinstance(fact, ServicingFact) and isinstance(fact.data, kind)


def _is_money(fact: Fact) -> bool:
    return isinstance(fact, PaymentFact | DisbursementFact) or (
        isinstance(fact, ServicingFact) and isinstance(fact.data, _MONEY)
    )


def stored_facts(rows: Iterable[tuple[int, date, Record]], rates: Rates) -> list[Fact]:
    """What still stands of a loan's accepted events, in order of offset: (offset, effective date, record)."""
    return facts_of(
        ((offset, effective.toordinal(), read_to_fold(record)) for offset, effective, record in rows), rates
    )


def facts_of(stored: Iterable[tuple[int, int, Any]], rates: Rates) -> list[Fact]:
    """What still stands of a loan's accepted events, in order of offset: (offset, effective ordinal, event)."""
    facts: list[Fact] = []
    for offset, effective, event in stored:
        if taken_back(event) is not None:
            facts = without(facts, event)
        elif (fact := fact_of(event, effective, offset, rates)) is not None:
            facts.append(fact)
    return facts
