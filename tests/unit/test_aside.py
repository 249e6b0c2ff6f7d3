"""Who may see what stands aside from a service, and release it: the same of all four."""

import importlib

import pytest

from lendlog.dead_letters_command import retry
from lendlog.services import OF_BORROWERS
from services.ledger.access_matrix import MATRIX as OF_LEDGER
from shared.errors import MissingPrecondition


@pytest.mark.parametrize("service", OF_BORROWERS)
def test_parked_borrowers_are_for_those_who_see_parked_loans(service: str) -> None:
    matrix = importlib.import_module(f"services.{service}.access_matrix").MATRIX
    for method, path in (("GET", "/v1/parked"), ("POST", "/v1/parked/{}/release"), ("GET", "/v1/dead-letters")):
        mine, ledgers = path.format("{borrower_id}"), path.format("{loan_id}")
        assert matrix[method, mine] == OF_LEDGER[method, ledgers]


@pytest.mark.parametrize("service", OF_BORROWERS)
def test_a_dead_letter_of_an_inbox_is_mended_by_its_writer(service: str) -> None:
    with pytest.raises(MissingPrecondition, match="same event id"):
        retry("0/1", None, service)
