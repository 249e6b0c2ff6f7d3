"""A second opinion on a loan: from the words of its contract alone, day by day, in exact fractions.

Takes and gives plain dicts, lists and integers (minor units); shares no code with the ledger. A loan is {kind, rate,
count, every, unit, first_due, day_count, rounding, grace, order, fee}: the words of its terms, the rate a Fraction,
`grace` the periods that ask for interest alone. paid_out: [(date, amount)] by date. Instalments are [interest,
principal], with their fees [interest, principal, fee].
"""

from calendar import isleap, monthrange
from datetime import date, timedelta
from fractions import Fraction
from math import floor

YEAR, PERIODS = {"actual/360": 360, "actual/364": 364, "actual/365": 365}, {"month": 12, "week": 52, "day": 365}


def later(loan, day, periods):
    """The day so many periods after `day`."""
    if loan["unit"] != "month":
        return day + timedelta(days=(7 if loan["unit"] == "week" else 1) * loan["every"] * periods)
    year, month = divmod(day.year * 12 + day.month - 1 + loan["every"] * periods, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def dues(loan):
    """The due dates."""
    return [later(loan, loan["first_due"], k) for k in range(loan["count"])]


def thirty_360(start, end):
    """Days by ISDA 2006 4.16(f)."""
    first = min(start.day, 30)
    last = 30 if end.day == 31 and first == 30 else end.day
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first


def part_of_year(loan, start, end, opens, closes):
    """What the days from `start` on and before `end` are of a year, in the period from `opens` to `closes`."""
    count, every, part, ahead = loan["day_count"], loan["every"], Fraction(0), 1
    regular = later(loan, closes, -1) == opens or later(loan, opens, 1) == closes
    if count == "30/360":
        months = loan["unit"] == "month" and regular and (start, end) == (opens, closes)
        return Fraction(30 * every if months else thirty_360(start, end), 360)
    full, of = min(opens, later(loan, closes, -1)), closes  # the full period of a day: a cut one ends with its period,
    if regular or full == opens:  # a stretched one holds some, counted from its beginning
        full, of = opens, closes if regular else later(loan, opens, 1)
    for n in range((end - start).days):
        day = start + timedelta(days=n)
        while day >= of:
            ahead += 1
            full, of = of, later(loan, opens, ahead)
        periods = PERIODS[loan["unit"]] * (of - full).days
        year = YEAR.get(count) or (366 if isleap(day.year) else 365)
        part += Fraction(every, periods) if count == "equal-periods" else Fraction(1, year)
    return part


def walk(loan, paid_out, ask, rounded):
    """Live through the periods: (instalments, what would be left at the end did the last one ask like the others)."""
    made, balance, lent, flat, start = [], 0, 0, Fraction(0), paid_out[0][0]
    for k, due in enumerate(dues(loan)):
        moves = [(day, amount) for day, amount in paid_out if (start < day or not k) and day <= due]
        cuts, interest = sorted({start, due, *(day for day, _ in moves)}), 0
        for day, until in zip(cuts, [*cuts[1:], due], strict=True):
            added = sum(amount for on, amount in moves if on == day)
            balance, lent = balance + added, lent + added
            bears = (lent if loan["kind"] == "flat" else balance) * loan["rate"]
            accrued = bears * part_of_year(loan, day, until, start, due)
            flat, interest = flat + accrued, interest + (accrued if loan["kind"] == "flat" else rounded(accrued))
        part = 0 if k < loan["grace"] else ask(lent, rounded(interest))
        balance, start = balance - part, due
        made.append([rounded(interest), part])
    made[-1][1] += balance
    left = rounded(flat)  # flat interest of the whole term, rounded once: the last instalment takes what rounding left
    for row in made if loan["kind"] == "flat" else []:
        row[0] = left if row is made[-1] else min(row[0], left)
        left -= row[0]
    return made, balance


def instalments(loan, paid_out):
    """What each instalment asks for."""
    rounded = round if loan["rounding"] == "half-even" else lambda amount: floor(amount + Fraction(1, 2))
    parts = loan["count"] - loan["grace"] if loan["kind"] != "interest-only" else 0
    if loan["kind"] == "equal-instalment":  # what two trials leave at the end shows which instalment leaves nothing
        one = [(paid_out[0][0], 1)]
        left = [walk(loan, one, lambda _, due, x=x: x - due, lambda exact: exact)[1] for x in (0, 1)]
        return walk(loan, paid_out, lambda lent, due: rounded(lent * left[0] / (left[0] - left[1])) - due, rounded)[0]
    return walk(loan, paid_out, lambda lent, _: rounded(Fraction(lent, parts)) if parts else 0, rounded)[0]


def with_fees(loan, asked, paid_out):
    """The instalments as [interest, principal, fee]: `fee` in the loan is (amount, share, base) or None."""
    rounded = round if loan["rounding"] == "half-even" else lambda amount: floor(amount + Fraction(1, 2))
    lent, repaid, made = sum(amount for _, amount in paid_out), 0, []
    for interest, principal in asked:
        amount, share, base = loan["fee"] or (0, 0, "contract")
        of = {"interest": interest, "principal": principal, "instalment": interest + principal, "contract": lent}
        fee = amount + rounded(share * (of | {"outstanding": lent - repaid})[base])
        made.append([interest, principal, fee if interest + principal else 0])
        repaid += principal
    return made


def end_early(loan, asked, left, day, amount):
    """What is too much of money that ends the loan but for the fees of periods that have not begun; else None."""
    running = sum(on < day for on in dues(loan))
    coming = range(running + 1, loan["count"])
    over = amount + sum(asked[k][2] for k in coming) - sum(map(sum, left))
    if not any(asked[k][2] for k in coming) or over < 0:
        return None
    for k in range(loan["count"]):
        left[k] = [0, 0, 0]
        asked[k][2] = 0 if k in coming else asked[k][2]
    return over


PARTS = {"due-interest-principal": ((2, 0, 1), (1, 2, 0)), "due-penalty-interest-principal-fee": ((0, 1, 2), (0, 1, 2))}


def pay(loan, asked, left, day, amount):
    """Use money in the order named; what is too much is returned."""
    if (over := end_early(loan, asked, left, day, amount)) is not None:
        return over
    due = sum(on <= day for on in dues(loan))
    for ks, parts in zip(
        (range(due), range(due, loan["count"])), PARTS.get(loan["order"], [(2, 0, 1)] * 2), strict=True
    ):
        cells = [(k, part) for part in parts for k in ks]
        for k, part in cells if loan["order"] == "civil-code-561" else sorted(cells, key=lambda cell: cell[0]):
            used = min(amount, left[k][part])
            left[k][part], amount = left[k][part] - used, amount - used
    return amount
