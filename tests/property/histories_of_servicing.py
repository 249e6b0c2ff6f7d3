"""Random lives of one loan with every kind of fact in them, most of which the loan allows, told to books in memory."""

import json
import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from services.ledger.engine.account import Loan, decode_loan
from services.ledger.engine.facts import ContractFact, Fact
from services.ledger.engine.folding import fold
from services.ledger.fact_reading import fact_of, without
from services.ledger.memory import MemoryBooks
from services.ledger.reading import read_to_fold
from shared.errors import InvariantBroken
from shared.money import decimal_text, minor_units
from shared.schedules.resets import Published
from shared.streams.ports import Record
from tests.property.test_batches import TOPICS

FIRST = date(2025, 1, 1)
CODE = "CZK"
LOAN = "L1"
REASON = "agreed"

_PARTS = ("penalty", "fee", "interest", "principal")
_NAMED = [
    "instalment-interest-principal",
    "due-interest-principal",
    "due-penalty-interest-principal-fee",
    "civil-code-561",
]
_DAY_COUNTS = ["equal-periods", "30/360", "actual/360", "actual/364", "actual/365", "actual/actual"]
_KINDS = ["equal-instalment", "equal-principal", "flat", "interest-only", "seasonal", "irregular"]

orders = st.sampled_from(_NAMED) | st.fixed_dictionaries(
    {
        "cells": st.permutations([{"when": w, "part": p} for w in ("past-due", "due", "in-advance") for p in _PARTS]),
        "processing": st.sampled_from(["horizontal", "vertical"]),
        "future": st.sampled_from(["next", "last", "spread"]),
        "future_by_kind": st.sampled_from([{}, {"goodwill-credit": "last", "merchant-refund": "spread"}]),
    }
)
recalculations = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["reduce-instalment", "keep-instalment"]),
        "rest": st.sampled_from(["day", "due-date"]),
        "payoff_until": st.sampled_from(["day", "due-date"]),
    }
)


