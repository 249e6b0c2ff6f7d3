"""Origination's fold: parties, applications, alerts and the ledger's entries become what is known of each borrower."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from services.origination.state import ApplicationState, BlockState, Borrower, LoanState, Nothing, PartyState, Status
from shared.errors import InvariantBroken
from shared.events import applications, ledger, monitoring, parties
from shared.events.envelope import Envelope
from shared.streams.fold import Context, Row
from shared.topics import APPLICATIONS

_PARTY: tuple[type[Envelope], ...] = (
    parties.PartyRegistered,
    parties.PartyAmended,
    parties.ConsentGiven,
    parties.ConsentWithdrawn,
    parties.RelationStated,
    parties.RelationEnded,
    parties.FlagRaised,
    parties.FlagCleared,
    parties.PersonalDataErased,
)
_ALERT: tuple[type[Envelope], ...] = (
    monitoring.AlertRaised,
    monitoring.AlertEscalated,
    monitoring.AlertAcknowledged,
    monitoring.AlertSnoozed,
    monitoring.AlertReleased,
    monitoring.AlertResolved,
    monitoring.AlertSuperseded,
)
_LEDGER: tuple[type[Envelope], ...] = (ledger.EntryPosted, ledger.InstalmentFellDue)
_STATUS: dict[type[Envelope], Status | None] = {
    applications.ApplicationStarted: "draft",
    applications.ApplicationAmended: "draft",
    applications.StatementProvided: None,
    applications.DocumentReceived: None,
    applications.GuaranteeOffered: None,
    applications.ApplicationSubmitted: "submitted",
    applications.ApplicationApproved: "approved",
    applications.ApplicationReferred: "referred",
    applications.ApplicationDeclined: "declined",
    applications.ReviewRequested: "referred",
    applications.ReferralRecommended: "recommended",
    applications.ReferralApproved: "approved",
    applications.ReferralDeclined: "declined",
    applications.OfferMade: "offered",
    applications.OfferAccepted: "accepted",
    applications.OfferLapsed: "lapsed",
    applications.ApplicationWithdrawn: "withdrawn",
    applications.LoanAgreed: "agreed",
    applications.DisbursementOrdered: "paid-out",
    applications.DisbursementRefused: None,
}
"""Where an application stands after an event; None: where it stood."""


class OriginationFold:
    """See `shared.streams.fold.Fold`."""

    service = "origination"
    events: Mapping[str, type[Envelope]] = {
        kind.model_fields["type"].default: kind for kind in (*_PARTY, *_ALERT, *_LEDGER, *_STATUS)
    }
    state_type = Borrower
    group_type = Nothing
    tables: Mapping[str, tuple[str, ...]] = {
        "party": (
            "kind",
            "language",
            "time_zone",
            "country",
            "region",
            "industry",
            "size",
            "channels",
            "consents",
            "flags",
            "erased",
        ),
        "relation": ("other", "kind", "group_id"),
        "application": (
            "application_id",
            "status",
            "product",
            "amount",
            "currency",
            "outcome",
            "score",
            "offer_id",
            "valid_until",
            "loan_id",
        ),
        "block": ("alert_id", "indicator", "since", "reason"),
        "standing": ("loan_id", "status", "currency", "outstanding", "past_due_since", "days_past_due_max", "undone"),
    }
    history: Mapping[str, tuple[str, ...]] = {
        "application_event": ("application_id", "n", "subject", "event_id", "type", "time", "data")
    }

    def new_state(self, subject: str) -> Borrower:  # noqa: ARG002 - the port's
        """Nothing is known."""
        return Borrower()

    def new_group(self) -> Nothing:
        """Nothing is shared."""
        return Nothing()

    def concerns_group(self, event: Any) -> bool:  # noqa: ARG002 - the port's
        """Every event is about one borrower."""
        return False

    def apply(self, state: Borrower, event: Any, context: Context) -> None:
        """Fold one event."""
        if isinstance(event, _PARTY):
            _apply_party(state, event)
        elif isinstance(event, _ALERT):
            _apply_alert(state, event)
        elif isinstance(event, _LEDGER):
            _apply_entry(state, event)
        else:
            _apply_application(state, event, context)

    def apply_to_group(self, event: Any, context: Context) -> None:
        """No event comes here."""

    def close_group(self, day: date, context: Context) -> None:
        """Nothing is shared."""

    def close(self, state: Borrower, day: date, context: Context) -> None:
        """Offers whose last day ends lapse."""
        for application_id, application in state.applications.items():
            if application.status == "offered" and application.valid_until and application.valid_until <= day:
                assert application.offer_id is not None
                application.status = "lapsed"
                data = applications.Lapse(
                    application_id=application_id,
                    offer_id=application.offer_id,
                    valid_until=application.valid_until,
                )
                context.emit(APPLICATIONS.name, context.subject, applications.OfferLapsed, data)

    def next_action(self, state: Borrower) -> date | None:
        """The last day of the offer that ends first."""
        ends = (one.valid_until for one in state.applications.values() if one.status == "offered")
        return min((day for day in ends if day is not None), default=None)

    def rows(self, state: Borrower) -> Mapping[str, Sequence[Row]]:
        """The borrower's rows, whole."""
        return {
            "party": _party_rows(state),
            "relation": list(state.relations.values()),
            "application": [
                (
                    name,
                    one.status,
                    one.product,
                    one.amount,
                    one.currency,
                    one.outcome,
                    one.score,
                    one.offer_id,
                    one.valid_until,
                    one.loan_id,
                )
                for name, one in state.applications.items()
            ],
            "block": [(alert, one.indicator, one.since, one.reason) for alert, one in state.blocks.items()],
            "standing": [
                (loan, one.status, one.currency, one.outstanding, one.past_due_since, one.days_past_due_max, one.undone)
                for loan, one in state.loans.items()
            ],
        }


