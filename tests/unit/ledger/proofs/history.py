"""A log of one partition, the books that hold it, and the notary's rounds over it."""

from datetime import date
from typing import Any

from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.loan_proof import make_proof, rendered
from services.ledger.proofs.notary import Held, Notary
from shared.events.ledger import BookOpened, BusinessDate, BusinessDateClosed, Payment, PaymentReceived
from shared.merkle import Tree, canonical, leaf_hash
from shared.partitioner import partition_for
from shared.signed_note import (
    Note,
    SigningKey,
)
from shared.streams.ports import Record

LOAN, OTHER = "L-1001", "L-1002"
P = partition_for(LOAN.encode(), 8)
BOOK = "lendlog.dev/ledger/4f0c2b9a1d3e5f60"
KEY = SigningKey.generate(BOOK)
DAY = date(2026, 3, 2)


def record(offset: int, event: Any) -> Record:
    return Record("loans.lifecycle.v1", P, offset, 1_772_000_000_000 + offset, event.subject.encode(), event.to_json())


def envelope(n: int, subject: str) -> dict[str, Any]:
    identity = f"01900000-0000-7000-8000-{n:012x}"
    return {"id": identity, "source": "test", "subject": subject, "time": "2026-03-02T08:00:00Z"}


def payment(n: int, loan: str = LOAN) -> PaymentReceived:
    data = Payment(amount=f"{n}.00", currency="EUR")
    return PaymentReceived(**envelope(n, loan), effectivedate=DAY, data=data)


def history(count: int) -> list[Record]:
    """An opening, payments of two loans, a closing at every fifth place; a hole behind every record."""
    records = [record(0, BookOpened(**envelope(0, "book"), data=BusinessDate(business_date=DAY)))]
    for n in range(1, count):
        closing = BusinessDateClosed(**envelope(n, "book"), data=BusinessDate(business_date=DAY))
        records.append(record(2 * n, closing if n % 5 == 0 else payment(n, LOAN if n % 2 else OTHER)))
    return records


def held(records: list[Record], *, open_date: date | None = DAY) -> Held:
    tree = Tree()
    tree.append(leaf_hash(canonical(one)) for one in records)
    return Held(P, records[-1].offset + 2 if records else 0, tree.size, tree.frontier(), open_date)


def signed(files: HeadFiles, records: list[Record], key: SigningKey = KEY) -> Note | None:
    """One round of the notary over the whole log."""
    notary = Notary(files, P, key)
    try:
        notary.take(one for one in records if one.offset >= notary.next_offset)
        return notary.sign(held(records))
    finally:
        notary.close()


class Books:
    """Answers the three questions that a proof asks of the books."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    async def fetchval(self, _: str) -> int:
        return 8

    async def fetch(self, query: str, _: int, wanted: Any) -> list[dict[str, Any]]:
        rows = [{"offset": one.offset, "record": canonical(one), "key": one.key} for one in self.records]
        if "parked_event" in query:
            return [row for row in rows if row["key"] == wanted.encode()]
        return [row for row in reversed(rows) if row["key"] == b"book" and row["offset"] <= wanted]


async def proof_text(files: HeadFiles, records: list[Record], **more: Any) -> str:
    proof = await make_proof(Books(records), files, LOAN, **more)
    assert proof is not None
    return rendered(proof.document)
