"""An application as the API keeps it, whole: what came in, what was decided, what was agreed. One record, for a dossier
keeps what came before; `status` says where it stands."""

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.origination.state import Status
from shared.events import applications as said
from shared.events.envelope import Envelope
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.events.terms import Terms

ENDED: frozenset[Status] = frozenset({"declined", "lapsed", "withdrawn", "paid-out"})


class Dossier(BaseModel):
    """See the module."""

    model_config = ConfigDict(frozen=True)

    borrower_id: str
    status: Status
    request: said.Request
    started_on: date
    statement: said.Statement | None = None
    documents: dict[str, said.Document] = {}
    guarantees: list[said.Guarantee] = []
    decision: said.Decision | None = None
    review: said.Review | None = None
    recommendation: said.Recommendation | None = None
    referral: said.ReferralDecision | None = None
    offer: said.Offer | None = None
    offered_on: date | None = None
    acceptance: said.Acceptance | None = None
    loan: said.Agreement | None = None
    payment: said.PaymentOrder | None = None
    """The last order to pay out."""
    orders: int = 0
    """How many there were; of dossiers from before this was counted, see `ordered`."""

    @property
    def ordered(self) -> int:
        """How often the money was ordered to be paid out."""
        return max(self.orders, self.payment is not None)

    def approved(self) -> Terms | None:
        """The terms that may be offered: the policy's, or at the amount and rate that a person approved."""
        if self.decision is None or self.status != "approved":
            return None
        if self.referral is None:
            return self.decision.terms
        changes = {"principal": self.referral.amount, "annual_rate": self.referral.annual_rate}
        return self.decision.terms.model_copy(update=changes)


_CHANGES: dict[type[Envelope], tuple[Status | None, str | None]] = {
    said.ApplicationStarted: (None, None),
    said.ApplicationAmended: (None, "request"),
    said.StatementProvided: (None, "statement"),
    said.ApplicationSubmitted: ("submitted", None),
    said.ApplicationApproved: ("approved", "decision"),
    said.ApplicationReferred: ("referred", "decision"),
    said.ApplicationDeclined: ("declined", "decision"),
    said.ReviewRequested: ("referred", "review"),
    said.ReferralRecommended: ("recommended", "recommendation"),
    said.ReferralApproved: ("approved", "referral"),
    said.ReferralDeclined: ("declined", "referral"),
    said.OfferMade: ("offered", "offer"),
    said.OfferAccepted: ("accepted", "acceptance"),
    said.LoanAgreed: ("agreed", "loan"),
    said.DisbursementOrdered: ("paid-out", "payment"),
    said.DisbursementRefused: (None, None),
    said.ApplicationWithdrawn: ("withdrawn", None),
    LoanContracted: (None, None),
    LoanDisbursed: (None, None),
}
"""The status after an event (None: as before), and the field that takes its data."""


def evolve(dossier: Dossier, event: Any) -> Dossier:
    """The dossier after an event of its application."""
    change: dict[str, Any] = {}
    if isinstance(event, said.DocumentReceived):
        change["documents"] = dossier.documents | {event.data.kind: event.data}
    elif isinstance(event, said.GuaranteeOffered):
        change["guarantees"] = [*dossier.guarantees, event.data]
    else:
        status, name = _CHANGES[type(event)]
        change |= {} if status is None else {"status": status}
        change |= {} if name is None else {name: event.data}
        change |= {"orders": dossier.ordered + 1} if isinstance(event, said.DisbursementOrdered) else {}
        change |= {"offered_on": event.effectivedate} if isinstance(event, said.OfferMade) else {}
    return dossier.model_copy(update=change)
