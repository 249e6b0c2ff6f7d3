"""Personal data: sealed for one borrower, unreadable without the key; official numbers by their check digits."""

import os

import pytest

from services.origination.personal import Contacts, NotAnOfficialNumber, OfficialNumber, Personal, WrongCheckDigit
from services.origination.vault import Vault, VaultDamaged
from shared.errors import MissingPrecondition, Refusal

PERSON = Personal(
    name="王小明",
    official_number=OfficialNumber(kind="cn.ric", number="360426199101010071"),
    contacts=Contacts(email="wang@example.com", sms="+8613800000000"),
)


def test_what_is_sealed_opens_for_the_same_borrower_and_key_alone() -> None:
    vault = Vault(os.urandom(32))
    wrapped, sealed = vault.seal("b-1", PERSON)
    assert vault.open("b-1", wrapped, sealed) == PERSON
    assert "王".encode() not in sealed
    for other, row in ((vault, ("b-2", wrapped, sealed)), (Vault(os.urandom(32)), ("b-1", wrapped, sealed))):
        with pytest.raises(VaultDamaged):
            other.open(*row)
    with pytest.raises(VaultDamaged):
        vault.open("b-1", wrapped, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert vault.seal("b-1", PERSON) != (wrapped, sealed)


def test_the_mark_knows_a_number_again_however_it_is_written_and_only_with_the_key() -> None:
    vault, number = Vault(os.urandom(32)), OfficialNumber(kind="cn.ric", number="360426 19910101 0071")
    assert PERSON.official_number is not None
    assert vault.mark(number) == vault.mark(PERSON.official_number)
    assert vault.mark(number) != Vault(os.urandom(32)).mark(number)


@pytest.mark.parametrize(
    ("kind", "number", "refusal"),
    [
        ("cn.ric", "360426199101010072", WrongCheckDigit),
        ("cn.ric", "3604261991010100", NotAnOfficialNumber),
        ("cn.ric", "360426199113010079", NotAnOfficialNumber),
        ("cn.uscc", "91110000600037342L", WrongCheckDigit),
        ("cz.rc", "7103192746", WrongCheckDigit),
    ],
)
def test_a_wrong_official_number_is_refused_by_name_and_not_repeated(
    kind: str, number: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal) as caught:
        OfficialNumber(kind=kind, number=number).compact()  # type: ignore[arg-type]
    assert number not in str(caught.value)


def test_right_numbers_pass() -> None:
    assert OfficialNumber(kind="cn.uscc", number="91110000600037341L").compact() == "91110000600037341L"
    assert OfficialNumber(kind="cz.rc", number="710319/2745").compact() == "7103192745"


def test_a_vault_without_its_key_does_not_open() -> None:
    with pytest.raises(MissingPrecondition):
        Vault.from_text("")
    with pytest.raises(MissingPrecondition):
        Vault.from_text("c2hvcnQ=")
    assert repr(Vault(b"x" * 32)).find("x" * 8) < 0
