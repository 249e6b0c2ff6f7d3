"""What reconciliation reads of the books: an account's events, cash facts, loans that lines name."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from services.ledger.bank.facts import CashFact, Claim, OpenLoan
from services.ledger.bank.lender import BankAccount, Lender
from services.ledger.bank.log_cash import LogCash
from services.ledger.bank.state import AccountFolds, AccountState
from services.ledger.commands.refusals import LoanIsParked
from services.ledger.engine.account import ACTIVE, UNKNOWN, Loan, decode_loan
from services.ledger.engine.accounts import CASH, SUSPENSE
from services.ledger.engine.methods import NONE
from services.ledger.fact_reading import taken_back
from services.ledger.queries.loans import HISTORY, find
from services.ledger.reading import read
from shared.merkle import record_of
from shared.money import code_of, currency

CLAIMS_MAX = 60
"""Instalments of a loan that are looked at, oldest first: nobody pays more at once."""

# What each event moved on the cash account; an entry may have several lines.
_MOVED = """
SELECT partition, loan, "offset", currency, effective_date,
       sum(CASE WHEN debit = $1 THEN amount ELSE -amount END) AS amount
FROM posting WHERE (debit = $1 OR credit = $1) AND effective_date BETWEEN $2 AND $3
  AND ($4::smallint IS NULL OR currency = $4)
GROUP BY partition, loan, "offset", currency, effective_date
"""
_FACTS = f"""
SELECT event_id, loan_id, currency, m.effective_date, amount, record FROM ({_MOVED}) m
JOIN event e ON e.partition = m.partition AND e."offset" = m."offset"
JOIN loan l ON l.partition = m.partition AND l.loan = m.loan
ORDER BY event_id
"""
_ALL = f"""
SELECT event_id, loan_id, currency, m.effective_date, amount FROM ({_MOVED}) m
JOIN event e ON e.partition = m.partition AND e."offset" = m."offset"
JOIN loan l ON l.partition = m.partition AND l.loan = m.loan
"""
# The same of events by id.
_THESE = """
SELECT event_id, loan_id, currency, p.effective_date,
       sum(CASE WHEN debit = $1 THEN amount ELSE -amount END) AS amount, record
