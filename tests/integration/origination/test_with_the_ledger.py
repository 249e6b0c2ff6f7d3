"""Origination beside the real ledger: what it contracts is booked, and what is booked counts in the next decision."""

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest

from lendlog.services import SERVICES
from shared.events.envelope import BOOK
from shared.events.ledger import BookOpened, BusinessDate, BusinessDateClosed, Payment, PaymentReceived
from shared.topics import LIFECYCLE
from tests.integration.api.client import rule
from tests.integration.origination.driving import OPENED, PARTITIONS, REQUEST, office, stated, worker
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
        borrower_id, path = await lender.agreed()
        loan_id = (await lender.done("officer", f"{path}/disbursement"))["loan_id"]
        await lender.until("status = 'active' AND outstanding = '20000.00' FROM standing")

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
