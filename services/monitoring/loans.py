"""A borrower's loans as the ledger tells them: days past due, class, default; judged when a date is closed."""

from datetime import date

from services.monitoring import alerts, series
from services.monitoring.classification import days_past_due, marks_of, next_crossing, next_of_watch
from services.monitoring.policy import SEVERITIES, IndicatorRow
from services.monitoring.state import Alert, Borrower, Loan, month_of
from shared.events import monitoring
from shared.events.ledger import Entry, Posting
from shared.events.monitoring import Severity
from shared.loan_classes import Marks, classed, row_on
from shared.money import minor_units
from shared.streams.fold import Context

PAST_DUE = "days-past-due"
TREND = "late-trend"
"""The adaptive indicator below the hard level: where that is crossed, one alert is enough."""
MEMBER_DEFAULT = "member-default"
INBOX = "monitoring.inbox.v1"
PRINCIPAL = "loans-receivable"
LOSSES = ("credit-loss", "fraud-loss")
"""The ledger's accounts between which a charge-off or write-off books principal."""


def take_entry(borrower: Borrower, data: Entry, context: Context) -> None:
    """The loan after an entry. Its class and alerts follow when the open date is closed."""
    loan = borrower.loans.setdefault(data.loan_id, Loan(data.loan_id))
    account, before = data.account, (loan.since, loan.status, marks(loan))
    if data.currency is not None:
        loan.currency = data.currency
        loan.principal = minor_units(account.principal_outstanding, data.currency)
        loan.past_due = minor_units(account.past_due, data.currency)
        loan.written_off += sum(_loss(posting) for posting in data.postings)
    loan.effective = max((posting.effective_date for posting in data.postings), default=data.booking_date)
    if loan.since is not None and loan.since != account.past_due_since:
        note_lateness(borrower, loan.since, loan.effective)
    loan.since, loan.next_due, loan.status = account.past_due_since, account.next_due_date, account.status
    loan.restructured, loan.watched_until = account.restructured or 0, account.watched_until
    loan.charged_off_on = account.charged_off_on
    loan.as_of = data.booking_date
    if data.returned is not None:
        series.give_back(borrower.series, data.booking_date)
    if loan.currency:
        put_history(borrower, loan, context, data.booking_date)
    if (loan.since, loan.status, marks(loan)) != before:
        borrower.recheck = context.today or data.booking_date


def _loss(posting: Posting) -> int:
    """Principal that a posting books as a loss, in minor units; less than zero where it takes that back."""
    amount = minor_units(posting.amount, posting.currency)
    if posting.credit == PRINCIPAL and posting.debit in LOSSES:
        return amount
    return -amount if posting.debit == PRINCIPAL and posting.credit in LOSSES else 0


def marks(loan: Loan) -> Marks:
    """What the loan is classed by besides days past due."""
    return marks_of(loan.status, loan.watched_until, loan.charged_off_on)


def note_lateness(borrower: Borrower, since: date, paid: date) -> None:
    """An instalment that was due `since` was late until `paid`: the month's longest counts."""
    late, month = borrower.series.late, month_of(paid)
    late[month] = max(late.get(month, 0), (paid - since).days)


def put_history(borrower: Borrower, loan: Loan, context: Context, day: date) -> None:
    """The loan's row as of a date; the portfolio as of a closed date reads the latest that is not after it."""
    context.put(
        "loan_history",
        loan.loan_id,
        day,
        borrower.borrower_id,
        loan.currency,
        loan.principal,
        loan.since,
        loan.status,
        borrower.party.industry,
        borrower.party.region,
        loan.restructured,
        loan.watched_until,
        loan.charged_off_on,
        loan.written_off,
    )


def close(borrower: Borrower, day: date, rules: IndicatorRow, context: Context) -> None:
    """A date ended: days past due, classes, defaults."""
    for loan in sorted(borrower.loans.values(), key=lambda one: one.loan_id):
        if loan.status == "unknown":
            continue
        days = days_past_due(loan.since, day)
        _classify(borrower, loan, days, day, context)
        _past_due(borrower, loan, days, day, rules, context)
        _default(borrower, loan, days, day, rules, context)


