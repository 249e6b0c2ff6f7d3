"""The preview of a command on a loan, judged by the rules that the API has and tried out on the books as they are."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from pydantic import ValidationError

from lendlog.books import emit, reading
from lendlog.loan_reading import known
from lendlog.signals import run_to_end
from lendlog.tables import table
from services.ledger import queries
from services.ledger.commands import LoanCommand, standing_of
from services.ledger.commands.guards import Guards, Stamp, decide
from shared.errors import MissingPrecondition

Wanted = Callable[[str, date], LoanCommand]
"""The command on a loan in this currency, with this value date where it has none of its own."""


def show(loan_id: str, wanted: Wanted, on: date | None, *, restructures: bool = False, as_json: bool) -> None:
    """Print what the command would change; `on` is its value date, or None for the open one. Raises the refusals of its
    rules, and MissingPrecondition."""
    document = run_to_end(_preview(loan_id, wanted, on, restructures=restructures))
    emit(document, _lines(document), as_json=as_json)


async def _preview(loan_id: str, wanted: Wanted, on: date | None, *, restructures: bool) -> dict[str, Any]:
    async with reading() as (_, connection), queries.snapshot(connection):
        found = known(loan_id, await queries.account(connection, loan_id))
        would = await queries.restructuring(connection, found) if restructures else None
    if not found.stored.open_day:
        raise MissingPrecondition("The book has no open business date yet.")
    guards, standing = (
        Guards(date.fromordinal(found.stored.open_day)),
        replace(standing_of(found.facts), restructuring=would),
    )
    standing.add_to(guards, loan_id)
    assert guards.open_date is not None
    stamp = Stamp(datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        command = wanted(found.currency or "XXX", on or guards.open_date)  # ISO 4217: no currency
        event, _ = decide(command, guards, partitions=1, stamp=stamp)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = " ".join(str(step) for step in first["loc"]).replace("_", " ")
        raise MissingPrecondition(f"{str(first['input'])[:40]!r} is no {where}: {first['msg']}.") from None
    return queries.preview(found, event, event.effectivedate or guards.open_date, restructuring=would)


COLUMNS = ("due_date", "before", "principal", "interest", "fees", "penalties", "total", "outstanding", "balance")


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """The schedule afterwards, beside each instalment what it asked for before, and what would be booked."""
    before, after = document["before"]["statement"], document["after"]["statement"]
    was: dict[str, list[str]] = {}
    for one in before["instalments"]:
        was.setdefault(one["due_date"], []).append(one["total"])
    rows = [
        one | {"before": was[one["due_date"]].pop(0) if was.get(one["due_date"]) else None}
        for one in after["instalments"]
    ]
    gone = {"before": None} | dict.fromkeys(COLUMNS[2:])
    rows += [gone | {"due_date": due, "before": total} for due, totals in was.items() for total in totals]
    yield from table(sorted(rows, key=lambda row: str(row["due_date"])), COLUMNS)
    yield ""
    sums = ("status", "principal_outstanding", "outstanding", "overpaid")
    yield from table(
        [{"": name.replace("_", " "), "before": before[name], "after": after[name]} for name in sums],
        ("", "before", "after"),
    )
    if would := document.get("restructuring"):
        yield ""
        yield f"restructured: {would['share_before']} of outstanding principal, then {would['share_after']}"
        yield f"  {would['policy']} allows {would['share_max']}; of this loan {would['times']} of {would['times_max']}"
    booked = document["difference"]["entries"]
    yield ""
    yield "would be booked:" if booked else "nothing would be booked"
    pairs = [{"accounts": f"  {line['debit']} / {line['credit']}"} | line for line in booked]
    if pairs:
        yield from list(table(pairs, ("accounts", "effective_date", "amount", "currency"), left=2))[1:]
