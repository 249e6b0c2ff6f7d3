"""Bank statements with made-up names and figures of our own, and a book in memory that takes them in."""

from datetime import date
from typing import Any

from services.ledger.bank.cash_check import Sources
from services.ledger.bank.desk import read_file
from services.ledger.bank.facts import CashFact, Claim, Known, OpenLoan
from services.ledger.bank.lender import BankAccount, Lender, MatchingRow, read_lender
from services.ledger.bank.log_cash import LogCash
from services.ledger.bank.matching import match
from services.ledger.bank.state import AccountState, fold_account, statement_event_id
from services.ledger.bank.taking import commands_of
from services.ledger.commands import model
from services.ledger.commands.guard_rows import copied
from services.ledger.commands.guards import Guards, Stamp, decide, evolve
from services.ledger.engine.account import UNKNOWN
from services.ledger.engine.accounts import CASH
from services.ledger.fact_reading import taken_back
from services.ledger.memory import MemoryBooks, digest_in_memory
from services.ledger.messages import Topics
from services.ledger.reading import read
from shared.events.envelope import Envelope, derived_event_id
from shared.events.origination import Contract
from shared.events.terms import Terms
from shared.merkle import record_of
from shared.money import code_of
from shared.streams.ports import Record

IBAN = "DE02120300000000202051"
OPENED = date(2024, 1, 31)
TOPICS = Topics("lifecycle", "events", "accounts", "dlq", 1)
STAMP = Stamp("2024-02-29T10:00:00.000000Z")
PERSON = "Ludmila Vesela"
PERSONS_IBAN = "CZ6508000000192000145399"


def entry(
    amount: str,
    *,
    on: str = "2024-02-28",
    value: str | None = None,
    e2e: str | None = None,
    text: str | None = None,
    bank: str = "B-1",
    status: str = "BOOK",
    currency: str = "EUR",
    returned: bool = False,
    other: str = PERSONS_IBAN,
    version: str = "08",
    details: str | None = None,
) -> str:
    """One entry; a negative amount is a debit."""
    side, plain = ("DBIT", amount[1:]) if amount.startswith("-") else ("CRDT", amount)
    party = "CdtrAcct" if side == "DBIT" else "DbtrAcct"
    sts = f"<Sts><Cd>{status}</Cd></Sts>" if version == "08" else f"<Sts>{status}</Sts>"
    tx = details or (
        f"<TxDtls><Refs><EndToEndId>{e2e or 'NOTPROVIDED'}</EndToEndId></Refs>"
        f"<RltdPties><Dbtr><Nm>{PERSON}</Nm></Dbtr>"
        f"<{party}><Id><IBAN>{other}</IBAN></Id></{party}></RltdPties>"
        f"<RmtInf><Ustrd>{text or ''} {PERSON} {PERSONS_IBAN}</Ustrd></RmtInf>"
        f"{'<RtrInf><Rsn><Cd>AM04</Cd></Rsn></RtrInf>' if returned else ''}</TxDtls>"
    )
    return (
        f'<Ntry><Amt Ccy="{currency}">{plain}</Amt><CdtDbtInd>{side}</CdtDbtInd>{sts}'
        f"<BookgDt><Dt>{on}</Dt></BookgDt><ValDt><Dt>{value or on}</Dt></ValDt><AcctSvcrRef>{bank}</AcctSvcrRef>"
        f"<NtryDtls>{tx}</NtryDtls></Ntry>"
    )


def balance(kind: str, amount: str, on: str, currency: str = "EUR") -> str:
    """One balance; a negative one is a debit."""
    side, plain = ("DBIT", amount[1:]) if amount.startswith("-") else ("CRDT", amount)
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{plain}</Amt>'
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{on}</Dt></Dt></Bal>"
    )


def camt(
    *entries: str,
    opening: str = "5000.00",
    closing: str,
    number: int = 1,
    day: str = "2024-02-28",
    statement_id: str | None = None,
    iban: str = IBAN,
    currency: str = "EUR",
    summary: str = "",
    version: str = "08",
) -> bytes:
    """A whole document of one statement."""
    return (
        f'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M-{number}</MsgId></GrpHdr><Stmt><Id>{statement_id or f'S-{number}'}</Id>"
        f"<ElctrncSeqNb>{number}</ElctrncSeqNb><Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>{currency}</Ccy></Acct>"
        f"{balance('OPBD', opening, day, currency)}{balance('CLBD', closing, day, currency)}{summary}{''.join(entries)}"
        "</Stmt></BkToCstmrStmt></Document>"
    ).encode()


