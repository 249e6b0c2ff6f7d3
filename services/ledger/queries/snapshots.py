"""One state of the books for several statements."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any


def snapshot(connection: Any) -> AbstractAsyncContextManager[Any]:
    """A read-only transaction that sees one state of the books; the caller's own where it is inside of one."""
    if connection.is_in_transaction():
        return nullcontext()
    transaction: AbstractAsyncContextManager[Any] = connection.transaction(isolation="repeatable_read", readonly=True)
    return transaction
