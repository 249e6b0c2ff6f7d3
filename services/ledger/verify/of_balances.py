"""Checks of states against postings: balances are sums, groups what their loans accrue, states folds of facts."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from services.ledger.digest import canonical_state
from services.ledger.engine.account import (
    GENERAL_NUMBER,
    INTEREST,
    PENALTY,
    WRITTEN_OFF,
    AccrualGroup,
    Loan,
    iso,
)
from services.ledger.engine.accounts import (
    ACCRUED_INTEREST,
    DEFERRED_FEE_INCOME,
    FEES_RECEIVABLE,
    INCOME_SUMMARY,
    INTEREST_IN_SUSPENSE,
    INTEREST_INCOME,
    INTEREST_RECEIVABLE,
    LOAN_LOSS_ALLOWANCE,
    LOANS_RECEIVABLE,
    NAMES,
    OVERPAYMENT,
    PENALTIES_RECEIVABLE,
    SUSPENSE,
    TAX_PAYABLE,
    UNEARNED_FEES,
    UNEARNED_INTEREST,
)
from services.ledger.engine.accrual import period
from services.ledger.engine.folding import fold
from services.ledger.engine.instalment_fees import receivable, unearned
from services.ledger.engine.journal import Journal
from services.ledger.engine.methods import CASH_BASIS, PERIODIC, UPFRONT
from services.ledger.fact_reading import stored_facts
from services.ledger.verify.of_entries import booked_entries
from services.ledger.verify.rows import Books, Finding, Posting
from shared.errors import InvariantBroken
from shared.merkle import record_of
from shared.money import code_of
from shared.streams.intake import NotUnderstood, Unreadable

Check = Callable[[Books], Iterator[Finding]]


def _balance_check(account: int, name: str, wanted: Callable[[Loan], int], sign: int) -> Check:
    """Balances of `account` in the loan's own currency = what the state says; `sign` is -1 for a credit balance."""

    def check(books: Books) -> Iterator[Finding]:
        for loan in books.loans:
            balance = 0
            for posting in books.postings_by_loan.get(loan.number, ()):
                if posting.currency == loan.currency:
                    balance += posting.amount * ((posting.debit == account) - (posting.credit == account))
            if sign * balance != (said := wanted(loan)):
                problem = f"{name} is {said} minor units in the state, its postings add up to {sign * balance}"
                yield Finding("loan", books.of(loan.loan_id), problem, "state")

    check.__doc__ = f"{name} of a loan's state = the sum of its postings."
    return check


def _booked(amount: Callable[[Loan], int], *, by: tuple[int, ...]) -> Callable[[Loan], int]:
    """What accounting methods book; the others have nothing of it."""
    return lambda loan: amount(loan) if loan.accounting in by else 0


def _asset(amount: Callable[[Loan], int], *, by: tuple[int, ...]) -> Callable[[Loan], int]:
    """What stands in the assets: nothing of a loan that is charged off."""
    return _booked(lambda loan: 0 if loan.charged_off or loan.status == WRITTEN_OFF else amount(loan), by=by)


def _interest_receivable(loan: Loan) -> int:
    return loan.unpaid_of(INTEREST) if loan.accounting == UPFRONT else loan.interest_fallen_unpaid()


def _paid_ahead(loan: Loan) -> int:
    if not loan.asked or loan.earns_until >= 0:
        return 0
    asked, left = loan.asked[INTEREST], loan.left[INTEREST]
    return sum(asked[k] - left[k] for k in range(loan.fallen, len(asked)))


def _fallen_interest(loan: Loan) -> int:
    if not loan.asked:
        return 0
    fallen = loan.fallen if loan.earns_until < 0 else min(loan.fallen, loan.earns_until)
    before = 0 if loan.taken_over is None else sum(loan.earned_before(k) for k in range(len(loan.due)) if loan.earns(k))
    return sum(loan.asked[INTEREST][:fallen]) - before


