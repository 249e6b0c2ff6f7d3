"""Promises to pay: what may be promised, and what the ledger's entries say of it.

A promise is judged at the closing of its due date plus the tolerance. Until then it stands, even if the money is there
already. Later entries with a value date in its time judge it anew: a payment taken back breaks a promise that was kept.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from services.collections.state import Borrower, Promise, PromiseStatus
from services.collections.strategy import PromiseRule
from shared.events.collections import PromiseCommand
from shared.events.ledger import Entry
from shared.money import minor_units

CASH = "cash"
DISBURSED = "origination.LoanDisbursed.v1"


def recorded(promise_id: str, command: PromiseCommand, *, on: date, rule: PromiseRule) -> Promise:
    """The promise as it stands once it was recorded on the business date `on`."""
    return Promise(
        promise_id,
        command.loan_id,
        minor_units(command.amount, command.currency),
        command.currency,
        on,
        command.due_date,
        command.due_date + timedelta(days=rule.tolerance_days),
        command.by,
        command.plan_id,
    )


def receive(state: Borrower, entry: Entry, rule: PromiseRule) -> Iterator[Promise]:
    """Count an entry's money toward the loan's promises; yields those that it judged anew."""
    if entry.cause == DISBURSED:  # money out
        return
    for promise in state.promises:
        if promise.loan_id != entry.loan_id or promise.status == "cancelled":
            continue
        money = cash_of(entry, promise)
        if money == 0:
            continue
        promise.paid += money
        if promise.status != "active" and (status := verdict(promise, rule)) != promise.status:
            promise.status = status
            promise.reason = "money with a value date in the promise's time came in, or was taken back"
            yield promise


def cash_of(entry: Entry, promise: Promise) -> int:
    """Minor units that the entry brought in, or took back (negative), in the promise's time and currency."""
    total = 0
    for line in entry.postings:
        if line.currency != promise.currency or not promise.made_on <= line.effective_date <= promise.judged_on:
            continue
        if CASH in (line.debit, line.credit):
            amount = minor_units(line.amount, line.currency)
            total += amount if line.debit == CASH else -amount
    return total


def verdict(promise: Promise, rule: PromiseRule) -> PromiseStatus:
    """What is to be said of a promise whose time is over."""
    if promise.paid >= promise.amount:
        return "kept"
    if promise.paid * 100 >= promise.amount * rule.partly_kept_percent:
        return "partly-kept"
    return "broken"


def judge(state: Borrower, day: date, rule: PromiseRule) -> Iterator[Promise]:
    """Judge what is due for it when `day` has closed; yields every promise that changed, the rest of a broken plan
    included."""
    for promise in state.active_promises():
        if promise.judged_on <= day and promise.status == "active":
            promise.status = verdict(promise, rule)
            yield promise
            if promise.plan_id and promise.status == "broken":
                yield from cancel_plan(state, promise.plan_id, "the plan is broken")


def cancel_plan(state: Borrower, plan_id: str, reason: str) -> Iterator[Promise]:
    """Cancel what still stands of a plan."""
    for promise in state.active_promises():
        if promise.plan_id == plan_id:
            promise.status, promise.reason = "cancelled", reason
            yield promise


def broken_lately(state: Borrower, day: date, rule: PromiseRule) -> int:
    """How many promises of the last days were broken."""
    since = day - timedelta(days=rule.broken_within_days)
    return sum(promise.status == "broken" and promise.judged_on >= since for promise in state.promises)
