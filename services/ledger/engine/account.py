"""A loan account: the compact mutable state of the hot fold, and what can be read off it.

Determinism, not immutability, is the rule here (architecture, part 6): the fold owns these objects and changes them in
place. Amounts are minor units; dates are proleptic Gregorian ordinals (`date.toordinal`).
"""

from datetime import date
from functools import lru_cache

import msgspec

UNKNOWN, CONTRACTED, ACTIVE, SETTLED, WRITTEN_OFF = range(5)
STATUS = ("unknown", "contracted", "active", "settled", "written-off")
NEVER, WHEN_OVERDUE, ALWAYS = range(3)
PENALTY, FEE, INTEREST, PRINCIPAL = range(4)
PARTS = ("penalty", "fee", "interest", "principal")


class LoanCharge(msgspec.Struct, array_like=True):
    """A fee or penalty of the loan; its amount = paid + withheld + waived + `left`."""

    event_id: str
    part: int
    due: int
    amount: int
    left: int
    waived: int = 0
    withheld: int = 0
    """Paid when money was paid out, by being kept back."""
    period: int = -1
    """Of an instalment's fee: the number of the instalment, down payments apart, from 0; -1: any other charge."""

    def paid(self) -> int:
        """What was paid of it, withheld or not."""
        return self.amount - self.left - self.waived


class Valued(msgspec.Struct, array_like=True, frozen=True):
    """A loan at its last period end: its class or stage, and what the accounts of valuation hold for it."""

    period_end: int
    group: str
    allowance: int = 0
    suspended_interest: int = 0
    deferred_fees: int = 0


class LoanTax(msgspec.Struct, array_like=True):
    """A tax in the price of some parts: rate / scale on top of what is without it."""

    rate: int
    scale: int
    parts: list[int]
    half_up: bool


class Floating(msgspec.Struct, array_like=True):
    """What a loan that follows a reference rate keeps of it."""

    reference: str
    """The terms' reference rate as JSON."""
    annual_rate: str
    """The rate in force."""
    next_reset: int = 0
    """The next reset date; 0: none comes."""


class TakenOver(msgspec.Struct, array_like=True):
    """What stays of the cut-over of a loan that came from another system."""

    on: int
    """The cut-over date."""
    since: int
    """When the period began that ran then."""
    running: int
    """The due date of the instalment whose interest ran then; 0: none."""
    accrued: int
    """What that instalment had earned before."""


