"""The daily check of cash on what is there: statements and postings of one snapshot, the log up to its positions."""

from datetime import date
from typing import Any

from services.ledger.bank import reading
from services.ledger.bank.cash_check import Sources, cash_check
from services.ledger.bank.facts import CashFact
from services.ledger.bank.lender import Lender
from services.ledger.bank.log_cash import LogCash, Unbooked
from services.ledger.queries.snapshots import snapshot
from services.ledger.verify import LogReader

_POSITIONS = "SELECT partition, next_offset FROM position ORDER BY partition"


async def check_cash(connection: Any, log: LogReader, lender: Lender, on: date) -> dict[str, Any]:
    """The three-way check on a value date, see cash_check. It reads the whole log and all postings of cash."""
    async with snapshot(connection):
        positions = await connection.fetch(_POSITIONS)
        accounts = await reading.account_states(connection, lender)
        books = await reading.cash_moved(connection)
        places = await reading.places_aside(connection)
    facts: list[CashFact] = []
    unbooked: dict[str, Unbooked] = {}
    aside: dict[str, str] = {}
    for row in positions:
        found = LogCash()
        async for records in log(row["partition"], row["next_offset"], 0):
            found.take(records)
        facts += (fact for some in found.facts.values() for fact in some)
        unbooked |= found.unbooked
        for event_id, offset in found.places.items():
            if (reason := places.get((row["partition"], offset))) is not None:
                aside[event_id] = reason
    return cash_check(Sources(accounts, books, facts, aside, unbooked), on, lender.rules(on).transit_days)
