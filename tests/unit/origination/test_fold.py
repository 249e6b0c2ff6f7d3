"""What the worker knows of a borrower after events, and what it derives when a date ends."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.origination.fold import OriginationFold
from services.origination.state import Borrower
from shared.errors import InvariantBroken
from shared.events import ledger, monitoring
from shared.events.applications import ApplicationStarted, OfferAccepted, OfferLapsed, OfferMade
from shared.events.parties import ConsentGiven, ConsentWithdrawn, PartyRegistered
from shared.streams.fold import Context
from shared.topics import TOPICS
from tests.unit.origination.examples import EVENT_ID, TODAY, party, request
from tests.unit.origination.test_commands import STAMP, accept, filled, offer, submit, then

FOLD = OriginationFold()


def context() -> Context:
    return Context("origination", 0, 8, {topic.name: topic.name for topic in TOPICS}, today=TODAY)


def fold(state: Borrower, event: Any, into: Context | None = None) -> Context:
    into = into or context()
    into.about("b-1", event)
    FOLD.apply(state, event, into)
    return into


def started() -> Borrower:
    state = Borrower()
    fold(state, STAMP.event(ApplicationStarted, "b-1", request()))
    return state


def offered() -> tuple[Borrower, Any]:
    state, dossier = started(), then(filled(), submit)
    [made] = offer(dossier)
    fold(state, made)
    return state, then(dossier, lambda _: [made])


def test_an_offer_lapses_when_its_last_day_ends_and_not_before() -> None:
    state, dossier = offered()
    last = TODAY + timedelta(days=14)
    assert FOLD.next_action(state) == last
    before, after = context(), context()
    cause = STAMP.event(
        ledger.LedgerDateClosed, "book", ledger.PartitionDate(partition=0, partitions=1, business_date=last)
    )
    for day, left in ((last - timedelta(days=1), before), (last, after)):
        left.about("b-1", cause)
        FOLD.close(state, day, left)
    assert before.messages == []
    [message] = after.messages
    lapse = OfferLapsed.model_validate_json(message.value or b"")
    assert (message.key, lapse.subject, lapse.data.offer_id) == (b"b-1", "b-1", dossier.offer.offer_id)
    assert (state.applications["a-1"].status, FOLD.next_action(state)) == ("lapsed", None)
    fold(state, lapse)
    assert state.applications["a-1"].status == "lapsed"


def test_an_acceptance_in_time_counts_although_the_lapse_comes_first_in_the_order() -> None:
    state, dossier = offered()
    state.applications["a-1"].status = "lapsed"
    for event in accept(dossier)[:2]:
        fold(state, event)
    assert (state.applications["a-1"].status, state.applications["a-1"].loan_id) == ("agreed", "loan-1")


def test_an_event_of_an_unknown_application_parks_the_borrower() -> None:
    dossier = then(filled(), submit, offer)
    with pytest.raises(InvariantBroken):
        fold(Borrower(), accept(dossier)[0])
    with pytest.raises(InvariantBroken):
        fold(started(), STAMP.event(ApplicationStarted, "b-1", request()))


def test_every_event_of_an_application_is_a_line_of_its_history() -> None:
    state, dossier = started(), then(filled(), submit, offer)
    kept = fold(state, accept(dossier)[0])
    [(table, row)] = kept.puts
    assert (table, len(row)) == ("application_event", len(FOLD.history["application_event"]))
    assert row[:4] == ("a-1", 1, "b-1", row[3])
    assert row[4] == OfferAccepted.model_fields["type"].default
    assert OfferMade.model_fields["type"].default in FOLD.events


def alert(kind: Any, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "alert_id": EVENT_ID,
        "borrower_id": "b-1",
        "indicator": "inflow-fall",
        "severity": "red",
        "status": "open",
        "raised_on": TODAY,
        "blocks": True,
        "reason": "inflows fell",
        "rule": "inflow-fall@1",
        "inputs": {},
    }
    return STAMP.event(kind, "b-1", monitoring.Alert(**(values | changes)))


@pytest.mark.parametrize(
    "lifting",
    [
        alert(monitoring.AlertReleased),
        alert(monitoring.AlertResolved, status="resolved"),
        alert(monitoring.AlertSuperseded, status="superseded"),
    ],
)
def test_a_red_alert_blocks_until_it_is_lifted(lifting: Any) -> None:
    state = Borrower()
    fold(state, alert(monitoring.AlertRaised, blocks=False, severity="orange"))
    assert not state.blocks
    fold(state, alert(monitoring.AlertEscalated))
    fold(state, alert(monitoring.AlertAcknowledged, status="acknowledged"))
    assert [row[0] for row in FOLD.rows(state)["block"]] == [EVENT_ID]
    fold(state, lifting)
    assert not state.blocks


def entry(status: str, since: date | None, booked: date, outstanding: str = "100.00") -> Any:
    account = ledger.Account.model_validate(
        {
            "status": status,
            "principal_outstanding": outstanding,
            "interest_due": "0.00",
            "past_due": "0.00",
            "past_due_since": since,
            "overpaid": "0.00",
            "in_suspense": "0.00",
        }
    )
    data = ledger.Entry(
        loan_id="loan-1",
        borrower_id="b-1",
        cause=EVENT_ID,
        currency="CNY",
        booking_date=booked,
        postings=[],
        account=account,
    )
    return STAMP.event(ledger.EntryPosted, "b-1", data)


def test_the_standing_remembers_the_longest_time_past_due() -> None:
    state, due = Borrower(), date(2024, 1, 10)
    fold(state, entry("active", due, due))
    fold(state, entry("active", None, due + timedelta(days=40)))
    fold(state, entry("settled", None, due + timedelta(days=60), "0.00"))
    assert FOLD.rows(state)["standing"] == [("loan-1", "settled", "CNY", "0.00", None, 40, 0)]


def test_a_party_has_the_consents_that_stand() -> None:
    state = Borrower()
    fold(state, STAMP.event(PartyRegistered, "b-1", party()))
    consent = {"purpose": "telemetry", "evidence": "store/1"}
    fold(state, STAMP.event(ConsentGiven, "b-1", consent))  # type: ignore[arg-type]
    [row] = FOLD.rows(state)["party"]
    assert len(row) == len(FOLD.tables["party"])
    assert row[8] == ["telemetry"]
    fold(state, STAMP.event(ConsentWithdrawn, "b-1", consent))  # type: ignore[arg-type]
    assert FOLD.rows(state)["party"][0][8] == []


def test_money_that_was_taken_back_whole_is_counted_each_time() -> None:
    state = Borrower()
    for status, undone in (("contracted", 0), ("active", 0), ("contracted", 1), ("contracted", 1), ("active", 1)):
        fold(state, entry(status, None, date(2024, 7, 1)))
        assert state.loans["loan-1"].undone == undone
