"""A loan account: the compact mutable state of the hot fold, and what can be read off it.

Determinism, not immutability, is the rule here (architecture, part 6): the fold owns these objects and changes them in
place. Amounts are minor units; dates are proleptic Gregorian ordinals (`date.toordinal`).
"""

from datetime import date
from functools import lru_cache

import msgspec

UNKNOWN, CONTRACTED, ACTIVE, SETTLED = range(4)
STATUS = ("unknown", "contracted", "active", "settled")


class Loan(msgspec.Struct, array_like=True):
    """One loan. `number` is the offset of the first event that named it, unique in its partition.

    Principal and interest are each paid oldest first, so a pointer to the first open instalment and what is left of it
    say everything; which of the two a payment serves first is the allocation order's business.
    """

    number: int
    loan_id: str
    status: int = UNKNOWN
    borrower_id: str | None = None
    currency: int = 0
    """ISO 4217 number; 0 until the contract is known."""
    principal: int = 0
    materiality: int = 0
    allocation: str = ""
    terms: str | None = None
    """The contract's terms as JSON, until the disbursement makes a schedule of them."""
    start: int = 0
    """Effective date of the disbursement."""
    due: list[int] = []
    principal_due: list[int] = []
    interest_due: list[int] = []
    fallen: int = 0
    """Instalments that have fallen due."""
    principal_open: int = 0
    principal_left: int = 0
    interest_open: int = 0
    interest_left: int = 0
    principal_outstanding: int = 0
    overpaid: int = 0
    waiting: list[tuple[int, str, int, int]] = []
    """Payments in suspense: (offset, event id, amount, currency number)."""
    last_key: int = 0
    """Twice the effective date of the latest thing folded, plus one for an instalment that fell due (see servicing)."""
    accruing: int = -1
    """Index of the instalment whose interest the accrual groups count now; -1: none."""
    as_of: int = -1
    """Offset of the event that changed this loan last."""

    def next_due(self) -> int | None:
        """The next instalment's due date that has not fallen due yet."""
        return self.due[self.fallen] if self.fallen < len(self.due) else None

    def in_suspense(self) -> int:
        """Minor units waiting in the loan's own currency."""
        if not self.waiting:
            return 0
        return sum(amount for _, _, amount, currency in self.waiting if currency == self.currency)

    def unpaid_interest(self, k: int) -> int:
        """What is unpaid of instalment k's interest."""
        if k < self.interest_open:
            return 0
        return self.interest_left if k == self.interest_open else self.interest_due[k]

    def unpaid_principal(self, k: int) -> int:
        """What is unpaid of instalment k's principal."""
        if k < self.principal_open:
            return 0
        return self.principal_left if k == self.principal_open else self.principal_due[k]

    def arrears(self, day: int) -> tuple[int, int | None]:
        """(everything due strictly before `day` and unpaid, the due date from which days past due count).

        That date is the first on which what was unpaid in all exceeded the arrears materiality (as CRR art. 178(2)(d)
        counts days from the breach of its threshold); None: not in arrears.
        """
        due = self.due
        k = min(self.interest_open, self.principal_open)
        total, since = 0, None
        while k < len(due) and due[k] < day:
            total += self.unpaid_principal(k) + self.unpaid_interest(k)
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
        """Interest that has fallen due and is unpaid: the balance of interest receivable."""
        if self.interest_open >= self.fallen:
            return 0
        return self.interest_left + sum(self.interest_due[self.interest_open + 1 : self.fallen])


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


def group_number(days: int, currency: int) -> int:
    """The row number of an accrual group: negative, so that no loan has it."""
    return -(currency * 100_000 + days)


def group_id(partition: int, group: AccrualGroup, code: str) -> str:
    """The pseudo-loan that holds a group's entries."""
    return f"accrual/{partition}/d{group.days}/{code}"


encode_loan = msgspec.msgpack.Encoder().encode
decode_loan = msgspec.msgpack.Decoder(Loan).decode
decode_group = msgspec.msgpack.Decoder(AccrualGroup).decode


@lru_cache(maxsize=20_000)
def iso(ordinal: int | None) -> str | None:
    """An ordinal as YYYY-MM-DD."""
    return None if ordinal is None else date.fromordinal(ordinal).isoformat()
