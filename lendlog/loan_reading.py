"""What commands on one loan share."""

from typing import TypeVar

from shared.errors import MissingPrecondition

Found = TypeVar("Found")


def known(loan_id: str, found: Found | None) -> Found:
    """What the books said of the loan; MissingPrecondition if they know nothing of it."""
    if found is None:
        raise MissingPrecondition(f"The books hold no loan {loan_id}.")
    return found
