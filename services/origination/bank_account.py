"""The borrower's account at a bank: where a loan is paid out to, and what a direct debit would draw on.

An IBAN (ISO 13616) says it all. Where there are none, as in China, it is the account's number, the bank's code, and the
clearing system that gave the code: one of ISO 20022's external code list ExternalClearingSystemIdentification1Code.
Names, numbers and codes are as long as ISO 20022 lets them be.
"""

from typing import Annotated, Literal

from pydantic import StringConstraints
from stdnum import bic, iban
from stdnum.exceptions import ValidationError

from services.origination.bands import Rule
from shared.errors import Refusal

AccountPurpose = Literal["pay-out", "direct-debit"]
"""What an account is read for."""
CNAPS = "CNAPS"
CNAPS_DIGITS = 12
"""大额支付系统行号: three digits of the bank, four of its place, four of the branch, one check digit."""


class WrongIban(Refusal):
    """The IBAN is none: its check digits, its length or its country's form do not fit."""


class WrongBic(Refusal):
    """The BIC is none (ISO 9362)."""


class WrongBankCode(Refusal):
    """The bank's code has not the form that its clearing system gives."""


class AccountIncomplete(Refusal):
    """An account is an IBAN, or else a number with the bank's code and the clearing system that gave it."""


class BankAccount(Rule):
    """An account of the borrower. What is wrong with it is refused when it is written, see `checked`."""

    holder: Annotated[str, StringConstraints(pattern=r"^[^\p{Cc}\p{Cn}]{1,140}$", strip_whitespace=True)]
    iban: Annotated[str, StringConstraints(min_length=5, max_length=50)] | None = None
    number: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/ -]{1,34}$")] | None = None
    bank_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,35}$")] | None = None
    clearing: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[A-Z0-9]{1,3}$")] | None = None
    bic: Annotated[str, StringConstraints(min_length=8, max_length=11)] | None = None

    def checked(self) -> "BankAccount":
        """The same, without what only makes it readable. Raises what is wrong with it; none of that repeats it."""
        domestic = (self.number, self.bank_code, self.clearing)
        if (self.iban is None) == (None in domestic) or (self.iban is not None and any(domestic)):
            raise AccountIncomplete("Name the iban alone, or number, bank_code and clearing.", field="iban")
        if self.clearing == CNAPS and not (
            str(self.bank_code).isdecimal() and len(str(self.bank_code)) == CNAPS_DIGITS
        ):
            raise WrongBankCode(f"A code of {CNAPS} has {CNAPS_DIGITS} digits.", field="bank_code")
        number = None if self.number is None else "".join(self.number.split())
        return self.model_copy(update={"iban": _iban(self.iban), "number": number, "bic": _bic(self.bic)})


def _iban(text: str | None) -> str | None:
    try:
        return None if text is None else str(iban.validate(text))
    except ValidationError:
        raise WrongIban("Look at its digits once more.", field="iban") from None


def _bic(text: str | None) -> str | None:
    try:
        return None if text is None else str(bic.validate(text))
    except ValidationError:
        raise WrongBic("It has 8 or 11 characters: bank, country, place, branch.", field="bic") from None
