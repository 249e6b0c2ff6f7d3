"""Routes of what was signed: a loan's proof, and the heads with the proof that each continues another."""

from functools import cache
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from services.ledger.api.reading import Loan, unknown
from services.ledger.api.serving import Calling
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.loan_proof import make_proof, partition_of, rendered
from services.ledger.proofs.settings import ProofSettings
from shared.api import Route
from shared.checkpoint import checkpoint_of
from shared.errors import Refusal
from shared.proofs import consistency_proof
from shared.signed_note import Note, encoded

Partition = Annotated[int, Path(ge=0, lt=1 << 15)]
Since = Annotated[int | None, Query(ge=0, lt=1 << 63, description="The size of an earlier head, to be continued.")]


class NoHead(Refusal):
    """No such head was signed, or none is kept."""

    status = 404


class HeadAhead(Refusal):
    """The earlier head has more records than the last one."""


@cache
def head_files() -> HeadFiles:
    """The folder that the notary writes; this process only reads it. Raises NoHead where it is not told of one."""
    folder = ProofSettings().checkpoints
    if folder is None:
        raise NoHead("This API is not told where signed heads are: LENDLOG_CHECKPOINTS.")
    return HeadFiles(folder)


async def loan_proof(call: Calling, loan_id: Loan, since: Since = None) -> Response:
    """A loan's events as a proof file against the last signed head: byte for byte what `lendlog proof check` takes."""
    files = head_files()
    async with call.services.ledger.acquire() as connection:
        earlier = _of_size(files, await partition_of(connection, loan_id), since) if since is not None else None
        proof = await make_proof(connection, files, loan_id, since=earlier)
    if proof is None:
        raise unknown(loan_id)
    name = f'attachment; filename="{loan_id}.proof.json"'
    return Response(rendered(proof.document), 200, {"Content-Disposition": name}, "application/json")


def _of_size(files: HeadFiles, partition: int, size: int) -> Note:
    if note := files.of_size(partition, size):
        return note
    detail = (
        f"No head of {size} records of partition {partition} is kept here. If you have it, `lendlog proof make --since`"
        f" takes it as a file, and GET /v1/checkpoints/{partition}?since={size} proves that the last head continues it."
    )
    raise NoHead(detail, field="since")


async def checkpoints() -> dict[str, Any]:
    """The last signed head of each partition, and every rotation of the key."""
    files = head_files()
    heads = [note for partition in files.partitions() if (note := files.latest(partition))]
    return {
        "heads": [note.render() for note in heads],
        "rotations": [note.render() for note in files.rotations()],
    }


async def checkpoint(partition: Partition, since: Since = None) -> dict[str, Any]:
    """The last signed head of a partition; with `since` the proof that it continues the head of that size."""
    files = head_files()
    note = files.latest(partition)
    if note is None:
        raise NoHead(f"No head of partition {partition} was signed yet.", field="partition")
    head, path = checkpoint_of(note), None
    if since is not None:
        if since > head.size:
            raise HeadAhead(f"The last signed head has {head.size} records, not {since}.", field="since")
        with files.tree(partition) as tree:
            path = [encoded(one) for one in consistency_proof(since, head.size, tree.node)]
    return {"origin": head.origin, "size": head.size, "head": note.render(), "consistency": path}


PROOF_ROUTES: tuple[Route, ...] = (
    ("GET", "/v1/loans/{loan_id}/proof", loan_proof),
    ("GET", "/v1/checkpoints", checkpoints),
    ("GET", "/v1/checkpoints/{partition}", checkpoint),
)
