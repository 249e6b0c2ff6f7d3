"""Where statements are taken in and lines assigned: reads the books, asks the pure rules, records what they give."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from services.ledger.bank import assigning, reading
from services.ledger.bank.assigning import Part
from services.ledger.bank.camt053 import read_camt053
from services.ledger.bank.csv_profile import read_csv
from services.ledger.bank.facts import CashFact, Known, standing
from services.ledger.bank.lender import BankAccount, Lender
from services.ledger.bank.matching import match
from services.ledger.bank.refusals import (
    NotATransfer,
    OtherCurrencyThanAccount,
    ProfileNeeded,
    StatementEmpty,
    StatementOnItsWay,
    StatementTooLarge,
    UnknownFact,
    UnknownLine,
)
from services.ledger.bank.state import AccountFolds, AccountState, LineState, statement_event_id
from services.ledger.bank.statement import Statement
from services.ledger.bank.taking import commands_of
from services.ledger.bank.views import line_document, line_documents, statement_document
from services.ledger.commands.model import AssignLine, Command, ReversePayment, TakeStatement
from services.ledger.commands.recorder import LedgerCommands
from services.ledger.debits.reading import debits_named
from services.ledger.queries.snapshots import snapshot
from shared.money import minor_units

FILE_BYTES_MAX = 8 << 20

Books = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens a connection on the books."""


def read_file(content: bytes, profile: str | None, lender: Lender) -> list[Statement]:
    """The statements of a file: XML is camt.053, anything else needs the name of a CSV profile. Raises refusals."""
    if len(content) > FILE_BYTES_MAX:
        raise StatementTooLarge(f"At most {FILE_BYTES_MAX} bytes are read.")
    if not content.strip():
        raise StatementEmpty("The file is empty.")
    if profile is not None:
        return read_csv(content, lender.profile(profile))
    if not content.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \r\n\t").startswith(b"<"):
        raise ProfileNeeded(f"Name one of {', '.join(sorted(lender.profiles))}.", field="profile")
    return read_camt053(content)


