"""Payment files, and what a file would pay, as JSON."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from services.ledger.bank.lender import BankAccount
from services.ledger.bank.pay_out import Disbursed, LeftOut, Plan
from services.ledger.bank.payment_files import FileState
from shared.money import decimal_text


def plan_document(account: BankAccount, found: Plan) -> dict[str, Any]:
    """What a file out of the account would pay, and what it leaves out."""
    return {
        "account": account.id,
        "currency": account.currency,
        "total": decimal_text(sum(one.amount for one in found.pays), account.currency),
        "pays": [disbursed_document(one) for one in found.pays],
        "left_out": [left_document(one) for one in found.left_out],
    }


def disbursed_document(one: Disbursed) -> dict[str, Any]:
    """A disbursement that can be paid."""
    return {
        "disbursement_id": one.event_id,
        "loan_id": one.loan_id,
        "borrower_id": one.borrower_id,
        "value_date": one.on.isoformat(),
        "amount": decimal_text(one.amount, one.currency),
        "reference": one.reference,
    }


def left_document(one: LeftOut) -> dict[str, Any]:
    """A disbursement, or a part of it, that is left out, and why."""
    said = disbursed_document(one.disbursed)
    return said | {"amount": decimal_text(max(one.amount, 0), one.disbursed.currency), "why": one.why}


def file_document(one: FileState, undone: Collection[str] = ()) -> dict[str, Any]:
    """A file and what became of its items. `undone`: disbursements that were taken back; those of them that the bank
    did not reject should not be paid."""
    file = one.file
    items = [
        state.item.model_dump() | {"status": state.said.status, "reason": state.said.reason}
        for state in one.items.values()
    ]
    waiting = {state.item.disbursement_id for state in one.items.values() if state.said.status is None}
    return {
        "file_id": one.file_id,
        "message_id": file.message_id,
        "account": file.account,
        "currency": file.currency,
        "execution_date": file.execution_date.isoformat(),
        "sha256": file.sha256,
        "total": file.total,
        "count": len(items),
        "made_by": file.made_by,
        "state": "voided" if one.voided is not None else "answered" if one.reports else "made",
        "voided": one.voided.model_dump(exclude={"file_id"}) if one.voided is not None else None,
        "statuses": dict(sorted(Counter(item["status"] or "none" for item in items).items())),
        "undone": sorted(waiting & set(undone)) if one.voided is None else [],
        "items": items,
    }
