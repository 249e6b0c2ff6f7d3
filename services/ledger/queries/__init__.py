"""What the books say, as documents for the API and the command line: amounts are decimal text, dates ISO 8601.

Each takes an asyncpg connection whose search path holds the ledger's schema, and reads one consistent snapshot.
"""

from services.ledger.queries.aside import dead_letters_view, event_is_in, held_view, legible, parked_view
from services.ledger.queries.loans import (
    HISTORY,
    AsOfAhead,
    entries_view,
    facts_of_rows,
    figures,
    loan_view,
    posting,
    schedule_view,
)
from services.ledger.queries.snapshots import snapshot

__all__ = [
    "HISTORY",
    "AsOfAhead",
    "dead_letters_view",
    "entries_view",
    "event_is_in",
    "facts_of_rows",
    "figures",
    "held_view",
    "legible",
    "loan_view",
    "parked_view",
    "posting",
    "schedule_view",
    "snapshot",
]