FROM event e JOIN posting p ON p.partition = e.partition AND p.loan = e.loan AND p."offset" = e."offset"
JOIN loan l ON l.partition = e.partition AND l.loan = e.loan
WHERE e.event_id = ANY($2::uuid[]) AND (debit = $1 OR credit = $1) AND currency = $3
GROUP BY event_id, loan_id, currency, p.effective_date, record
"""
# Loans to which something happened that moved no account, or that gave back what waited in suspense: those of
# accounting method none are among them.
_UNPOSTED = """
SELECT l.partition, l.state FROM loan l JOIN (
    SELECT partition, loan FROM event e WHERE loan >= 0 AND booking_date >= $1 AND effective_date BETWEEN $1 AND $2
    AND NOT EXISTS (
        SELECT FROM posting p WHERE (p.partition, p.loan, p."offset") = (e.partition, e.loan, e."offset")
    )
    UNION SELECT partition, loan FROM posting
    WHERE debit = $3 AND credit = $4 AND effective_date BETWEEN $1 AND $2
) few USING (partition, loan)
"""
_OF_EVENTS = """
SELECT DISTINCT partition, state FROM event JOIN loan USING (partition, loan)
WHERE event_id = ANY($1::uuid[]) AND loan >= 0
"""
# An account's events in the order in which they were folded; and some of them, whole.
_KEYS = """
SELECT "offset", event_id FROM event WHERE partition = $1 AND loan = $2 AND booking_date <= $3
ORDER BY booking_date, "offset"
"""
_RECORDS = """
SELECT record FROM event WHERE partition = $1 AND "offset" = ANY($2::bigint[]) ORDER BY booking_date, "offset"
"""
_NAMED = "SELECT state FROM loan WHERE loan_id = ANY($1::text[]) AND loan >= 0"
_LOANS = "SELECT state FROM loan WHERE loan >= 0"
_ASIDE = """
SELECT partition, "offset", loan_id || ' is parked: ' || reason AS reason
FROM parked_event JOIN parked_loan USING (partition, loan_id)
UNION ALL SELECT partition, "offset", 'dead letter: ' || reason FROM dead_letter WHERE settled_by IS NULL
"""


async def account_state(
    connection: Any, account: BankAccount, known: date | None = None, folds: AccountFolds | None = None
) -> AccountState:
    """The account as far as the books have come, or had at the end of a date. `folds`: what the process keeps of it.
    Raises LoanIsParked."""
    stored = await find(connection, account.subject)
    if stored is None:
        return AccountState()
    if stored.parked is not None:
        raise LoanIsParked(f"{account.subject} is parked: {stored.parked['reason']}.")
    assert stored.state is not None
    rows = await connection.fetch(_KEYS, stored.partition, stored.state.number, known or date.max)
    ids, folds = [str(row["event_id"]) for row in rows], folds or AccountFolds()
    state, done = folds.resume(account.subject, ids)
    if later := [row["offset"] for row in rows[done:]]:
        records = await connection.fetch(_RECORDS, stored.partition, later)
        state.go_on(read(record_of(row["record"])) for row in records)
        if known is None:
            folds.keep(account.subject, ids, state)
    return state


async def account_states(
    connection: Any, lender: Lender, known: date | None = None, folds: AccountFolds | None = None
) -> dict[str, tuple[BankAccount, AccountState]]:
    """Every account by id."""
    return {one.id: (one, await account_state(connection, one, known, folds)) for one in lender.accounts}


async def cash_facts(connection: Any, since: date, through: date, code: str) -> dict[str, CashFact]:
    """What moved cash in a currency, of value dates from `since` to `through`, by event id: what the books have, and
    what loans moved of which nothing is booked."""
    found = _facts(await connection.fetch(_FACTS, CASH, since, through, currency(code).number))
    rows = await connection.fetch(_UNPOSTED, since, through, SUSPENSE, CASH)
    known = await _unbooked(connection, rows, code)
    return found | {key: fact for key, fact in known.items() if since <= fact.on <= through}


async def cash_moved(connection: Any) -> list[CashFact]:
    """All that the books ever moved on cash, by event and currency, without reading the events: who names whom is not
    in it."""
    found: dict[tuple[str, str], CashFact] = {}
    async for row in connection.cursor(_ALL, CASH, date.min, date.max, None, prefetch=20_000):
        key = event_id, code = str(row["event_id"]), code_of(row["currency"])
        amount, on = int(row["amount"]), row["effective_date"]
        if (before := found.get(key)) is not None:
            amount, on = amount + before.amount, min(on, before.on)
        found[key] = CashFact(event_id, row["loan_id"], code, amount, on)
    return list(found.values())


async def facts_named(connection: Any, event_ids: Collection[str], code: str) -> dict[str, CashFact]:
    """What these events moved of cash in a currency, and those that take them back."""
    if not event_ids:
        return {}
    found = _facts(await connection.fetch(_THESE, CASH, list(event_ids), currency(code).number))
    known = await _unbooked(connection, await connection.fetch(_OF_EVENTS, list(event_ids)), code)
    for day in sorted({fact.on for fact in found.values()}):
        found |= {key: one for key, one in (await cash_facts(connection, day, day, code)).items() if one.reverses}
    return found | {key: one for key, one in known.items() if key in event_ids or one.reverses in event_ids}


async def _unbooked(connection: Any, rows: Iterable[Any], code: str) -> dict[str, CashFact]:
    """All that the loans of accounting method none among these moved of cash in a currency, as the log says it."""
    found: dict[str, CashFact] = {}
    for row in rows:
        if (loan := decode_loan(row["state"])).accounting != NONE:
            continue
        cash = LogCash()
        for event in await connection.fetch(HISTORY, row["partition"], loan.number):
            cash.add(read(record_of(event["record"])), event["offset"], event["effective_date"])
        facts = (fact for some in cash.facts.values() for fact in some)
        found |= {fact.event_id: fact for fact in facts if fact.currency == code}
    return found


def _facts(rows: Iterable[Any]) -> dict[str, CashFact]:
    """Rows in one currency, by event id."""
    found: dict[str, CashFact] = {}
    for row in rows:
        event: Any = read(record_of(row["record"]))
        event_id, before = str(row["event_id"]), found.get(str(row["event_id"]))
        found[event_id] = CashFact(
            event_id=event_id,
            loan_id=row["loan_id"],
            currency=code_of(row["currency"]),
            amount=int(row["amount"]) + (before.amount if before else 0),
            on=min(row["effective_date"], before.on) if before else row["effective_date"],
            reference=getattr(event.data, "reference", None),
            reverses=taken_back(event),
        )
    return found


async def loans_named(connection: Any, tokens: Collection[str]) -> dict[str, OpenLoan]:
    """The loans with a contract whose ids these are."""
    states = [decode_loan(row["state"]) for row in await connection.fetch(_NAMED, list(tokens))]
    return {loan.loan_id: _open(loan) for loan in states if loan.status != UNKNOWN}


async def loans_claiming(connection: Any, amounts: Collection[int]) -> tuple[OpenLoan, ...]:
    """The running loans with an open instalment of one of these amounts. It reads every loan."""
    found: list[OpenLoan] = []
    async for row in connection.cursor(_LOANS, prefetch=10_000):
        loan = decode_loan(row["state"])
        if loan.status == ACTIVE:
            found.append(_open(loan))
    asking = (one for one in found if any(claim.amount in amounts for claim in one.claims))
    return tuple(sorted(asking, key=lambda one: one.loan_id))


def _open(loan: Loan) -> OpenLoan:
    last = min(len(loan.due), loan.first_open + CLAIMS_MAX)
    claims = [Claim(date.fromordinal(loan.due[k]), loan.unpaid(k)) for k in range(loan.first_open, last)]
    return OpenLoan(
        loan.loan_id, code_of(loan.currency), tuple(sorted((c for c in claims if c.amount), key=lambda c: c.due))
    )


async def places_aside(connection: Any) -> dict[tuple[int, int], str]:
    """Where on the log stands what the books hold back: (partition, offset), with the reason."""
    return {(row["partition"], row["offset"]): row["reason"] for row in await connection.fetch(_ASIDE)}