ACCRUED = (PERIODIC, UPFRONT)
BOOKED = (*ACCRUED, CASH_BASIS)
principal_is_its_postings = _balance_check(
    LOANS_RECEIVABLE, "principal outstanding", _asset(lambda loan: loan.principal_outstanding, by=BOOKED), 1
)
interest_is_its_postings = _balance_check(
    INTEREST_RECEIVABLE, "interest due", _asset(_interest_receivable, by=ACCRUED), 1
)
_fees_unpaid = _balance_check(FEES_RECEIVABLE, "fees", _asset(receivable, by=ACCRUED), 1)
_fees_ahead = _balance_check(UNEARNED_FEES, "fees paid ahead", _booked(unearned, by=ACCRUED), -1)
penalties_are_their_postings = _balance_check(
    PENALTIES_RECEIVABLE, "penalties", _asset(lambda loan: loan.unpaid_of(PENALTY), by=ACCRUED), 1
)
unearned_is_its_postings = _balance_check(
    UNEARNED_INTEREST, "interest paid ahead", _booked(_paid_ahead, by=(PERIODIC,)), -1
)
accrued_is_its_postings = _balance_check(
    ACCRUED_INTEREST, "interest fallen due", _booked(_fallen_interest, by=(PERIODIC,)), -1
)
overpayment_is_its_postings = _balance_check(
    OVERPAYMENT, "overpaid", _booked(lambda loan: loan.overpaid, by=BOOKED), -1
)
allowance_is_its_postings = _balance_check(
    LOAN_LOSS_ALLOWANCE, "allowance", _booked(lambda loan: loan.valued.allowance if loan.valued else 0, by=BOOKED), -1
)
suspended_interest_is_its_postings = _balance_check(
    INTEREST_IN_SUSPENSE,
    "interest in suspense",
    _booked(lambda loan: loan.valued.suspended_interest if loan.valued else 0, by=ACCRUED),
    -1,
)
deferred_fees_are_their_postings = _balance_check(
    DEFERRED_FEE_INCOME,
    "deferred fees",
    _booked(lambda loan: loan.valued.deferred_fees if loan.valued else 0, by=BOOKED),
    -1,
)


def fees_are_their_postings(books: Books) -> Iterator[Finding]:
    """Fees of a loan's state, unpaid and paid ahead = the sums of their postings."""
    yield from _fees_unpaid(books)
    yield from _fees_ahead(books)


def suspense_is_its_postings(books: Books) -> Iterator[Finding]:
    """What waits in a loan's state = the balance of its suspense, in each currency."""
    for loan in books.loans:
        balances: dict[int, int] = defaultdict(int)
        for _offset, _event_id, amount, currency in loan.waiting:
            balances[currency] -= amount
        for posting in books.postings_by_loan.get(loan.number, ()):
            sign = (posting.credit == SUSPENSE) - (posting.debit == SUSPENSE)
            balances[posting.currency] += sign * posting.amount
        for currency, balance in sorted(balances.items()):
            if balance:
                problem = f"suspense in {code_of(currency)} differs from what waits by {balance} minor units"
                yield Finding("loan", books.of(loan.loan_id), problem)


def groups_are_their_loans(books: Books) -> Iterator[Finding]:
    """An accrual group's numerator = the interest of the instalments in it; what it has earned and carries = what those
    instalments have earned by the open date; its postings are earnings and nothing else."""
    day = books.open_day
    wanted: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for loan in books.loans:
        for k in range(min(loan.accruing + 1, len(loan.due))):
            start, end = period(loan, k)
            if interest := loan.to_earn(k):
                sums = wanted[AccrualGroup(end - start, loan.currency).number]
                sums[0] += interest if k == loan.accruing else 0
                sums[1] += interest * (day - start if k == loan.accruing else end - start)
    rows = {row.number: row for row in books.tables.loans}
    for number in sorted({number for number, sums in wanted.items() if any(sums)} | books.groups.keys()):
        group, (numerator, counted) = books.groups.get(number), wanted[number]
        name = books.of(rows[number].loan_id if number in rows else f"group {number}")
        if group is None:
            yield Finding("loan", name, "the accrual group's row is missing")
        elif group.numerator != numerator:
            yield Finding("loan", name, f"numerator is {group.numerator}, the group's instalments give {numerator}")
        elif (have := _earned(books, number) * group.days + group.remainder) != counted:
            yield Finding("loan", name, f"earned and carried is {have}, the group's instalments give {counted}")


def _earned(books: Books, number: int) -> int:
    """Net of a group's postings."""
    return sum(
        posting.amount * ((posting.credit == INTEREST_INCOME) - (posting.debit == INTEREST_INCOME))
        for posting in books.postings_by_loan.get(number, ())
    )


