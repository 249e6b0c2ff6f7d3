"""The audit of the books: a list of independent checks, each a small function that gives the bad rows which it finds.

The books are read partition by partition from one snapshot, the log up to each position; nothing is changed.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.ledger.engine.accounts import NAMES
from services.ledger.proofs.heads_check import SignedHeads
from services.ledger.queries import snapshot
from services.ledger.verify import (
    of_balances,
    of_books,
    of_debits,
    of_entries,
    of_heads,
    of_log,
    of_payment_files,
    of_refinancing,
    of_replay,
    of_years,
)
from services.ledger.verify.of_balances import Check
from services.ledger.verify.rows import UNFINISHED, Books, Finding, LogReader, Mark
from services.ledger.verify.since import is_run_since, read_since
from services.ledger.verify.tables import NEW_POSITION, held_partitions, partitions_of, read_books
from shared.errors import Refusal
from shared.money import code_of, decimal_text

__all__ = ["ALL_CHECKS", "CHECKS", "Audit", "Finding", "LogReader", "Mark", "first_finding", "verify"]

CHECKS: dict[str, Check] = {
    "partitions": of_books.partitions_are_whole,
    "position": of_log.position_agrees,
    "counts": of_log.counts_add_up,
    "tree": of_log.tree_is_recomputed,
    "signed-heads": of_heads.heads_are_beginnings,
    "records": of_log.records_are_the_logs,
    "event-ids": of_log.ids_are_the_records,
    "log": of_log.nothing_is_missing,
    "outbox": of_log.outbox_is_contiguous,
    "events": of_books.events_have_loans,
    "event-dates": of_books.events_are_dated,
    "postings": of_books.postings_have_causes,
    "loan-columns": of_books.columns_are_the_states,
    "suspense-rows": of_books.suspense_is_what_waits,
    "reference-rates": of_books.rates_are_published,
    "parked": of_books.parked_are_held,
    "principal": of_balances.principal_is_its_postings,
    "interest-due": of_balances.interest_is_its_postings,
    "fees-due": of_balances.fees_are_their_postings,
    "penalties-due": of_balances.penalties_are_their_postings,
    "interest-ahead": of_balances.unearned_is_its_postings,
    "interest-accrued": of_balances.accrued_is_its_postings,
    "overpayment": of_balances.overpayment_is_its_postings,
    "allowance": of_balances.allowance_is_its_postings,
    "suspended-interest": of_balances.suspended_interest_is_its_postings,
    "deferred-fees": of_balances.deferred_fees_are_their_postings,
    "suspense": of_balances.suspense_is_its_postings,
    "accrual-groups": of_balances.groups_are_their_loans,
    "income": of_balances.income_is_earned_by_groups,
    "folds": of_balances.loans_are_folds,
    "four-eyes": of_entries.entries_were_proposed_and_approved_by_two,
    "periods": of_entries.postings_are_in_open_periods,
    "replayed-position": of_replay.position_is_replayed,
    "replayed-events": of_replay.events_are_replayed,
    "replayed-postings": of_replay.postings_are_replayed,
    "replayed-loans": of_replay.loans_are_replayed,
    "replayed-periods": of_replay.periods_are_replayed,
    "replayed-asides": of_replay.asides_are_replayed,
    "replayed-rates": of_replay.rates_are_replayed,
    "replayed-outbox": of_replay.outbox_is_replayed,
}
"""Checks of one partition, by the name under which `lendlog verify` reports."""
ALL_CHECKS = (*CHECKS, of_refinancing.NAME, of_payment_files.NAME, of_debits.NAME, of_years.NAME)
"""Of all checks; the last four are across partitions."""


@dataclass(slots=True)
class Audit:
    """What `verify` found: the first bad row of each check that failed, and what it went through."""

    findings: dict[str, Finding] = field(default_factory=dict)
    events: int = 0
    postings: int = 0
    loans: int = 0
    signed_heads: int = 0
    """Heads that the log was held against."""
    seconds: float = 0.0
    since: Mapping[int, Mark] = field(default_factory=dict)
    """Where the audit began; empty: it is of the whole."""
    marks: dict[int, Mark] = field(default_factory=dict)
    """Where the partitions were."""
    refinancings: of_refinancing.Refinancings = field(default_factory=of_refinancing.Refinancings)
    debits: of_debits.Debits = field(default_factory=of_debits.Debits)
    payment_files: of_payment_files.PaymentFiles = field(default_factory=of_payment_files.PaymentFiles)
    years: of_years.Years = field(default_factory=of_years.Years)
    totals: dict[int, dict[int, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: [0, 0]))
    )
    """Currency number → account → [sum of debits, sum of credits] in minor units."""

    @property
    def ok(self) -> bool:
        """Whether no check found anything."""
        return not self.findings

    @property
    def checks(self) -> dict[str, Check]:
        """Those that it runs."""
        return {name: check for name, check in CHECKS.items() if not self.since or is_run_since(name)}

    @property
    def names(self) -> Sequence[str]:
        """Of the checks that it runs."""
        return tuple(self.checks) if self.since else ALL_CHECKS

    def document(self) -> dict[str, Any]:
        """As `lendlog verify --json` prints it."""
        since = {str(partition): mark.next_offset for partition, mark in self.since.items()}
        return {
            "ok": self.ok,
            **({"since": since} if since else {}),
            "checks": {name: self.findings[name].document() if name in self.findings else "ok" for name in self.names},
            "events": self.events,
            "postings": self.postings,
            "loans": self.loans,
            "signed_heads": self.signed_heads,
            "trial_balance": {_code(number): self._trial_balance(number) for number in sorted(self.totals)},
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.events / self.seconds) if self.seconds else 0,
        }

    def _trial_balance(self, number: int) -> dict[str, dict[str, str]]:
        accounts = self.totals[number]
        lines = {NAMES.get(account, str(account)): accounts[account] for account in sorted(accounts)}
        lines["total"] = [sum(side) for side in zip(*accounts.values(), strict=True)]
        return {
            name: {"debit": _text(debit, number), "credit": _text(credit, number)}
            for name, (debit, credit) in lines.items()
        }

    def take(self, books: Books) -> None:
        """Run every check that has found nothing yet on one partition."""
        for name, check in self.checks.items():
            if name not in self.findings and (finding := first_finding(check, books)) is not None:
                self.findings[name] = finding
        if books.tables.position is not NEW_POSITION:
            self.marks[books.partition] = Mark.of(books.tables.position)
        if not self.since:
            of_refinancing.take(self.refinancings, books)
            of_debits.take(self.debits, books)
            of_payment_files.take(self.payment_files, books)
            of_years.take(self.years, books)
        self.events += len(books.tables.events)
        self.postings += len(books.tables.postings)
        self.signed_heads += len(of_heads.compared(books))
        self.loans += sum(row.number >= 0 for row in books.tables.loans)
        for posting in books.tables.postings:
            accounts = self.totals[posting.currency]
            accounts[posting.debit][0] += posting.amount
            accounts[posting.credit][1] += posting.amount

    def finish(self) -> None:
        """After the last partition: what is between them."""
        across = {
            of_refinancing.NAME: of_refinancing.one_sided(self.refinancings),
            of_payment_files.NAME: of_payment_files.unpaid(self.payment_files),
            of_debits.NAME: of_debits.asked_twice(self.debits),
            of_years.NAME: of_years.wrong(self.years) if self.years.ended else iter(()),
        }
        self.findings |= {name: found for name, some in across.items() if (found := next(some, None)) is not None}


def first_finding(check: Check, books: Books) -> Finding | None:
    """What a check says first. One that stumbles over a row which says nonsense is a finding too; another check names
    the row."""
    try:
        return next(check(books), None)
    except Exception as error:  # noqa: BLE001 - whatever nonsense leads to
        said = f"{UNFINISHED}: {type(error).__name__}: {error}"
        return Finding("position", {"partition": books.partition}, said)


async def verify(
    connection: Any,
    log: LogReader,
    *,
    prefix: str | None = None,
    since: Mapping[int, Mark] | None = None,
    signed: SignedHeads | None = None,
) -> Audit:
    """Check every partition of the books in the connection's search path against themselves and against the log.
    `prefix`: what stands before the names of topics, if it is known. `since`: where the last audit ended, which found
    nothing; only what came after it is looked at, the whole where it does not say that of each partition. `signed`: the
    heads that the log is held against, read before this is called, so that the books have come to all of them."""
    started = time.perf_counter()
    async with snapshot(connection):
        partitions, held = await partitions_of(connection), await held_partitions(connection)
        audit = Audit(since=since if since and set(since) == set(range(partitions)) else {})
        if not audit.since:
            audit.payment_files = await of_payment_files.read_files(connection)
        for partition in range(partitions):
            if audit.since:
                books = await read_since(connection, partition, partitions, log, audit.since[partition])
            else:
                books = await read_books(connection, partition, partitions, log, held=held, prefix=prefix)
            books.signed = signed
            audit.take(books)
    audit.finish()
    audit.seconds = time.perf_counter() - started
    return audit


def _code(number: int) -> str:
    try:
        return code_of(number)
    except Refusal:
        return str(number)


def _text(minor: int, number: int) -> str:
    code = _code(number)
    return str(minor) if code == str(number) else decimal_text(minor, code)
