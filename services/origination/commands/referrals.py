"""What the policy leaves to people: one recommends, another decides; and the way from an automatic decline to them."""

from decimal import Decimal
from typing import Literal

from services.origination.commands import refusals
from services.origination.commands.stamp import Stamp
from services.origination.dossier import Dossier
from services.origination.product import RateOutsideLimits
from services.origination.rules import Rules
from shared.events import applications as said
from shared.events.envelope import Envelope
from shared.money import minor_units


def request_review(dossier: Dossier, *, by: str, reason: str, stamp: Stamp) -> list[Envelope]:
    """Take an automatic decline to people (PIPL art. 24: a decision by machine alone may be refused)."""
    if dossier.status != "declined" or dossier.referral is not None or dossier.review is not None:
        raise refusals.NotDeclinedAutomatically(f"The application is {dossier.status}.")
    review = said.Review(application_id=dossier.request.application_id, by=by, reason=reason)
    return [stamp.event(said.ReviewRequested, dossier.borrower_id, review)]


def recommend(
    dossier: Dossier,
    rules: Rules,
    *,
    verdict: Literal["approve", "decline"],
    amount: str,
    annual_rate: str,
    by: str,
    reason: str,
    stamp: Stamp,
) -> list[Envelope]:
    """The maker's word."""
    if dossier.status == "recommended" and dossier.recommendation is not None:
        raise refusals.ReferralAlreadyRecommended(f"{dossier.recommendation.by} recommended.")
    _require_referred(dossier, "referred")
    if verdict == "approve":
        _require_in_limits(dossier, rules, amount, annual_rate)
    word = said.Recommendation(
        application_id=dossier.request.application_id,
        recommend=verdict,
        amount=amount,
        annual_rate=annual_rate,
        by=by,
        reason=reason,
    )
    return [stamp.event(said.ReferralRecommended, dossier.borrower_id, word)]


def decide_referral(
    dossier: Dossier,
    rules: Rules,
    *,
    verdict: Literal["approve", "decline"],
    amount: str,
    annual_rate: str,
    by: str,
    role: str,
    reason: str,
    stamp: Stamp,
) -> list[Envelope]:
    """The checker's word: another person, whose role the policy gives authority over the amount asked for or approved,
    whichever is larger. The policy is the one that decided the application."""
    if dossier.referral is not None:
        raise refusals.ReferralAlreadyDecided(f"{dossier.referral.by} decided.")
    if dossier.status == "referred":
        raise refusals.ReferralNotRecommended("Nobody has recommended on this referral.")
    _require_referred(dossier, "recommended")
    assert dossier.recommendation is not None
    assert dossier.decision is not None
    if by == dossier.recommendation.by:
        raise refusals.SamePerson(f"{by} recommended.")
    if verdict == "approve":
        _require_in_limits(dossier, rules, amount, annual_rate)
    currency = dossier.request.currency
    authority = rules.policies[dossier.decision.policy].authority_for(minor_units(amount, currency), currency)
    if role not in authority.roles:
        detail = f"{amount} {currency} is decided by {authority.name}: {', '.join(authority.roles)}; not {role}."
        raise refusals.NoAuthority(detail)
    word = said.ReferralDecision(
        application_id=dossier.request.application_id,
        amount=amount,
        annual_rate=annual_rate,
        by=by,
        authority=authority.name,
        recommended_by=dossier.recommendation.by,
        reason=reason,
    )
    kind: type[Envelope] = said.ReferralApproved if verdict == "approve" else said.ReferralDeclined
    return [stamp.event(kind, dossier.borrower_id, word)]


def _require_referred(dossier: Dossier, status: str) -> None:
    if dossier.status != status:
        raise refusals.ApplicationNotReferred(f"The application is {dossier.status}.")


def _require_in_limits(dossier: Dossier, rules: Rules, amount: str, annual_rate: str) -> None:
    """A person may go below what was asked for and beside the score's rate, and not outside of the product."""
    product, currency = rules.contracted(dossier.request.product), dossier.request.currency
    approved, asked = minor_units(amount, currency), minor_units(dossier.request.amount, currency)
    if approved > asked:
        raise refusals.AmountAboveRequest(f"{dossier.request.amount} {currency} was asked for.", field="amount")
    low, _, _ = product.amount_limits(currency)
    if approved < low:
        raise refusals.AmountBelowProduct(f"{product.named} begins above {amount} {currency}.", field="amount")
    limits = product.annual_rate
    if not limits.min <= Decimal(annual_rate) <= limits.max:
        detail = f"{product.named}: {limits.min:f} to {limits.max:f} a year."
        raise RateOutsideLimits(detail, field="annual_rate")
