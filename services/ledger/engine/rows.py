"""The instalments of a loan as rows that can be moved, added and taken out: what a change of the loan works on.

The account keeps columns, which are fast to pay and small to store; a change turns them into rows, works, and puts them
back in order of due date.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.ledger.engine.account import ACTIVE, FEE, PENALTY, PRINCIPAL, SETTLED, Loan

PERIOD, DOWN_PAYMENT, ADDITIONAL, RE_AGED = "period", "down-payment", "additional", "re-aged"


@dataclass(slots=True)
class Paid:
    """When and how one instalment was paid, for statements."""

    in_advance: int = 0
    late: int = 0
    on: int | None = None
    """The date since which nothing is left to pay."""
    waived: int = 0
    written_off: int = 0
    credited: int = 0
    """Principal that is owed again (chargebacks, refunds): part of what the instalment asks for."""

    def no_more_than(self, paid: int) -> None:
        """So much was paid of the instalment in all, since what was paid of it moved away: of what came early first."""
        excess = max(0, self.in_advance + self.late - paid)
        early = min(excess, self.in_advance)
        self.in_advance -= early
        self.late -= excess - early


@dataclass(slots=True)
class Row:
    """One instalment: what it is (kind and number within the kind), when it falls due, what it asks for."""

    kind: str
    number: int
    due: int
    asked: list[int]
    left: list[int]
    paid: Paid = field(default_factory=Paid)

    @property
    def key(self) -> tuple[str, int]:
        """What the row remains when the schedule changes around it."""
        return self.kind, self.number

    def paid_of(self, part: int) -> int:
        """What was paid of a part."""
        return self.asked[part] - self.left[part]

    def keep_paid(self, part: int, paid: int) -> int:
        """Of `paid`, as much as the row asks for of the part is paid; returns what it does not ask for."""
        kept = min(paid, self.asked[part])
        self.left[part] = self.asked[part] - kept
        return paid - kept

    def give_up_principal(self) -> int:
        """The row no longer asks for principal that is unpaid; returns how much that was."""
        given = self.left[PRINCIPAL]
        self.asked[PRINCIPAL] -= given
        self.left[PRINCIPAL] = 0
        return given

    def ask_more_principal(self, amount: int) -> None:
        """The row asks for so much more, unpaid."""
        self.asked[PRINCIPAL] += amount
        self.left[PRINCIPAL] += amount

    def done(self) -> bool:
        """Nothing is left to pay."""
        return not any(self.left)


class Rows:
    """The rows of a loan beside its columns: kinds, and what only statements need."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, int]] = []
        self.paid: list[Paid] = []

    def begin(self, loan: Loan) -> None:
        """The loan was just laid out."""
        periods = down_payments = 0
        for k in range(len(loan.due)):
            if k in loan.down_payments:
                self.keys.append((DOWN_PAYMENT, down_payments))
                down_payments += 1
            else:
                self.keys.append((PERIOD, periods))
                periods += 1
        self.paid = [Paid() for _ in loan.due]

    def use(self, k: int, amount: int, day: int, *, due: int, done: bool) -> None:
        """Hear what money was used for (see `allocation.Uses`)."""
        paid = self.paid[k]
        if day < due:
            paid.in_advance += amount
        elif day > due:
            paid.late += amount
        if done:
            paid.on = day

    def take(self, loan: Loan) -> list[Row]:
        """The loan's instalments as rows."""
        return [
            Row(
                *self.keys[k],
                due=loan.due[k],
                asked=[column[k] for column in loan.asked],
                left=[column[k] for column in loan.left],
                paid=self.paid[k],
            )
            for k in range(len(loan.due))
        ]

    def put(self, loan: Loan, rows: Iterable[Row], day: int) -> None:
        """Make these rows the loan's instalments as of `day`, in order of due date, with the charges in the rows that
        their due dates fall into. The loan is settled if nothing is left, and active if something is."""
        ordered = with_charges(loan, rows)
        self.keys = [row.key for row in ordered]
        self.paid = [row.paid for row in ordered]
        loan.due = [row.due for row in ordered]
        loan.down_payments = [k for k, row in enumerate(ordered) if row.kind == DOWN_PAYMENT]
        loan.additional = [k for k, row in enumerate(ordered) if row.kind == ADDITIONAL]
        loan.asked = [[row.asked[part] for row in ordered] for part in range(4)]
        loan.left = [[row.left[part] for row in ordered] for part in range(4)]
        loan.fallen = sum(1 for due in loan.due if due < day)
        loan.principal_outstanding = sum(loan.left[PRINCIPAL])
        k = 0
        while k < len(ordered) and ordered[k].done():
            k += 1
        loan.first_open = k
        for row in ordered:
            row.paid.no_more_than(sum(row.asked) - sum(row.left) - row.paid.waived)
            if not row.done():
                row.paid.on = None
            elif row.paid.on is None:
                row.paid.on = day
        if loan.status in (ACTIVE, SETTLED):
            loan.status = ACTIVE if k < len(ordered) else SETTLED


def with_charges(loan: Loan, rows: Iterable[Row]) -> list[Row]:
    """The rows in order of due date, each asking for the charges due up to its date and after the row before. What is
    due after the last one is asked for by an additional row, which goes when nothing needs it."""
    ordered = sorted(rows, key=lambda row: row.due)
    for row in ordered:
        row.paid.waived = 0
        for part in (PENALTY, FEE):
            row.asked[part] = row.left[part] = 0
    for charge in sorted(loan.charges, key=lambda charge: charge.due):
        row = _asking_for(charge.due, ordered)
        row.asked[charge.part] += charge.amount
        row.left[charge.part] += charge.left
        row.paid.waived += charge.waived
    return [row for row in ordered if row.kind != ADDITIONAL or any(row.asked) or row.paid.credited]


def _asking_for(due: int, ordered: list[Row]) -> Row:
    """The row that a charge due on `due` falls into; an additional one is made or moved for it."""
    for row in ordered[bisect_left(ordered, due, key=lambda row: row.due) :]:
        if row.kind != DOWN_PAYMENT:
            return row
    additional = next((row for row in ordered if row.kind == ADDITIONAL), None)
    if additional is None:
        ordered.append(additional := Row(ADDITIONAL, 0, due, [0, 0, 0, 0], [0, 0, 0, 0]))
    additional.due = due
    ordered.sort(key=lambda row: row.due)
    return additional
