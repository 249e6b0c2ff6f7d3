"""What may be asked when, and by whom: the ladder of refusals from a draft to the money."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest

from services.origination.commands import applications, offers, parties, referrals, refusals
from services.origination.commands.parties import BorrowerGuard
from services.origination.commands.stamp import Stamp
from services.origination.completeness import StatementMissing
from services.origination.dossier import Dossier, evolve
from services.origination.product import RateOutsideLimits
from services.origination.rate_caps import RateAboveCap
from shared.errors import Refusal
from shared.events import applications as said
from shared.events.envelope import Envelope
from shared.events.origination import LoanContracted, LoanDisbursed
from shared.events.parties import Consent, ConsentGiven, RelationStated
from tests.unit.origination.examples import (
    EVENT_ID,
    RULES,
    TODAY,
    document,
    months,
    party,
    request,
    standing,
    statement,
)

numbers = count(1)
STAMP = Stamp("2024-06-10T08:00:00Z", lambda: f"00000000-0000-4000-8000-{next(numbers):012d}")
Step = Callable[[Dossier], list[Envelope]]


def then(dossier: Dossier, *steps: Step) -> Dossier:
    """The dossier after the events of each step."""
    for step in steps:
        for event in step(dossier):
            dossier = evolve(dossier, event)
    return dossier


def draft(**changes: Any) -> Dossier:
    return Dossier(borrower_id="b-1", status="draft", request=request(**changes), started_on=TODAY)


def filled(**changes: Any) -> Dossier:
    return then(
        draft(**changes),
        lambda d: applications.provide_statement(d, statement(), today=TODAY, stamp=STAMP),
        lambda d: applications.receive_document(d, document("identity"), stamp=STAMP),
        lambda d: applications.receive_document(d, document("income-proof"), stamp=STAMP),
    )


def submit(dossier: Dossier, **changes: Any) -> list[Envelope]:
    given: Any = standing(**changes)
    return applications.submit(dossier, party(), given, RULES, by="officer", today=TODAY, stamp=STAMP)


def referred(**changes: Any) -> Dossier:
    return then(filled(**changes), lambda d: submit(d, consents=[]))


def recommend(dossier: Dossier, by: str = "maker", **changes: Any) -> list[Envelope]:
    values: Any = {"verdict": "approve", "amount": "20000.00", "annual_rate": "0.16", "reason": "known here"}
    return referrals.recommend(dossier, RULES, by=by, stamp=STAMP, **(values | changes))


def decide(dossier: Dossier, by: str = "checker", role: Any = "approver", **changes: Any) -> list[Envelope]:
    values: Any = {"verdict": "approve", "amount": "20000.00", "annual_rate": "0.16", "reason": "agreed"}
    return referrals.decide_referral(dossier, RULES, by=by, role=role, stamp=STAMP, **(values | changes))


def offer(dossier: Dossier, today: date = TODAY, first_due: date | None = None, **changes: Any) -> list[Envelope]:
    given = standing(**changes)
    return offers.make_offer(
        dossier, party(), given, RULES, first_due=first_due, by="officer", today=today, stamp=STAMP
    )


HEAD = said.LogHead(partition=3, missing="none-signed")


def accept(dossier: Dossier, today: date = TODAY, *, lapsed: bool = False, shown: str | None = None) -> list[Envelope]:
    assert dossier.offer is None or shown is not None or dossier.offer.schedule_sha256
    return offers.accept(
        dossier,
        party(),
        RULES,
        shown_sha256=shown or (dossier.offer.schedule_sha256 if dossier.offer else "0" * 64),
        method="signature",
        evidence="store/signed",
        by="officer",
        loan_id="loan-1",
        log_head=HEAD,
        lapsed=lapsed,
        today=today,
        stamp=STAMP,
    )


def disburse(dossier: Dossier, today: date = TODAY, undone: int = 0, **changes: Any) -> list[Envelope]:
    given = standing(**changes)
    return offers.disburse(dossier, RULES, given, by="officer", today=today, stamp=STAMP, undone=undone)


def refused(rule: type[Refusal], step: Callable[..., Any], *args: Any, **named: Any) -> None:
    with pytest.raises(rule):
        step(*args, **named)


def test_an_approved_application_becomes_a_contract_and_money_on_the_log_of_record() -> None:
    approved = then(filled(), submit)
    assert approved.status == "approved"
    offered = then(approved, offer)
    assert offered.offer is not None
    assert (offered.offer.verdict, offered.offer.valid_until) == ("within", TODAY + timedelta(days=14))
    shown = offers.quoted(offered, party(), RULES)
    assert shown is not None
    assert shown.sha256() == offered.offer.schedule_sha256
    events = accept(offered)
    contract = events[-1]
    assert isinstance(contract, LoanContracted)
    assert (contract.subject, contract.data.product) == ("loan-1", "consumer-equal-instalment@1")
    assert contract.data.terms == offered.offer.terms
    agreed = then(offered, accept)
    *_, paid = disburse(agreed)
    assert isinstance(paid, LoanDisbursed)
    assert (paid.data.amount, paid.effectivedate) == (contract.data.terms.principal, TODAY)
    assert then(agreed, disburse).status == "paid-out"


def test_money_that_the_bank_rejected_is_ordered_anew_once_the_ledger_has_told_that_it_is_undone() -> None:
    paid = then(then(then(then(filled(), submit), offer), accept), disburse)
    for orders in (1, 2):
        assert paid.ordered == orders
        refused(refusals.LoanAlreadyDisbursed, disburse, paid, undone=orders - 1)
        paid = then(paid, lambda d, seen=orders: disburse(d, undone=seen))
    assert paid.model_copy(update={"orders": 0}).ordered == 1, "as dossiers were kept before orders were counted"


def test_each_step_has_its_place() -> None:
    refused(StatementMissing, submit, draft())
    approved = then(filled(), submit)
    refused(refusals.ApplicationNotDraft, submit, approved)
    refused(refusals.ApplicationNotReferred, recommend, approved)
    refused(refusals.ApplicationNotApproved, offer, filled())
    refused(refusals.NoOffer, accept, approved)
    refused(refusals.ExposureExceeded, offer, approved, outstanding="1990000.00")
    offered = then(approved, offer)
    refused(refusals.LoanNotAgreed, disburse, offered)
    refused(refusals.ShownDiffers, accept, offered, shown="f" * 64)
    refused(refusals.OfferExpired, accept, offered, TODAY + timedelta(days=15))
    refused(refusals.OfferExpired, accept, offered, lapsed=True)
    agreed = then(offered, accept)
    refused(refusals.ApplicationEnded, offers.withdraw, agreed, by="officer", reason="no", stamp=STAMP)
    refused(refusals.DisbursementTooLate, disburse, agreed, date(2024, 7, 10))
    refused(refusals.CircumstanceStopsLoan, disburse, agreed, flags=["deceased"])
    paid = then(agreed, disburse)
    refused(refusals.LoanAlreadyDisbursed, disburse, paid)


def test_a_red_alert_stops_the_money_and_the_stop_is_an_event() -> None:
    agreed = then(filled(), submit, offer, accept)
    stopped = disburse(agreed, blocks=[EVENT_ID])
    assert [type(event) for event in stopped] == [said.DisbursementRefused]
    assert then(agreed, lambda d: disburse(d, blocks=[EVENT_ID])).status == "agreed"
    assert then(agreed, disburse).status == "paid-out"


def test_a_referral_takes_two_people_and_the_policys_authority() -> None:
    waiting = referred()
    refused(refusals.ReferralNotRecommended, decide, waiting)
    recommended = then(waiting, recommend)
    refused(refusals.ReferralAlreadyRecommended, recommend, recommended, by="another")
    refused(refusals.SamePerson, decide, recommended, by="maker")
    refused(refusals.NoAuthority, decide, recommended, role="officer")
    refused(refusals.AmountAboveRequest, decide, recommended, amount="20000.01")
    refused(refusals.AmountBelowProduct, decide, recommended, amount="999.00")
    refused(RateOutsideLimits, decide, recommended, annual_rate="0.22")
    lower = then(recommended, lambda d: decide(d, amount="15000.00", annual_rate="0.12"))
    terms = lower.approved()
    assert terms is not None
    assert (terms.principal, terms.annual_rate) == ("15000.00", "0.12")
    refused(refusals.ReferralAlreadyDecided, decide, lower, by="third")
    assert then(recommended, lambda d: decide(d, verdict="decline")).status == "declined"


def test_an_automatic_decline_can_be_taken_to_a_person_once() -> None:
    poor = then(
        filled(),
        lambda d: applications.provide_statement(d, statement(months=months(6, "6500.00")), today=TODAY, stamp=STAMP),
        submit,
    )
    assert poor.status == "declined"

    def review(dossier: Dossier) -> list[Envelope]:
        return referrals.request_review(dossier, by="borrower", reason="a new contract", stamp=STAMP)

    declined_again = then(poor, review, recommend, lambda d: decide(d, verdict="decline"))
    assert declined_again.status == "declined"
    refused(refusals.NotDeclinedAutomatically, review, declined_again)


def test_a_rate_that_a_person_set_is_checked_against_the_cap_when_it_is_offered() -> None:
    day = date(2028, 1, 10)
    waiting = referred()
    assert waiting.decision is not None
    dear = then(waiting, recommend, decide)
    moved = dear.model_copy(update={"request": request(first_due_date=date(2028, 2, 10))})
    refused(RateAboveCap, offer, moved, day, first_due=date(2028, 2, 10))


def test_the_same_again_does_nothing() -> None:
    dossier = filled()
    assert applications.provide_statement(dossier, statement(), today=TODAY, stamp=STAMP) == []
    assert applications.receive_document(dossier, document("identity"), stamp=STAMP) == []
    assert applications.amend(dossier, request(), party(), RULES, today=TODAY, stamp=STAMP) == []


def test_a_dossier_survives_its_json() -> None:
    dossier = then(referred(), recommend, decide, offer, accept, disburse)
    assert Dossier.model_validate_json(dossier.model_dump_json()) == dossier


def test_members_of_a_group_stand_by_each_other() -> None:
    guards = {name: BorrowerGuard(party=party()) for name in ("b-1", "b-2", "b-3")}
    formed = parties.form_group(guards, group="g-1", stamp=STAMP)
    assert {name: len(events) for name, events in formed.items()} == {"b-1": 2, "b-2": 2, "b-3": 2}
    assert all(isinstance(event, RelationStated) for events in formed.values() for event in events)
    refused(refusals.NotAGroup, parties.form_group, {"b-1": guards["b-1"]}, group="g-1", stamp=STAMP)


def test_nothing_new_begins_after_erasure_and_erasure_waits_for_open_loans() -> None:
    guard = BorrowerGuard(party=party())
    refused(refusals.LoansOutstanding, parties.erase, "b-1", guard, open_loans=["loan-1"], by="s", stamp=STAMP)
    gone = parties.evolve(guard, parties.erase("b-1", guard, open_loans=[], by="s", stamp=STAMP)[0])
    consent = Consent(purpose="telemetry", evidence="store/1")
    refused(refusals.PersonalDataIsErased, parties.give_consent, "b-1", gone, consent, stamp=STAMP)
    assert parties.erase("b-1", gone, open_loans=[], by="s", stamp=STAMP) == []
    given = parties.give_consent("b-1", guard, consent, stamp=STAMP)
    assert isinstance(given[0], ConsentGiven)
    assert parties.give_consent("b-1", parties.evolve(guard, given[0]), consent, stamp=STAMP) == []
