"""Manual journal entries, the close of a period, and of a year: on `loans.lifecycle.v1`.

An entry is proposed by one person and decided by another; only the approved one is booked. The subject is the loan that
it concerns, or `general-ledger`.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import Amount, CurrencyCode, Data, Envelope, EventId
from shared.events.ledger import Reason

GENERAL_LEDGER = "general-ledger"
"""Subject and key of an entry that concerns no loan."""
LINES_MAX = 200
YEAR_LINES_MAX = 5_000
"""A line for each account of income and expense, in each currency."""
Person = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""Who acted: the name of a token. No personal data."""
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}(-[a-z]{1,20}){0,2}$")]
"""As the chart of accounts has it."""
Voucher = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]


class EntryLine(Data):
    """A debit and a credit of one amount above zero: an entry out of balance can't be said."""

    debit: AccountName
    credit: AccountName
    amount: Amount
    currency: CurrencyCode


class ProposedEntry(Data):
    """What is to be booked on `value_date`, by whom, and why. Its id is the id of the event.

    `reference`: the voucher behind it. `reverses`: the entry whose lines these take back.
    """

    value_date: date
    lines: Annotated[list[EntryLine], Field(min_length=1, max_length=LINES_MAX)]
    reason: Reason
    reference: Voucher | None = None
    reverses: EventId | None = None
    maker: Person


class ApprovedEntry(Data):
    """The entry as it was proposed under `entry_id`, and who approved it. Its value date is the `effectivedate`."""

    entry_id: EventId
    lines: Annotated[list[EntryLine], Field(min_length=1, max_length=LINES_MAX)]
    reason: Reason
    reference: Voucher | None = None
    reverses: EventId | None = None
    maker: Person
    checker: Person


class DeclinedEntry(Data):
    """The proposal `entry_id` is not booked."""

    entry_id: EventId
    reason: Reason
    maker: Person
    checker: Person


class PeriodEnd(Data):
    """Periods up to this date are closed: what is booked from now on counts in a later one."""

    period_end: date
    closed_by: Person


class YearEnd(Data):
    """What every account of income and expense ended the year on `year_end` with goes to income summary, and from there
    to retained earnings: `lines`, one pair each. A currency without income or expense has none."""

    year_end: date
    lines: Annotated[tuple[EntryLine, ...], Field(max_length=YEAR_LINES_MAX)]
    closed_by: Person


class JournalEntryProposed(Envelope):
    """A person proposed an entry; nothing is booked."""

    type: Literal["ledger.JournalEntryProposed.v1"] = "ledger.JournalEntryProposed.v1"
    data: ProposedEntry


class JournalEntryApproved(Envelope):
    """A second person approved an entry: it is booked."""

    type: Literal["ledger.JournalEntryApproved.v1"] = "ledger.JournalEntryApproved.v1"
    data: ApprovedEntry


class JournalEntryDeclined(Envelope):
    """A second person declined an entry; nothing is booked."""

    type: Literal["ledger.JournalEntryDeclined.v1"] = "ledger.JournalEntryDeclined.v1"
    data: DeclinedEntry


class PeriodClosed(Envelope):
    """An accounting period was closed; the same event id on every partition."""

    type: Literal["ledger.PeriodClosed.v1"] = "ledger.PeriodClosed.v1"
    data: PeriodEnd


class YearClosed(Envelope):
    """A year was closed: its result is retained earnings. The subject is `general-ledger`, the value date the year's
    last."""

    type: Literal["ledger.YearClosed.v1"] = "ledger.YearClosed.v1"
    data: YearEnd
