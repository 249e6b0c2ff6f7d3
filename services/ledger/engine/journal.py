"""Journal lines, and the difference of two journals (D11, D12)."""

from collections.abc import Sequence

import msgspec


class JournalLine(msgspec.Struct, frozen=True):
    """A debit and a credit of `amount` > 0 minor units, with its value date as an ordinal."""

    debit: int
    credit: int
    amount: int
    currency: int
    effective: int


Journal = list[JournalLine]


def post(journal: Journal, debit: int, credit: int, amount: int, currency: int, day: int) -> None:
    """Add a line; none for nothing, and one on opposite sides for less than nothing."""
    if amount > 0:
        journal.append(JournalLine(debit, credit, amount, currency, day))
    elif amount < 0:
        journal.append(JournalLine(credit, debit, -amount, currency, day))


def difference(new: Sequence[JournalLine], old: Sequence[JournalLine]) -> Journal:
    """The lines that turn the journal `old` into `new`, net per value date and pair of accounts; a line that is taken
    back is booked on opposite sides. In a fixed order."""
    net: dict[tuple[int, int, int, int], int] = {}
    for lines, sign in ((new, 1), (old, -1)):
        for line in lines:
            pair = (line.effective, line.debit, line.credit, line.currency)
            net[pair] = net.get(pair, 0) + sign * line.amount
    journal: Journal = []
    for (effective, debit, credit, number), amount in sorted(net.items()):
        post(journal, debit, credit, amount, number, effective)
    return journal
