"""The life of an alert, from ledger events and signals to what people do with it."""

from tests.unit.monitoring.bench import BORROWER, LOAN, Bench


def past_due(days_from: str = "2024-01-10", close: str = "2024-02-12") -> Bench:
    """A loan whose instalment of 10 January is not paid."""
    bench = Bench()
    bench.party()
    bench.entry(since=None)
    bench.close_through("2024-01-10")
    bench.entry(since=days_from)
    bench.close_through(close)
    return bench


def test_more_than_thirty_days_past_due_is_an_alert_and_thirty_are_none() -> None:
    bench = past_due(close="2024-02-09")
    assert bench.alert("days-past-due") is None
    bench.close()
    alert = bench.alert("days-past-due")
    assert alert is not None
    assert (alert.severity, alert.blocks, alert.inputs["days"]) == ("orange", False, 31)
    assert alert.loan_id == LOAN


def test_an_alert_is_raised_once_and_escalates_at_the_next_level() -> None:
    bench = past_due(close="2024-04-30")
    assert len(bench.told("AlertRaised")) >= 1
    assert [d["indicator"] for d in bench.told("AlertRaised")].count("days-past-due") == 1
    escalated = [d for d in bench.told("AlertEscalated") if d["indicator"] == "days-past-due"]
    assert [(d["severity"], d["blocks"], d["inputs"]["days"]) for d in escalated] == [("red", True, 61)]
    assert escalated[0]["alert_id"] == bench.told("AlertRaised")[0]["alert_id"]


def test_a_loan_moves_through_its_classes_and_back() -> None:
    bench = past_due(close="2024-04-30")
    assert [(d.get("old"), d["new"], d["days_past_due"]) for d in bench.told("LoanClassified")] == [
        (None, "normal", 0),
        ("normal", "special-mention", 1),
        ("special-mention", "substandard", 91),
    ]
    bench.entry(since=None)
    bench.close()
    assert bench.told("LoanClassified")[-1]["new"] == "normal"


def test_paid_up_resolves_but_a_red_block_stays_until_a_named_person_releases_it() -> None:
    bench = past_due(close="2024-03-20")
    alert = bench.alert("days-past-due")
    assert alert is not None
    assert alert.blocks
    bench.entry(since=None)
    bench.close()
    assert bench.told("AlertResolved") == []
    bench.act(alert, "release", by="Chen Mei")
    released, resolved = bench.told("AlertReleased")[-1], bench.told("AlertResolved")[-1]
    assert (released["blocks"], released["by"], released["status"]) == (False, "Chen Mei", "open")
    assert (resolved["status"], resolved["reason"]) == ("resolved", "0 days past due")
    assert alert.alert_id not in bench.states[BORROWER].alerts


def test_nobody_resolves_an_alert_that_still_blocks() -> None:
    bench = past_due(close="2024-03-20")
    alert = bench.alert("days-past-due")
    assert alert is not None
    bench.act(alert, "resolve")
    assert bench.told("AlertResolved") == []


def test_a_snooze_ends_on_its_date_and_an_escalation_ends_it_earlier() -> None:
    bench = past_due()
    alert = bench.alert("days-past-due")
    assert alert is not None
    bench.act(alert, "snooze", until="2024-02-20")
    bench.close_through("2024-02-19")
    assert bench.alert("days-past-due").status == "snoozed"  # type: ignore[union-attr]
    bench.close()
    assert bench.alert("days-past-due").status == "open"  # type: ignore[union-attr]
    bench.act(alert, "snooze", until="2024-12-31")
    bench.close_through("2024-03-11")
    assert bench.alert("days-past-due").status == "open"  # type: ignore[union-attr]


def test_an_acknowledged_alert_is_acknowledged_once() -> None:
    bench = past_due()
    alert = bench.alert("days-past-due")
    assert alert is not None
    bench.act(alert, "acknowledge")
    bench.act(alert, "acknowledge", by="Another")
    assert [d["by"] for d in bench.told("AlertAcknowledged")] == ["Li Wei"]


def test_money_that_had_come_in_time_supersedes_the_alert() -> None:
    """A backdated payment: by its value date the loan was never more than 30 days past due."""
    bench = past_due()
    bench.entry(since=None, effective="2024-02-09")
    bench.close()
    assert [d["status"] for d in bench.told("AlertSuperseded")] == ["superseded"]


def test_money_that_came_too_late_resolves_it() -> None:
    bench = past_due()
    bench.entry(since=None, effective="2024-02-10")
    bench.close()
    assert bench.told("AlertSuperseded") == []
    assert len(bench.told("AlertResolved")) == 1


def test_those_who_stand_by_a_borrower_are_told_of_a_default_once() -> None:
    from shared.events import monitoring, parties

    bench = past_due(close="2024-02-01")
    bench.take(parties.RelationStated, parties.Relation(other="friend", kind="group-member", group="group-1"))
    bench.take(parties.RelationStated, parties.Relation(other="left", kind="guarantor"))
    bench.take(parties.RelationEnded, parties.Relation(other="left", kind="guarantor"))
    bench.close_through("2024-04-09")
    assert bench.told("MemberDefaulted") == []
    bench.close_through("2024-06-30")
    sent = [message for message in bench.context.messages if message.topic == "monitoring.inbox.v1"]
    assert [message.key for message in sent] == [b"friend"]
    (data,) = bench.told("MemberDefaulted")
    assert (data["member"], data["days_past_due"]) == (BORROWER, 91)
    bench.take(monitoring.MemberDefaulted, monitoring.MemberDefault.model_validate(data), "friend")
    alert = bench.alert("member-default", "friend")
    assert alert is not None
    assert (alert.severity, alert.blocks, alert.loan_id) == ("red", True, None)


def test_a_public_record_is_an_alert_while_it_stands() -> None:
    from datetime import date

    from shared.events import signals

    bench = Bench()
    for count in (0, 1, 1, 2, 0):
        data = signals.PublicRecord(kind="court-case", count=count, observed_on=date(2024, 1, 1))
        bench.take(signals.RecordFound, data)
    assert [d["severity"] for d in bench.told("AlertRaised")] == ["orange"]
    assert [d["status"] for d in bench.told("AlertResolved")] == ["resolved"]