INDEX = "CN-LPR-1Y"
PUBLISHED = ((FIRST, "0.0310"), (FIRST + timedelta(days=15), "0.0860"), (FIRST + timedelta(days=45), "0.0310"))
"""The values of the index in a life's first weeks, unless it hears of others."""
references = st.fixed_dictionaries(
    {
        "index": st.sampled_from([INDEX, INDEX, "OTHER"]),
        "spread": st.sampled_from(["0.0150", "-0.002", "0"]),
        "resets": st.sampled_from(
            [
                {"rule": "every-months", "months": 1},
                {"rule": "yearly", "month": 1, "day": 9},
                {"rule": "yearly", "month": 2, "day": 1},
            ]
        ),
        "lookback_days": st.sampled_from([0, 0, 1, 10]),
        "floor": st.sampled_from([None, "0.03"]),
        "cap": st.sampled_from([None, "0.2"]),
    }
)
_fee = st.fixed_dictionaries(
    {
        "amount": st.sampled_from(["0", "0.07", "5.00"]),
        "share": st.sampled_from(["0.0123", "0.5"]),
        "base": st.sampled_from(["principal", "interest", "instalment", "outstanding", "contract"]),
    }
)
instalment_fees = st.lists(_fee, min_size=1, max_size=2).map(
    lambda found: [fee | {"name": f"fee-{n}"} for n, fee in enumerate(found)]
)


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    """Terms of 1,000.00 over some weeks or months."""
    kind = draw(st.sampled_from(_KINDS))
    unit, every = draw(st.sampled_from([("day", 5), ("day", 9), ("week", 1), ("week", 2), ("month", 1)]))
    count = draw(st.integers(1, 4 if unit == "month" else 6))
    first = FIRST + timedelta(days=draw(st.integers(1, 40)))
    terms: dict[str, Any] = {
        "kind": kind, "principal": "1000.00", "currency": CODE, "instalments": count, "every": every, "unit": unit,
        "annual_rate": draw(st.sampled_from(["0", "0.049", "0.12", "0.365", "1.5"])),
        "first_due_date": first.isoformat(),
        "day_count": draw(st.sampled_from(_DAY_COUNTS)),
        "allocation": draw(orders),
        "arrears_materiality": draw(st.sampled_from(["0", "1.00"])),
        "arrears_grace_days": draw(st.sampled_from([0, 3])),
    }  # fmt: skip
    if kind == "seasonal":
        terms["shares"] = {str(first.month): "1"}
    if kind == "irregular":
        parts = [100_000 // count] * (count - 1)
        days = [(first + timedelta(days=8 * k)).isoformat() for k in range(count)]
        planned = zip(days, [*parts, 100_000 - sum(parts)], strict=True)
        terms["plan"] = [{"due": day, "principal": decimal_text(amount, CODE)} for day, amount in planned]
    if kind in ("equal-instalment", "equal-principal", "flat"):
        terms |= draw(st.sampled_from([{}, {}, {"grace_principal": count - 1}, {"instalment_multiple": "1.00"}]))
    terms |= draw(st.sampled_from([{}, {}, {}, {"grace_interest_payment": count // 2}, {"grace_interest_charge": 1}]))
    if kind != "irregular":
        terms |= draw(st.sampled_from([{}, {}, {}, {"down_payment": "0.25"}]))
    terms |= draw(st.sampled_from([{}, {}, {"schedule": "progressive"}]))
    if kind != "flat" and draw(st.booleans()):
        terms["recalculation"] = draw(recalculations)
    if draw(st.integers(0, 2)) == 0:
        terms["reference"] = draw(references)
    else:
        terms["instalment_fees"] = draw(st.just([]) | instalment_fees)
    return terms


ACTIONS = (
    *("pay", "pay", "pay", "pay-due", "pay-off", "disburse", "credit", "levy", "levy", "waive", "adjust"),
    *("charge-back", "refund", "move-due-date", "change-rate", "extend", "grant-grace", "re-age", "re-amortise"),
    *("publish", "publish", "publish", "publish", "accelerate", "pause", "resume", "reverse", "undo", "undo"),
    *("charge-off", "write-off", "value", "value", "value"),
)


class Step(NamedTuple):
    """Some days pass, and something happens, perhaps with an earlier value date. `size` and `pick` say how much and of
    which; `insist`: though it breaks a rule."""

    gap: int
    late: int
    action: str
    size: int
    pick: int
    insist: bool


_late = st.sampled_from([0, 0, 0, 1, 5, 20])
_insist = st.sampled_from([False] * 15 + [True])
step = st.builds(
    Step, st.integers(0, 12), _late, st.sampled_from(ACTIONS), st.integers(1, 1000), st.integers(0, 20), _insist
)
steps = st.integers(0, 14).flatmap(lambda count: st.lists(step, min_size=count, max_size=count))


class Life:
    """One loan and its books: what was told so far, and what stands of it."""

    def __init__(
        self,
        terms: dict[str, Any],
        begins: tuple[str, Any] | None = ("origination.LoanDisbursed.v1", {"amount": "600.00", "currency": CODE}),
        first: date = FIRST,
        rates: Sequence[tuple[date, str]] = PUBLISHED,
    ) -> None:
        """`begins`: type and data of what follows the contract on the first date."""
        self.books = MemoryBooks(0, TOPICS)
        self.day = self.first = first
        self.offset = 0
        self.facts: list[Fact] = []
        self.told: list[tuple[str, Any, date, str]] = []
        """Facts that stand: type, data, value date, event id."""
        self.rates: dict[str, Published] = {}
        self.broken = False
        """The loan is parked."""
        self.take("ledger.BookOpened.v1", {"business_date": first.isoformat()}, subject="book")
        for since, rate in rates if "reference" in terms else ():
            self.publish(INDEX, since, rate)
        self.tell("origination.LoanContracted.v1", {"borrower_id": "B1", "product": "p@1", "terms": terms}, first)
        if begins is not None:
            self.tell(*begins, first)

    @property
    def next_id(self) -> str:
        """The id of the next event."""
        return str(uuid.UUID(int=self.offset))

    @property
    def loan(self) -> Loan:
        """The state as it is stored."""
        return decode_loan(next(state for number, (_, state) in self.books.states.items() if number >= 0))

    def record(self, kind: str, data: Any, *, subject: str = LOAN, effective: date | None = None) -> Record:
        """The next record of the log."""
        event = {
            "specversion": "1.0", "id": self.next_id, "source": "/test", "type": kind,
            "subject": subject, "time": "2025-01-01T00:00:00Z", "data": data,
        }  # fmt: skip
        if effective is not None and effective != self.day:
            event["effectivedate"] = effective.isoformat()
        return Record(TOPICS.lifecycle, 0, self.offset, 0, subject.encode(), json.dumps(event).encode())

    def take(self, kind: str, data: Any, *, subject: str = LOAN, effective: date | None = None) -> None:
        """Fold a record."""
        self.books.take(self.record(kind, data, subject=subject, effective=effective))
        self.offset += 1

    def standing(self, kind: str, data: Any, effective: date) -> list[Fact] | None:
        """The facts as they would stand with this one too; None if it breaks a rule. Any other failure is one."""
        event = read_to_fold(self.record(kind, data, effective=effective))
        try:
            if (fact := fact_of(event, effective.toordinal(), self.offset, self.rates)) is None:
                facts = without(self.facts, event)
            else:
                facts = [*self.facts, fact]
            fold(0, LOAN, facts, before=self.day.toordinal())
        except InvariantBroken:
            return None
        return facts

    def tell(self, kind: str, data: Any, effective: date, *, insist: bool = True) -> bool:
        """Something happened, if it breaks no rule or one insists. Whether it stands."""
        facts = self.standing(kind, data, effective)
        event_id = self.next_id
        if facts is None and not insist:
            return False
        self.take(kind, data, effective=effective)
        if facts is None:
            self.broken = True
            return False
        standing = {fact.event_id for fact in facts}
        self.facts, self.told = facts, [*self.told, (kind, data, effective, event_id)]
        self.told = [one for one in self.told if one[3] in standing]
        return True

    def ids_of(self, kind: str) -> list[str]:
        """The ids of what stands of a kind."""
        return [event_id for told, _, _, event_id in self.told if kind in told]

    def publish(self, index: str, since: date, rate: str) -> None:
        """A reference rate has a value from a date on, which its loans take at their next reset."""
        data = {"index": index, "from_date": since.isoformat(), "annual_rate": rate}
        self.take("ledger.ReferenceRatePublished.v1", data, subject="book")
        self.rates[index] = {**self.rates.get(index, {}), since: rate}
        for n, fact in enumerate(self.facts):
            if isinstance(fact, ContractFact) and (follows := fact.contract.terms.reference) is not None:
                self.facts[n] = replace(fact, published=self.rates.get(follows.index, {}))

    def close(self) -> None:
        """A business date ends."""
        self.take("ledger.BusinessDateClosed.v1", {"business_date": self.day.isoformat()}, subject="book")
        self.day += timedelta(days=1)

    def finish(self) -> None:
        """Close dates until every instalment has fallen due, and one more, which earns what is still carried."""
        while (loan := self.loan).fallen < len(loan.due):
            self.close()
        self.close()

    def live(self, step: Step) -> bool:
        """A step; whether something happened."""
        for _ in range(step.gap):
            self.close()
        if step.action == "publish":
            self.publish(INDEX, self.day + timedelta(days=step.pick), f"0.{step.size:04d}")
            return False
        day = max(self.first, self.day - timedelta(days=step.late))
        found = happening(self, self.loan, step, day)
        return found is not None and self.tell(*found, day, insist=step.insist)


def happening(life: Life, loan: Loan, step: Step, day: date) -> tuple[str, Any] | None:
    """What the step's action comes to for the loan as it is; None where there is nothing for it to act on."""
    if step.action == "value":
        return "ledger.LoanValued.v1", valuation(day, step.size * 7, step.size % 90, step.pick * 11)
    for find in (_money_in, _of_charges, _of_something_before, _of_the_loan):
        if (found := find(life, loan, step, day)) is not None:
            return found
    return None


def valuation(day: date, allowance: int, suspended: int, deferred: int) -> dict[str, Any]:
    """The data of a valuation of these minor units at the end of `day`."""
    amounts = {"allowance": allowance, "suspended_interest": suspended, "deferred_fees": deferred}
    inputs = {
        "days_past_due": 0, "non_performing": False, "security": "unsecured", "exposure": "0", "unpaid_interest": "0",
        "upfront_fees": "0", "loss_share": "0",
    }  # fmt: skip
    texts = {name: decimal_text(minor, CODE) for name, minor in amounts.items()}
    head = {"period_end": day.isoformat(), "policy": "test@1", "group": "normal", "currency": CODE}
    return head | texts | {"inputs": inputs}


def _money(step: Step, amount: int) -> dict[str, Any]:
    """A part of the amount."""
    return {"amount": decimal_text(max(1, amount * step.size // 1000), CODE), "currency": CODE}


def _one_of(found: Sequence[Any], step: Step) -> Any:
    return found[step.pick % len(found)] if found else None


def _money_in(life: Life, loan: Loan, step: Step, day: date) -> tuple[str, Any] | None:
    unpaid = sum(loan.unpaid(k) for k in range(len(loan.due)))
    match step.action:
        case "pay":
            return "ledger.PaymentReceived.v1", _money(step, max(unpaid, 100) * 3 // (1 + step.pick % 6))
        case "pay-due":
            owed = sum(loan.unpaid(k) for k in range(len(loan.due)) if loan.due[k] <= day.toordinal())
            return "ledger.PaymentReceived.v1", {"amount": decimal_text(max(owed, 1), CODE), "currency": CODE}
        case "pay-off":
            return "ledger.PaymentReceived.v1", {"amount": decimal_text(max(unpaid, 1), CODE), "currency": CODE}
        case "credit":
            kind = ["goodwill-credit", "merchant-refund", "payout-refund"][step.pick % 3]
            return "ledger.CreditReceived.v1", {"kind": kind, **_money(step, max(unpaid, 100))}
    return None


def _of_charges(life: Life, loan: Loan, step: Step, day: date) -> tuple[str, Any] | None:
    if step.action == "levy":
        due = day + timedelta(days=step.size % 50 - 10)
        charge = {"part": ["fee", "penalty"][step.pick % 2], "name": "late", "due": due.isoformat()}
        return "ledger.ChargeLevied.v1", charge | _money(step, 5_000)
    ids = [*life.ids_of("ChargeLevied"), *(charge.event_id for charge in loan.charges if charge.period >= 0)]
    about = {"charge_id": _one_of(ids, step), "reason": REASON}
    if step.action == "waive" and about["charge_id"]:
        return "ledger.ChargeWaived.v1", about
    if step.action == "adjust" and about["charge_id"]:
        return "ledger.ChargeAdjusted.v1", about | _money(step, 2_000)
    return None


def _of_something_before(life: Life, loan: Loan, step: Step, day: date) -> tuple[str, Any] | None:
    paid = _one_of(life.ids_of("PaymentReceived"), step)
    match step.action:
        case "charge-back":
            for amount in (minor_units(one[1]["amount"], CODE) for one in life.told if one[3] == paid):
                return "ledger.PaymentChargedBack.v1", {"payment_id": paid, **_money(step, amount)}
        case "reverse":
            return paid and ("ledger.PaymentReversed.v1", {"payment_id": paid, "reason": REASON})
        case "undo":
            ids = [event_id for _, _, _, event_id in life.told[2:]]
            back = ids[-1] if ids and step.pick % 2 else _one_of(ids, step)
            return back and ("ledger.EventUndone.v1", {"event_id": back, "reason": REASON})
    return None


def _of_the_loan(life: Life, loan: Loan, step: Step, day: date) -> tuple[str, Any] | None:
    within = timedelta(days=step.size % 30)
    found: dict[str, tuple[str, Any]] = {
        "disburse": ("origination.LoanDisbursed.v1", _money(step, 40_000)),
        "refund": ("ledger.CreditRefunded.v1", _money(step, max(loan.overpaid, 100))),
        "re-amortise": ("ledger.LoanReAmortised.v1", {"reason": REASON}),
        "accelerate": ("ledger.LoanAccelerated.v1", {"reason": REASON}),
        "pause": ("ledger.DelinquencyPaused.v1", {"start": day.isoformat(), "end": (day + within).isoformat()}),
        "resume": ("ledger.DelinquencyResumed.v1", {"reason": REASON}),
        "charge-off": ("ledger.LoanChargedOff.v1", {"reason": REASON, "fraud": bool(step.pick % 2)}),
    }
    if step.size > 500:  # seldom, since nothing comes after it
        found["write-off"] = ("ledger.LoanWrittenOff.v1", {"reason": REASON})
    first = {"first_due": (day + within).isoformat(), "instalments": 1 + step.pick % 4, "every": 10, "unit": "day"}
    found["re-age"] = ("ledger.LoanReAged.v1", first | {"reason": REASON})
    coming = [date.fromordinal(due) for due in loan.due if due >= day.toordinal()]
    if coming and step.action in ("move-due-date", "change-rate", "extend", "grant-grace"):
        return _change(step, _one_of(coming, step), within)
    return found.get(step.action)


def _change(step: Step, at: date, within: timedelta) -> tuple[str, Any]:
    changes = {
        "move-due-date": {"change": "due-date", "due": at.isoformat(), "to": (at + within).isoformat()},
        "change-rate": {"change": "rate", "from_due": at.isoformat(), "annual_rate": f"0.{step.size:04d}"},
        "extend": {"change": "term", "from_due": at.isoformat(), "instalments": 1 + step.pick % 3},
        "grant-grace": {
            "change": "grace", "from_due": at.isoformat(), "principal": step.pick % 2, "interest": step.size % 2,
        },
    }  # fmt: skip
    return "ledger.LoanRescheduled.v1", {"changes": [changes[step.action]], "reason": REASON}
