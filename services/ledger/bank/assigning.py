"""What a person says of a line becomes commands: what the line had made is taken back, what it is now takes its place,
both in one transaction. A line that is that already gives none."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ledger.bank.facts import CashFact
from services.ledger.bank.refusals import DoesNotAddUp, MoneyWentOut, NothingToTakeBack, ReturnStands, UnknownFact
from services.ledger.bank.state import LineState, signed_minor, suspense_id
from services.ledger.bank.taking import allocation_of, receive, take_back
from services.ledger.commands.model import AssignLine, Command
from shared.events.bank import Allocation, LineAssignment, Outcome
from shared.events.envelope import derived_event_id
from shared.money import decimal_text


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a line that is a payment for a loan, in minor units."""

    loan_id: str
    amount: int


def to_loans(line: LineState, parts: Sequence[Part], reason: str, after: str) -> list[Command]:
    """The line is these payments. Raises DoesNotAddUp, MoneyWentOut."""
    if line.amount < 0:
        raise MoneyWentOut(f"The line is {_text(line.amount, line)} {line.currency}.", field="loan_id")
    if sum(part.amount for part in parts) != line.amount or any(part.amount <= 0 for part in parts):
        total = _text(sum(part.amount for part in parts), line)
        detail = f"The parts make {total}, the line is {_text(line.amount, line)} {line.currency}."
        raise DoesNotAddUp(detail, field="parts")
    wanted = [(part.loan_id, part.amount) for part in parts]
    if wanted == [(one.loan_id, signed_minor(one.amount, line.currency)) for one in line.allocations if one.made]:
        return []
    made = [_payment(line, part, index) for index, part in enumerate(parts, start=1)]
    allocations = tuple(allocation_of(fact, made=True) for fact in made)
    assign = _assign(line, "assigned", allocations, reason, after)
    return [*_taken_back(line, reason), *map(receive, made), assign]


def to_fact(line: LineState, fact: CashFact | None, linked: frozenset[str], reason: str, after: str) -> list[Command]:
    """The line is a fact that the books have, or, money out, the return of a payment. Raises UnknownFact."""
    if fact is not None and any(one.event_id == fact.event_id and not one.made for one in line.allocations):
        return []
    returns = fact is not None and line.amount < 0 < fact.amount == -line.amount
    if fact is None or fact.currency != line.currency or (fact.event_id in linked and not returns):
        detail = "No payment or disbursement of this id stands in the books, or another line is it."
        raise UnknownFact(detail, field="event_id")
    if returns:
        command, moved = take_back(fact, _id(line, "-", 1), reason, line.line.code)
        assign = _assign(line, "returned", (allocation_of(moved, made=True),), reason, after)
        return [*_taken_back(line, reason), command, assign]
    if (fact.amount < 0) != (line.amount < 0):
        raise UnknownFact("Money that came in is no money that went out.", field="event_id")
    assign = _assign(line, "assigned", (allocation_of(fact, made=False),), reason, after)
    return [*_taken_back(line, reason), assign]


def to_facts(
    line: LineState, facts: Sequence[CashFact], linked: frozenset[str], reason: str, after: str
) -> list[Command]:
    """The line is several payments that the books have: the cash of a branch, paid in as one. Raises UnknownFact,
    MoneyWentOut, DoesNotAddUp."""
    if line.amount < 0:
        raise MoneyWentOut(f"The line is {_text(line.amount, line)} {line.currency}.", field="event_ids")
    if {one.event_id for one in line.allocations} == {fact.event_id for fact in facts}:
        return []
    for fact in facts:
        if fact.event_id in linked or fact.currency != line.currency or fact.amount <= 0:
            detail = f"{fact.event_id} is no payment of this currency that no line has."
            raise UnknownFact(detail, field="event_ids")
    if (total := sum(fact.amount for fact in facts)) != line.amount:
        detail = f"The payments make {_text(total, line)}, the line is {_text(line.amount, line)} {line.currency}."
        raise DoesNotAddUp(detail, field="event_ids")
    assign = _assign(line, "assigned", tuple(allocation_of(fact, made=False) for fact in facts), reason, after)
    return [*_taken_back(line, reason), assign]


def to_outside(line: LineState, reason: str, after: str) -> list[Command]:
    """The line is none of the loan book's business: a bank's fee, capital, a salary."""
    if line.outcome == "outside":
        return []
    return [*_taken_back(line, reason), _assign(line, "outside", (), reason, after)]


def to_transfer(line: LineState, other_account: str, reason: str, after: str) -> list[Command]:
    """The line is money between this account and another of the lender's own."""
    if line.outcome == "transfer" and line.other_account == other_account:
        return []
    assign = _assign(line, "transfer", (), reason, after, other_account)
    return [*_taken_back(line, reason), assign]


def to_suspense(line: LineState, reason: str, after: str) -> list[Command]:
    """The line is matched to nothing: what came in waits in suspense. Raises NothingToTakeBack."""
    pseudo = suspense_id(line.line_id)
    waits = any(one.loan_id == pseudo for one in line.allocations)
    if waits or (line.amount <= 0 and not line.allocations and line.outcome not in ("outside", "transfer")):
        raise NothingToTakeBack("The line is unmatched already.", field="line_id")
    if line.amount <= 0:
        return [*_taken_back(line, reason), _assign(line, "unmatched", (), reason, after)]
    fact = _payment(line, Part(pseudo, line.amount), 1)
    assign = _assign(line, "unmatched", (allocation_of(fact, made=True),), reason, after)
    return [*_taken_back(line, reason), receive(fact), assign]


def _payment(line: LineState, part: Part, index: int) -> CashFact:
    said = line.line
    return CashFact(
        event_id=_id(line, part.loan_id, index),
        loan_id=part.loan_id,
        currency=line.currency,
        amount=part.amount,
        on=min(said.booked_on, said.value_date),
        reference=said.reference or said.bank_reference,
    )


def _taken_back(line: LineState, reason: str) -> list[Command]:
    """What the line had made is taken back. Raises ReturnStands."""
    commands: list[Command] = []
    for index, one in enumerate(line.allocations):
        if not one.made:
            continue
        amount = signed_minor(one.amount, line.currency)
        if amount < 0:
            raise ReturnStands(f"Reversal {one.event_id} was made of it.", field="line_id")
        payment = CashFact(one.event_id, one.loan_id, line.currency, amount, line.line.value_date)
        commands.append(take_back(payment, _id(line, f"-{one.loan_id}", index), reason)[0])
    return commands


def _assign(
    line: LineState,
    outcome: Outcome,
    allocations: tuple[Allocation, ...],
    reason: str,
    after: str,
    other_account: str | None = None,
) -> AssignLine:
    data = LineAssignment(
        account=line.account,
        statement_id=line.statement_id,
        n=line.line.n,
        revision=line.revision + 1,
        outcome=outcome,
        allocations=allocations,
        other_account=other_account,
        reason=reason,
    )
    return AssignLine(data, after, _id(line, line.account, 0))


def _id(line: LineState, what: str, index: int) -> str:
    """An id of what follows from the line's next revision."""
    return derived_event_id(f"{line.line_id}:{line.revision + 1}", 0, what, index)


def _text(minor: int, line: LineState) -> str:
    return decimal_text(minor, line.currency)