def income_is_earned_by_groups(books: Books) -> Iterator[Finding]:
    """Postings of a group are accrued interest against income on the date booked; a loan's own touch interest income
    only to put it in suspense and back, for the tax on it, or if its accounting method keeps it out of the groups. Of
    the others, the close of a year does."""
    pair = {ACCRUED_INTEREST, INTEREST_INCOME}
    of_its_own = ({INTEREST_IN_SUSPENSE, INTEREST_INCOME}, {TAX_PAYABLE, INTEREST_INCOME})
    of_a_year = {INCOME_SUMMARY, INTEREST_INCOME}
    alone = {loan.number for loan in books.loans if loan.accounting != PERIODIC}
    for posting in books.tables.postings:
        if posting.loan >= GENERAL_NUMBER:
            sides = {posting.debit, posting.credit}
            if posting.loan == GENERAL_NUMBER and sides == of_a_year:
                continue
            if INTEREST_INCOME in sides and sides not in of_its_own and posting.loan not in alone:
                yield Finding(
                    "posting", books.line(posting), "a posting that is no accrual group's touches interest income"
                )
        elif {posting.debit, posting.credit} != pair:
            yield Finding("posting", books.line(posting), "not accrued interest against interest income")
        elif posting.effective != posting.booked:
            problem = f"effective_date is {posting.effective}, the date earned is {posting.booked}"
            yield Finding("posting", books.line(posting), problem)


def loans_are_folds(books: Books) -> Iterator[Finding]:
    """A loan's state, and its postings net per value date and pair of accounts, are those of a fold of its facts
    and of its manual entries."""
    for loan in books.loans:
        events = books.events_by_loan.get(loan.number, [])
        try:
            stored = ((event.offset, event.effective, record_of(event.record)) for event in events)
            facts = stored_facts(stored, books.rates)
            folded, journal = fold(loan.number, loan.loan_id, facts, before=loan.folded_to or books.horizon(loan))
        except (InvariantBroken, NotUnderstood, Unreadable) as broken:
            yield Finding("loan", books.of(loan.loan_id), f"its stored facts can't be folded: {broken}")
            continue
        folded.accruing, folded.folded_to = loan.accruing, loan.folded_to
        if canonical_state(folded) != canonical_state(loan):
            yield Finding("loan", books.of(loan.loan_id), "state is not that of a fold of its stored facts", "state")
        journal += [line for lines in booked_entries(events) for line in lines]
        if (wrong := _unlike(books, loan, journal)) is not None:
            yield wrong


Pair = tuple[int, int, int, int]


def _unlike(books: Books, loan: Loan, journal: Journal) -> Finding | None:
    """The posting that the fold does not book, else the first pair of accounts and value date that lacks one."""
    wanted: dict[Pair, int] = defaultdict(int)
    for line in journal:
        pair, signed = _pair(line.effective, line.debit, line.credit, line.currency, line.amount)
        wanted[pair] += signed
    booked: dict[Pair, int] = defaultdict(int)
    rows: dict[Pair, Posting] = {}
    for row in books.postings_by_loan.get(loan.number, ()):
        pair, signed = _pair(row.effective.toordinal(), row.debit, row.credit, row.currency, row.amount)
        booked[pair] += signed
        rows[pair] = row
    wrong = [pair for pair in sorted(wanted.keys() | booked.keys()) if wanted[pair] != booked[pair]]
    if not wrong:
        return None
    pair = min(wrong, key=lambda pair: (pair not in rows, wanted[pair] != 0))
    effective, first, second, currency = pair
    problem = (
        f"{NAMES.get(first, first)} against {NAMES.get(second, second)} on {iso(effective)} is {booked[pair]} "
        f"minor units of currency {currency}, a fold of the loan's stored facts books {wanted[pair]}"
    )
    if pair in rows:
        return Finding("posting", books.line(rows[pair]), problem)
    return Finding("posting", books.of(loan.loan_id), f"a row is missing: {problem}")


def _pair(effective: int, debit: int, credit: int, currency: int, amount: int) -> tuple[Pair, int]:
    """A line under its value date and pair of accounts, with its sign: an entry and what takes it back meet there."""
    if debit < credit:
        return (effective, debit, credit, currency), amount
    return (effective, credit, debit, currency), -amount
