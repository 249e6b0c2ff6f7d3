"""Monitoring's fold over one partition of its inbox: each event to what it concerns, and dates that end."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from services.monitoring import alerts, groups, intake, judging, loans, peers
from services.monitoring.policy import rules_on
from services.monitoring.state import Borrower, Party
from shared.events import ledger, monitoring, parties, signals
from shared.events.envelope import Envelope
from shared.streams.fold import Context, Row

ANY_CLOSING = date.min
"""The next closing, whichever it is: no date was told yet."""


_signals: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        signals.AccountMoved | signals.FigureReported | signals.RecordFound,
        Field(discriminator="type"),
    ]
)


def _types(*models: type[Envelope]) -> dict[str, type[Envelope]]:
    return {model.model_fields["type"].default: model for model in models}


class MonitoringFold:
    """Implements `shared.streams.fold.Fold`."""

    service = "monitoring"
    events: Mapping[str, type[Envelope]] = _types(
        ledger.EntryPosted,
        ledger.InstalmentFellDue,
        ledger.LoanParked,
        ledger.LoanUnparked,
        parties.PartyRegistered,
        parties.PartyAmended,
        parties.ConsentGiven,
        parties.ConsentWithdrawn,
        parties.RelationStated,
        parties.RelationEnded,
        signals.AccountMoved,
        signals.FigureReported,
        signals.RecordFound,
        signals.IndicatorPublished,
        monitoring.AlertActionTaken,
        monitoring.MemberDefaulted,
    )
    state_type: type[Any] = Borrower
    group_type: type[Any] = peers.Group
    tables: Mapping[str, tuple[str, ...]] = {
        "loan": ("loan", "currency", "principal", "past_due", "past_due_since", "next_due_date", "status", "parked",
                 "class", "policy", "restructured", "watched_until", "charged_off_on", "written_off"),
        "borrower": ("industry", "region", "size", "segment", "telemetry"),
        "level": ("indicator", "unit", "level", "figure", "in_alert", "months"),
    }  # fmt: skip
    history: Mapping[str, tuple[str, ...]] = {
        "loan_history": ("loan", "as_of", "subject", "currency", "principal", "past_due_since", "status", "industry",
                         "region", "restructured", "watched_until", "charged_off_on", "written_off"),
        "alert": ("alert_id", "subject", "loan", "indicator", "severity", "status", "raised_on", "blocks",
                  "snoozed_until", "by", "reason", "rule", "ending"),
        "alert_event": ("event_id", "alert_id", "subject", "type", "data", "open_date", "cause"),
        "level_event": ("event_id", "subject", "indicator", "segment", "as_of", "data", "cause"),
        "class_event": ("event_id", "loan", "subject", "as_of", "old", "new", "days_past_due", "policy",
                        "trigger"),
        "figure": ("subject", "indicator", "month", "value", "figure", "level", "crossed"),
        "set_aside": ("signal_id", "subject", "rule", "reason", "open_date"),
    }  # fmt: skip

    def new_state(self, subject: str) -> Borrower:
        """Nothing is known."""
        return Borrower(subject)

    def new_group(self) -> peers.Group:
        """No peers, no markets."""
        return peers.Group()

    def concerns_group(self, event: Any) -> bool:
        """A market's value."""
        return isinstance(event, signals.IndicatorPublished)

    # Events -------------------------------------------------------------------------------------------------------

    def apply(self, state: Borrower, event: Any, context: Context) -> None:
        """Fold one event. Nothing here parks a borrower: what can't count is set aside by name."""
        match event:
            case ledger.EntryPosted() | ledger.InstalmentFellDue():
                loans.take_entry(state, event.data, context)
            case ledger.LoanParked() | ledger.LoanUnparked():
                if event.data.loan_id in state.loans:
                    state.loans[event.data.loan_id].parked = isinstance(event, ledger.LoanParked)
            case signals.AccountMoved() | signals.FigureReported() | signals.RecordFound():
                if context.today is None:
                    state.early.append(event.model_dump_json(exclude_none=True))
                else:
                    self._signal(state, event, context.today, context)
            case monitoring.AlertActionTaken():
                self._act(state, event.data, context)
            case monitoring.MemberDefaulted():
                loans.take_default(state, event.data, rules_on(event.data.as_of), context)
            case _:
                self._party(state, event, context)
        state.next = self._next(state, context.today)

    def _party(self, state: Borrower, event: Any, context: Context) -> None:
        match event:
            case parties.PartyRegistered() | parties.PartyAmended():
                before, data = state.party, event.data
                state.party = Party(data.industry, data.region, data.size)
                if context.today is not None and state.party != before:
                    for loan in state.loans.values():
                        loans.put_history(state, loan, context, context.today)
            case parties.ConsentGiven() | parties.ConsentWithdrawn():
                if event.data.purpose == "telemetry":
                    state.telemetry = isinstance(event, parties.ConsentGiven)
                    if not state.telemetry:
                        judging.forget_devices(state, context)
            case parties.RelationStated():
                state.relations[event.data.other] = event.data.kind
            case parties.RelationEnded():
                state.relations.pop(event.data.other, None)
            case _:
                raise AssertionError(f"{event.type} is in `events` and has no rule")

    def _signal(self, state: Borrower, event: Any, today: date, context: Context) -> None:
        try:
            match event:
                case signals.AccountMoved():
                    self._arrived(state, intake.take_movement(state, event.data, today), today)
                case signals.FigureReported():
                    self._arrived(state, intake.take_figure(state, event.data, today), today)
                case signals.RecordFound():
                    intake.check_record(event.data, today)
                    self._record(state, event.data, today, context)
        except intake.NotCounted as refused:
            groups.set_aside(context, event, state.borrower_id, state.borrower_id, refused)

    def _arrived(self, state: Borrower, month: int | None, today: date) -> None:
        """What is of a judged month has that month judged again when the open date is closed."""
        if month is not None and state.judged is not None and month <= state.judged:
            state.stale = month if state.stale is None else min(state.stale, month)
            state.recheck = today

    def _record(self, state: Borrower, data: signals.PublicRecord, day: date, context: Context) -> None:
        """A public record: more of a kind is an alert, none any more ends it."""
        rules, indicator, before = rules_on(day), f"record-{data.kind}", state.records.get(data.kind, 0)
        state.records[data.kind] = data.count
        known = alerts.find(state, indicator)
        if data.count > before and data.kind in rules.records:
            alerts.raise_alert(
                state,
                context,
                indicator=indicator,
                severity=rules.records[data.kind],
                day=day,
                reason=f"{data.kind}: {data.count}, before {before}",
                rule=rules.rule("public-record"),
                inputs={"count": data.count, "before": before, "level": 0},
            )
        elif known is not None and data.count == 0:
            alerts.end(state, context, known, "resolved", f"{data.kind}: none any more")

    def _act(self, state: Borrower, action: monitoring.Action, context: Context) -> None:
        alert = alerts.act(state, context, action)
        if alert is not None and action.action == "resolve":
            judging.accept(state, alert.indicator)

    # Groups -------------------------------------------------------------------------------------------------------

    def apply_to_group(self, event: Any, context: Context) -> None:
        """A market's value."""
        groups.take_market(event, context)

    def close_group(self, day: date, context: Context) -> None:
        """Before the borrowers of that date are closed."""
        groups.close(day, context)

    # Dates --------------------------------------------------------------------------------------------------------

    def close(self, state: Borrower, day: date, context: Context) -> None:
        """A date ended for a borrower whom it concerns."""
        early, state.early = state.early, []
        for one in early:
            self._signal(state, _signals.validate_json(one), day, context)
        rules = rules_on(day)
        loans.close(state, day, rules, context)
        judging.close(state, day, context)
        alerts.wake(state, context, day)
        state.recheck = None
        state.next = self._after(state, day)

    def _after(self, state: Borrower, day: date) -> date | None:
        dates = (loans.next_date(state, day, rules_on(day)), judging.next_date(state, day), alerts.next_waking(state))
        return min((found for found in dates if found is not None), default=None)

    def _next(self, state: Borrower, today: date | None) -> date | None:
        if today is None:
            return ANY_CLOSING if judging.watched(state) or state.recheck is not None else None
        found = self._after(state, date.fromordinal(today.toordinal() - 1))
        dates = [one for one in (found, state.recheck) if one is not None]
        return min(dates, default=None)

    def next_action(self, state: Borrower) -> date | None:
        """As the last event or closing left it."""
        return state.next

    # Readings -----------------------------------------------------------------------------------------------------

    def rows(self, state: Borrower) -> Mapping[str, Sequence[Row]]:
        """Loans, the borrower, and each indicator's level."""
        return {"loan": _loans(state), "borrower": [_borrower(state)], "level": _levels(state)}


def _loans(state: Borrower) -> list[Row]:
    return [
        (one.loan_id, one.currency, one.principal, one.past_due, one.since, one.next_due, one.status, one.parked,
         one.classed, one.classed_by, one.restructured, one.watched_until, one.charged_off_on, one.written_off)
        for one in state.loans.values()
    ]  # fmt: skip


def _borrower(state: Borrower) -> Row:
    party = state.party
    return party.industry, party.region, party.size, party.segment, state.telemetry


def _levels(state: Borrower) -> list[Row]:
    rules = rules_on(date.max)
    units = {soft.code: soft.unit for soft in rules.soft}
    return [
        (code, units.get(code, "%"), chart.level, chart.figure, chart.now.up, chart.now.n)
        for code, chart in state.charts.items()
        if chart.level is not None
    ]
