"""A new loan pays off an old one; and either side of it taken back, with the other."""

from collections.abc import Sequence

from starlette.responses import JSONResponse

from services.ledger import queries
from services.ledger.api.reading import Loan, wait_for
from services.ledger.api.servicing_bodies import NewRefinancing, NewUndoing
from services.ledger.api.serving import Calling
from services.ledger.api.trying import Preview, Tried, booked_account, record_together
from services.ledger.commands import (
    OldLoanChargedOff,
    OldLoanNotSettled,
    PayoffDiffers,
    UndoEvent,
    other_side,
    refinance,
)
from shared.events.envelope import derived_event_id, new_event_id
from shared.money import minor_units


async def refinance_loan(call: Calling, loan_id: Loan, body: NewRefinancing, preview: Preview = False) -> JSONResponse:
    """Pay out a contracted loan: what is named as the payoff of another loan of the borrower settles that one, and the
    rest goes to the borrower. Both facts are recorded, or neither; the event of the answer is the disbursement."""
    commands = refinance(
        loan_id,
        body.old_loan_id,
        amount=body.amount,
        payoff=body.payoff,
        currency=body.currency,
        on=body.effective_date,
        event_id=new_event_id(),
    )

    def check(trials: Sequence[Tried]) -> None:
        _require_settled(body, trials[1])

    return await record_together(call, commands, body, preview=preview, check=check)


def _require_settled(body: NewRefinancing, old: Tried) -> None:
    """The old loan is an asset, and its payoff on the date is what was named, and settles it. Or else NoPayoff."""
    state = old.account.stored.state
    if state is not None and state.charged_off:
        raise OldLoanChargedOff(f"Loan {body.old_loan_id} is charged off.", field="old_loan_id")
    total = queries.payoff_of(old.account, old.on, field="old_loan_id")["total"]
    if minor_units(total, body.currency) != minor_units(body.payoff, body.currency):
        raise PayoffDiffers(f"It is {total} {body.currency} on {old.on}.", field="payoff")
    if old.document["after"]["statement"]["status"] != "settled":
        raise OldLoanNotSettled(f"Loan {body.old_loan_id} on {old.on}.", field="effective_date")


async def undo_together(call: Calling, loan_id: str, event_id: str, body: NewUndoing, *, preview: bool) -> JSONResponse:
    """Take back a fact, and what stands or falls with it: of a refinancing both sides, in one unit of work."""
    if await call.services.commands.is_recorded(event_id):
        await wait_for(call.services, event_id)
    account = await booked_account(call.services, loan_id)
    commands = [UndoEvent(loan_id, event_id, body.reason, first := new_event_id())]
    if account is not None and (other := other_side(account.facts, event_id)) is not None:
        commands.append(UndoEvent(*other, body.reason, derived_event_id(first, 0, "refinancing", 0)))
    named = [command.undone_id for command in commands]
    return await record_together(call, commands, body, preview=preview, named=named)
