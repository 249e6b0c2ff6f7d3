"""A rejected disbursement never happened: it is undone in its loan, and of a refinancing so is the other side.

Each undoing is tried out on the books first, so that a report with one that a loan's rules forbid is refused whole.
"""

from dataclasses import dataclass, field
from typing import Any

from services.ledger import queries
from services.ledger.commands.model import LoanCommand, UndoEvent
from services.ledger.commands.recorder import LedgerCommands
from services.ledger.commands.refinancing import other_side
from services.ledger.commands.refusals import ChangedMeanwhile, LoanIsParked
from services.ledger.commands.trial import Standing, standing_of, try_out
from services.ledger.engine.facts import Fact
from services.ledger.fact_reading import without
from services.ledger.queries import Account
from shared.events.envelope import derived_event_id
from shared.events.payment_files import PaymentItem


@dataclass(slots=True)
class Rejections:
    """The commands that undo what a report rejects, and the standings of their loans. `cause`: the report's event, from
    which theirs derive."""

    recorder: LedgerCommands
    connection: Any
    cause: str
    commands: list[LoanCommand] = field(default_factory=list)
    standings: dict[str, Standing] = field(default_factory=dict)
    facts: dict[str, tuple[Account, list[Fact]]] = field(default_factory=dict)

    async def add(self, item: PaymentItem, code: str | None) -> None:
        """Undo the item's disbursement, unless it was undone already. Raises LoanIsParked, BreaksRule,
        ChangedMeanwhile."""
        _, facts = await self._loan(item.loan_id)
        if not any(fact.event_id == item.disbursement_id for fact in facts):
            return
        reason = f"rejected by the bank: {code or 'no reason given'}"
        other = other_side(facts, item.disbursement_id)
        for loan_id, event_id in [(item.loan_id, item.disbursement_id), *([other] if other is not None else [])]:
            await self._undo(loan_id, event_id, reason)

    async def _undo(self, loan_id: str, event_id: str, reason: str) -> None:
        account, facts = await self._loan(loan_id)
        command = UndoEvent(loan_id, event_id, reason, derived_event_id(self.cause, 0, event_id, 0))
        event, on = await self.recorder.propose(command, {loan_id: self.standings[loan_id]})
        try_out(loan_id, facts, event, effective=on.toordinal(), folded_to=account.folded_to, before=account.horizon)
        self.facts[loan_id] = account, without(facts, event)
        self.commands.append(command)

    async def _loan(self, loan_id: str) -> tuple[Account, list[Fact]]:
        """The loan as the books have it, less what is undone of it already; they must have all that was recorded."""
        if loan_id in self.facts:
            return self.facts[loan_id]
        last = await self.recorder.last_event(loan_id)
        account = await queries.account(self.connection, loan_id)
        if account is None or (last is not None and not await queries.event_is_in(self.connection, last)):
            raise ChangedMeanwhile(f"Loan {loan_id}: event {last} is recorded and not in the books yet; try again.")
        if account.stored.parked is not None:
            raise LoanIsParked(f"Loan {loan_id} is parked: release it first.")
        self.standings[loan_id] = standing_of(account.facts, last)
        self.facts[loan_id] = account, account.facts
        return self.facts[loan_id]
