"""The ledger's positions, and the marks of its loans' snapshots."""

from typing import Any

from services.ledger.engine.account import Loan, decode_loan
from services.ledger.store.transaction import LedgerTransaction
from shared.streams.position_store import PositionStore, position_columns
from shared.streams.positions import Position

_MARK_SNAPSHOTS = "UPDATE relay SET snapshot_mark = greatest(snapshot_mark, $2) WHERE partition = $1"


class LedgerStore(PositionStore[LedgerTransaction]):
    """The store of the ledger's books."""

    resume_column = "resume_loan"

    def in_transaction(self, connection: Any, position: Position) -> LedgerTransaction:
        """The statements of one transaction, which holds `position`."""
        return LedgerTransaction(connection, position)

    async def unsnapshotted(self, partition: int) -> list[Loan]:
        """Loans that changed since the last flushed snapshot."""
        async with self._connection() as connection:
            mark = await connection.fetchval("SELECT snapshot_mark FROM relay WHERE partition = $1", partition)
            rows = await connection.fetch(
                f"SELECT state FROM loan_p{partition:d} WHERE as_of >= $1 AND loan >= 0", mark
            )
            return [decode_loan(row["state"]) for row in rows]

    async def mark_snapshots(self, partition: int, next_offset: int) -> None:
        """Every loan changed below `next_offset` has its snapshot published."""
        async with self._connection() as connection:
            await connection.execute(_MARK_SNAPSHOTS, partition, next_offset)


POSITION = f"SELECT {position_columns(LedgerStore.resume_column)} FROM position WHERE partition = $1"
