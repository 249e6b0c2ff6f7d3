"""What is agreed with a borrower, and what the borrower said: promises, plans, stops. Each unit holds the borrower."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import asyncpg

from services.collections import queries
from services.collections.commands import refusals
from services.collections.commands.decisions import LoanStanding, check_plan, check_promise
from services.collections.commands.memory import Remembered, borrower_key
from services.collections.commands.stamp import event_of
from services.collections.strategy import strategy_on
from shared.commands import Unit
from shared.events import collections as events
from shared.events.envelope import new_event_id


async def standing(books: asyncpg.Pool, loan_id: str) -> tuple[LoanStanding, date]:
    """The loan, and the open date; raises UnknownLoan, BookNotOpen."""
    found = await queries.loan_standing(books, loan_id, None)
    if found is None:
        raise refusals.UnknownLoan(f"Nothing is known of loan {loan_id}.", field="loan_id")
    today = await open_date(books, found.borrower_id)
    again = await queries.loan_standing(books, loan_id, today)
    return again or found, today


async def open_date(books: asyncpg.Pool, borrower_id: str) -> date:
    """The open business date, as the borrower's partition knows it; raises BookNotOpen."""
    closed = await queries.closed_through(books, await queries.partition_of(books, borrower_id))
    if closed is None:
        raise refusals.BookNotOpen("No date was told yet.")
    return date.fromordinal(closed.toordinal() + 1)


async def promise(unit: Unit, books: asyncpg.Pool, topic: str, command: events.PromiseCommand) -> dict[str, Any]:
    """Record a promise. Raises what it breaks."""
    loan, today = await standing(books, command.loan_id)
    remembered = await _remembered(unit, books, loan.borrower_id)
    loan = replace(loan, active=loan.active + len(remembered.promises))
    rule = strategy_on(today).promises
    check_promise(
        loan, amount=command.amount, currency=command.currency, due_date=command.due_date, today=today, rule=rule
    )
    promise_id = new_event_id()
    _record(unit, topic, loan.borrower_id, command, promise_id)
    unit.keep(
        borrower_key(loan.borrower_id), replace(remembered, promises=remembered.promises | {promise_id}).document()
    )
    return {"promise_id": promise_id, "borrower_id": loan.borrower_id}


async def withdraw(
    unit: Unit, books: asyncpg.Pool, topic: str, borrower_id: str, withdrawal: events.PromiseWithdrawal
) -> dict[str, Any]:
    """Take a promise back; raises UnknownPromise."""
    remembered = Remembered.of(unit.state(borrower_key(borrower_id)))
    partition = await queries.partition_of(books, borrower_id)
    active = {
        str(one["promise_id"])
        for one in await queries.promises_of(books, partition, borrower_id)
        if one["status"] == "active"
    }
    if withdrawal.promise_id not in active | remembered.promises:
        raise refusals.UnknownPromise(f"{withdrawal.promise_id} does not stand.", field="promise_id")
    unit.publish(topic, event_of(unit, events.PromiseWithdrawn, withdrawal, subject=borrower_id))
    return {"promise_id": withdrawal.promise_id, "borrower_id": borrower_id}


async def agree_plan(
    unit: Unit,
    books: asyncpg.Pool,
    topics: tuple[str, str],
    loan_id: str,
    *,
    parts: Sequence[events.PlanPart],
    currency: str,
    by: str,
    evidence: str,
) -> dict[str, Any]:
    """Agree a plan: a fact on the log of record, and a promise for every part, in place of the loan's promises.

    `topics`: (the inbox, the log of record). Raises what the plan breaks.
    """
    loan, today = await standing(books, loan_id)
    check_plan(loan, parts=parts, currency=currency, today=today)
    inbox, lifecycle = topics
    plan_id, borrower_id = new_event_id(), loan.borrower_id
    plan = events.Plan(borrower_id=borrower_id, currency=currency, parts=list(parts), by=by, evidence=evidence)
    unit.publish(lifecycle, event_of(unit, events.PlanAgreed, plan, subject=loan_id, event_id=plan_id))
    await _withdraw_others(unit, books, inbox, loan, by)
    made = set()
    for part in parts:
        command = events.PromiseCommand(
            loan_id=loan_id, amount=part.amount, currency=currency, due_date=part.due_date, by=by, plan_id=plan_id
        )
        made.add(promise_id := new_event_id())
        _record(unit, inbox, borrower_id, command, promise_id)
    remembered = await _remembered(unit, books, borrower_id)
    unit.keep(borrower_key(borrower_id), replace(remembered, promises=remembered.promises | made).document())
    return {"plan_id": plan_id, "borrower_id": borrower_id}


async def _withdraw_others(unit: Unit, books: asyncpg.Pool, topic: str, loan: LoanStanding, by: str) -> None:
    partition = await queries.partition_of(books, loan.borrower_id)
    for one in await queries.promises_of(books, partition, loan.borrower_id):
        if one["status"] == "active" and one["loan_id"] == loan.loan_id:
            promise_id = str(one["promise_id"])
            withdrawal = events.PromiseWithdrawal(promise_id=promise_id, by=by, reason="a plan stands for it")
            unit.publish(topic, event_of(unit, events.PromiseWithdrawn, withdrawal, subject=loan.borrower_id))


def _record(unit: Unit, topic: str, borrower_id: str, command: events.PromiseCommand, promise_id: str) -> None:
    unit.publish(topic, event_of(unit, events.PromiseRecorded, command, subject=borrower_id, event_id=promise_id))


async def _remembered(unit: Unit, books: asyncpg.Pool, borrower_id: str) -> Remembered:
    standing = await queries.standing_of(books, borrower_id)
    return Remembered.of(unit.state(borrower_key(borrower_id))).without_known(standing.promise_ids)


def set_stop(unit: Unit, topic: str, borrower_id: str, stop: events.Stop) -> dict[str, Any]:
    """Stop contact from now on."""
    remembered = Remembered.of(unit.state(borrower_key(borrower_id)))
    unit.publish(topic, event_of(unit, events.StopSet, stop, subject=borrower_id))
    stops = remembered.stops | {(stop.kind, stop.loan_id)}
    unit.keep(borrower_key(borrower_id), replace(remembered, stops=stops).document())
    return {"borrower_id": borrower_id, "kind": stop.kind, "loan_id": stop.loan_id}


def lift_stop(unit: Unit, topic: str, borrower_id: str, stop: events.Stop) -> dict[str, Any]:
    """Let contact go on; raises StopNotSet. It does so once the worker has taken it in."""
    remembered = Remembered.of(unit.state(borrower_key(borrower_id)))
    if (stop.kind, stop.loan_id) not in remembered.stops:
        about = f" about loan {stop.loan_id}" if stop.loan_id else ""
        raise refusals.StopNotSet(f"No {stop.kind}{about} was recorded.", field="kind")
    unit.publish(topic, event_of(unit, events.StopLifted, stop, subject=borrower_id))
    stops = remembered.stops - {(stop.kind, stop.loan_id)}
    unit.keep(borrower_key(borrower_id), replace(remembered, stops=stops).document())
    return {"borrower_id": borrower_id, "kind": stop.kind, "loan_id": stop.loan_id}
