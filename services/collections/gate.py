"""The contact gate: may this borrower be contacted now, by this channel, for this purpose? If not: why, and when at the
earliest. A pure function over dated policy rows, the log of contacts, what is known of the borrower, and the instant.

What no row permits is denied. First comes what forbids contact whatever the hour (`FORBIDS`), then whether the ledger's
figures are new enough, then what time mends: hours and counts.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from services.collections.contact import Allowed, Attempt, BorrowerFacts, Denied, PastContact, Verdict
from services.collections.contact_policy import ContactPolicy
from services.collections.hours import Clock, zone_of

_ALL: frozenset[str] = frozenset({"service", "reminder", "collection", "legal-notice"})
_DEMANDS = _ALL - {"service"}
_COLLECTING: frozenset[str] = frozenset({"reminder", "collection"})
FORBIDS: Mapping[str, tuple[frozenset[str], str]] = {
    "no-party": (_ALL, "Nothing is known of how to treat this borrower, or it was erased."),
    "unknown-time-zone": (_ALL, "The borrower's clock is not known."),
    "deceased": (_ALL, "The borrower is dead."),
    "no-channel": (_ALL, "The borrower has no address for this channel."),
    "legal-representation": (_DEMANDS, "A lawyer speaks for the borrower."),
    "bankruptcy": (_DEMANDS, "Claims go to the administrator."),
    "loan-parked": (_DEMANDS, "The ledger could not go on with a loan: its figures are not certain."),
    "money-in-suspense": (_DEMANDS, "Money came in that is not allocated yet: what is owed is not certain."),
    "fraud-victim": (_COLLECTING, "The borrower may not have taken this loan."),
    "dispute": (_COLLECTING, "The borrower disputes the debt."),
    "cease": (_COLLECTING, "The borrower asked not to be contacted."),
    "cease-contact": (_COLLECTING, "The borrower asked not to be contacted."),
    "hardship": (frozenset({"collection"}), "The borrower's hardship is being looked at."),
    "promise-active": (frozenset({"collection"}), "A promise stands: nobody collects before its date."),
    "nothing-past-due": (frozenset({"collection"}), "Nothing is past due."),
}
"""Rule → (purposes that it forbids, reason), in the order in which they are asked. Waiting mends none of them."""


def decide(
    policies: Mapping[str, ContactPolicy],
    facts: BorrowerFacts,
    log: Sequence[PastContact],
    *,
    closed_through: date | None,
    attempt: Attempt,
) -> Verdict:
    """Whether the attempt may be made. `attempt.at` is aware; `closed_through` is the last date that the ledger closed.

    The log may hold other contacts than the borrower's own only by mistake; its order does not matter.
    """
    for rule in _standing(facts, attempt):
        purposes, reason = FORBIDS[rule]
        if attempt.purpose in purposes:
            return Denied(rule, reason)
    party = facts.party
    assert party is not None
    if party.country not in policies:
        return Denied("no-policy", f"No contact policy is kept for {party.country}.")
    policy = policies[party.country]
    clock = Clock(policy, party, log, closed_through, attempt)
    if (denial := clock.denial(attempt.at)) is None:
        return Allowed(policy.reference)
    rule, reason = denial
    return Denied(rule, reason, clock.earliest(attempt.at), policy.reference)


def _standing(facts: BorrowerFacts, attempt: Attempt) -> list[str]:
    """The rules of FORBIDS that hold of the borrower, in their order."""
    party = facts.party
    if party is None:
        return ["no-party"]
    holds = {
        "unknown-time-zone": zone_of(party.time_zone) is None,
        "no-channel": attempt.channel not in party.channels,
        "loan-parked": any(loan.parked for loan in facts.loans),
        "money-in-suspense": any(loan.in_suspense for loan in facts.loans),
        "promise-active": facts.promise_active,
        "nothing-past-due": not any(loan.past_due for loan in facts.loans),
    }
    holds |= dict.fromkeys(facts.flags, True)
    holds |= {kind: True for kind, loan in facts.stops if None in (loan, attempt.loan_id) or loan == attempt.loan_id}
    return [rule for rule in FORBIDS if holds.get(rule)]
