"""Statements as CSV: a profile says what a bank's columns mean, and is data (`profiles/*.yaml`).

A running balance is required: without one nothing tells whether a row is missing.
"""

import csv
import io
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.ledger.bank.references import kept, tokens
from services.ledger.bank.refusals import ColumnMissing, OtherCurrencyThanAccount, StatementEmpty, UnreadableRow
from services.ledger.bank.statement import Line, Statement, amount_of, checked
from shared.errors import MissingPrecondition, Refusal
from shared.events.envelope import CurrencyCode

Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Part):
    """Headers by meaning. Either `amount`, signed or with `side`, or `credit` and `debit`."""

    booked_on: Name
    value_date: Name | None = None
    amount: Name | None = None
    side: Name | None = None
    credit: Name | None = None
    debit: Name | None = None
    balance: Name
    currency: Name | None = None
    account: Name | None = None
    status: Name | None = None
    reference: Name | None = None
    bank_reference: Name | None = None
    counterparty: Name | None = None
    texts: tuple[Name, ...] = ()
    """Columns in which something of ours may be named."""


class Profile(_Part):
    """How one bank writes its export. `debit_marks`: what stands in `side` of money out; `booked_marks`: what stands in
    `status` of a booked row (without the column, all are). `date_format` is that of strptime."""

    account: Name | None = None
    currency: CurrencyCode
    columns: Columns
    date_format: Name
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    debit_marks: tuple[Name, ...] = ()
    booked_marks: tuple[Name, ...] = ()
    return_marks: tuple[Name, ...] = ()
    """Words in `texts` by which the bank says that a row takes an earlier one back."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Name = "utf-8-sig"
    skip_lines: Annotated[int, Field(ge=0, le=100)] = 0
    newest_first: bool = False


def read_profile(file: Path) -> Profile:
    """The profile of a file. Raises MissingPrecondition with what is wrong in it."""
    try:
        return Profile.model_validate(yaml.safe_load(file.read_text()))
    except (ValidationError, yaml.YAMLError) as error:
        raise MissingPrecondition(f"The CSV profile {file} is not usable: {error}") from error


def read_csv(content: bytes, profile: Profile) -> list[Statement]:
    """The one statement of a file; its id is made of its first and last date. Raises refusals by name."""
    try:
        text = content.decode(profile.encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise UnreadableRow(f"The file is not in {profile.encoding}: {error}.") from None
    below = io.StringIO("".join(text.splitlines(keepends=True)[profile.skip_lines :]), newline="")
    reader = csv.DictReader(below, delimiter=profile.delimiter)
    named = profile.columns.model_dump(exclude={"texts"}, exclude_none=True)
    if missing := {*named.values(), *profile.columns.texts} - set(reader.fieldnames or ()):
        raise ColumnMissing(f"The file has no column {', '.join(sorted(missing))}.")
    rows = [_Row(n, row, profile) for n, row in enumerate(reader, start=profile.skip_lines + 2) if any(row.values())]
    if profile.newest_first:
        rows.reverse()
    booked = [row for row in rows if row.is_booked()]
    if not booked:
        raise StatementEmpty("The file has no booked row.")
    return [checked(_statement(booked, profile, pending=len(rows) - len(booked)))]


def _statement(rows: "list[_Row]", profile: Profile, *, pending: int) -> Statement:
    lines = tuple(row.line(n) for n, row in enumerate(rows, start=1))
    numbers = {row.text("account") or profile.account or "" for row in rows}
    if len(numbers) > 1 or not next(iter(numbers)):
        raise UnreadableRow(f"The file is of {len(numbers)} accounts, or names none: one is needed.")
    for before, row in pairwise(rows):
        if before.balance() + row.amount() != row.balance():
            raise UnreadableRow(f"{row.where}: its balance does not follow from the row before.")
    opens, closes = min(line.booked_on for line in lines), max(line.booked_on for line in lines)
    return Statement(
        number=next(iter(numbers)).replace(" ", ""),
        statement_id=f"csv.{opens}.{closes}",
        sequence=None,
        currency=profile.currency,
        opens=opens,
        closes=closes,
        opening=rows[0].balance() - rows[0].amount(),
        closing=rows[-1].balance(),
        lines=lines,
        pending=pending,
    )


class _Row:
    """One row under a profile; whatever is wrong in it raises UnreadableRow with its number."""

    def __init__(self, number: int, row: dict[str, str], profile: Profile) -> None:
        self.where, self.row, self.profile = f"Row {number}", row, profile

    def text(self, meaning: str) -> str | None:
        column = getattr(self.profile.columns, meaning)
        return ((self.row.get(column) or "").strip() or None) if column else None

    def is_booked(self) -> bool:
        return not self.profile.columns.status or self.text("status") in self.profile.booked_marks

    def day(self, meaning: str) -> date | None:
        if (text := self.text(meaning)) is None:
            return None
        try:
            return datetime.strptime(text, self.profile.date_format).date()  # noqa: DTZ007 - a date without a time
        except ValueError:
            raise UnreadableRow(f"{self.where}: {meaning} is no date as {self.profile.date_format}.") from None

    def signed(self, meaning: str) -> int | None:
        if (text := self.text(meaning)) is None:
            return None
        plain = text.replace(self.profile.thousands, "") if self.profile.thousands else text
        plain = plain.replace(self.profile.decimal, ".").replace("−", "-")
        sign = -1 if plain.startswith("-") else 1
        try:
            return sign * amount_of(plain.lstrip("+-"), self.profile.currency, f"{self.where}, {meaning}")
        except Refusal as refusal:
            raise UnreadableRow(refusal.detail) from refusal

    def amount(self) -> int:
        credit, debit, amount = self.signed("credit"), self.signed("debit"), self.signed("amount")
        if amount is not None:
            return -abs(amount) if self.text("side") in self.profile.debit_marks and self.text("side") else amount
        if credit is None and debit is None:
            raise UnreadableRow(f"{self.where} has no amount.")
        return (credit or 0) - abs(debit or 0)

    def balance(self) -> int:
        if (found := self.signed("balance")) is None:
            raise UnreadableRow(f"{self.where} has no balance.")
        return found

    def line(self, n: int) -> Line:
        booked_on = self.day("booked_on")
        if booked_on is None:
            raise UnreadableRow(f"{self.where} has no booking date.")
        if (currency := self.text("currency")) not in (None, self.profile.currency):
            raise OtherCurrencyThanAccount(f"{self.where} is in {currency}, the account in {self.profile.currency}.")
        texts = [self.row.get(column) for column in self.profile.columns.texts]
        return Line(
            n=n,
            booked_on=booked_on,
            value_date=self.day("value_date") or booked_on,
            amount=self.amount(),
            reference=kept(self.text("reference")),
            bank_reference=kept(self.text("bank_reference")),
            tokens=tokens([self.text("reference"), *texts]),
            counterparty=(self.text("counterparty") or "").replace(" ", "") or None,
            returned=any(mark in (text or "") for mark in self.profile.return_marks for text in texts),
        )
