"""What the API reads of the worker's tables: the open date, and a borrower's standing at this lender."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.origination.commands.parties import BorrowerGuard, Commitment
from services.origination.commands.refusals import BookNotOpen
from shared.events.applications import StandingSeen
from shared.money import decimal_text, minor_units
from shared.partitioner import partition_for

# The open date of a borrower's partition; year 1 stands for none.
_TODAY = "SELECT open_date FROM position WHERE partition = $1 AND open_date > DATE '0001-01-01'"
_LOANS = """
SELECT subject, loan_id, status, currency, outstanding, past_due_since, days_past_due_max, undone
FROM standing JOIN unnest($1::smallint[], $2::text[]) AS asked (partition, subject) USING (partition, subject)
"""
_BLOCKS = "SELECT alert_id FROM block WHERE partition = $1 AND subject = $2 ORDER BY alert_id"
_LAPSED = """
SELECT status = 'lapsed' FROM application WHERE partition = $1 AND subject = $2 AND application_id = $3
"""


# Applications at a status; the time of their last event says how long.
_WORK_LIST = """
SELECT a.application_id, a.subject AS borrower_id, a.status, a.product, a.amount, a.currency, a.score,
    (SELECT e.time FROM application_event e WHERE e.partition = a.partition AND e.application_id = a.application_id
     ORDER BY e.n DESC LIMIT 1) AS since
FROM application a WHERE a.status = $1 ORDER BY since, a.application_id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the worker knew of a borrower and of those who stand by, at one moment."""

    today: date
    loans: Sequence[Any]
    """Rows of the borrower's own."""
    others: Sequence[Any]
    blocks: list[str]
    lapsed: bool
    """Whether the application's offer has lapsed."""

    def standing(self, guard: BorrowerGuard, *, currency: str, application_id: str) -> StandingSeen:
        """As a decision looks at it. Amounts of other currencies are not added up; their loans are counted."""
        bound = self.bound(guard, without=application_id)
        own = [row for row in self.loans if row["status"] == "active"]
        committed = sum(minor_units(one.amount, currency) for one in bound if one.currency == currency)
        members = {relation.other for relation in guard.relations.values() if relation.kind == "group-member"}
        return StandingSeen(
            loans_repaid=sum(row["status"] == "settled" for row in self.loans),
            loans_open=len(own) + len(bound),
            outstanding=decimal_text(_outstanding(own, currency) + committed, currency),
            group_outstanding=decimal_text(_outstanding(self.others, currency), currency),
            days_past_due=self._days_past_due(self.loans),
            days_past_due_max=max(
                self._days_past_due(self.loans), *(row["days_past_due_max"] for row in self.loans), 0
            ),
            group_days_past_due=self._days_past_due(self.others),
            group_members=len(members),
            blocks=self.blocks,
            flags=sorted(guard.flags),
            consents=sorted(guard.consents),
        )

    def bound(self, guard: BorrowerGuard, *, without: str = "") -> list[Commitment]:
        """What the lender is bound to and the ledger has not booked yet: offers that stand, loans not paid out."""
        booked = {row["loan_id"] for row in self.loans if row["status"] in ("active", "settled", "written-off")}
        return [
            one
            for name, one in guard.commitments.items()
            if name != without and one.loan_id not in booked and not (one.valid_until and one.valid_until < self.today)
        ]

    def undone(self, loan_id: str) -> int:
        """How often what was paid out of a loan was taken back whole."""
        return sum(row["undone"] for row in self.loans if row["loan_id"] == loan_id)

    def open_loans(self) -> list[str]:
        """Loans that are not settled."""
        return [row["loan_id"] for row in self.loans if row["status"] == "active"]

    def _days_past_due(self, rows: Collection[Any]) -> int:
        """On the last closed date, the eve of today."""
        since = [row["past_due_since"] for row in rows if row["past_due_since"] is not None]
        return max(0, (self.today - min(since)).days - 1) if since else 0


def _outstanding(rows: Collection[Any], currency: str) -> int:
    return sum(minor_units(row["outstanding"], currency) for row in rows if row["currency"] == currency)


async def seen(
    pool: Any, borrower_id: str, *, others: Collection[str] = (), application_id: str = "", partitions: int
) -> Seen:
    """What the worker knows. Raises BookNotOpen before the ledger has told a date."""
    asked = [borrower_id, *sorted(set(others) - {borrower_id})]
    places = [partition_for(name.encode(), partitions) for name in asked]
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        today = await connection.fetchval(_TODAY, places[0])
        loans = await connection.fetch(_LOANS, places, asked)
        blocks = await connection.fetch(_BLOCKS, places[0], borrower_id)
        lapsed = await connection.fetchval(_LAPSED, places[0], borrower_id, application_id)
    if today is None:
        raise BookNotOpen("The ledger has told no business date yet.")
    return Seen(
        today=today,
        loans=[row for row in loans if row["subject"] == borrower_id],
        others=[row for row in loans if row["subject"] != borrower_id],
        blocks=[row["alert_id"] for row in blocks],
        lapsed=bool(lapsed),
    )


async def standing_at(pool: Any, status: str, limit: int) -> list[dict[str, Any]]:
    """Applications at a status, the longest first."""
    return [dict(row) for row in await pool.fetch(_WORK_LIST, status, limit)]


async def figures(connection: Any) -> dict[str, Any]:
    """Counts for `status`: borrowers, applications by status, borrowers whom a red alert blocks."""
    by_status = {row["status"]: row["count"] for row in await connection.fetch(_BY_STATUS)}
    counts = await connection.fetchrow(_COUNTS)
    return {"parties": counts["parties"], "applications": by_status, "blocked_borrowers": counts["blocked"]}


_BY_STATUS = "SELECT status, count(*) FROM application GROUP BY status ORDER BY status"
_COUNTS = """
SELECT (SELECT count(*) FROM party) AS parties, (SELECT count(DISTINCT subject) FROM block) AS blocked
"""