class Loan(msgspec.Struct, array_like=True):
    """One loan. `number` is the offset of the first event that named it, unique in its partition.

    Instalment k falls due on `due[k]`; of each of its four parts it asks for `asked[part][k]`, of which `left[part][k]`
    is still to be paid.
    """

    number: int
    loan_id: str
    status: int = UNKNOWN
    borrower_id: str | None = None
    currency: int = 0
    """ISO 4217 number; 0 until the contract is known."""
    principal: int = 0
    """The amount of the contract."""
    materiality: int = 0
    order: str = ""
    """How money is used: the name of an allocation order, or its cells as JSON (see orders)."""
    terms: str | None = None
    """The contract's terms as JSON, until the disbursement makes a schedule of them."""
    refolds: int = NEVER
    """When time and money change what the instalments ask for, so that the loan is folded anew."""
    start: int = 0
    """Effective date of the first disbursement."""
    due: list[int] = []
    down_payments: list[int] = []
    """Indexes of the instalments that are down payments."""
    additional: list[int] = []
    """Indexes of instalments after the last one of the schedule, for charges and for money that is owed again."""
    asked: list[list[int]] = []
    left: list[list[int]] = []
    charges: list[LoanCharge] = []
    fallen: int = 0
    """Instalments that have fallen due."""
    first_open: int = 0
    """No instalment before this one has anything left."""
    principal_outstanding: int = 0
    overpaid: int = 0
    waiting: list[tuple[int, str, int, int]] = []
    """Payments in suspense: (offset, event id, amount, currency number)."""
    charged_off: int = 0
    """The date of the charge-off; 0: not charged off."""
    earns_until: int = -1
    """Instalments from this one on earn no interest, since the loan was charged off or written off; -1: all earn."""
    restructured: int = 0
    """How often the loan was restructured."""
    watched_until: int = 0
    """The date to which it is watched after the last time."""
    pauses: list[tuple[int, int]] = []
    """Days that do not count towards delinquency, from and to, both included."""
    folded_to: int = 0
    """Of a loan that refolds: the date up to which time has been counted."""
    last_key: int = 0
    """Twice the effective date of the latest thing folded, plus one for an instalment that fell due (see facts)."""
    accruing: int = -1
    """Index of the instalment whose interest the accrual groups count now; -1: none."""
    as_of: int = -1
    """Offset of the event that changed this loan last."""
    valued: Valued | None = None
    """The last valuation, for as long as the claim is an asset."""
    accounting: int = 0
    """The accounting method of the terms; 0: accrual-periodic (see methods)."""
    tax: LoanTax | None = None
    floating: Floating | None = None
    """Of a loan that follows a reference rate."""
    taken_over: TakenOver | None = None
    """Of a loan that came from another system; None: it was paid out here."""

    def next_due(self) -> int | None:
        """The next instalment's due date that has not fallen due yet."""
        return self.due[self.fallen] if self.fallen < len(self.due) else None

    def next_action(self) -> int | None:
        """The next date whose closing touches the loan: an instalment falls due, or its rate is reset."""
        due = self.due[self.fallen] if self.fallen < len(self.due) else None
        if self.floating is None or not (reset := self.floating.next_reset):
            return due
        return reset if due is None else min(due, reset)

    def must_refold(self, day: int) -> bool:
        """Whether what happens on `day` depends on more than the account says: interest follows what is outstanding, or
        penalty interest grows on something overdue."""
        if self.refolds == NEVER or self.status <= CONTRACTED:
            return False
        k = self.first_open
        return self.refolds == ALWAYS or (k < len(self.due) and self.due[k] < day)

    def in_suspense(self) -> int:
        """Minor units waiting in the loan's own currency."""
        if not self.waiting:
            return 0
        return sum(amount for _, _, amount, currency in self.waiting if currency == self.currency)

    def unpaid(self, k: int) -> int:
        """Everything that instalment k still asks for."""
        penalties, fees, interest, principal = self.left
        return penalties[k] + fees[k] + interest[k] + principal[k]

    def earns(self, k: int) -> bool:
        """Whether instalment k's interest is earned."""
        return self.earns_until < 0 or k < self.earns_until

    def earned_before(self, k: int) -> int:
        """Interest of instalment k that was earned before the loan was taken over: in another system's books."""
        cut = self.taken_over
        if cut is None:
            return 0
        interest = self.asked[INTEREST][k]
        if self.due[k] < cut.on:
            return interest
        return cut.accrued if interest and self.due[k] == cut.running else 0

    def to_earn(self, k: int) -> int:
        """Interest of instalment k that these books earn."""
        if not self.earns(k):
            return 0
        interest = self.asked[INTEREST][k]
        return interest if self.taken_over is None else interest - self.earned_before(k)

    def arrears(self, day: int) -> tuple[int, int | None]:
        """(everything due strictly before `day` and unpaid, the due date from which days past due count).

        That date is the first on which what was unpaid in all exceeded the arrears materiality (as CRR art. 178(2)(d)
        counts days from the breach of its threshold); None: not in arrears.
        """
        due = self.due
        k = self.first_open
        total, since = 0, None
        while k < len(due) and due[k] < day:
            total += self.unpaid(k)
            if since is None and total > self.materiality:
                since = due[k]
            k += 1
        return total, since

    def past_due(self, day: int) -> int:
        """Everything due before `day` and unpaid."""
        return self.arrears(day)[0]

    def past_due_since(self, day: int) -> int | None:
        """The due date from which days past due count, if any; see `arrears`."""
        return self.arrears(day)[1]

    def days_past_due(self, day: int) -> int:
        """Days from `past_due_since` to `day`; 0 if not in arrears."""
        since = self.past_due_since(day)
        return 0 if since is None else day - since

    def interest_fallen_unpaid(self) -> int:
        """Interest that has fallen due and is unpaid."""
        if self.first_open >= self.fallen:
            return 0
        return sum(self.left[INTEREST][self.first_open : self.fallen])

    def unpaid_of(self, part: int) -> int:
        """What is unpaid of a part in all instalments, whenever they fall due."""
        return sum(self.left[part][self.first_open :]) if self.left else 0


class AccrualGroup(msgspec.Struct, array_like=True):
    """The daily accrual of every instalment of one currency whose period has `days` days (D13).

    `numerator` = sum of those instalments' interest; each date that ends earns (numerator + remainder) // days minor
    units and the remainder is carried, so that an instalment has earned exactly its interest when it falls due.
    """

    days: int
    currency: int
    numerator: int = 0
    remainder: int = 0

    @property
    def number(self) -> int:
        """The group's row number."""
        return group_number(self.days, self.currency)


GENERAL_NUMBER = -1
"""The row number of the general ledger: a pseudo-loan of which nothing is ever known, and whose postings are manual
entries. It lives on the partition of its key."""


def group_number(days: int, currency: int) -> int:
    """The row number of an accrual group: negative and below GENERAL_NUMBER, so that no loan has it."""
    return -(currency * 100_000 + days)


def group_id(partition: int, group: AccrualGroup, code: str) -> str:
    """The pseudo-loan that holds a group's entries."""
    return f"accrual/{partition}/d{group.days}/{code}"


encode_loan = msgspec.msgpack.Encoder().encode
decode_loan = msgspec.msgpack.Decoder(Loan).decode
decode_group = msgspec.msgpack.Decoder(AccrualGroup).decode


def decode_state(number: int, state: bytes) -> Loan | AccrualGroup:
    """The state of the row `number`: an accrual group's, else a loan's or the general ledger's."""
    return decode_group(state) if number < GENERAL_NUMBER else decode_loan(state)


@lru_cache(maxsize=20_000)
def iso(ordinal: int | None) -> str | None:
    """An ordinal as YYYY-MM-DD."""
    return None if ordinal is None else date.fromordinal(ordinal).isoformat()
