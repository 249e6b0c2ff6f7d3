"""The routes of what was signed: proof files, heads, and the proof that one continues another."""

from pathlib import Path

import pytest

from services.ledger.api import proofs
from services.ledger.proofs.checking import check
from services.ledger.proofs.head_files import HeadFiles
from shared.checkpoint import checkpoint_of
from shared.database import connect
from shared.merkle import canonical
from shared.proofs import verify_consistency
from shared.signed_note import decoded, parse_note
from tests.integration.api.client import Client, rule
from tests.places import Place
from tests.unit.ledger.proofs.history import DAY, KEY, LOAN, OTHER, P, history, signed

_LOAN = "INSERT INTO loan (partition, loan, loan_id, as_of, state) VALUES ($1, $2, $3, 0, '')"
_EVENT = """
INSERT INTO event (partition, "offset", event_id, loan, effective_date, booking_date, record)
VALUES ($1, $2, gen_random_uuid(), $3, $4, $4, $5)
"""


@pytest.fixture
async def files(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeadFiles:
    """Two signed heads of one partition, and its records in the books."""
    found, records, loans = HeadFiles(tmp_path), history(23), {LOAN: 2, OTHER: 4, "book": None}
    signed(found, records[:9])
    signed(found, records)
    connection = await connect(place.url("ledger"), place.ledger_schema)
    for loan_id in (LOAN, OTHER):
        await connection.execute(_LOAN, P, loans[loan_id], loan_id)
    for one in records:
        loan = loans[(one.key or b"").decode()]
        await connection.execute(_EVENT, P, one.offset, loan, DAY, canonical(one))
    await connection.close()
    monkeypatch.setattr(proofs, "head_files", lambda: found)
    return found


async def test_a_proof_is_the_file_that_is_checked(client: Client, files: HeadFiles) -> None:
    answer = await client.send("officer", "GET", f"/v1/loans/{LOAN}/proof")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    proved = check(answer.content, KEY.verifier())
    assert (proved.loan_id, proved.head.size, len(proved.events)) == (LOAN, 23, 9)
    answer = await client.send("officer", "GET", f"/v1/loans/{LOAN}/proof?since=9")
    assert check(answer.content, KEY.verifier(), kept=files.of_size(P, 9)).continues == 9
    answer = await client.send("officer", "GET", f"/v1/loans/{LOAN}/proof?since=8")
    assert (answer.status_code, rule(answer)) == (404, "no-head")
    answer = await client.send("officer", "GET", "/v1/loans/L-none/proof")
    assert (answer.status_code, rule(answer)) == (404, "unknown-loan")


async def test_heads_come_with_the_proof_that_they_continue(client: Client, files: HeadFiles) -> None:
    listed = (await client.send("auditor", "GET", "/v1/checkpoints")).json()
    assert listed == {"heads": [(files.folder / f"p{P}" / "head").read_text()], "rotations": []}
    told = (await client.send("auditor", "GET", f"/v1/checkpoints/{P}?since=9")).json()
    new, old = checkpoint_of(parse_note(told["head"])), files.of_size(P, 9)
    assert old is not None
    path = [decoded(text) or b"" for text in told["consistency"]]
    verify_consistency(old=9, old_root=checkpoint_of(old).root, new=new.size, new_root=new.root, path=path)
    assert (await client.send("auditor", "GET", f"/v1/checkpoints/{P}")).json()["consistency"] is None
    for at, status, name in ((f"{P}?since=24", 422, "head-ahead"), (str(P + 1), 404, "no-head")):
        answer = await client.send("auditor", "GET", f"/v1/checkpoints/{at}")
        assert (answer.status_code, rule(answer)) == (status, name)


async def test_an_api_without_a_folder_says_so(client: Client) -> None:
    answer = await client.send("auditor", "GET", "/v1/checkpoints")
    assert (answer.status_code, rule(answer)) == (404, "no-head")
