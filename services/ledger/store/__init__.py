"""The ledger's tables: a method per statement, inside a transaction that holds the partition's position row."""

from services.ledger.store.positions import POSITION, LedgerStore
from services.ledger.store.transaction import LedgerTransaction

__all__ = ["POSITION", "LedgerStore", "LedgerTransaction"]
