"""What the gate needs of a borrower, from the fold's state to a table and back."""

from typing import Any

from services.collections.contact import BorrowerFacts, LoanFacts, PartyFacts
from services.collections.state import Borrower


def facts_document(state: Borrower) -> dict[str, Any]:
    """As JSON, for the table `contact_state`."""
    party = state.party
    return {
        "party": None
        if party is None
        else {
            "kind": party.kind,
            "language": party.language,
            "time_zone": party.time_zone,
            "country": party.country,
            "channels": party.channels,
            "consents": state.consents,
        },
        "flags": state.flags,
        "stops": sorted([stop.kind, stop.loan_id or ""] for stop in state.stops),
        "loans": [
            {
                "loan_id": loan.loan_id,
                "past_due": loan.past_due > 0,
                "in_suspense": loan.in_suspense > 0,
                "parked": loan.parked,
            }
            for loan in (state.loans[loan_id] for loan_id in sorted(state.loans))
        ],
        "promise_active": bool(state.active_promises()),
    }


def facts_of(document: dict[str, Any] | None) -> BorrowerFacts:
    """From JSON; None: nothing is known of the borrower."""
    if document is None:
        return BorrowerFacts()
    party = document["party"]
    return BorrowerFacts(
        party=None
        if party is None
        else PartyFacts(
            party["kind"],
            party["language"],
            party["time_zone"],
            party["country"],
            frozenset(party["channels"]),
            frozenset(party["consents"]),
        ),
        flags=frozenset(document["flags"]),
        stops=frozenset((kind, loan_id or None) for kind, loan_id in document["stops"]),
        loans=tuple(LoanFacts(**loan) for loan in document["loans"]),
        promise_active=document["promise_active"],
    )
