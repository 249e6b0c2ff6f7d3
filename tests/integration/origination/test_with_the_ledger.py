"""Origination beside the real ledger: what it contracts is booked, and what is booked counts in the next decision."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from lendlog.services import SERVICES
from services.ledger.proofs.__main__ import connected, publishing_of
from services.ledger.proofs.checking import Proved, check
from services.ledger.proofs.head_files import HeadFiles
from services.ledger.proofs.loan_proof import make_proof, rendered
from shared.checkpoint import checkpoint_of
from shared.database import connect
from shared.events.envelope import BOOK
from shared.events.ledger import BookOpened, BusinessDate, BusinessDateClosed, Payment, PaymentReceived
from shared.events.servicing import EventUndone, Undoing
from shared.signed_note import Note, parse_note
from shared.topics import LIFECYCLE
from tests.integration.api.client import rule
from tests.integration.origination.driving import OPENED, PARTITIONS, REQUEST, office, stated, worker
from tests.integration.test_proofs import KEY, settings_of
from tests.places import Place

pytestmark = pytest.mark.servers


async def test_a_loan_that_was_repaid_here_counts_in_the_next_decision(
    places: Callable[..., Awaitable[Place]], tmp_path: Path
) -> None:
    place = await places(partitions=PARTITIONS, services=SERVICES)
    async with office(place, tmp_path / "worker.log") as lender, worker(place, "ledger", tmp_path / "ledger.log"):
        asked = REQUEST | {"borrower_id": await lender.borrower()}
        assert rule(await lender.send("officer", "POST", "/v1/applications", asked)) == "book-not-open"
        opened = stated(BookOpened, BOOK, BusinessDate(business_date=OPENED))
        await lender.publish(LIFECYCLE.name, opened, everywhere=True)
        await lender.until(f"bool_and(open_date = DATE '{OPENED}') FROM position")
        await signed(place, tmp_path)
        borrower_id, path = await lender.agreed()
        await lender.token("borrower", "applicant", borrower_id)
        answer = await lender.send("borrower", "GET", f"{path}/signing-head")
        assert answer.status_code == 200, answer.text
        kept = parse_note(answer.text)
        ordered = await lender.done("officer", f"{path}/disbursement")
        loan_id = ordered["loan_id"]
        await lender.until("status = 'active' AND outstanding = '20000.00' FROM standing")
        assert rule(await lender.send("officer", "POST", f"{path}/disbursement", {})) == "loan-already-disbursed"
        rejected = Undoing(event_id=ordered["event_ids"][-1], reason="rejected by the bank: AC04")
        await lender.publish(LIFECYCLE.name, stated(EventUndone, loan_id, rejected))
        await lender.until("status = 'contracted' AND undone = 1 FROM standing")
        await lender.done("officer", f"{path}/disbursement")
        await lender.until("status = 'active' AND outstanding = '20000.00' FROM standing")
        assert rule(await lender.send("officer", "POST", f"{path}/disbursement", {})) == "loan-already-disbursed"

        async def pay(amount: str) -> None:
            paid = stated(PaymentReceived, loan_id, Payment(amount=amount, currency="CNY"))
            await lender.publish(LIFECYCLE.name, paid)

        due = date(2024, 7, 10)
        for day in range(OPENED.toordinal(), due.toordinal() + 6):
            ended = stated(BusinessDateClosed, BOOK, BusinessDate(business_date=date.fromordinal(day)))
            await lender.publish(LIFECYCLE.name, ended, everywhere=True)
        await lender.until(f"bool_and(open_date = DATE '{date(2024, 7, 16)}') FROM position")
        await pay("1000.00")
        await lender.until(f"past_due_since = DATE '{due}' AND days_past_due_max = 6 FROM standing")
        await pay("25000.00")
        await lender.until("status = 'settled' AND past_due_since IS NULL FROM standing")
        again = await lender.draft(borrower_id, first_due_date="2024-08-10")
        assert (await lender.done("officer", f"{again}/submission"))["status"] == "approved"
        decision = (await lender.read(again))["decision"]
        standing = decision["standing"]
        assert (standing["loans_repaid"], standing["loans_open"], standing["outstanding"]) == (1, 0, "0.00")
        assert (standing["days_past_due"], standing["days_past_due_max"]) == (0, 6)
        await lender.until("count(*) = 1 FROM application WHERE status = 'approved'")
        live, replayed = await lender.digests()
        assert live == replayed
        await signed(place, tmp_path)
        proved = await continued(place, tmp_path, loan_id, kept)
        assert proved.continues == checkpoint_of(kept).size < proved.head.size
        assert proved.events[0].type == "origination.LoanContracted.v1"
        assert proved.events[0].index >= checkpoint_of(kept).size  # signed before the contract, which follows it


async def signed(place: Place, folder: Path) -> None:
    """A round of the notary: what the books hold is signed and published."""
    settings = settings_of(place, folder / "checkpoints")
    async with connected(settings) as (connection, publisher):
        with closing(publishing_of(settings)) as publishing:
            assert await publishing.round(connection, publisher, whole=True)


async def continued(place: Place, folder: Path, loan_id: str, kept: Note) -> Proved:
    """What a borrower finds who asks for a proof that continues the head of the contract, and checks it."""
    books = await connect(place.url("reader"), place.ledger_schema)
    try:
        proof = await make_proof(books, HeadFiles(folder / "checkpoints"), loan_id, since=kept)
    finally:
        await books.close()
    assert proof is not None
    return check(rendered(proof.document).encode(), KEY.verifier(), kept=kept)
