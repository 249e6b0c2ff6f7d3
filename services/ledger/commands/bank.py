"""The rules of bank statements: each begins where the last one of its account ended, and is taken once."""

from dataclasses import replace

from services.ledger.bank.refusals import (
    BookBehindStatement,
    StatementChanged,
    StatementGap,
    StatementOutOfOrder,
)
from services.ledger.bank.state import signed_minor
from services.ledger.commands import model, refusals
from services.ledger.commands.checks import Stamp, aggregate_of, require_open, stated
from services.ledger.commands.state import BankGuard, Guards
from shared.events import bank
from shared.events.envelope import Envelope
from shared.money import decimal_text


def decide(command: model.BankCommand, guards: Guards, stamp: Stamp) -> Envelope:
    """The event of a command on a bank account; raises a Refusal."""
    match command:
        case model.TakeStatement():
            return _take(command, guards, stamp)
        case model.AssignLine():
            return _assign(command, guards, stamp)


def _take(command: model.TakeStatement, guards: Guards, stamp: Stamp) -> Envelope:
    open_date, data = require_open(guards), command.statement
    account, where = guards.accounts.get(aggregate_of(command)), f"Statement {data.statement_id} of {data.account}"
    if account is not None and account.statements.get(data.statement_id, data.digest) != data.digest:
        raise StatementChanged(f"{where} was taken before with another content; nothing is changed.")
    if data.closes > open_date:
        raise BookBehindStatement(f"{where} ends on {data.closes}, the open date is {open_date}: close dates first.")
    if account is not None:
        _require_next(data, account, where)
    closing = account.closing if account is not None else command.opening
    if (opening := signed_minor(data.opening, data.currency)) != closing:
        began = "the last one ended with" if account is not None else "accounts.yaml says that it begins with"
        raise StatementGap(
            f"{where} begins with {data.opening}, {began} {decimal_text(closing, data.currency)}: "
            f"{decimal_text(opening - closing, data.currency)} between them is missing."
        )
    _require_unchanged(account, command.after, where)
    return stated(bank.BankStatementTaken, data, command, stamp)


def _assign(command: model.AssignLine, guards: Guards, stamp: Stamp) -> Envelope:
    require_open(guards)
    data = command.assignment
    where = f"Line {data.n} of statement {data.statement_id}"
    _require_unchanged(guards.accounts.get(aggregate_of(command)), command.after, where)
    return stated(bank.BankLineAssigned, data, command, stamp)


def taken(command: model.BankCommand, guards: Guards) -> None:
    """Take a decided command into the guarding state."""
    subject = aggregate_of(command)
    account = guards.accounts.get(subject)
    match command:
        case model.TakeStatement(statement=data):
            statements = (account.statements if account is not None else {}) | {data.statement_id: data.digest}
            closing = signed_minor(data.closing, data.currency)
            guards.accounts[subject] = BankGuard(closing, data.closes, data.sequence, statements, command.event_id)
        case model.AssignLine():
            assert account is not None
            guards.accounts[subject] = replace(account, last=command.event_id)


def _require_next(data: bank.BankStatement, account: BankGuard, where: str) -> None:
    """Raise StatementOutOfOrder or StatementGap unless the statement follows the last one. Numbers begin again with a
    year."""
    if data.closes < account.closes:
        raise StatementOutOfOrder(f"{where} ends on {data.closes}, the last one taken on {account.closes}.")
    if data.sequence is None or account.sequence is None:
        return
    if data.sequence <= 1 and data.closes.year > account.closes.year:
        return
    if data.sequence <= account.sequence:
        raise StatementOutOfOrder(f"{where} has number {data.sequence}, the last one taken {account.sequence}.")
    if data.sequence > account.sequence + 1:
        raise StatementGap(f"{where} has number {data.sequence}, the last one taken {account.sequence}.")


def _require_unchanged(account: BankGuard | None, after: str | None, where: str) -> None:
    if (last := account.last if account is not None else None) != after:
        raise refusals.ChangedMeanwhile(f"{where}: event {last} came before; try again.")
