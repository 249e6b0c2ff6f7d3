"""What a fact would change of a loan, as a document: schedule and journal before and after, and the difference."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from services.ledger.commands.refusals import LoanIsParked
from services.ledger.commands.trial import Trial, try_out
from services.ledger.engine.account import iso
from services.ledger.engine.journal import JournalLine
from services.ledger.engine.lines import Statement
from services.ledger.engine.statement import statement_of
from services.ledger.queries.statements import Account, instalment_document, statement_document, texts
from services.ledger.queries.tallies import account_of
from services.ledger.restructuring import Restructuring
from shared.events.envelope import Envelope
from shared.money import code_of, decimal_text


def preview(found: Account, event: Envelope, on: date, *, restructuring: Restructuring | None = None) -> dict[str, Any]:
    """The loan before and after `event`, of the value date `on`. `difference` has what would be booked, the instalments
    that change (`before` or `after` is null where there is none), and by how much the loan's sums change (with a sign
    where it is less). The previewed event has no id yet: it is null. `restructuring`, if it is one: the
    lender's share before and after, and its limits. Raises BreaksRule, and LoanIsParked: the books of a parked loan are
    not complete."""
    if found.stored.parked is not None:
        raise LoanIsParked(f"It is held from {found.stored.parked['first_offset']}.", field="loan_id")
    trial = try_out(
        found.loan_id,
        found.facts,
        event,
        effective=on.toordinal(),
        folded_to=found.folded_to,
        before=found.horizon,
    )
    return found.head() | {
        "event": event.model_dump(mode="json", include={"type", "effectivedate", "data"}, exclude_none=True),
        **({"restructuring": restructuring.figures()} if restructuring is not None else {}),
        **_compared(trial, found.currency, event.id),
    }


def _compared(trial: Trial, code: str | None, event_id: str) -> dict[str, Any]:
    before, after = statement_of(trial.before), statement_of(trial.after)
    changes = {name: getattr(after, name) - getattr(before, name) for name in _SUMS}
    return {
        "before": {"statement": statement_document(before, code), "entries": entries(trial.before.journal)},
        "after": {
            "statement": _without(event_id, statement_document(after, code)),
            "entries": entries(trial.after.journal),
        },
        "difference": {
            **texts(changes, code),
            "instalments": _changed(before, after, code),
            "entries": entries(trial.booked),
        },
    }


def _without(event_id: str, statement: dict[str, Any]) -> dict[str, Any]:
    for name, key in (("disbursements", "event_id"), ("transactions", "event_id"), ("charges", "charge_id")):
        for line in statement[name]:
            if line[key] == event_id:
                line[key] = None
    return statement


_SUMS = ("principal_outstanding", "outstanding", "overpaid")


def entries(journal: Sequence[JournalLine]) -> list[dict[str, Any]]:
    """Journal lines as documents."""
    return [
        {
            "debit": account_of(line.debit).name,
            "credit": account_of(line.credit).name,
            "amount": decimal_text(line.amount, code_of(line.currency)),
            "currency": code_of(line.currency),
            "effective_date": iso(line.effective),
        }
        for line in journal
    ]


def _changed(before: Statement, after: Statement, code: str | None) -> list[dict[str, Any]]:
    """Instalments that are not the same before and after, by due date."""
    was, now = _by_due(before, code), _by_due(after, code)
    return [
        {"due_date": key[0], "before": was.get(key), "after": now.get(key)}
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key)
    ]


def _by_due(made: Statement, code: str | None) -> dict[tuple[str, int], dict[str, Any]]:
    """Instalments by due date and place among those of one date; without their number, which others may move."""
    found, seen = {}, Counter[str]()
    for line in made.instalments:
        due = line.due.isoformat()
        document = instalment_document(line, code)
        del document["number"]
        found[due, seen[due]] = document
        seen[due] += 1
    return found
