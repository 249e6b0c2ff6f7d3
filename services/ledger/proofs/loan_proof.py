"""A loan's events as a file that proves itself: each record whole, its place in the tree, and one signed head.

The file is JSON in one canonical writing. Whoever has the book's public key checks it without us (`checking.py`).
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.tree_files import TreeFiles
from services.ledger.reading import read
from shared.checkpoint import OtherTree, checkpoint_of
from shared.errors import Refusal
from shared.events.ledger import BookOpened, BusinessDateClosed
from shared.merkle import leaf_hash, record_of
from shared.partitioner import partition_for
from shared.proofs import consistency_proof, inclusion_proof, verify_inclusion
from shared.signed_note import Note, encoded
from shared.streams.intake import NotUnderstood, Unreadable

FORMAT = "lendlog-proof/1"
_PARTITIONS = "SELECT count(*) FROM position"
# All that the books took in or hold of a loan, in the order of the log.
_RECORDS = """
SELECT "offset", record FROM event
WHERE partition = $1 AND loan = (SELECT loan FROM loan WHERE partition = $1 AND loan_id = $2 AND loan >= -1)
UNION ALL
SELECT "offset", record FROM parked_event WHERE partition = $1 AND loan_id = $2
ORDER BY "offset"
"""
# What concerns the whole partition, latest first: openings, closings, retries.
_CALENDAR = """
SELECT "offset", record FROM event
WHERE partition = $1 AND loan IS NULL AND "offset" <= $2 ORDER BY "offset" DESC LIMIT 50
"""


class NothingSigned(Refusal):
    """No signed head holds an event of the loan yet."""

    status = 409


@dataclass(frozen=True, slots=True)
class Proof:
    """The file's document; `later` events of the loan are on the log, and below no signed head yet."""

    document: dict[str, Any]
    proved: int
    later: int


async def partition_of(connection: Any, loan_id: str) -> int:
    """The partition of the log that has the loan's events."""
    return partition_for(loan_id.encode(), await connection.fetchval(_PARTITIONS))


async def make_proof(
    connection: Any,
    files: HeadFiles,
    loan_id: str,
    *,
    head: Note | None = None,
    since: Note | None = None,
    cosigned: Callable[[int, int], Note | None] = lambda _partition, _size: None,
) -> Proof | None:
    """The proof of a loan's events against the partition's last signed head; None if the books know no such loan.

    `head`: another signed head of the tree to prove against. `since`: an earlier one; the file then shows that the head
    continues it. `cosigned`: (partition, size) → that head with a witness's signature, which then goes into the file.
    Raises NothingSigned; OtherTree for a head of another tree; NotIncluded where the folder's files are damaged, or
    where the head is not of this tree.
    """
    partition = await partition_of(connection, loan_id)
    rows = await connection.fetch(_RECORDS, partition, loan_id)
    if not rows:
        return None
    head = head or files.latest(partition)
    if head is None:
        raise NothingSigned(f"Partition {partition} has no signed head yet: the notary signs one a minute.")
    size = checkpoint_of(head).size
    if checkpoint_of(head).partition != partition:
        raise OtherTree(f"The loan is on partition {partition}, the head is that of {checkpoint_of(head).origin}.")
    with files.tree(partition) as tree:
        if size > tree.size:
            raise OtherTree(f"The head has {size} records, the tree {tree.size}.", field="head")
        covered = [row for row in rows if (at := tree.index(row["offset"])) is not None and at < size]
        if not covered:
            raise NothingSigned(f"The last signed head has {size} records, and none of them is the loan's.")
        calendar = _calendar(await connection.fetch(_CALENDAR, partition, tree.offset(size - 1)))
        document = {
            "format": FORMAT,
            "loan_id": loan_id,
            "head": _with_witness(head, cosigned(partition, size)).render(),
            "rotations": [note.render() for note in files.rotations()],
            "records": [_record(tree, head, row) for row in covered],
            "calendar": _record(tree, head, calendar) if calendar is not None else None,
            "earlier": _earlier(tree, head, since) if since is not None else None,
        }
    return Proof(document, len(covered), len(rows) - len(covered))


def rendered(document: dict[str, Any]) -> str:
    """The file's text: the document in its one writing, with a hash of itself, so that no byte can change unseen."""
    whole = document | {"sha256": hashlib.sha256(_text(document).encode()).hexdigest()}
    return _text(whole)


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _with_witness(head: Note, cosigned: Note | None) -> Note:
    return head.with_signatures(cosigned.signatures) if cosigned is not None and cosigned.text == head.text else head


def _calendar(rows: Sequence[Any]) -> Any:
    """The latest opening or closing of a date among the rows."""
    for row in rows:
        try:
            event: Any = read(record_of(row["record"]))
        except (NotUnderstood, Unreadable):
            continue
        if isinstance(event, BusinessDateClosed | BookOpened):
            return row
    return None


def _record(tree: TreeFiles, head: Note, row: Any) -> dict[str, Any]:
    stated, index = checkpoint_of(head), tree.index(row["offset"])
    assert index is not None, "what the head covers has a place in the tree"
    path, record = inclusion_proof(index, stated.size, tree.node), bytes(row["record"])
    verify_inclusion(leaf_hash(record), index=index, size=stated.size, path=path, root=stated.root)
    return {"index": index, "record": base64.b64encode(record).decode(), "path": [encoded(one) for one in path]}


def _earlier(tree: TreeFiles, head: Note, since: Note) -> dict[str, Any]:
    earlier, later = checkpoint_of(since), checkpoint_of(head)
    if earlier.origin != later.origin or earlier.size > later.size:
        raise OtherTree(
            f"The earlier head is that of {earlier.origin} with {earlier.size} records, the last one that of "
            f"{later.origin} with {later.size}.",
            field="since",
        )
    path = consistency_proof(earlier.size, later.size, tree.node)
    return {"head": since.render(), "path": [encoded(one) for one in path]}
