"""The lender's own bank accounts, matching rules and CSV profiles: data in a folder, validated when loaded.

`LENDLOG_BANK_FOLDER` names the folder; the one beside this file is an example with made-up accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from stdnum import iban
from stdnum.eu import at_02

from services.ledger.bank.csv_profile import Profile, read_profile
from services.ledger.bank.pain_parts import Party
from services.ledger.bank.refusals import UnknownBankAccount, UnknownProfile
from shared.errors import MissingPrecondition
from shared.events.bank import SUBJECT, AccountId
from shared.events.envelope import CurrencyCode, SignedAmount
from shared.money import minor_units

EXAMPLE = Path(__file__).with_name("lender")
Days = Annotated[int, Field(ge=0, le=400, strict=True)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _creditor_id(text: str) -> str:
    return str(at_02.validate(text))


class BankAccount(_Row):
    """An account of the lender's, whose money is `role` in the books. Its statements begin on `opened_on` with
    `opening`: what the bank held before anything that both bank and books know."""

    id: AccountId
    number: Annotated[str, Field(min_length=1, max_length=34)]
    currency: CurrencyCode
    role: Literal["cash"] = "cash"
    opened_on: date
    opening: SignedAmount = "0"
    holder: Annotated[str, Field(pattern=r"^[^\p{Cc}\p{Cn}]{1,140}$")] | None = None
    """The lender's name as the bank has it. What is sent to the bank needs it, and the bank's code where `number` is no
    IBAN: `bic`, or `bank_code` with the `clearing` system that gave it."""
    bic: Annotated[str, Field(pattern=r"^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$")] | None = None
    bank_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,35}$")] | None = None
    clearing: Annotated[str, Field(pattern=r"^[A-Z]{2}[A-Z0-9]{1,3}$")] | None = None
    creditor_id: Annotated[str, AfterValidator(_creditor_id)] | None = None
    """The creditor identifier of SEPA (AT-02) by which direct debits are collected on the account."""
    pays_out_from: date | None = None
    """Disbursements of value dates from then on go out of this account by file; absent: none does."""

    @property
    def subject(self) -> str:
        """The subject of its events."""
        return f"{SUBJECT}{self.id}"

    def party(self) -> Party:
        """The lender as a party of payments. Raises MissingPrecondition."""
        is_iban = iban.is_valid(self.number)
        if self.holder is None or not (is_iban or self.bic or self.bank_code):
            lacks = "the holder's name" if self.holder is None else "bic, or bank_code and clearing"
            raise MissingPrecondition(f"accounts.yaml lacks {lacks} of {self.id}: nothing can be sent to its bank.")
        return Party(
            name=self.holder,
            iban=self.number if is_iban else None,
            number=None if is_iban else self.number,
            bank_code=self.bank_code,
            clearing=self.clearing,
            bic=self.bic,
        )

    @property
    def opening_minor(self) -> int:
        """The opening balance in minor units."""
        minor = minor_units(self.opening.lstrip("-"), self.currency)
        return -minor if self.opening.startswith("-") else minor


class MatchingRow(_Row):
    """How lines are matched from `start` on. `window_days`: how far the value date of a recorded payment, or the due
    date of a claim, may be from the line's. `claims`: whether money that names nothing, but is what one open claim asks
    for, is received for that loan, or only proposed. `transit_days`: how long what one side has may be on its way to
    the other before the daily check wants an explanation."""

    version: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9]{1,6}$")]
    start: date
    source: Annotated[str, Field(min_length=1, max_length=300)]
    window_days: Days
    claims: Literal["propose", "receive"]
    transit_days: Days


_ACCOUNTS: TypeAdapter[list[BankAccount]] = TypeAdapter(list[BankAccount])
_MATCHING: TypeAdapter[list[MatchingRow]] = TypeAdapter(list[MatchingRow])


@dataclass(frozen=True, slots=True)
class Lender:
    """Everything that reconciliation is told about the lender and its banks."""

    accounts: tuple[BankAccount, ...]
    matching: tuple[MatchingRow, ...]
    profiles: Mapping[str, Profile]

    def account(self, number: str) -> BankAccount:
        """The account that the bank calls `number`, or the lender by its id. Raises UnknownBankAccount."""
        for one in self.accounts:
            if number in (one.number, one.id):
                return one
        ids = ", ".join(one.id for one in self.accounts)
        raise UnknownBankAccount(f"The statement's account is none of {ids}: add it to accounts.yaml if it is yours.")

    def own(self, currency: str) -> dict[str, str]:
        """The ids of the accounts in a currency, by number."""
        return {one.number: one.id for one in self.accounts if one.currency == currency}

    def rules(self, on: date) -> MatchingRow:
        """The row in force on a date."""
        return max((row for row in self.matching if row.start <= on), key=lambda row: row.start)

    def profile(self, name: str) -> Profile:
        """The CSV profile of this name. Raises UnknownProfile."""
        if name not in self.profiles:
            raise UnknownProfile(f"{name[:40]!r} is none of {', '.join(sorted(self.profiles))}.", field="profile")
        return self.profiles[name]


@cache
def read_lender(folder: Path = EXAMPLE) -> Lender:
    """What the folder says. Raises MissingPrecondition with what is wrong in it."""
    accounts = _rows(folder / "accounts.yaml", _ACCOUNTS)
    matching = _rows(folder / "matching.yaml", _MATCHING)
    for what, values in (("id", [one.id for one in accounts]), ("number", [one.number for one in accounts])):
        if len(set(values)) < len(values):
            raise MissingPrecondition(f"{folder}/accounts.yaml has an account's {what} twice.")
    if min((row.start for row in matching), default=date.max) > date(1900, 1, 1):
        raise MissingPrecondition(f"{folder}/matching.yaml needs a row from 1900-01-01 on, so that no date has none.")
    profiles = {file.stem: read_profile(file) for file in sorted((folder / "profiles").glob("*.yaml"))}
    return Lender(tuple(accounts), tuple(matching), profiles)


def _rows(file: Path, adapter: TypeAdapter[Any]) -> Any:
    try:
        return adapter.validate_python(yaml.safe_load(file.read_text()))
    except OSError as error:
        raise MissingPrecondition(f"{file} can't be read: set LENDLOG_BANK_FOLDER to your own folder.") from error
    except (ValidationError, yaml.YAMLError) as error:
        raise MissingPrecondition(f"{file} is not usable: {error}") from error
