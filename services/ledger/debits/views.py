"""Mandates and runs as JSON."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from services.ledger.debits.planning import next_attempt
from services.ledger.debits.state import LoanDebits, Run, Runs, suspended_by
from shared.events.debits import DebitItem, Mandate


def mandate_document(
    loan_id: str, mandate: Mandate, known: LoanDebits, items: dict[str, tuple[Run, DebitItem]]
) -> dict[str, Any]:
    """A mandate as it is now: live, suspended (by the code of a return), replaced by a later one, or revoked."""
    state, reason = "live", None
    if mandate.reference in known.revoked:
        state, reason = "revoked", known.revoked[mandate.reference]
    elif known.mandate != mandate:
        state = "replaced"
    elif (failure := suspended_by(known, items)) is not None:
        state, reason = "suspended", failure.code
    return {"loan_id": loan_id, **mandate.model_dump(mode="json"), "state": state, "reason": reason}


def run_document(run: Run, runs: Runs, known: Mapping[str, LoanDebits], *, whole: bool = False) -> dict[str, Any]:
    """A run and how many of its items are what; `whole`: with each of them."""
    attempts = runs.attempts()
    items = [item_document(run, item, attempts, known.get(item.loan_id, LoanDebits())) for item in run.data.items]
    data = run.data.model_dump(mode="json", exclude={"items"})
    found = data | {
        "count": len(items),
        "voided": run.voided,
        "outcomes": dict(sorted(Counter(item["state"] for item in items).items())),
    }
    return found | ({"items": items} if whole else {})


def item_document(run: Run, item: DebitItem, attempts: Any, known: LoanDebits) -> dict[str, Any]:
    """An item as it is now: asked (nothing is known), collected, rejected before money moved, returned after it had, or
    void with its run; of what failed, the code and when it is tried again, or why not."""
    tries = attempts.get(item.loan_id, {}).get(item.due, [])
    found: dict[str, Any] = {"state": "asked", "payment_id": None, "code": None, "again_on": None, "reason": None}
    if run.voided is not None:
        found["state"] = "void"
    elif item.reference in known.collected:
        found |= {"state": "collected", "payment_id": known.collected[item.reference]}
    elif (failure := known.failures.get(item.reference)) is not None:
        found |= {"state": "returned" if failure.returned else "rejected", "code": failure.code}
        if tries and tries[-1][1].reference == item.reference:
            verdict = next_attempt(tries, failure)
            found |= {"again_on": verdict.on and verdict.on.isoformat(), "reason": verdict.reason or None}
    return item.model_dump(mode="json") | found
