"""The fold's tables (migrations/0001_collections.sql), and a borrower's rows in them."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from services.collections.facts import facts_document
from services.collections.state import Borrower, Case, Loan, Promise, Reminder
from shared.money import decimal_text
from shared.streams.fold import Row

TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "collection_case": (
            *("case_id", "status", "step", "priority", "rule", "reason", "past_due_since", "past_due", "loans"),
            *("parked_until", "opened_on", "closed_on", "as_of", "version", "taken_by"),
        ),
        "promise": (
            *("promise_id", "loan_id", "amount", "currency", "made_on", "due_date", "judged_on", "paid", "status"),
            *("plan_id", "recorded_by", "reason"),
        ),
        "reminder": (*("reminder_id", "loan_id", "kind", "instalment_due", "on_date", "until", "amount", "currency"),),
        "borrower_loan": ("loan_id", "currency", "status", "past_due", "past_due_since", "debt", "next_due"),
        "contact_state": ("facts",),
    }
)
HISTORY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "contact_log": (
            *("contact_id", "borrower_id", "at", "channel", "purpose", "outcome", "loan_id", "about", "made_by"),
            *("policy", "detail"),
        ),
        "case_event": ("event_id", "n", "case_id", "borrower_id", "type", "as_of", "cause_id", "cause_type", "reason"),
    }
)


def rows(state: Borrower) -> Mapping[str, Sequence[Row]]:
    """The borrower's rows of TABLES."""
    return {
        "collection_case": [_case_row(state.case)] if state.case else [],
        "promise": [_promise_row(promise) for promise in state.promises],
        "reminder": [_reminder_row(reminder) for reminder in state.reminders],
        "borrower_loan": [_loan_row(state.loans[loan_id]) for loan_id in sorted(state.loans)],
        "contact_state": [(json.dumps(facts_document(state), sort_keys=True),)],
    }


def _reminder_row(one: Reminder) -> Row:
    return (
        *(one.reminder_id, one.loan_id, one.kind, one.instalment_due, one.on_date, one.until, one.amount),
        one.currency,
    )


def _loan_row(one: Loan) -> Row:
    return (one.loan_id, one.currency, one.status, one.past_due, one.past_due_since, one.debt, one.next_due)


def _case_row(one: Case) -> Row:
    past_due = {code: decimal_text(amount, code) for code, amount in one.past_due.items()}
    return (
        *(one.case_id, one.status, one.step, one.priority, one.rule, one.reason, one.past_due_since),
        *(json.dumps(past_due, sort_keys=True), one.loans, one.parked_until, one.opened_on, one.closed_on),
        *(one.as_of, one.version, one.taken_by),
    )


def _promise_row(one: Promise) -> Row:
    return (
        *(one.promise_id, one.loan_id, one.amount, one.currency, one.made_on, one.due_date, one.judged_on),
        *(max(0, one.paid), one.status, one.plan_id, one.by, one.reason),
    )
