"""A matched statement becomes commands: the statement itself, and what its lines make: payments and reversals."""

from collections.abc import Sequence

from services.ledger.bank.facts import CashFact
from services.ledger.bank.lender import BankAccount
from services.ledger.bank.matching import Match, payment_of
from services.ledger.bank.state import line_id, statement_event_id
from services.ledger.bank.statement import Statement
from services.ledger.commands.model import Command, ReceivePayment, ReversePayment, TakeStatement
from shared.events.bank import Allocation, BankLine, BankStatement
from shared.events.envelope import derived_event_id
from shared.money import decimal_text

RETURNED = "returned by the bank"


def commands_of(
    statement: Statement, matches: Sequence[Match], account: BankAccount, after: str | None
) -> tuple[list[Command], list[CashFact]]:
    """The commands, all of which are recorded or none, and the facts that they make. Every id derives from account,
    statement and line, so that the same statement once more is nothing new."""
    commands: list[Command] = []
    made: list[CashFact] = []
    lines = []
    for one in matches:
        name = line_id(account.id, statement.statement_id, one.line.n)
        allocation, command, fact = _effect(one, name, statement.currency)
        lines.append(_line(one, allocation, statement.currency))
        if command is not None and fact is not None:
            commands.append(command)
            made.append(fact)
    code = statement.currency
    digest = statement.digest()
    data = BankStatement(
        account=account.id,
        statement_id=statement.statement_id,
        sequence=statement.sequence,
        currency=code,
        opens=statement.opens,
        closes=statement.closes,
        opening=decimal_text(statement.opening, code),
        closing=decimal_text(statement.closing, code),
        digest=digest,
        pending=statement.pending,
        lines=tuple(lines),
    )
    event_id = statement_event_id(account.id, statement.statement_id, digest)
    return [TakeStatement(data, account.opening_minor, after, event_id), *commands], made


def receive(fact: CashFact) -> ReceivePayment:
    """The command that makes a payment."""
    text = decimal_text(fact.amount, fact.currency)
    return ReceivePayment(fact.loan_id, text, fact.currency, fact.on, fact.reference, fact.event_id)


def take_back(
    payment: CashFact, event_id: str, reason: str, code: str | None = None
) -> tuple[ReversePayment, CashFact]:
    """The command that takes a payment back, and what it moves: as if it had never come. `code`: the bank's reason."""
    command = ReversePayment(payment.loan_id, payment.event_id, reason, event_id, code)
    moved = CashFact(
        event_id, payment.loan_id, payment.currency, -payment.amount, payment.on, reverses=payment.event_id
    )
    return command, moved


def _effect(one: Match, name: str, currency: str) -> tuple[Allocation | None, Command | None, CashFact | None]:
    """What a line stands for, the command that makes it if it is not in the books yet, and what that moves."""
    if one.outcome == "returned":
        assert one.fact is not None
        command, fact = take_back(one.fact, derived_event_id(name, 0, "-", 0), RETURNED, one.line.code)
        return allocation_of(fact, made=True), command, fact
    if one.fact is not None:
        return allocation_of(one.fact, made=False), None, None
    if one.loan_id is not None:
        fact = payment_of(one.line, name, one.loan_id, currency)
        return allocation_of(fact, made=True), receive(fact), fact
    return None, None, None


def allocation_of(fact: CashFact, *, made: bool) -> Allocation:
    """A fact as a line stands for it."""
    return Allocation(
        loan_id=fact.loan_id, event_id=fact.event_id, amount=decimal_text(fact.amount, fact.currency), made=made
    )


def _line(one: Match, allocation: Allocation | None, currency: str) -> BankLine:
    return BankLine(
        n=one.line.n,
        booked_on=one.line.booked_on,
        value_date=one.line.value_date,
        amount=decimal_text(one.line.amount, currency),
        reference=one.line.reference,
        bank_reference=one.line.bank_reference,
        outcome=one.outcome,
        allocations=(allocation,) if allocation is not None else (),
        candidates=one.candidates,
        expected=decimal_text(abs(one.expected), currency) if one.expected is not None else None,
        code=one.line.code,
        other_account=one.other_account,
    )