def _classify(borrower: Borrower, loan: Loan, days: int, day: date, context: Context) -> None:
    row = row_on(day)
    found, trigger = classed(days, row, marks(loan), day)
    loan.classed_by = row.version
    if found == loan.classed:
        return
    data = monitoring.Classification(
        borrower_id=borrower.borrower_id,
        loan_id=loan.loan_id,
        old=loan.classed,
        new=found,
        days_past_due=days,
        as_of=day,
        policy=row.version,
        trigger=trigger,
    )
    loan.classed = found
    event_id = context.emit(alerts.TOPIC, borrower.borrower_id, monitoring.LoanClassified, data)
    context.put(
        "class_event",
        event_id,
        loan.loan_id,
        borrower.borrower_id,
        day,
        data.old,
        found,
        days,
        row.version,
        trigger,
    )


def severity_of(days: int, rules: IndicatorRow) -> Severity | None:
    """The worst level that the days past due exceed; these never adapt."""
    bounds = rules.past_due.more_than
    return next((name for name in reversed(SEVERITIES) if name in bounds and days > bounds[name]), None)


def _past_due(borrower: Borrower, loan: Loan, days: int, day: date, rules: IndicatorRow, context: Context) -> None:
    severity, known = severity_of(days, rules), alerts.find(borrower, PAST_DUE, loan.loan_id)
    if severity is not None:
        if (trend := alerts.find(borrower, TREND)) is not None:
            alerts.end(borrower, context, trend, "superseded", f"the alert of {PAST_DUE} stands for it")
        bound = rules.past_due.more_than[severity]
        alerts.raise_alert(
            borrower,
            context,
            indicator=PAST_DUE,
            severity=severity,
            day=day,
            reason=f"{days} days past due, more than {bound}",
            rule=rules.rule(PAST_DUE),
            inputs={"days": days, "level": bound, "since": loan.since.isoformat() if loan.since else None},
            about=loan.loan_id,
            loan_id=loan.loan_id,
        )
    elif known is not None and days <= rules.past_due.clear:
        _end(borrower, loan, known, days, rules, context)


def _end(borrower: Borrower, loan: Loan, known: Alert, days: int, rules: IndicatorRow, context: Context) -> None:
    """Resolved; or superseded where the money had come, by its value date, before the level was crossed."""
    since = known.inputs.get("since")
    lowest = min(rules.past_due.more_than.values())
    if isinstance(since, str) and loan.effective is not None:
        late = (loan.effective - date.fromisoformat(since)).days
        if late <= lowest:
            reason = f"value date {loan.effective}: {max(0, late)} days past due at the most, not more than {lowest}"
            alerts.end(borrower, context, known, "superseded", reason)
            return
    alerts.end(borrower, context, known, "resolved", f"{days} days past due")


def _default(borrower: Borrower, loan: Loan, days: int, day: date, rules: IndicatorRow, context: Context) -> None:
    """Tell those who stand by the borrower, once for each arrears."""
    if days <= rules.past_due.default:
        loan.defaulted = loan.defaulted and days > 0
        return
    if loan.defaulted:
        return
    loan.defaulted = True
    for other, relation in sorted(borrower.relations.items()):
        data = monitoring.MemberDefault(
            member=borrower.borrower_id,
            loan_id=loan.loan_id,
            relation=relation,
            days_past_due=days,
            as_of=day,
        )
        context.emit(INBOX, other, monitoring.MemberDefaulted, data)


def take_default(borrower: Borrower, data: monitoring.MemberDefault, rules: IndicatorRow, context: Context) -> None:
    """One by whom this borrower stands defaulted."""
    word = "a member of the group" if data.relation == "group-member" else "a borrower who is guaranteed"
    alerts.raise_alert(
        borrower,
        context,
        indicator=MEMBER_DEFAULT,
        severity=rules.relations[data.relation],
        day=data.as_of,
        reason=f"{word} defaulted: {data.days_past_due} days past due",
        rule=rules.rule(MEMBER_DEFAULT),
        inputs={"member": data.member, "loan": data.loan_id, "relation": data.relation, "days": data.days_past_due},
        about=data.loan_id,
    )


def next_date(borrower: Borrower, day: date, rules: IndicatorRow) -> date | None:
    """The first date after `day` on which a loan's class, severity or default changes if nobody pays."""
    row = row_on(day)
    bounds = (*row.more_than.values(), *rules.past_due.more_than.values(), rules.past_due.default)
    loans = borrower.loans.values()
    changes = [next_crossing(loan.since, day, bounds) for loan in loans if loan.since is not None]
    changes += [next_of_watch(until, day) for loan in loans if (until := marks(loan).watched_until) is not None]
    return min((change for change in changes if change is not None), default=None)
