"""What the ledger's routes are given to work with, and how they answer to a command."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import asyncpg
from fastapi import Depends
from pydantic import BaseModel
from starlette.responses import JSONResponse

from services.ledger.bank.desk import BankDesk
from services.ledger.bank.lender import EXAMPLE, read_lender
from services.ledger.bank.pay_out_desk import PayOutDesk
from services.ledger.bank.state import AccountFolds
from services.ledger.commands import Command, LedgerCommands, Recorded
from services.ledger.debits.desk import DebitDesk
from shared.api import Call, authorised


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes use. `ledger` is a pool on the processor's schema, `api` one on the API's own."""

    commands: LedgerCommands
    api: asyncpg.Pool
    ledger: asyncpg.Pool
    unready: Callable[[], Awaitable[list[str]]]
    """What is missing before this process can serve; empty when it is ready."""
    valuation_policy: str = "five-classes"
    """By which policy loans are valued."""
    wait_seconds: float = 10.0
    """How long a reading with `?after=` waits for the event."""
    bank_folder: Path = EXAMPLE
    """Where the lender's bank accounts, matching rules and CSV profiles are."""
    bank_folds: AccountFolds = field(default_factory=AccountFolds)
    """What this process keeps of bank accounts."""

    @property
    def bank(self) -> BankDesk:
        """Where statements are taken in. Raises MissingPrecondition if the folder is not usable."""
        return BankDesk(self.commands, self.ledger.acquire, read_lender(self.bank_folder), self.bank_folds)

    @property
    def debits(self) -> DebitDesk:
        """Where mandates and runs of direct debits are kept. Raises as `bank` does."""
        return DebitDesk(self.commands, self.ledger.acquire, read_lender(self.bank_folder))

    @property
    def pay_outs(self) -> PayOutDesk:
        """Where money goes out by file. Raises as `bank` does."""
        return PayOutDesk(self.commands, self.ledger.acquire, read_lender(self.bank_folder))


Calling = Annotated[Call[Services], Depends(authorised)]


async def record(
    call: Call[Services], command: Command, body: BaseModel, *, place: str, loan_id: str | None = None
) -> JSONResponse:
    """Record the command and answer 202; `place` is where its effect can be read."""
    once = call.once(body)
    recorded = await call.services.commands.record(command, correlation_id=call.correlation_id, once=once)
    return accepted(recorded, place=place, loan_id=loan_id)


def accepted(
    recorded: Recorded, *, place: str, loan_id: str | None = None, more: dict[str, Any] | None = None
) -> JSONResponse:
    """The answer to a command; the same for its repetition, without what there is `more` to say the first time."""
    content: dict[str, Any] = {"event_id": recorded.event_id} | ({"loan_id": loan_id} if loan_id else {})
    content |= more or {}
    return JSONResponse(content, 202, headers={"Location": f"{place}?after={recorded.event_id}"})
