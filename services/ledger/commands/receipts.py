"""Receipts for cash at a branch: a number is given once. The same receipt again is the same payment; for anything else
the number is refused."""

import json
from hashlib import sha256

from services.ledger.commands.model import ReceivePayment
from services.ledger.commands.refusals import ReceiptNumberUsed
from shared.events.envelope import derived_event_id


def receipt_event_id(branch: str, number: str) -> str:
    """The id of the payment that a receipt stands for."""
    return derived_event_id(f"receipt:{branch}:{number}", 0, branch, 0)


def stated_by(command: ReceivePayment) -> bytes:
    """SHA-256 of what a receipt is for; whoever types it in again is no part of it."""
    on = command.effective_date.isoformat() if command.effective_date else None
    said = [command.loan_id, command.amount, command.currency, on, command.reference]
    return sha256(json.dumps(said).encode()).digest()


def require_same_receipt(command: ReceivePayment, given: dict[tuple[str, str], tuple[str, bytes]]) -> None:
    """Raise ReceiptNumberUsed if the receipt was `given` for something else, by (branch, number): payment and what it
    was for."""
    if (receipt := command.receipt) is None:
        return
    _, before = given.get((receipt.branch, receipt.number), (None, None))
    if before is not None and before != stated_by(command):
        detail = f"Branch {receipt.branch} gave receipt {receipt.number} for another payment: take the next number."
        raise ReceiptNumberUsed(detail, field="receipt/number")
