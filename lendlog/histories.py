"""Seeded loan histories as events of the log of record: for benchmarks, tests and whoever wants to try the books.

The same seed gives the same bytes. Payments come early, late, in parts, too much; some are taken back; every calendar
day of the period is closed. `trouble` adds what the log of record must survive: repeated and conflicting ids,
unreadable records, money for unknown loans, backdated facts, loans whose events break an invariant.
"""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import msgspec

from shared.events.envelope import BOOK
from shared.partitioner import partition_for

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Produced:
    """One record to produce. `value` is the structured CloudEvent, or whatever a troublesome writer sent."""

    partition: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class History:
    """Generates one lender's history, day by day."""

    seed: int
    loans: int
    days: int
    partitions: int = 8
    first_day: date = date(2025, 1, 1)
    instalments: int = 8
    period_days: int = 7
    """An instalment is due every so many days."""
    parts: int = 1
    """In how many payments an instalment is usually paid, spread over its period."""
    trouble: float = 0.0
    valued_days: int = 0
    """Every so many days all loans so far are valued, as of the day before; 0: never."""
    name: str = "L"
    produced: int = 0
    _random: random.Random = field(init=False)
    _due: dict[int, list[tuple[str, int, int]]] = field(default_factory=dict, init=False)
    _recent: list[tuple[str, str]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def records(self) -> Iterator[Produced]:
        """Every record in the order in which it is to be produced."""
        yield from self._broadcast("ledger.BookOpened.v1", self.first_day)
        started = 0
        spread = max(1, self.days - self.period_days * min(self.instalments, 8 // self.parts + 1))
        for n in range(self.days):
            day = self.first_day + timedelta(days=n)
            until = self.loans if n >= spread - 1 else self.loans * (n + 1) // spread
            for number in range(started, until):
                yield from self._grant(f"{self.name}{number:07d}", day, n)
            started = until
            for loan_id, amount, k in self._due.pop(n, []):
                yield from self._pay(loan_id, amount, n, k)
            yield from self._trouble(day)
            if self.valued_days and n and n % self.valued_days == 0:
                for number in range(started):
                    yield self._valuation(f"{self.name}{number:07d}", day - timedelta(days=1), number + n)
            if self.trouble and n % 5 == 0:
                yield from self._publish(day, n)
            yield from self._broadcast("ledger.BusinessDateClosed.v1", day)

    def _id(self) -> str:
        """A UUIDv7 (RFC 9562) of a time that grows with each event."""
        value = (1_735_689_600_000 + self.produced << 80) | self._random.getrandbits(80)
        return str(uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))

    def _event(
        self, kind: str, loan_id: str, data: object, *, event_id: str = "", effective: date | None = None
    ) -> Produced:
        self.produced += 1
        event = {
            "specversion": "1.0",
            "id": event_id or self._id(),
            "source": "/histories",
            "type": kind,
            "subject": loan_id,
            "time": "2025-01-01T00:00:00Z",
            "datacontenttype": "application/json",
            "data": data,
        }
        if effective is not None:
            event["effectivedate"] = effective.isoformat()
        key = loan_id.encode()
        return Produced(partition_for(key, self.partitions), key, _encode(event))

    def _broadcast(self, kind: str, day: date) -> Iterator[Produced]:
        event_id = self._id()
        one = self._event(kind, BOOK, {"business_date": day.isoformat()}, event_id=event_id)
        self.produced += self.partitions - 1
        for partition in range(self.partitions):
            yield Produced(partition, one.key, one.value)

    def _publish(self, day: date, n: int) -> Iterator[Produced]:
        """A reference rate from today on; each fifth is of yesterday, which nothing takes in."""
        data = {
            "index": "CN-LPR-1Y",
            "from_date": (day - timedelta(days=n % 25 == 20)).isoformat(),
            "annual_rate": f"0.{300 + n * 7 % 90:04d}",
        }
        event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/rate/{n}"))
        one = self._event("ledger.ReferenceRatePublished.v1", BOOK, data, event_id=event_id)
        for partition in range(self.partitions):
            yield Produced(partition, one.key, one.value)

    def _grant(self, loan_id: str, day: date, n: int) -> Iterator[Produced]:
        pick = self._random
        principal = pick.randrange(200, 20_000) * 100
        text = f"{principal // 100}.00"
        terms: dict[str, object] = {
            "kind": pick.choice(("equal-instalment", "equal-principal")),
            "principal": text,
            "currency": "CZK",
            "annual_rate": pick.choice(("0", "0.12", "0.18", "0.2395")),
            "instalments": self.instalments,
            "every": self.period_days,
            "unit": "day",
            "first_due_date": (day + timedelta(days=self.period_days)).isoformat(),
            "day_count": pick.choice(("actual/365", "30/360")),
            "rounding": "half-even",
            "allocation": pick.choice(("instalment-interest-principal", "due-interest-principal")),
            "arrears_materiality": "50.00",
        }
        if self.trouble and int(loan_id.removeprefix(self.name)) % 3 == 0:
            terms["reference"] = {
                "index": "CN-LPR-1Y",
                "spread": "0.0850",
                "resets": {"rule": "every-months", "months": 1},
            }
        contract = {"borrower_id": f"B{self._id()}", "product": "trader@1", "terms": terms}
        yield self._event("origination.LoanContracted.v1", loan_id, contract)
        yield self._event("origination.LoanDisbursed.v1", loan_id, {"amount": text, "currency": "CZK"})
        share = (principal // self.instalments + principal // 200) // self.parts
        for k in range(self.instalments * self.parts):
            when = n + self.period_days * (k + 1) // self.parts + pick.choice((-3, -1, 0, 0, 0, 0, 0, 2, 9))
            if when < self.days:
                self._due.setdefault(max(when, n + 1), []).append((loan_id, share, k))

    def _pay(self, loan_id: str, amount: int, n: int, k: int) -> Iterator[Produced]:
        pick, chance = self._random, self._random.random()
        if chance < 0.03:
            return
        if chance < 0.13:
            part = amount * pick.randrange(20, 80) // 100
            self._due.setdefault(n + pick.randrange(1, 6), []).append((loan_id, amount - part, k))
            amount = part
        elif chance < 0.16:
            amount *= 2
        event_id = self._id()
        yield self._payment(loan_id, amount, event_id=event_id)
        if pick.random() < 0.015:
            self._recent.append((loan_id, event_id))
        if self._recent and pick.random() < 0.015:
            loan, payment = self._recent.pop(pick.randrange(len(self._recent)))
            yield self._event(
                "ledger.PaymentReversed.v1", loan, {"payment_id": payment, "reason": "returned by the bank"}
            )

    def _payment(
        self, loan_id: str, amount: int, *, event_id: str = "", effective: date | None = None, currency: str = "CZK"
    ) -> Produced:
        data = {"amount": f"{amount // 100}.{amount % 100:02d}", "currency": currency}
        return self._event("ledger.PaymentReceived.v1", loan_id, data, event_id=event_id, effective=effective)

    def _valuation(self, loan_id: str, end: date, n: int) -> Produced:
        amounts = {"allowance": f"{n % 700}.25", "suspended_interest": f"{n % 3}.10", "deferred_fees": f"{n % 50}.00"}
        inputs = {
            "days_past_due": 0,
            "non_performing": False,
            "security": "unsecured",
            "exposure": "1000.00",
            "unpaid_interest": "0",
            "upfront_fees": "0",
            "loss_share": "0.01",
        }
        head = {"period_end": end.isoformat(), "policy": "invented@1", "group": "normal", "currency": "CZK"}
        return self._event("ledger.LoanValued.v1", loan_id, head | amounts | {"inputs": inputs}, effective=end)

    def _trouble(self, day: date) -> Iterator[Produced]:
        pick = self._random
        for _ in range(int(self.trouble) + (pick.random() < self.trouble % 1)):
            loan = f"{self.name}{pick.randrange(self.loans):07d}"
            one = self._payment(loan, pick.randrange(100, 90_000))
            match pick.randrange(12):
                case 0:
                    yield from (one, one)
                case 1:
                    other = one.value or b""
                    yield from (one, Produced(one.partition, one.key, other.replace(b"CZK", b"EUR")))
                case 2:
                    yield Produced(pick.randrange(self.partitions), one.key, pick.randbytes(40))
                case 3:
                    yield Produced(one.partition, b"someone-else", one.value)
                case 4:
                    yield Produced(one.partition, one.key, None)
                case 5:
                    yield self._payment(f"U{pick.randrange(50):04d}", 12_345)
                case 6:
                    yield self._payment(loan, 5_000, currency="EUR")
                case 7 | 8 | 9:
                    back = day - timedelta(days=pick.randrange(1, 40))
                    yield self._payment(loan, pick.randrange(1_000, 50_000), effective=back)
                case 10:
                    yield self._payment(loan, 7_000, effective=day + timedelta(days=pick.randrange(1, 20)))
                case _:
                    if pick.random() < 0.5:
                        data = {"payment_id": self._id(), "reason": "of nothing"}
                        yield self._event("ledger.PaymentReversed.v1", loan, data)
                    else:
                        yield self._event("ledger.PaymentReceived.v1", loan, {"amount": "1.00", "unknown": 1})