class BankDesk:
    """Takes statements and assigns lines, each in one transaction of the API's database."""

    def __init__(
        self, commands: LedgerCommands, books: Books, lender: Lender, folds: AccountFolds | None = None
    ) -> None:
        """`folds`: what the process keeps of accounts from one call to the next."""
        self.commands, self.books, self.lender = commands, books, lender
        self.folds = folds or AccountFolds()

    async def take(self, content: bytes, profile: str | None, correlation_id: str | None = None) -> dict[str, Any]:
        """Take in the statements of a file, all or none; what was taken before changes nothing. What each line became,
        and the event to wait for. Raises refusals by name."""
        statements = await asyncio.to_thread(read_file, content, profile, self.lender)
        commands: list[Command] = []
        documents = []
        async with self.books() as connection, snapshot(connection):
            states: dict[str, AccountState] = {}
            known: dict[str, CashFact] = {}
            for statement in statements:
                account = self._account(statement)
                if account.id not in states:
                    states[account.id] = await self._state(connection, account)
                state = states[account.id]
                event_id = statement_event_id(account.id, statement.statement_id, statement.digest())
                if await self.commands.is_recorded(event_id):
                    again = statement_document(state, statement.statement_id, repeated=True)
                    documents.append(again | {"event_id": event_id})
                    continue
                facts = await self._known(connection, statement, state, known)
                matches = match(account.id, statement, facts, self.lender.rules(statement.closes))
                some, made = commands_of(statement, matches, account, state.last_event)
                known |= {fact.event_id: fact for fact in made}
                assert isinstance(some[0], TakeStatement)
                state.take(some[0].statement, event_id)
                commands += some
                documents.append(statement_document(state, statement.statement_id) | {"event_id": event_id})
        await self.commands.record_many(commands, correlation_id=correlation_id, in_books=_taken_back(commands))
        return {"statements": documents, "events": [command.event_id for command in commands]}

    def _account(self, statement: Statement) -> BankAccount:
        account = self.lender.account(statement.number)
        if account.currency != statement.currency:
            detail = (
                f"Statement {statement.statement_id} is in {statement.currency}, {account.id} in {account.currency}."
            )
            raise OtherCurrencyThanAccount(detail)
        return account

    async def _state(self, connection: Any, account: BankAccount) -> AccountState:
        """The account as the books have it, which is as commands have it. Raises StatementOnItsWay."""
        state = await reading.account_state(connection, account, folds=self.folds)
        guard = await self.commands.bank_account(account.subject)
        if guard is not None and guard.last != state.last_event:
            raise StatementOnItsWay(f"Event {guard.last} of {account.id} is recorded and not in the books yet.")
        return state

    async def _known(
        self, connection: Any, statement: Statement, state: AccountState, made: dict[str, CashFact]
    ) -> Known:
        """What matching needs of the books, `made` by earlier statements of the file included."""
        code = statement.currency
        days = [line.value_date for line in statement.lines] or [statement.closes]
        window = timedelta(days=self.lender.rules(statement.closes).window_days)
        facts = await reading.cash_facts(connection, min(days) - window, max(days) + window, code)
        tokens = sorted({token for line in statement.lines for token in line.tokens})
        facts |= await reading.facts_named(connection, _named_before(statement, state, tokens), code)
        loans = await reading.loans_named(connection, tokens)
        nameless = {line.amount for line in statement.lines if line.amount > 0 and not loans.keys() & set(line.tokens)}
        claiming = await reading.loans_claiming(connection, nameless) if nameless else ()
        debits = await debits_named(connection, tokens)
        linked, own = await self._linked(connection, code), self.lender.own(code)
        return Known(facts | made, loans, claiming, linked, own=own, debits=debits)

    async def _linked(self, connection: Any, code: str) -> frozenset[str]:
        """The facts that stand for a line of any account in the currency: of one entry, each currency is a fact."""
        states = await reading.account_states(connection, self.lender, folds=self.folds)
        mine = (state.linked() for account, state in states.values() if account.currency == code)
        return frozenset[str]().union(*mine)

    async def lines(
        self,
        outcome: str | None = None,
        account: str | None = None,
        *,
        beyond: str | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Lines as they are now, by account and in order; see views.line_documents."""
        async with self.books() as connection, snapshot(connection):
            states = await reading.account_states(connection, self.lender, folds=self.folds)
        return line_documents(states, outcome, account, beyond=beyond, limit=limit)

    async def statements(self) -> list[dict[str, Any]]:
        """Statements that were taken, by account and in order, with how many of their lines are what now."""
        async with self.books() as connection, snapshot(connection):
            states = await reading.account_states(connection, self.lender, folds=self.folds)
        return [statement_document(state, one.statement_id) for _, state in states.values() for one in state.statements]

    async def match(
        self,
        line_id: str,
        *,
        loan_id: str | None,
        event_id: str | None,
        transfer: str | None = None,
        outside: bool,
        reason: str,
    ) -> dict[str, Any]:
        """The line is a payment for a loan, a fact that the books have, money from or to another account of the
        lender's own, or none of the book's business."""

        async def plan(connection: Any, line: LineState, linked: frozenset[str], after: str) -> list[Command]:
            if loan_id is not None:
                return assigning.to_loans(line, [Part(loan_id, line.amount)], reason, after)
            if outside:
                return assigning.to_outside(line, reason, after)
            if transfer is not None:
                return assigning.to_transfer(line, self._other(line, transfer), reason, after)
            facts = standing((await reading.facts_named(connection, [event_id or ""], line.currency)).values())
            return assigning.to_fact(line, facts.get(event_id or ""), linked, reason, after)

        return await self._assign(line_id, plan)

    async def match_all(self, line_id: str, event_ids: Sequence[str], reason: str) -> dict[str, Any]:
        """The line is these payments together, all of which the books have."""

        async def plan(connection: Any, line: LineState, linked: frozenset[str], after: str) -> list[Command]:
            facts = standing((await reading.facts_named(connection, event_ids, line.currency)).values())
            if missing := [one for one in event_ids if one not in facts]:
                raise UnknownFact(f"The books have no payment {missing[0]} that stands.", field="event_ids")
            return assigning.to_facts(line, [facts[one] for one in event_ids], linked, reason, after)

        return await self._assign(line_id, plan)

    def _other(self, line: LineState, account: str) -> str:
        """The account's id. Raises NotATransfer."""
        others = set(self.lender.own(line.currency).values()) - {line.account}
        if account not in others:
            detail = f"{account!r} is none of the lender's other accounts in {line.currency}: {sorted(others)}."
            raise NotATransfer(detail, field="transfer")
        return account

    async def split(self, line_id: str, parts: Sequence[tuple[str, str]], reason: str) -> dict[str, Any]:
        """The line is several payments: (loan id, amount)."""

        async def plan(_: Any, line: LineState, __: frozenset[str], after: str) -> list[Command]:
            some = [Part(loan_id, minor_units(amount, line.currency)) for loan_id, amount in parts]
            return assigning.to_loans(line, some, reason, after)

        return await self._assign(line_id, plan)

    async def unmatch(self, line_id: str, reason: str) -> dict[str, Any]:
        """The line is matched to nothing."""

        async def plan(_: Any, line: LineState, __: frozenset[str], after: str) -> list[Command]:
            return assigning.to_suspense(line, reason, after)

        return await self._assign(line_id, plan)

    async def _assign(self, line_id: str, plan: Any) -> dict[str, Any]:
        async with self.books() as connection, snapshot(connection):
            for account in self.lender.accounts:
                state = await reading.account_state(connection, account, folds=self.folds)
                if line_id in state.lines:
                    break
            else:
                raise UnknownLine(f"No statement that was taken has a line {line_id}.", field="line_id")
            state = await self._state(connection, account)
            assert state.last_event is not None
            linked = await self._linked(connection, account.currency)
            commands: list[Command] = await plan(connection, state.lines[line_id], linked, state.last_event)
        await self.commands.record_many(commands, in_books=_taken_back(commands))
        for command in commands:
            if isinstance(command, AssignLine):
                state.assign(command.assignment, command.event_id)
        document = line_document(state.lines[line_id])
        return document | {"changed": bool(commands), "events": [command.event_id for command in commands]}


def _taken_back(commands: Sequence[Command]) -> dict[str, str]:
    """The payments that commands take back, all of which the books were seen to have, with their loans."""
    return {one.payment_id: one.loan_id for one in commands if isinstance(one, ReversePayment)}


def _named_before(statement: Statement, state: AccountState, tokens: Sequence[str]) -> list[str]:
    """Facts from outside of the window that a line may name: an event id among its tokens, or what an earlier line of
    the same reference stands for."""
    named = {token for token in tokens if len(token) == 36 and token.count("-") == 4}
    returned = {-line.amount for line in statement.lines if line.returned}
    for line in state.lines.values():
        if line.amount in returned:
            named |= {one.event_id for one in line.allocations}
    return sorted(named)
