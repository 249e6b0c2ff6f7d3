"""Tellers and the bank's feed: what borrowers pay, what the bank takes back, what accounts and markets tell."""

import asyncio
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from lendlog.simulate.applications_desk import amount_text
from lendlog.simulate.borrowers import CURRENCY
from lendlog.simulate.client import Client
from lendlog.simulate.paying import Account
from lendlog.simulate.plan import Payment, Plan
from lendlog.simulate.telling import Data, signal
from shared.events.envelope import Envelope

LEDGER = "ledger"


class Publisher(Protocol):
    """Where signals go."""

    async def publish(self, signals: list[Envelope]) -> None:
        """Append the events, in order; return once they are there."""


@dataclass(slots=True)
class BooksDesk:
    """What comes in from outside."""

    client: Client
    plan: Plan
    outside: Publisher
    borrower_ids: dict[int, str]
    payments: int = 0
    reversals: int = 0
    signals: int = 0
    _returns: dict[date, list[tuple[Account, int, str]]] = field(default_factory=dict)
    """Day → (loan, amount, the payment's event) that the bank takes back."""

    async def work(self, day: date) -> None:
        """The payments and returns of a day, and what is told on it."""
        coming, returning = self.plan.payments(day), self._returns.pop(day, [])
        told = list(self.plan.told(day))
        told += [
            (payment.account, moved)
            for payment in coming
            if (moved := self.plan.teller.paid(payment.account, payment.amount, day)) is not None
        ]
        for account, amount, _ in returning:
            self.plan.payers.returned(account, amount, day)
            if (moved := self.plan.teller.returned(account, amount, day)) is not None:
                told.append((account, moved))
        await asyncio.gather(
            *(self._receive(payment, day, nth) for nth, payment in enumerate(coming)),
            *(self._take_back(*one, day) for one in returning),
            self._tell(told, day),
        )

    async def _receive(self, payment: Payment, day: date, nth: int) -> None:
        account = payment.account
        reference = f"sim-{account.borrower.number}-{day}-{nth}"
        body = {"amount": amount_text(payment.amount), "currency": CURRENCY, "reference": reference}
        path = f"/v1/loans/{account.loan_id}/payments"
        found = await self.client.post("teller", LEDGER, path, body, key=f"payment-{reference}")
        self.payments += 1
        if payment.returned_on is not None:
            one = (account, payment.amount, str(found["event_id"]))
            self._returns.setdefault(payment.returned_on, []).append(one)

    async def _take_back(self, account: Account, _: int, payment_id: str, day: date) -> None:
        path = f"/v1/loans/{account.loan_id}/payments/{payment_id}/reversal"
        key = f"reversal-{account.borrower.number}-{day}"
        await self.client.post("officer", LEDGER, path, {"reason": "returned by the bank"}, key=key)
        self.reversals += 1

    async def _tell(self, told: list[tuple[Account, Data]], day: date) -> None:
        counts: dict[int, int] = {}
        events: list[Envelope] = list(self.plan.indices(day))
        for account, data in told:
            number = account.borrower.number
            nth = counts[number] = counts.get(number, -1) + 1
            events.append(signal(self.plan.seed, number, self.borrower_ids[number], day, nth, data))
        await self.outside.publish(events)
        self.signals += len(events)
