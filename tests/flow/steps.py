"""The steps that stories share, by their names: who asks for a loan, decides, pays out, pays, watches and reminds."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from lendlog.signals_publishing import SignalPublisher
from shared.calendar import add_months
from shared.events.envelope import Data, Envelope, new_event_id
from shared.settings import ServiceSettings
from tests.flow.lender import Lender, Refused

DOCUMENTS = {
    "consumer-equal-instalment": ("identity", "income-proof"),
    "joint-liability-group": ("identity", "group-agreement"),
}


@dataclass(frozen=True, slots=True)
class Borrower:
    """Somebody registered, and the e-mail address in the vault."""

    borrower_id: str
    email: str


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan that was accepted, and the schedule that the borrower was shown: due date and amount."""

    loan_id: str
    borrower: Borrower
    application_id: str
    schedule: tuple[tuple[date, str], ...]

    @property
    def due(self) -> date:
        """When the first instalment is due."""
        return self.schedule[0][0]

    @property
    def instalment(self) -> str:
        """The amount of the first one."""
        return self.schedule[0][1]


class Office(Lender):
    """A lender whose people do what the stories need."""

    # Asking for a loan -------------------------------------------------------------------------------------------

    async def registered(self, *, agreed: Sequence[str] = ("automated-decision",), **differently: str) -> Borrower:
        """A shop in Sichuan whose owner agreed to automated decisions, or to what is named."""
        email = f"{uuid.uuid4().hex}@example.com"
        party = {
            "kind": "person",
            "language": "en",
            "time_zone": "Asia/Shanghai",
            "country": "CN",
            "region": "sichuan",
            "industry": "retail",
            "size": "person",
        }
        made = await self.call(
            "officer",
            "origination",
            "POST",
            "/v1/parties",
            {"party": party | differently, "personal": {"name": "Wang Xiaoming", "contacts": {"email": email}}},
        )
        borrower = Borrower(made["borrower_id"], email)
        for purpose in agreed:
            body = {"purpose": purpose, "evidence": "store/consent"}
            await self.call("officer", "origination", "POST", f"/v1/parties/{borrower.borrower_id}/consents", body)
        return borrower

    async def withdraws(self, borrower: Borrower, purpose: str) -> None:
        """The borrower takes a consent back."""
        path = f"/v1/parties/{borrower.borrower_id}/consents/{purpose}/withdrawal"
        body = {"purpose": purpose, "evidence": "store/withdrawal"}
        await self.call("officer", "origination", "POST", path, body)
        await self.settle()

    async def stand_by_each_other(self, *members: Borrower) -> None:
        """A joint-liability group."""
        body = {"members": [member.borrower_id for member in members]}
        await self.call("officer", "origination", "POST", "/v1/groups", body)
        await self.settle()

    async def application(
        self,
        borrower: Borrower,
        product: str = "consumer-equal-instalment",
        *,
        amount: str = "20000.00",
        instalments: int = 12,
        first_due_in: int = 14,
        inflows: str = "12000.00",
    ) -> str:
        """The id of an application that lacks nothing: request, half a year of figures, documents.

        With inflows of 12000 a month the policy approves it; with 6500 there is not enough for the instalments.
        """
        today = await self.today()
        request = {
            "borrower_id": borrower.borrower_id,
            "product": product,
            "amount": amount,
            "currency": "CNY",
            "instalments": instalments,
            "first_due_date": (today + timedelta(days=first_due_in)).isoformat(),
            "purpose": "stock",
        }
        started = await self.call("officer", "origination", "POST", "/v1/applications", request)
        path = f"/v1/applications/{started['application_id']}"
        await self.call("officer", "origination", "POST", f"{path}/statement", statement(today, inflows))
        for kind in DOCUMENTS[product]:
            document = {"kind": kind, "sha256": "0" * 64, "reference": f"store/{kind}"}
            await self.call("officer", "origination", "POST", f"{path}/documents", document)
        return str(started["application_id"])

    # Deciding and paying out -------------------------------------------------------------------------------------

    async def submitted(self, application_id: str) -> str:
        """What the policy says at once: approved, referred or declined."""
        return str((await self.act("officer", application_id, "submission"))["status"])

    async def offer_accepted(self, application_id: str, borrower: Borrower) -> Loan:
        """An officer offers the approved terms, and the borrower accepts what was shown."""
        await self.act("officer", application_id, "offer")
        offer = await self.call("officer", "origination", "GET", f"/v1/applications/{application_id}/offer")
        acceptance = {"shown_sha256": offer["shown_sha256"], "method": "signature", "evidence": "store/signed"}
        await self.act("officer", application_id, "acceptance", acceptance)
        loan_id = (await self.of_application(application_id))["loan"]["loan_id"]
        schedule = tuple((date.fromisoformat(row["due"]), row["total"]) for row in offer["shown"]["schedule"])
        return Loan(loan_id, borrower, application_id, schedule)

    async def paid_out(self, loan: Loan) -> None:
        """The money goes out. Raises Refused while a red alert blocks it."""
        await self.act("officer", loan.application_id, "disbursement")
        await self.settle()

    async def loan_of(self, borrower: Borrower, **wishes: Any) -> Loan:
        """A loan that the policy approved, accepted and paid out."""
        application = await self.application(borrower, **wishes)
        assert await self.submitted(application) == "approved"
        loan = await self.offer_accepted(application, borrower)
        await self.paid_out(loan)
        return loan

    async def act(self, role: str, application_id: str, what: str, body: Any = None) -> Any:
        """One step of an application."""
        return await self.call(role, "origination", "POST", f"/v1/applications/{application_id}/{what}", body or {})

    async def of_application(self, application_id: str) -> Any:
        """The application as it stands."""
        return await self.call("auditor", "origination", "GET", f"/v1/applications/{application_id}")

    async def reasons(self, application_id: str) -> Sequence[str]:
        """What was against an application, worst first."""
        decision = (await self.of_application(application_id))["decision"]
        return [reason["code"] for reason in decision["reasons"]]

    # Paying ------------------------------------------------------------------------------------------------------

    async def pays(self, loan: Loan, amount: str) -> str:
        """Money comes in today; the payment's id."""
        body = {"amount": amount, "currency": "CNY"}
        paid = await self.call("teller", "ledger", "POST", f"/v1/loans/{loan.loan_id}/payments", body)
        await self.settle()
        return str(paid["event_id"])

    async def takes_back(self, loan: Loan, payment_id: str) -> None:
        """A payment turns out not to have happened."""
        path = f"/v1/loans/{loan.loan_id}/payments/{payment_id}/reversal"
        await self.call("officer", "ledger", "POST", path, {"reason": "returned by the bank"})
        await self.settle()

    async def books(self, loan: Loan) -> Any:
        """The loan as the books have it."""
        return await self.call("auditor", "ledger", "GET", f"/v1/loans/{loan.loan_id}")

    async def booked(self, loan: Loan) -> Sequence[str]:
        """The types of what was booked for the loan, oldest first, without what the days brought."""
        found = await self.call("auditor", "ledger", "GET", f"/v1/loans/{loan.loan_id}/entries")
        types = [entry["type"] for entry in found["entries"]]
        return [one for one in types if one != "ledger.BusinessDateClosed.v1"]

    # Watching and collecting -------------------------------------------------------------------------------------

    async def loans(self, borrower: Borrower) -> Sequence[Any]:
        """The borrower's loans as monitoring sees them: days past due and class."""
        found = await self.call("risk", "monitoring", "GET", f"/v1/borrowers/{borrower.borrower_id}/loans")
        return list(found["loans"])

    async def hears(self, kind: type[Envelope], borrower: Borrower, data: Data) -> str:
        """The outside tells something about a borrower; the event's id."""
        event_id = new_event_id()
        told = kind.model_validate(
            {
                "id": event_id,
                "source": "/registers",
                "subject": borrower.borrower_id,
                "time": f"{await self.today()}T08:00:00Z",
                "data": data,
            }
        )
        publisher = SignalPublisher(self.platform.kafka_bootstrap, ServiceSettings())
        await publisher.start()
        try:
            await publisher.publish([told])
        finally:
            await publisher.stop()
        return event_id

    async def indicators(self, borrower: Borrower) -> Any:
        """The borrower's indicators, and the signals that did not count."""
        return await self.call("risk", "monitoring", "GET", f"/v1/borrowers/{borrower.borrower_id}/indicators")

    async def why_alert(self, alert: Any) -> Any:
        """The chain of events behind an alert."""
        return await self.call("risk", "monitoring", "GET", f"/v1/alerts/{alert['alert_id']}/why")

    async def alerts(self, borrower: Borrower, **which: str) -> Sequence[Any]:
        """The borrower's open alerts."""
        found = await self.call("risk", "monitoring", "GET", "/v1/alerts", borrower_id=borrower.borrower_id, **which)
        return list(found["alerts"])

    async def case(self, borrower: Borrower) -> Any:
        """The borrower's case, or None where there never was one."""
        try:
            return await self.call("collector", "collections", "GET", f"/v1/borrowers/{borrower.borrower_id}/case")
        except Refused as refused:
            if refused.rule != "unknown-case":
                raise
            return None

    async def history(self, case: Any) -> Sequence[Any]:
        """The events that changed a case, oldest first, each with its cause."""
        path = f"/v1/cases/{case['case_id']}/history"
        return list((await self.call("collector", "collections", "GET", path))["history"])

    async def queue(self) -> Sequence[Any]:
        """The open cases in the order in which they are worked."""
        return list((await self.call("collector", "collections", "GET", "/v1/queue", limit="500"))["cases"])

    async def takes(self, case: Any) -> None:
        """A collector takes a case: nobody else gets it meanwhile."""
        await self.call("collector", "collections", "POST", f"/v1/cases/{case['case_id']}/lease")

    async def promises(self, loan: Loan, amount: str, due: date) -> None:
        """The borrower promises a collector to pay."""
        body = {"amount": amount, "currency": "CNY", "due_date": due.isoformat()}
        await self.call("collector", "collections", "POST", f"/v1/loans/{loan.loan_id}/promises", body)
        await self.settle()

    async def promises_of(self, borrower: Borrower) -> Sequence[Any]:
        """What the borrower promised, oldest first."""
        path = f"/v1/borrowers/{borrower.borrower_id}/promises"
        return list((await self.call("collector", "collections", "GET", path))["promises"])

    async def reminders_sent(self) -> Any:
        """One pass over the reminders that are due, at ten in the morning of today in Sichuan."""
        at = f"{(await self.today()).isoformat()}T10:00:00+08:00"
        sent = await self.call("operator", "collections", "POST", "/v1/reminders/dispatch", {"at": at})
        await self.settle()
        return sent

    async def contacts(self, borrower: Borrower) -> Sequence[Any]:
        """Whatever was tried to reach the borrower, the latest first."""
        path = f"/v1/borrowers/{borrower.borrower_id}/contacts"
        return list((await self.call("collector", "collections", "GET", path))["contacts"])

    def mails_to(self, borrower: Borrower) -> Sequence[str]:
        """The texts of what arrived at the borrower's address, oldest first."""
        return self.mailbox.to(borrower.email)


def statement(today: date, inflows: str) -> dict[str, Any]:
    """Six months before today, all the same."""
    first = add_months(today.replace(day=1), -6)
    months = [
        {"month": f"{add_months(first, n):%Y-%m}", "inflows": inflows, "outflows": "2000.00", "household": "4000.00"}
        for n in range(6)
    ]
    balance = {"as_of": today.isoformat(), "cash": "8000.00", "property": "50000.00", "debts": "5000.00"}
    return {
        "currency": "CNY",
        "source": "bank-account",
        "months": months,
        "balance": balance,
        "years_in_business": 5,
    }
