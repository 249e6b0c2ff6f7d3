"""What a digest of the books is (D10), over rows from a schema or from memory.

SHA-256 over all loans (and accrual groups, and the general ledger) sorted by id: each one's canonical state, then its
postings in order with event id, accounts, amount and both dates (and from when on periods were open, once one was
closed); then, with multiplicity, the event ids in suspense and parked, the dead records as SHA-256 of key and value,
closed periods, and what was published of reference rates. No offset, row id or wall time is in it. Digests compare at
equal partition count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from services.ledger.engine.account import AccrualGroup, Loan, decode_state
from shared.merkle import record_of

_encode = msgspec.json.Encoder().encode


class Line(NamedTuple):
    """A posting with the id of the event that caused it."""

    event_id: str
    debit: int
    credit: int
    amount: int
    currency: int
    effective: date
    booking: date
    open_from: date = date.min

    def text(self) -> str:
        """Field by field; what nothing was closed before is told as it was when no period could be."""
        return "|".join(map(str, self[:-1] if self.open_from == date.min else self))


def canonical_state(state: Loan | AccrualGroup) -> bytes:
    """A state without offsets."""
    fields = msgspec.structs.asdict(state)
    if isinstance(state, Loan):
        del fields["number"], fields["as_of"]
        fields["waiting"] = [held[1:] for held in state.waiting]
    return _encode(fields)


@dataclass(slots=True)
class Digest:
    """Collects loans in any order; `result` gives the digest with its counts."""

    loans: dict[str, bytes] = field(default_factory=dict)
    pseudo: int = 0
    """Accrual groups, and the general ledger."""
    entries: int = 0
    postings: int = 0
    events: int = 0
    suspense: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    periods: list[str] = field(default_factory=list)
    """The ends of closed periods, each once a partition."""
    rates: list[str] = field(default_factory=list)

    def add(self, loan_id: str, state: Loan | AccrualGroup, lines: Iterable[Line]) -> None:
        """One loan, accrual group or the general ledger with its postings in order."""
        digest = sha256(canonical_state(state))
        last = None
        for line in lines:
            digest.update(f"\n{line.text()}".encode())
            self.postings += 1
            if line.event_id != last:
                self.entries, last = self.entries + 1, line.event_id
        if isinstance(state, Loan) and state.number >= 0:
            self.suspense.extend(held[1] for held in state.waiting)
        else:
            self.pseudo += 1
        self.loans[loan_id] = digest.digest()

    def add_dead(self, leaf: bytes) -> None:
        """One unsettled dead letter."""
        record = record_of(leaf)
        self.dead.append(sha256((record.key or b"") + b"\x00" + (record.value or b"")).hexdigest())

    def add_rate(self, event_id: str, index: str, since: date, rate: str) -> None:
        """One publication of a reference rate."""
        self.rates.append(f"{event_id}|{index}|{since}|{rate}")

    def result(self) -> dict[str, Any]:
        """The digest (hexadecimal) with counts."""
        total = sha256()
        for loan_id in sorted(self.loans):
            total.update(loan_id.encode() + b"\x00" + self.loans[loan_id])
        asides = [("suspense", self.suspense), ("parked", self.parked), ("dead", self.dead)]
        later = [(name, items) for name, items in (("periods", self.periods), ("rates", self.rates)) if items]
        for name, items in [*asides, *later]:
            total.update(f"\n{name}\n{chr(10).join(sorted(items))}".encode())
        return {
            "digest": total.hexdigest(),
            "loans": len(self.loans) - self.pseudo,
            "events": self.events,
            "entries": self.entries,
            "postings": self.postings,
            "suspense": len(self.suspense),
            "parked": len(self.parked),
            "dead_letters": len(self.dead),
            "rates": len(self.rates),
        }


# Publications, each with the id of its event.
_RATES = """
SELECT event_id, rate_index, from_date, annual_rate FROM reference_rate LEFT JOIN event USING (partition, "offset")
"""


async def digest_of(connection: Any, partitions: Iterable[int]) -> dict[str, Any]:
    """The digest of the books in the connection's search path, from one consistent snapshot."""
    digest = Digest()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for partition in partitions:
            await _add_partition(digest, connection, partition)
        digest.parked = [str(r["event_id"]) for r in await connection.fetch("SELECT event_id FROM parked_event")]
        digest.periods = [str(r["period_end"]) for r in await connection.fetch("SELECT period_end FROM closed_period")]
        for row in await connection.fetch("SELECT record FROM dead_letter WHERE settled_by IS NULL"):
            digest.add_dead(row["record"])
        for row in await connection.fetch(_RATES):
            digest.add_rate(str(row["event_id"]), row["rate_index"], row["from_date"], row["annual_rate"])
    return digest.result()


async def _add_partition(digest: Digest, connection: Any, partition: int) -> None:
    """Merge the loans and their postings, both in order of loan number."""
    digest.events += await connection.fetchval(f"SELECT count(*) FROM event_p{partition:d}")
    lines: dict[int, list[Line]] = {}
    cursor = connection.cursor(
        "SELECT p.loan, e.event_id, debit, credit, amount, currency, p.effective_date, p.booking_date,"
        " p.open_from"
        f" FROM posting_p{partition:d} p"
        f' LEFT JOIN event_p{partition:d} e USING ("offset") ORDER BY p.loan, p."offset", n',
        prefetch=20_000,
    )
    states = connection.cursor(f"SELECT loan, loan_id, state FROM loan_p{partition:d} ORDER BY loan", prefetch=10_000)
    held: Any = None
    pending = cursor.__aiter__()

    async def following() -> Any:
        try:
            return await pending.__anext__()
        except StopAsyncIteration:
            return None

    held = await following()
    async for row in states:
        lines = {row["loan"]: []}
        while held is not None and held["loan"] == row["loan"]:
            lines[row["loan"]].append(Line(str(held["event_id"]), *list(held.values())[2:]))
            held = await following()
        state = decode_state(row["loan"], row["state"])
        digest.add(row["loan_id"], state, lines[row["loan"]])
    assert held is None, f"a posting of partition {partition} belongs to no loan: {held}"
