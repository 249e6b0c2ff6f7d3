"""Whether an audit names what was tampered with: the row, or for a record of the log anything of its partition."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from services.ledger.verify import CHECKS, first_finding
from services.ledger.verify.rows import UNFINISHED, Books, Finding
from services.ledger.verify.tamper import Mutant

KEYS: Mapping[str, tuple[str, ...]] = {
    "position": ("partition",),
    "relay": ("partition",),
    "event": ("partition", "offset"),
    "posting": ("partition", "loan", "offset", "n"),
    "loan": ("partition", "loan_id"),
    "parked_loan": ("partition", "loan_id"),
    "parked_event": ("partition", "offset"),
    "suspense": ("partition", "loan", "offset"),
    "dead_letter": ("partition", "offset"),
    "conflict": ("partition", "offset"),
    "reference_rate": ("partition", "offset"),
    "outbox": ("partition", "sequence"),
    "closed_period": ("partition", "offset"),
}
"""The columns by which findings name a table's rows."""
OUTBOX = ("relay", "outbox", "position")
"""The relay's mark, the rows and the position's next sequence say one thing: the first that differs is named."""


class Named(NamedTuple):
    """A finding, by the name of its check."""

    check: str
    finding: Finding

    def document(self) -> dict[str, Any]:
        """As `lendlog verify --tamper` keeps it."""
        return {"check": self.check, **self.finding.document()}


def named(one: Mutant, audited: Iterable[Books]) -> Named | None:
    """The finding that names the mutant, the one with its column where there is one; the checks that name columns are
    asked first."""
    found: Named | None = None
    books = list(audited)
    for name in sorted(CHECKS, key=lambda name: not name.startswith("replayed")):
        for each in books:
            finding = first_finding(CHECKS[name], each)
            if finding is None or not _names(one, name, finding):
                continue
            found = found or Named(name, finding)
            if one.column in (None, finding.column):
                return Named(name, finding)
    return found


def _names(one: Mutant, check: str, finding: Finding) -> bool:
    if finding.problem.startswith(UNFINISHED):
        return False
    if one.log is not None:
        return finding.key.get("partition") == one.partition
    for table, row in one.rows:
        if check == "outbox" and table in OUTBOX and finding.key.get("partition") == row["partition"]:
            return True
        if finding.table == table and all(finding.key.get(name) == row[name] for name in _key(table, finding)):
            return True
    return False


def _key(table: str, finding: Finding) -> Sequence[str]:
    """By the partition alone, where the finding is that it is none."""
    return [name for name in KEYS[table] if finding.column != "partition" or name == "partition"]