class House:
    """One partition's books in memory, fed by the commands' own rules; statements are taken in as the desk does."""

    def __init__(self, lender: Lender | None = None) -> None:
        self.lender = lender or read_lender()
        self.guards = Guards()
        self.books = MemoryBooks(0, TOPICS)
        self.records: list[Record] = []
        self.recorded: set[str] = set()
        self.record(model.OpenBook(OPENED, self.id("open")))

    def id(self, what: str) -> str:
        return derived_event_id(what, 0, "-", 0)

    def record(self, *commands: model.Command) -> list[Envelope]:
        """Record all or none, as `record_many` does; their events are folded."""
        now = self.guards
        before = copied(now)
        events = []
        try:
            for command in commands:
                if command.event_id in self.recorded:
                    assert not isinstance(command, model.BankCommand), "the desk asks whether it is recorded"
                else:
                    event, _ = decide(command, self.guards, partitions=1, stamp=STAMP)
                    evolve(command, self.guards)
                    events.append(event)
        except Exception:
            self.guards = before
            raise
        for event in events:
            self.recorded.add(event.id)
            self.fold(event)
        return events

    def fold(self, event: Envelope) -> None:
        record = Record("lifecycle", 0, len(self.records), 0, event.subject.encode(), event.to_json(), ())
        self.records.append(record)
        self.books.take(record)

    def lend(self, loan_id: str, amount: str = "1200.00", on: str = "2024-01-31", **terms: Any) -> None:
        self.contract(loan_id, amount, f"b-{loan_id}", **terms)
        paid = date.fromisoformat(on)
        self.record(model.Disburse(loan_id, amount, "EUR", paid, self.id(f"d{loan_id}")))

    def contract(self, loan_id: str, amount: str, borrower: str, **more: Any) -> None:
        terms = Terms.model_validate(
            {
                "kind": "equal-principal",
                "principal": amount,
                "currency": "EUR",
                "annual_rate": "0",
                "instalments": 12,
                "first_due_date": date(2024, 2, 29),
            }
            | more
        )
        contract = Contract(borrower_id=borrower, product="micro@1", terms=terms)
        self.record(model.ConcludeContract(loan_id, contract, self.id(f"c{loan_id}")))

    def pay(self, loan_id: str, amount: str, on: str, reference: str | None = None) -> str:
        event_id = self.id(f"{loan_id}{amount}{on}{reference}")
        self.record(
            model.ReceivePayment(loan_id, amount, "EUR", date.fromisoformat(on), reference, event_id),
        )
        return event_id

    def close_through(self, day: str) -> None:
        while self.guards.open_date is not None and self.guards.open_date <= date.fromisoformat(day):
            self.record(model.CloseDate(self.guards.open_date, self.id(f"x{self.guards.open_date}")))

    @property
    def account(self) -> BankAccount:
        return self.lender.account("main-eur")

    def events(self, subject: str) -> list[Any]:
        return [read(one) for one in self.records if one.key == subject.encode()]

    def state(self, account: str = "main-eur") -> AccountState:
        return fold_account(self.events(f"bank.{account}"))

    def moved(self) -> list[CashFact]:
        """What the postings moved on cash, by event and currency."""
        events = {offset: (event_id, leaf) for event_id, (offset, _, _, leaf) in self.books.events.items()}
        loans = {number: loan_id for number, (loan_id, _) in self.books.states.items()}
        found: dict[tuple[str, str], CashFact] = {}
        for (number, offset, _), row in self.books.postings.items():
            if CASH not in (row[6], row[7]):
                continue
            event_id, leaf = events[offset]
            event: Any = read(record_of(leaf))
            key = event_id, code_of(row[8])
            amount = (row[2] if row[6] == CASH else -row[2]) + (found[key].amount if key in found else 0)
            reference = getattr(event.data, "reference", None)
            found[key] = CashFact(event_id, loans[number], key[1], amount, row[3], reference, taken_back(event))
        return list(found.values())

    def facts(self, code: str = "EUR") -> dict[str, CashFact]:
        """The same in one currency by event, as the desk reads it: of loans of method none, from the log."""
        log = self.log()
        told = [fact for some in log.facts.values() for fact in some if fact.loan_id in log.unbooked]
        return {fact.event_id: fact for fact in (*self.moved(), *told) if fact.currency == code}

    def sources(self, **sides: Any) -> Sources:
        """The three sides of the daily check."""
        log = self.log()
        facts = [fact for some in log.facts.values() for fact in some]
        accounts = {one.id: (one, self.state(one.id)) for one in self.lender.accounts}
        return Sources(
            **(
                {"accounts": accounts, "books": self.moved(), "log": facts, "aside": {}, "unbooked": log.unbooked}
                | sides
            )
        )

    def known(self) -> Known:
        loans = {
            loan.loan_id: OpenLoan(
                loan.loan_id,
                code_of(loan.currency),
                tuple(Claim(date.fromordinal(due), loan.unpaid(k)) for k, due in enumerate(loan.due) if loan.unpaid(k)),
            )
            for loan in self.books.hosted.book.loans.values()
            if loan.status != UNKNOWN
        }
        linked = frozenset[str]().union(*(self.state(one.id).linked() for one in self.lender.accounts))
        return Known(self.facts(), loans, tuple(loans.values()), linked, self.lender.own("EUR"))

    def take(self, content: bytes, profile: str | None = None, rules: MatchingRow | None = None) -> list[Envelope]:
        """Take in a file; the events that it made."""
        commands: list[model.Command] = []
        for statement in read_file(content, profile, self.lender):
            row = rules or self.lender.rules(statement.closes)
            account = self.lender.account(statement.number)
            if statement_event_id(account.id, statement.statement_id, statement.digest()) in self.recorded:
                continue
            matches = match(account.id, statement, self.known(), row)
            commands += commands_of(statement, matches, account, self.state(account.id).last_event)[0]
        return self.record(*commands)

    def outcomes(self) -> dict[int, str]:
        return {line.line.n: line.outcome for line in self.state().lines.values()}

    def line(self, n: int) -> Any:
        return next(line for line in self.state().lines.values() if line.line.n == n)

    def log(self) -> LogCash:
        found = LogCash()
        found.take(self.records)
        return found

    def digest(self) -> dict[str, Any]:
        return digest_in_memory([self.books])
