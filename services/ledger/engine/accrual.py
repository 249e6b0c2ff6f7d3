"""Daily accrual as an aggregate per group, exact to the minor unit (D13).

An instalment of interest I over a period of d days (from the due date before it, or the disbursement, up to its own)
earns I/d on each date of [from, due). All instalments of one currency and one d form a group; what a date earns is
(sum of I + carried remainder) // d. An instalment that enters late or leaves late settles the days through the
remainder, so that in the end it has earned I, no more and no less. When a loan is folded anew, the loan as it was
leaves with everything that it has earned, and the loan as it is enters with everything that it should have.
A loan that was taken over earns from its cut-over date on what its running instalment had not earned before.
"""

from collections.abc import MutableMapping

from services.ledger.engine.account import AccrualGroup, Loan, group_number

Groups = MutableMapping[int, AccrualGroup]


def period(loan: Loan, k: int) -> tuple[int, int]:
    """(first day, due day) of instalment k as ordinals; it earns on each day of [first, due)."""
    before = k - 1
    if loan.down_payments or loan.additional:
        while before >= 0 and (before in loan.down_payments or before in loan.additional):
            before -= 1
    start, due = (loan.due[before] if before >= 0 else loan.start), loan.due[k]
    if loan.taken_over is not None and start < loan.taken_over.on:
        start = loan.taken_over.on
    return min(start, due - 1), due


def _group(groups: Groups, dirty: set[int], days: int, currency: int) -> AccrualGroup:
    number = group_number(days, currency)
    dirty.add(number)
    group = groups.get(number)
    if group is None:
        group = groups[number] = AccrualGroup(days, currency)
    return group


def move(loan: Loan, day: int, groups: Groups, dirty: set[int]) -> None:
    """Count the loan in the group of the instalment that earns on `day` and in no other; what was missed or counted too
    much goes into remainders. Numbers of the groups that changed are added to `dirty`."""
    due = loan.due
    k = loan.accruing
    if not due or loan.accounting or (0 <= k < len(due) and day < due[k]) or k >= len(due):
        return
    if k >= 0:
        _stop(loan, k, day, groups, dirty)
    k += 1
    while k < len(due):
        start, end = period(loan, k)
        interest, days = loan.to_earn(k), end - start
        if day < end:
            if interest:
                entered = _group(groups, dirty, days, loan.currency)
                entered.numerator += interest
                entered.remainder += interest * (day - start)
            break
        if interest:
            _group(groups, dirty, days, loan.currency).remainder += interest * days
        k += 1
    loan.accruing = k


def _stop(loan: Loan, k: int, day: int, groups: Groups, dirty: set[int]) -> None:
    """Instalment k leaves its group; the days by which it left late or early go into the remainder."""
    if interest := loan.to_earn(k):
        start, end = period(loan, k)
        left = _group(groups, dirty, end - start, loan.currency)
        left.numerator -= interest
        left.remainder -= interest * (day - end)


def leave(loan: Loan, day: int, groups: Groups, dirty: set[int]) -> None:
    """Take out of the groups everything that `move` has put in for the loan up to `day`: as if it had never earned."""
    if loan.accruing < 0:
        return
    last = loan.accruing
    if last < len(loan.due):
        _stop(loan, last, day, groups, dirty)
        last += 1
    for k in range(last):
        if interest := loan.to_earn(k):
            start, end = period(loan, k)
            _group(groups, dirty, end - start, loan.currency).remainder -= interest * (end - start)
    loan.accruing = -1


def earn(group: AccrualGroup) -> int:
    """What the group earns on a date that ends, in minor units (negative where too much was counted before)."""
    amount, group.remainder = divmod(group.numerator + group.remainder, group.days)
    return amount
