"""The gate's promises, for any policy, log and clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.collections.contact import (
    Allowed,
    Attempt,
    BorrowerFacts,
    Denied,
    LoanFacts,
    PartyFacts,
    PastContact,
)
from services.collections.contact_policy import ContactPolicy
from services.collections.gate import decide

MINUTE = timedelta(minutes=1)
ZONES = ("Asia/Shanghai", "America/New_York", "Europe/Prague", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe")
OUTCOMES = ("reserved", "sent", "answered", "unanswered", "failed", "unclear")
START = datetime(2024, 3, 1, tzinfo=UTC)
"""Every zone's clock changes within the weeks that follow, some at midnight."""
instants = st.integers(0, 60 * 24 * 45).map(lambda minutes: START + minutes * MINUTE)
COMMON = {
    "valid_from": "1990-01-01",
    "product_kinds": ["personal"],
    "by": ["lender"],
    "purposes": ["collection"],
    "channels": ["voice", "sms"],
    "force": "own",
    "source": "a test",
}


@st.composite
def policies(draw: st.DrawFn) -> ContactPolicy:
    opens, closes = sorted(draw(st.lists(st.integers(5 * 60, 23 * 60), min_size=2, max_size=2, unique=True)))
    rows: list[dict[str, object]] = [
        COMMON | {"name": "permit", "kind": "permit"},
        COMMON | {"name": "window", "kind": "window", "opens": _clock(opens), "closes": _clock(closes)},
    ]
    for n in range(draw(st.integers(0, 2))):
        counted = {
            "counts": draw(st.sampled_from(["attempts", "conversations"])),
            "scope": draw(st.sampled_from(["borrower", "number", "debt"])),
            "days": draw(st.integers(1, 7)),
            "most": draw(st.integers(1, 3)),
        }
        rows.append(COMMON | {"name": f"count-{n}", "kind": "count"} | counted)
    if draw(st.booleans()):
        rows.append(COMMON | {"name": "rest", "kind": "rest", "scope": "debt", "days": draw(st.integers(1, 7))})
    if draw(st.booleans()):  # the window changes on a date
        rows[1]["valid_until"] = "2024-03-20"
        rows.append(
            COMMON
            | {"name": "window", "kind": "window", "valid_from": "2024-03-21", "opens": "05:00", "closes": "23:00"}
        )
    return ContactPolicy.model_validate({"jurisdiction": "XX", "version": 1, "rows": rows})


def _clock(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


contacts = st.builds(
    PastContact,
    contact_id=st.uuids().map(str),
    at=instants,
    channel=st.sampled_from(["voice", "sms"]),
    purpose=st.just("collection"),
    outcome=st.sampled_from(OUTCOMES),
    loan_id=st.sampled_from([None, "A", "B"]),
)


def facts(zone: str) -> BorrowerFacts:
    party = PartyFacts("person", "zh-CN", zone, "XX", frozenset({"voice", "sms"}))
    return BorrowerFacts(party, loans=(LoanFacts("A", past_due=True), LoanFacts("B", past_due=True)))


@given(policies(), st.lists(contacts, max_size=8), st.sampled_from(ZONES), instants)
def test_the_earliest_time_is_allowed_and_no_earlier_minute_is(
    policy: ContactPolicy, log: list[PastContact], zone: str, at: datetime
) -> None:
    def ask(moment: datetime) -> object:
        attempt = Attempt(moment, "voice", "collection", loan_id="A")
        return decide({"XX": policy}, facts(zone), log, closed_through=date(2024, 2, 29), attempt=attempt)

    found = ask(at)
    if isinstance(found, Allowed):
        return
    assert isinstance(found, Denied)
    assert found.earliest is not None
    assert found.earliest >= at
    assert isinstance(ask(found.earliest), Allowed)
    moment = max(at, found.earliest - timedelta(days=2))
    while moment < found.earliest:
        assert isinstance(ask(moment), Denied), moment
        moment += MINUTE * 7 if found.earliest - moment > timedelta(hours=3) else MINUTE


@given(policies(), st.lists(st.tuples(instants, st.sampled_from(["A", "B"])), max_size=25), st.sampled_from(ZONES))
def test_never_more_than_the_limit_in_any_days_in_whatever_order_they_are_asked(
    policy: ContactPolicy, asked: list[tuple[datetime, str]], zone: str
) -> None:
    log: list[PastContact] = []
    for n, (at, loan) in enumerate(asked):
        attempt = Attempt(at, "voice", "collection", loan_id=loan)
        verdict = decide({"XX": policy}, facts(zone), log, closed_through=date(2024, 2, 29), attempt=attempt)
        if isinstance(verdict, Allowed):
            log.append(PastContact(str(n), at, "voice", "collection", "reserved", loan))
    tz = ZoneInfo(zone)
    for row in policy.rows:
        if row.kind != "count":
            continue
        for loan in ("A", "B") if row.scope == "debt" else (None,):
            days = [one.at.astimezone(tz).date() for one in log if loan in (None, one.loan_id)]
            for first in days:
                assert sum(0 <= (day - first).days < row.days for day in days) <= row.most
