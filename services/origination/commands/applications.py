"""From the request to the decision of the policy."""

from datetime import date
from typing import cast

from services.origination.commands import refusals
from services.origination.commands.stamp import Stamp
from services.origination.completeness import require_complete, require_sound
from services.origination.decision import decide
from services.origination.dossier import Dossier
from services.origination.facts import Facts
from services.origination.product import require_fit
from services.origination.rules import Rules
from shared.errors import Refusal
from shared.events import applications as said
from shared.events.envelope import Envelope
from shared.events.parties import Party
from shared.money import minor_units

DECISIONS: dict[said.Outcome, type[Envelope]] = {
    "approve": said.ApplicationApproved,
    "refer": said.ApplicationReferred,
    "decline": said.ApplicationDeclined,
}


def start(
    request: said.Request, party: Party, rules: Rules, *, borrower_id: str, today: date, stamp: Stamp
) -> list[Envelope]:
    """Begin an application. Raises what the product refuses."""
    require_fit(rules.product(request.product, today), party, request, today=today)
    return [stamp.event(said.ApplicationStarted, borrower_id, request)]


def amend(
    dossier: Dossier, request: said.Request, party: Party, rules: Rules, *, today: date, stamp: Stamp
) -> list[Envelope]:
    """Change the request while it is a draft; the same request again does nothing."""
    _require_draft(dossier)
    require_fit(rules.product(request.product, today), party, request, today=today)
    if request == dossier.request:
        return []
    return [stamp.event(said.ApplicationAmended, dossier.borrower_id, request)]


def provide_statement(dossier: Dossier, statement: said.Statement, *, today: date, stamp: Stamp) -> list[Envelope]:
    """Take in the applicant's figures, whole. They may be of fewer months than the product asks for: that is said when
    the application is submitted."""
    _require_draft(dossier)
    require_sound(statement, currency=dossier.request.currency, today=today)
    if statement == dossier.statement:
        return []
    return [stamp.event(said.StatementProvided, dossier.borrower_id, statement)]


def receive_document(dossier: Dossier, document: said.Document, *, stamp: Stamp) -> list[Envelope]:
    """Note a document; the same one again does nothing."""
    _require_draft(dossier)
    if dossier.documents.get(document.kind) == document:
        return []
    return [stamp.event(said.DocumentReceived, dossier.borrower_id, document)]


def offer_guarantee(dossier: Dossier, guarantee: said.Guarantee, *, stamp: Stamp) -> list[Envelope]:
    """Note what stands behind the loan."""
    _require_draft(dossier)
    named = (guarantee.guarantor is not None, guarantee.collateral is not None)
    if named != (guarantee.kind == "guarantor", guarantee.kind == "collateral"):
        detail = "Name the guarantor's id for a guarantor, the collateral's kind for collateral."
        raise refusals.GuaranteeIncomplete(detail, field="kind")
    if guarantee.guarantor == dossier.borrower_id:
        raise refusals.GuarantorIsBorrower("The guarantor is the borrower.", field="guarantor")
    minor_units(guarantee.value, guarantee.currency)
    if guarantee in dossier.guarantees:
        return []
    return [stamp.event(said.GuaranteeOffered, dossier.borrower_id, guarantee)]


def submit(
    dossier: Dossier,
    party: Party,
    standing: said.StandingSeen,
    rules: Rules,
    *,
    by: str,
    today: date,
    stamp: Stamp,
) -> list[Envelope]:
    """Submit, and decide by the policy in force. Raises what is missing or no longer fits; the draft stays."""
    _require_draft(dossier)
    product = rules.contracted(dossier.request.product)
    require_fit(product, party, dossier.request, today=today)
    statement = require_complete(
        product,
        rules.policy(today),
        statement=dossier.statement,
        documents=dossier.documents,
        guarantees=dossier.guarantees,
        standing=standing,
        today=today,
    )
    require_sound(statement, currency=dossier.request.currency, today=today)
    documents = [dossier.documents[kind] for kind in sorted(dossier.documents)]
    facts = Facts(party, dossier.request, statement, documents, dossier.guarantees, standing)
    outcome, decision = decide(facts, rules, today=today)
    submission = said.Submission(application_id=dossier.request.application_id, submitted_on=today, by=by)
    return [
        stamp.event(said.ApplicationSubmitted, dossier.borrower_id, submission),
        stamp.event(DECISIONS[outcome], dossier.borrower_id, decision),
    ]


def missing(
    dossier: Dossier, party: Party, standing: said.StandingSeen, rules: Rules, *, today: date
) -> dict[str, str] | None:
    """What still keeps a draft from being submitted, as rule and sentence; None: nothing does."""
    stamp = Stamp("2000-01-01T00:00:00Z", lambda: "00000000-0000-4000-8000-000000000000")
    try:
        submit(dossier, party, standing, rules, by="nobody", today=today, stamp=stamp)
    except Refusal as refusal:
        return {"rule": type(refusal).rule(), "detail": refusal.detail}
    return None


def _require_draft(dossier: Dossier) -> None:
    if dossier.status != "draft":
        name = dossier.request.application_id
        raise refusals.ApplicationNotDraft(f"Application {name} is {cast('str', dossier.status)}.")
