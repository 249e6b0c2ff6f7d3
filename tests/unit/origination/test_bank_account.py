"""A borrower's bank account: checked by its own digits when it is written, and never repeated in a refusal."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.origination.bank_account import AccountIncomplete, BankAccount, WrongBankCode, WrongBic, WrongIban
from shared.errors import Refusal

HOLDER = {"holder": "王小明"}
DOMESTIC = HOLDER | {"number": "6222 0200 0000 0000 001", "bank_code": "102100099996", "clearing": "CNAPS"}


def test_an_account_is_kept_without_what_only_makes_it_readable() -> None:
    czech = BankAccount(**HOLDER, iban="CZ65 0800 0000 1920 0014 5399", bic="gibaczpx").checked()
    assert (czech.iban, czech.bic) == ("CZ6508000000192000145399", "GIBACZPX")
    assert BankAccount(**DOMESTIC).checked().number == "6222020000000000001"


@pytest.mark.parametrize("holder", ["a\x00b", "a\nb", "a\ufffeb", "", "x" * 141])
def test_a_holder_is_a_name_that_an_xml_file_can_hold(holder: str) -> None:
    with pytest.raises(ValidationError):
        BankAccount(holder=holder, iban="CZ6508000000192000145399")


@pytest.mark.parametrize(
    ("account", "refusal"),
    [
        (HOLDER | {"iban": "CZ6508000000192000145398"}, WrongIban),
        (HOLDER | {"iban": "CZ650800000019200014539"}, WrongIban),
        (HOLDER | {"iban": "XX6508000000192000145399"}, WrongIban),
        (HOLDER | {"iban": "CZ6508000000192000145399", "bic": "GIBACZP9X"}, WrongBic),
        (HOLDER, AccountIncomplete),
        (HOLDER | {"number": "6222020000000000001"}, AccountIncomplete),
        (DOMESTIC | {"iban": "CZ6508000000192000145399"}, AccountIncomplete),
        (HOLDER | {"iban": "CZ6508000000192000145399", "bank_code": "0800"}, AccountIncomplete),
        (DOMESTIC | {"bank_code": "1021000"}, WrongBankCode),
    ],
)
def test_what_is_no_account_is_refused_by_name_and_not_repeated(account: Any, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as caught:
        BankAccount(**account).checked()
    for given in ("iban", "number", "bank_code", "bic"):
        assert given not in account or account[given] not in str(caught.value)
