"""What each line of a statement is: a pure function of the line, what the books know, and the rules of the day.

A line whose other side is an account of the lender's own is a transfer, whatever else it names.

Money in, the first that fits: the payment that it names; the direct debit that it names; the loan that it names (a
payment of that loan which was recorded before the bank showed it, else a new one); a recorded payment of the same
amount about the same day; a claim of the same amount about the same day. Where several fit, nobody but a person
decides. Money out: the payment that a return names, else the disbursement of the same amount, by the loan that it
names or about the same day.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from services.ledger.bank.facts import CashFact, Debit, Known, OpenLoan, standing
from services.ledger.bank.lender import MatchingRow
from services.ledger.bank.state import line_id, suspense_id
from services.ledger.bank.statement import Line, Statement
from shared.events.bank import Outcome
from shared.events.envelope import derived_event_id

CANDIDATES_MAX = 10
REFERENCE_MIN = 6
"""Characters of a reference that names a payment of another amount: shorter ones stand in any text by chance."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a line is. `fact`: the one of the books that it stands for, or (`returned`) takes back; `loan_id`: the loan
    that a payment is made for, or the pseudo-loan on which it waits. Neither: money out that fits nothing, or a
    transfer from or to `other_account`."""

    line: Line
    outcome: Outcome
    fact: CashFact | None = None
    loan_id: str | None = None
    candidates: tuple[str, ...] = ()
    expected: int | None = None
    other_account: str | None = None


def match(account: str, statement: Statement, known: Known, rules: MatchingRow) -> list[Match]:
    """One match a line, in order: a fact that one line stands for is no other's, and a line may return what an earlier
    one brought."""
    books = {key: fact for key, fact in standing(known.facts.values()).items() if fact.currency == statement.currency}
    linked, gone, found = set(known.linked), set[str](), list[Match]()
    for line in statement.lines:
        line_name = line_id(account, statement.statement_id, line.n)
        free = [fact for key, fact in sorted(books.items()) if key not in linked and key not in gone]
        if line.amount == 0:
            one = Match(line, "outside")
        elif (other := known.own.get(line.counterparty or "", account)) != account:
            one = Match(line, "transfer", other_account=other)
        elif line.amount > 0:
            one = _incoming(line, free, known, rules, statement.currency)
        else:
            all_standing = [fact for key, fact in sorted(books.items()) if key not in gone]
            one = _returned(line, all_standing) if line.returned else _outgoing(line, free, rules)
        if line.amount > 0 and one.fact is None and one.loan_id is None and one.other_account is None:
            one = replace(one, loan_id=suspense_id(line_name))
        if one.fact is not None:
            (gone if one.outcome == "returned" else linked).add(one.fact.event_id)
        elif one.loan_id is not None:
            made = payment_of(one.line, line_name, one.loan_id, statement.currency)
            books[made.event_id] = made
            linked.add(made.event_id)
        found.append(one)
    return found


def payment_of(line: Line, line_name: str, loan_id: str, currency: str) -> CashFact:
    """The payment that a line becomes. It counts from its value date, or from its booking where that is earlier: the
    bank had the money then, and no value date may lie ahead."""
    return CashFact(
        event_id=derived_event_id(line_name, 0, "-", 0),
        loan_id=loan_id,
        currency=currency,
        amount=line.amount,
        on=min(line.booked_on, line.value_date),
        reference=line.reference or line.bank_reference,
    )


def _incoming(line: Line, free: list[CashFact], known: Known, rules: MatchingRow, currency: str) -> Match:
    came_in = [fact for fact in free if fact.amount > 0]
    if named := [fact for fact in came_in if _names(line, fact)]:
        same = [fact for fact in named if fact.amount == line.amount]
        if len(same) == 1:
            return Match(line, "matched", same[0])
        if len(named) == 1:
            return Match(line, "partial", named[0], expected=named[0].amount)
        return _several(line, (fact.loan_id for fact in named))
    if debits := {token: known.debits[token] for token in line.tokens if token in known.debits}:
        return _for_debit(line, list(debits.values()))
    if loans := [known.loans[token] for token in line.tokens if token in known.loans]:
        if len(loans) > 1:
            return _several(line, (loan.loan_id for loan in loans))
        return _for_loan(line, loans[0], came_in, rules)
    near = [fact for fact in came_in if fact.amount == line.amount and _near(line, fact.on, rules)]
    if near:
        return Match(line, "matched", near[0]) if len(near) == 1 else _several(line, (fact.loan_id for fact in near))
    asking = [loan for loan in known.claiming if loan.currency == currency and _asks(loan, line, rules)]
    if len(asking) == 1 and rules.claims == "receive":
        return Match(line, "received", loan_id=asking[0].loan_id)
    if len(asking) > 1:
        return _several(line, (loan.loan_id for loan in asking))
    return Match(line, "unmatched", candidates=tuple(loan.loan_id for loan in asking))


def _for_debit(line: Line, debits: list[Debit]) -> Match:
    """A direct debit is paid by no other money of the loan's: the payment is a new one, with the debit's reference."""
    if len(debits) > 1:
        return _several(line, (debit.loan_id for debit in debits))
    (debit,) = debits
    line = replace(line, reference=debit.reference)
    if line.amount == debit.amount:
        return Match(line, "received", loan_id=debit.loan_id)
    return Match(line, "partial", loan_id=debit.loan_id, expected=debit.amount)


def _for_loan(line: Line, loan: OpenLoan, came_in: list[CashFact], rules: MatchingRow) -> Match:
    """A payment of this loan that was recorded before the bank showed it, else a new one. Those of one loan, amount and
    time are as good as each other: the earliest is taken."""
    own = [fact for fact in came_in if fact.loan_id == loan.loan_id and fact.amount == line.amount]
    if near := sorted((fact for fact in own if _near(line, fact.on, rules)), key=lambda fact: (fact.on, fact.event_id)):
        return Match(line, "matched", near[0])
    if not loan.claims or loan.asked(line.amount):
        return Match(line, "received", loan_id=loan.loan_id)
    return Match(line, "partial", loan_id=loan.loan_id, expected=loan.claims[0].amount)


def _outgoing(line: Line, free: list[CashFact], rules: MatchingRow) -> Match:
    went_out = [fact for fact in free if fact.amount == line.amount]
    named = [fact for fact in went_out if _names(line, fact) or fact.loan_id in line.tokens]
    fitting = named or [fact for fact in went_out if _near(line, fact.on, rules)]
    if len(fitting) == 1:
        return Match(line, "disbursed", fitting[0])
    if fitting:
        return _several(line, (fact.loan_id for fact in fitting))
    return Match(line, "unmatched")


def _returned(line: Line, books: list[CashFact]) -> Match:
    """The payment that a return names, of the same amount; a loan's only such payment will do."""
    same = [fact for fact in books if fact.amount == -line.amount]
    named = [fact for fact in same if _names(line, fact)] or [fact for fact in same if fact.loan_id in line.tokens]
    if len(named) == 1:
        return Match(line, "returned", named[0])
    if named:
        return _several(line, (fact.loan_id for fact in named))
    return Match(line, "unmatched")


def _names(line: Line, fact: CashFact) -> bool:
    """Whether the line names the fact: by its event id, or by the reference that was recorded with it."""
    if fact.event_id in line.tokens:
        return True
    if fact.reference is None or (len(fact.reference) < REFERENCE_MIN and abs(fact.amount) != abs(line.amount)):
        return False
    return fact.reference in (line.reference, line.bank_reference, *line.tokens)


def _near(line: Line, day: date, rules: MatchingRow) -> bool:
    return abs((line.value_date - day).days) <= rules.window_days


def _asks(loan: OpenLoan, line: Line, rules: MatchingRow) -> bool:
    return any(claim.amount == line.amount and _near(line, claim.due, rules) for claim in loan.claims)


def _several(line: Line, loan_ids: Iterable[str]) -> Match:
    return Match(line, "ambiguous", candidates=tuple(sorted(set(loan_ids)))[:CANDIDATES_MAX])
