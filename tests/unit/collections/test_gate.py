"""The gate under the policies of this package: who may be contacted when."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.collections.contact import (
    Allowed,
    Attempt,
    BorrowerFacts,
    Denied,
    LoanFacts,
    PartyFacts,
    PastContact,
    Verdict,
)
from services.collections.contact_policy import ContactPolicy, WindowAtNight, contact_policies
from services.collections.dated import PolicyGap, PolicyOverlap
from services.collections.gate import decide
from services.collections.queries import verdict_document

CLOSED = date(2026, 3, 9)
CHANNELS = frozenset({"email", "sms", "voice", "letter"})
CHINESE = PartyFacts("person", "zh-CN", "Asia/Shanghai", "CN", CHANNELS)
AMERICAN = PartyFacts("person", "en", "America/New_York", "US", CHANNELS)
IN_ARREARS = (LoanFacts("L1", past_due=True),)
CHINA = BorrowerFacts(CHINESE, loans=IN_ARREARS)
AMERICA = BorrowerFacts(AMERICAN, loans=IN_ARREARS)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ask(facts: BorrowerFacts, at: str, *log: PastContact, closed: date | None = CLOSED, **what: str) -> Verdict:
    asked = {"channel": "voice", "purpose": "collection", "loan_id": "L1"} | what
    attempt = Attempt(utc(at), **asked)  # type: ignore[arg-type] # words of the test's own
    return decide(contact_policies(), facts, log, closed_through=closed, attempt=attempt)


def call(at: str, outcome: str, loan_id: str | None = "L1") -> PastContact:
    return PastContact(at, utc(at), "voice", "collection", outcome, loan_id)


def denied(verdict: Verdict) -> tuple[str, datetime | None]:
    assert isinstance(verdict, Denied), verdict
    return verdict.rule, verdict.earliest


def test_in_daytime_a_borrower_in_arrears_may_be_called() -> None:
    assert ask(CHINA, "2026-03-10T02:00") == Allowed("contact-cn@1")


def test_the_window_is_by_the_borrowers_clock() -> None:
    assert denied(ask(CHINA, "2026-03-10T14:00")) == ("cn-hours", utc("2026-03-11T00:00"))  # 22:00 in Shanghai
    assert isinstance(ask(CHINA, "2026-03-10T13:59"), Allowed)
    assert denied(ask(AMERICA, "2026-03-10T11:59")) == ("us-hours", utc("2026-03-10T12:00"))  # 7:59 in New York


def test_the_hour_that_summer_time_skips_is_not_added_to_the_wait() -> None:
    """In New York clocks went from 2:00 to 3:00 on 2026-03-08; eight o'clock is four hours from Greenwich then."""
    closed = date(2026, 3, 7)
    assert denied(ask(AMERICA, "2026-03-08T02:00", closed=closed)) == ("us-hours", utc("2026-03-08T12:00"))
    assert denied(ask(AMERICA, "2026-03-07T02:00", closed=closed)) == ("us-hours", utc("2026-03-07T13:00"))


def test_a_denial_names_the_policy_whose_row_denies_and_none_where_the_borrowers_standing_does() -> None:
    document = verdict_document(Attempt(utc("2026-03-10T14:00"), "voice", "collection"), ask(CHINA, "2026-03-10T14:00"))
    assert (document["verdict"], document["policy"], document["rule"]) == ("deny", "contact-cn@1", "cn-hours")
    stale = ask(CHINA, "2026-03-14T02:00")
    assert isinstance(stale, Denied)
    assert stale.policy == "contact-cn@1"
    promised = ask(replace(CHINA, promise_active=True), "2026-03-10T02:00")
    assert isinstance(promised, Denied)
    assert promised.policy is None


def test_a_denial_is_said_in_sentences() -> None:
    own = ask(CHINA, "2024-03-10T15:00", closed=date(2024, 3, 9))
    binding = ask(CHINA, "2026-03-10T14:00")
    log = [call(f"2026-03-10T01:0{n}", "unanswered") for n in range(6)]
    advisory = ask(CHINA, "2026-03-10T03:00", *log)
    talk = ask(AMERICA, "2026-03-10T15:00", call("2026-03-04T15:00", "answered"))
    hours = "Only from 08:00 until 22:00 by the borrower's clock, unless the borrower agrees to other hours."
    attempts = "At most 6 attempts a day to reach one number or address."
    guide = (
        "China Banking Association, guide to collection work (trial) of 2026-01-30, at most 6 unanswered attempts a day"
        " to one number unless agreed"
    )
    assert [one.reason for one in (own, binding, advisory, talk) if isinstance(one, Denied)] == [
        f"{hours} This is the lender's own rule.",
        f"{hours} The rule binds: GB/T 45251-2025, no collecting between 22:00 and 08:00 unless agreed.",
        f"{attempts} The rule is a recommendation, and followed: {guide}.",
        "None within 7 days of a conversation, whose own day is the first of them. This is the lender's own rule.",
    ]


def test_a_consent_opens_the_night() -> None:
    consenting = replace(CHINA, party=replace(CHINESE, consents=frozenset({"contact-at-night"})))
    assert isinstance(ask(consenting, "2026-03-10T18:00"), Allowed)


