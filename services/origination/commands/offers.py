"""From an approval to the money: offer, acceptance, contract, disbursement."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

from services.origination.assessment import exposure_room
from services.origination.commands import refusals
from services.origination.commands.stamp import Stamp
from services.origination.cost import fees_withheld
from services.origination.dossier import ENDED, Dossier
from services.origination.offer import Quote, offer_of, quote
from services.origination.product import Product, require_first_due
from services.origination.rules import Rules
from shared.events import applications as said
from shared.events.envelope import Envelope
from shared.events.origination import Contract, Disbursement, LoanContracted, LoanDisbursed, Security
from shared.events.parties import Party
from shared.money import decimal_text, minor_units


def make_offer(
    dossier: Dossier,
    party: Party,
    standing: said.StandingSeen,
    rules: Rules,
    *,
    first_due: date | None,
    by: str,
    today: date,
    stamp: Stamp,
) -> list[Envelope]:
    """Bind the lender to the approved terms for the policy's days; `first_due` (None: as asked for) may be moved inside
    of the product's limits. Raises RateAboveCap, ExposureExceeded (other loans came in between), and what the product
    refuses."""
    terms = dossier.approved()
    if terms is None:
        raise refusals.ApplicationNotApproved(f"The application is {dossier.status}.")
    assert dossier.decision is not None
    product, policy = rules.contracted(dossier.request.product), rules.policies[dossier.decision.policy]
    if first_due is not None:
        terms = terms.model_copy(update={"first_due_date": first_due})
    require_first_due(product, terms.first_due_date, today=today)
    room = exposure_room(policy, standing, terms.currency)
    if minor_units(terms.principal, terms.currency) > room:
        detail = f"The limits leave {decimal_text(room, terms.currency)} {terms.currency}."
        raise refusals.ExposureExceeded(detail)
    shown = quote(product, terms, rules.rate_caps, country=party.country, lender_kind=policy.lender_kind, today=today)
    offer_id = stamp.new_id()
    offer = offer_of(shown, policy, application_id=dossier.request.application_id, offer_id=offer_id, by=by)
    return [stamp.event(said.OfferMade, dossier.borrower_id, offer, event_id=offer_id, on=today)]


def quoted(dossier: Dossier, party: Party, rules: Rules) -> Quote | None:
    """What the borrower is shown of the offer, as it was quoted on its day; None: there is no offer."""
    if dossier.offer is None or dossier.offered_on is None or dossier.decision is None:
        return None
    lender_kind = rules.policies[dossier.decision.policy].lender_kind
    product, terms = rules.contracted(dossier.offer.product), dossier.offer.terms
    return quote(
        product, terms, rules.rate_caps, country=party.country, lender_kind=lender_kind, today=dossier.offered_on
    )


def accept(
    dossier: Dossier,
    party: Party,
    rules: Rules,
    *,
    shown_sha256: str,
    method: Literal["in-person", "signature", "one-time-code", "qualified-signature"],
    evidence: str,
    by: str,
    loan_id: str,
    log_head: said.LogHead,
    lapsed: bool,
    today: date,
    stamp: Stamp,
) -> list[Envelope]:
    """The borrower accepts, and the loan is contracted as `loan_id`. The cap in force today rules the contract.

    log_head: that of the loan's partition, kept with the contract. lapsed: the worker says that the offer has lapsed.
    """
    offer = dossier.offer
    if offer is None or dossier.status != "offered":
        raise refusals.NoOffer(f"The application is {dossier.status}.")
    if lapsed or today > offer.valid_until:
        raise refusals.OfferExpired(f"The offer could be accepted until {offer.valid_until}.")
    if shown_sha256 != offer.schedule_sha256:
        raise refusals.ShownDiffers(f"Offered was {offer.schedule_sha256}.", field="shown_sha256")
    assert dossier.decision is not None
    product, policy = rules.contracted(offer.product), rules.policies[dossier.decision.policy]
    quote(product, offer.terms, rules.rate_caps, country=party.country, lender_kind=policy.lender_kind, today=today)
    name, borrower = dossier.request.application_id, dossier.borrower_id
    acceptance = said.Acceptance(
        application_id=name,
        offer_id=offer.offer_id,
        shown_sha256=shown_sha256,
        method=method,
        evidence=evidence,
        by=by,
        log_head=log_head,
    )
    agreement = said.Agreement(application_id=name, loan_id=loan_id, product=offer.product, terms=offer.terms)
    security = security_of(dossier, product)
    contract = Contract(borrower_id=borrower, product=offer.product, terms=offer.terms, security=security)
    return [
        stamp.event(said.OfferAccepted, borrower, acceptance),
        stamp.event(said.LoanAgreed, borrower, agreement),
        stamp.event(LoanContracted, loan_id, contract, on=today),
    ]


def security_of(dossier: Dossier, product: Product) -> Security:
    """What stands behind the loan: things before persons; a group whose members answer for each other are persons."""
    if any(one.kind == "collateral" for one in dossier.guarantees):
        return "secured"
    return "guaranteed" if dossier.guarantees or product.security.required == "group" else "unsecured"


def withdraw(dossier: Dossier, *, by: str, reason: str, stamp: Stamp) -> list[Envelope]:
    """The borrower does not want the loan any more; until it is agreed."""
    if dossier.status in ENDED or dossier.loan is not None:
        raise refusals.ApplicationEnded(f"The application is {dossier.status}.")
    withdrawal = said.Withdrawal(application_id=dossier.request.application_id, by=by, reason=reason)
    return [stamp.event(said.ApplicationWithdrawn, dossier.borrower_id, withdrawal)]


def disburse(
    dossier: Dossier, rules: Rules, standing: said.StandingSeen, *, by: str, today: date, stamp: Stamp, undone: int = 0
) -> list[Envelope]:
    """Pay out the whole principal today; or, while red alerts block it, the event that says so and nothing else.

    `undone`: how often the ledger has told that what was paid out was taken back, as after a bank's rejection. It is
    ordered anew only when that is so of every order before, so that none is repeated that is merely on its way.
    """
    if dossier.payment is not None and undone < dossier.ordered:
        raise refusals.LoanAlreadyDisbursed(f"Paid out on {dossier.payment.effective_date}.")
    loan = dossier.loan
    if loan is None or dossier.decision is None:
        raise refusals.LoanNotAgreed(f"The application is {dossier.status}.")
    flags = rules.policies[dossier.decision.policy].flags
    if stopping := [flag for flag in standing.flags if flags.get(flag) == "decline"]:  # type: ignore[call-overload]
        raise refusals.CircumstanceStopsLoan(f"{', '.join(stopping)} holds.")
    name, borrower, terms = dossier.request.application_id, dossier.borrower_id, loan.terms
    if standing.blocks:
        stop = said.PaymentStop(application_id=name, loan_id=loan.loan_id, alerts=standing.blocks, by=by)
        return [stamp.event(said.DisbursementRefused, borrower, stop)]
    if terms.first_due_date <= today:
        raise refusals.DisbursementTooLate(f"The first instalment falls due on {terms.first_due_date}.")
    withheld = sum(amount for _, amount in fees_withheld(terms))
    order = said.PaymentOrder(
        application_id=name,
        loan_id=loan.loan_id,
        amount=terms.principal,
        withheld=decimal_text(withheld, terms.currency) if withheld else None,
        currency=terms.currency,
        effective_date=today,
        by=by,
    )
    paid = Disbursement(amount=terms.principal, currency=terms.currency)
    return [
        stamp.event(said.DisbursementOrdered, borrower, order),
        stamp.event(LoanDisbursed, loan.loan_id, paid, on=today),
    ]


def blocking(events: Sequence[Envelope]) -> said.PaymentStop | None:
    """What stopped the money, if that is what the events say."""
    return next((event.data for event in events if isinstance(event, said.DisbursementRefused)), None)