def _party_rows(state: Borrower) -> Sequence[Row]:
    party = state.party
    if party is None:
        return ()
    about = (party.kind, party.language, party.time_zone, party.country, party.region, party.industry, party.size)
    return [(*about, party.channels, list(state.consents), list(state.flags), state.erased)]


def _apply_party(state: Borrower, event: Any) -> None:
    match event:
        case parties.PartyRegistered() | parties.PartyAmended():
            state.party = PartyState(**event.data.model_dump(mode="json"))
        case parties.ConsentGiven():
            state.consents[event.data.purpose] = event.data.evidence
        case parties.ConsentWithdrawn():
            state.consents.pop(event.data.purpose, None)
        case parties.RelationStated():
            data = event.data
            state.relations[f"{data.kind}/{data.other}"] = (data.other, data.kind, data.group)
        case parties.RelationEnded():
            state.relations.pop(f"{event.data.kind}/{event.data.other}", None)
        case parties.FlagRaised():
            state.flags[event.data.flag] = event.data.by
        case parties.FlagCleared():
            state.flags.pop(event.data.flag, None)
        case _:
            state.erased = True
            if state.party is not None:
                state.party.channels = []


def _apply_alert(state: Borrower, event: Any) -> None:
    """An alert blocks from when it says so until it is released, resolved or superseded."""
    alert = event.data
    lifted = isinstance(event, monitoring.AlertReleased) or alert.status in ("resolved", "superseded")
    if alert.blocks and not lifted:
        state.blocks[alert.alert_id] = BlockState(alert.indicator, alert.raised_on, alert.reason)
    else:
        state.blocks.pop(alert.alert_id, None)


def _apply_entry(state: Borrower, event: Any) -> None:
    """Days past due count on the booking date from the due date that the account names; a date that was named before
    and no longer is has ended there."""
    entry: ledger.Entry = event.data
    account = entry.account
    if account.status == "unknown" or entry.currency is None:
        return
    known = state.loans.get(entry.loan_id)
    loan = known or LoanState(account.status, entry.currency, account.principal_outstanding)
    for since in (loan.past_due_since, account.past_due_since):
        if since is not None:
            loan.days_past_due_max = max(loan.days_past_due_max, (entry.booking_date - since).days)
    loan.undone += account.status == "contracted" != loan.status
    loan.status, loan.currency = account.status, entry.currency
    loan.outstanding, loan.past_due_since = account.principal_outstanding, account.past_due_since
    state.loans[entry.loan_id] = loan


def _apply_application(state: Borrower, event: Any, context: Context) -> None:
    data, name = event.data, event.data.application_id
    if isinstance(event, applications.ApplicationStarted):
        if name in state.applications:
            raise InvariantBroken(f"application {name} was started before")
        state.applications[name] = ApplicationState("draft", data.product, data.amount, data.currency)
    application = state.applications.get(name)
    if application is None:
        raise InvariantBroken(f"application {name} was never started")
    _move(application, event)
    context.put(
        "application_event",
        name,
        application.events,
        event.subject,
        event.id,
        event.type,
        event.time,
        data.model_dump_json(exclude_none=True),
    )
    application.events += 1


def _move(application: ApplicationState, event: Any) -> None:
    """The status follows the event. An acceptance that was recorded in time counts, even where the offer's lapse stands
    before it in this order; a lapse that comes back does not undo it."""
    data, status = event.data, _STATUS[type(event)]
    if isinstance(event, applications.OfferLapsed) and application.status != "offered":
        return
    if status is not None:
        application.status = status
    match event:
        case applications.ApplicationAmended():
            application.product, application.amount, application.currency = data.product, data.amount, data.currency
        case (
            applications.ApplicationApproved() | applications.ApplicationReferred() | applications.ApplicationDeclined()
        ):
            application.outcome, application.score = application.status, data.score
        case applications.OfferMade():
            application.offer_id, application.valid_until = data.offer_id, data.valid_until
        case applications.LoanAgreed():
            application.loan_id = data.loan_id
        case _:
            pass
