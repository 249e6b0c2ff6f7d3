"""The rules of files to a bank that need the commands' own state: nothing happened since its items were chosen.

What a file may hold, and when it may be voided, is told from the fold of all files (bank/payment_files.py) before; that
fold is the one of now if no file's event came after it.
"""

from services.ledger.bank.refusals import ExecutionInThePast
from services.ledger.commands import model, refusals
from services.ledger.commands.checks import Stamp, require_open, stated
from services.ledger.commands.state import Guards
from shared.events import payment_files
from shared.events.envelope import Envelope


def decide(command: model.FileCommand, guards: Guards, stamp: Stamp) -> Envelope:
    """The event of a command on files to a bank; raises a Refusal."""
    open_date = require_open(guards)
    if (last := guards.last.get(payment_files.PAYMENT_FILES)) != command.after:
        raise refusals.ChangedMeanwhile(f"Event {last} of a file came before; try again.")
    match command:
        case model.MakePaymentFile():
            if command.file.execution_date < open_date:
                detail = f"{command.file.execution_date} is before the open date {open_date}."
                raise ExecutionInThePast(detail, field="execution_date")
            for loan_id, seen in command.lasts.items():
                if guards.last.get(loan_id) != seen:
                    raise refusals.ChangedMeanwhile(
                        f"Loan {loan_id}: event {guards.last[loan_id]} came before; try again."
                    )
            return stated(payment_files.PaymentFileMade, command.file, command, stamp)
        case model.VoidPaymentFile():
            return stated(payment_files.PaymentFileVoided, command.void, command, stamp)
        case model.TakePaymentStatus():
            return stated(payment_files.PaymentStatusTaken, command.status, command, stamp)
