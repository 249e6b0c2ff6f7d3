"""Who the borrowers are, for others: registered, amended, consents, who stands by whom, circumstances, erasure."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict

from services.origination.commands import refusals
from services.origination.commands.stamp import Stamp
from shared.events import applications, parties
from shared.events.envelope import Envelope

GROUP_MEMBERS = range(3, 21)


class Commitment(BaseModel):
    """An offer until its last day, or a loan agreed."""

    model_config = ConfigDict(frozen=True)

    currency: str
    amount: str
    valid_until: date | None = None
    loan_id: str | None = None


class BorrowerGuard(BaseModel):
    """What commands about a borrower are checked against."""

    model_config = ConfigDict(frozen=True)

    party: parties.Party
    erased: bool = False
    consents: dict[parties.Purpose, str] = {}
    flags: list[parties.Flag] = []
    relations: dict[str, parties.Relation] = {}
    """By `kind/other`."""
    applications: list[str] = []
    commitments: dict[str, Commitment] = {}
    """By application: what the lender is bound to and the ledger may not know yet."""


def register(borrower_id: str, party: parties.Party, *, stamp: Stamp) -> list[Envelope]:
    """Make a borrower known."""
    return [stamp.event(parties.PartyRegistered, borrower_id, party)]


def amend(borrower_id: str, guard: BorrowerGuard, party: parties.Party, *, stamp: Stamp) -> list[Envelope]:
    """Change how a borrower is treated; the same again does nothing."""
    require_known(guard)
    return [] if party == guard.party else [stamp.event(parties.PartyAmended, borrower_id, party)]


def give_consent(borrower_id: str, guard: BorrowerGuard, consent: parties.Consent, *, stamp: Stamp) -> list[Envelope]:
    """Note a consent; the same again does nothing."""
    require_known(guard)
    if guard.consents.get(consent.purpose) == consent.evidence:
        return []
    return [stamp.event(parties.ConsentGiven, borrower_id, consent)]


def withdraw_consent(
    borrower_id: str, guard: BorrowerGuard, consent: parties.Consent, *, stamp: Stamp
) -> list[Envelope]:
    """Note that a consent was taken back."""
    require_known(guard)
    if consent.purpose not in guard.consents:
        raise refusals.ConsentUnknown(f"There is no consent to {consent.purpose}.", field="purpose")
    return [stamp.event(parties.ConsentWithdrawn, borrower_id, consent)]


def state_relation(
    borrower_id: str, guard: BorrowerGuard, relation: parties.Relation, *, stamp: Stamp
) -> list[Envelope]:
    """Note that another borrower stands by this one; the same again does nothing."""
    require_known(guard)
    if relation.other == borrower_id:
        raise refusals.RelationToSelf("The other is the borrower.", field="other")
    if guard.relations.get(f"{relation.kind}/{relation.other}") == relation:
        return []
    return [stamp.event(parties.RelationStated, borrower_id, relation)]


def end_relation(borrower_id: str, guard: BorrowerGuard, relation: parties.Relation, *, stamp: Stamp) -> list[Envelope]:
    """Note that another no longer stands by."""
    known = guard.relations.get(f"{relation.kind}/{relation.other}")
    if known is None:
        raise refusals.RelationUnknown(f"{relation.other} is no {relation.kind}.", field="other")
    return [stamp.event(parties.RelationEnded, borrower_id, known)]


def form_group(guards: dict[str, BorrowerGuard], *, group: str, stamp: Stamp) -> dict[str, list[Envelope]]:
    """Every member stands by every other: the events of each."""
    if len(guards) not in GROUP_MEMBERS:
        raise refusals.NotAGroup(f"{len(guards)} are named.", field="members")
    found = {}
    for member, guard in guards.items():
        require_known(guard)
        others = [other for other in guards if other != member]
        found[member] = [
            stamp.event(parties.RelationStated, member, parties.Relation(other=other, kind="group-member", group=group))
            for other in others
        ]
    return found


def raise_flag(borrower_id: str, guard: BorrowerGuard, flag: parties.Flag, *, by: str, stamp: Stamp) -> list[Envelope]:
    """Note a circumstance; the same again does nothing."""
    if flag in guard.flags:
        return []
    return [stamp.event(parties.FlagRaised, borrower_id, parties.Flagging(flag=flag, by=by))]


def clear_flag(borrower_id: str, guard: BorrowerGuard, flag: parties.Flag, *, by: str, stamp: Stamp) -> list[Envelope]:
    """Note that a circumstance no longer holds."""
    if flag not in guard.flags:
        raise refusals.FlagUnknown(f"{flag} does not hold.", field="flag")
    return [stamp.event(parties.FlagCleared, borrower_id, parties.Flagging(flag=flag, by=by))]


def erase(
    borrower_id: str, guard: BorrowerGuard, *, open_loans: Sequence[str], by: str, stamp: Stamp
) -> list[Envelope]:
    """Personal data is no longer readable, by anyone; a second time does nothing."""
    if guard.erased:
        return []
    waiting = [*open_loans, *guard.commitments]
    if waiting:
        raise refusals.LoansOutstanding(f"Open: {', '.join(waiting[:5])}.")
    return [stamp.event(parties.PersonalDataErased, borrower_id, parties.Erasure(by=by))]


def require_known(guard: BorrowerGuard) -> None:
    """Refuse what begins something new with a borrower whose personal data is gone."""
    if guard.erased:
        raise refusals.PersonalDataIsErased("Nothing new begins with this borrower.")


def evolve(guard: BorrowerGuard, event: Envelope) -> BorrowerGuard:
    """The guard after an event of the borrower's party."""
    match event:
        case parties.PartyRegistered() | parties.PartyAmended():
            return guard.model_copy(update={"party": event.data})
        case parties.ConsentGiven():
            return guard.model_copy(update={"consents": guard.consents | {event.data.purpose: event.data.evidence}})
        case parties.ConsentWithdrawn():
            left = {purpose: proof for purpose, proof in guard.consents.items() if purpose != event.data.purpose}
            return guard.model_copy(update={"consents": left})
        case parties.RelationStated():
            key = f"{event.data.kind}/{event.data.other}"
            return guard.model_copy(update={"relations": guard.relations | {key: event.data}})
        case parties.RelationEnded():
            key = f"{event.data.kind}/{event.data.other}"
            return guard.model_copy(update={"relations": {k: v for k, v in guard.relations.items() if k != key}})
        case parties.FlagRaised():
            return guard.model_copy(update={"flags": [*guard.flags, event.data.flag]})
        case parties.FlagCleared():
            return guard.model_copy(update={"flags": [flag for flag in guard.flags if flag != event.data.flag]})
        case parties.PersonalDataErased():
            party = guard.party.model_copy(update={"channels": []})
            return guard.model_copy(update={"erased": True, "party": party})
        case _:
            raise ValueError(f"{event.type} is no event of a party")


def commit(guard: BorrowerGuard, application_id: str, event: Envelope) -> BorrowerGuard:
    """The guard after an event of one of the borrower's applications."""
    commitments = dict(guard.commitments)
    match event:
        case applications.ApplicationStarted():
            return guard.model_copy(update={"applications": [*guard.applications, application_id]})
        case applications.OfferMade():
            terms, until = event.data.terms, event.data.valid_until
            commitments[application_id] = Commitment(currency=terms.currency, amount=terms.principal, valid_until=until)
        case applications.LoanAgreed():
            terms = event.data.terms
            commitments[application_id] = Commitment(
                currency=terms.currency, amount=terms.principal, loan_id=event.data.loan_id
            )
        case applications.ApplicationWithdrawn():
            commitments.pop(application_id, None)
        case _:
            return guard
    return guard.model_copy(update={"commitments": commitments})