def test_three_conversations_a_day_and_one_whose_outcome_is_not_known_is_one() -> None:
    log = [call(f"2026-03-10T0{hour}:00", outcome) for hour, outcome in ((1, "answered"), (2, "reserved"))]
    assert isinstance(ask(CHINA, "2026-03-10T03:00", *log, call("2026-03-10T02:30", "unanswered")), Allowed)
    verdict = ask(CHINA, "2026-03-10T03:00", *log, call("2026-03-10T02:30", "answered"))
    assert denied(verdict) == ("cn-voice-daily", utc("2026-03-11T00:00"))


def test_six_attempts_a_day_to_one_number() -> None:
    log = [call(f"2026-03-10T01:0{n}", "unanswered") for n in range(6)]
    assert denied(ask(CHINA, "2026-03-10T03:00", *log)) == ("cn-attempts-daily", utc("2026-03-11T00:00"))
    assert isinstance(ask(CHINA, "2026-03-10T03:00", *log, channel="sms"), Allowed)


def test_seven_calls_in_seven_days_about_a_debt() -> None:
    log = [call(f"2026-03-{day:02}T15:00", "unanswered") for day in range(3, 10)]
    assert denied(ask(AMERICA, "2026-03-09T16:00", *log)) == ("us-seven-in-seven", utc("2026-03-10T12:00"))
    assert isinstance(ask(AMERICA, "2026-03-10T16:00", *log), Allowed)
    assert isinstance(ask(AMERICA, "2026-03-09T16:00", *log, loan_id="L2"), Allowed)


def test_after_a_conversation_its_day_is_the_first_of_seven() -> None:
    talk = call("2026-03-04T15:00", "answered")
    assert denied(ask(AMERICA, "2026-03-10T15:00", talk)) == ("us-after-conversation", utc("2026-03-11T12:00"))


def test_the_rows_before_the_standard_have_its_hours_and_not_its_count() -> None:
    log = [call(f"2024-03-10T0{hour}:00", "answered") for hour in range(1, 5)]
    assert isinstance(ask(CHINA, "2024-03-10T06:00", *log, closed=date(2024, 3, 9)), Allowed)


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("no-party", BorrowerFacts(loans=IN_ARREARS)),
        ("deceased", replace(CHINA, flags=frozenset({"deceased", "hardship"}))),
        ("no-channel", replace(CHINA, party=replace(CHINESE, channels=frozenset({"email"})))),
        ("unknown-time-zone", replace(CHINA, party=replace(CHINESE, time_zone="Mars/Olympus"))),
        ("no-policy", replace(CHINA, party=replace(CHINESE, country="DE"))),
        ("loan-parked", replace(CHINA, loans=(*IN_ARREARS, LoanFacts("L2", past_due=False, parked=True)))),
        ("money-in-suspense", replace(CHINA, loans=(LoanFacts("L1", past_due=True, in_suspense=True),))),
        ("dispute", replace(CHINA, stops=frozenset({("dispute", "L1")}))),
        ("cease", replace(CHINA, stops=frozenset({("cease", None)}))),
        ("cease-contact", replace(CHINA, flags=frozenset({"cease-contact"}))),
        ("promise-active", replace(CHINA, promise_active=True)),
        ("nothing-past-due", replace(CHINA, loans=(LoanFacts("L1", past_due=False),))),
    ],
)
def test_what_waiting_does_not_mend_has_no_earliest_time(rule: str, facts: BorrowerFacts) -> None:
    assert denied(ask(facts, "2026-03-10T02:00")) == (rule, None)


def test_a_dispute_about_one_loan_does_not_stop_contact_about_another() -> None:
    facts = replace(CHINA, stops=frozenset({("dispute", "L2")}))
    assert isinstance(ask(facts, "2026-03-10T02:00"), Allowed)


def test_old_figures_stop_collecting_and_not_a_legal_notice() -> None:
    assert isinstance(ask(CHINA, "2026-03-13T02:00"), Allowed)  # three days behind
    assert denied(ask(CHINA, "2026-03-14T02:00")) == ("cn-figures", None)
    assert isinstance(ask(CHINA, "2026-03-14T02:00", channel="letter", purpose="legal-notice"), Allowed)
    assert denied(ask(CHINA, "2026-03-10T02:00", closed=None))[0] == "cn-figures"


def test_a_window_that_opens_when_the_figures_are_too_old_is_no_earliest_time() -> None:
    assert denied(ask(CHINA, "2026-03-13T15:00")) == ("cn-hours", None)


def test_a_gap_an_overlap_and_a_window_at_night_are_refused_by_name() -> None:
    row = {
        "name": "hours",
        "kind": "window",
        "valid_from": "2024-01-01",
        "valid_until": "2024-06-30",
        "product_kinds": ["personal"],
        "by": ["lender"],
        "purposes": ["collection"],
        "channels": ["voice"],
        "force": "own",
        "source": "a test",
        "opens": "08:00",
        "closes": "20:00",
    }
    for error, second in (
        (PolicyOverlap, row | {"valid_from": "2024-06-30", "valid_until": None}),
        (PolicyGap, row | {"valid_from": "2024-07-02", "valid_until": None}),
        (WindowAtNight, row | {"name": "night", "opens": "04:00"}),
    ):
        with pytest.raises(error):
            ContactPolicy.model_validate({"jurisdiction": "DE", "version": 1, "rows": [row, second]})
