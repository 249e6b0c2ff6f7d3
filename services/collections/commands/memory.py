"""What the API remembers of a borrower until the worker has taken it in: stops and promises that were just recorded.

The gate asks both, so that a stop counts from the moment in which it is recorded. A stop that is lifted goes on to
count until the worker knows.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from services.collections.contact import BorrowerFacts


def borrower_key(borrower_id: str) -> str:
    """The aggregate of a borrower: every contact, promise, plan and stop holds it."""
    return f"borrower/{borrower_id}"


@dataclass(frozen=True, slots=True)
class Remembered:
    """The aggregate of a borrower."""

    stops: frozenset[tuple[str, str | None]] = frozenset()
    promises: frozenset[str] = field(default_factory=frozenset)
    """Promises recorded, of which the worker may not know yet."""

    @classmethod
    def of(cls, state: dict[str, Any] | None) -> "Remembered":
        """From the aggregate's state."""
        if state is None:
            return cls()
        stops = frozenset((kind, loan_id) for kind, loan_id in state.get("stops", ()))
        return cls(stops, frozenset(state.get("promises", ())))

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        stops = sorted(self.stops, key=lambda stop: (stop[0], stop[1] or ""))
        return {"stops": [list(stop) for stop in stops], "promises": sorted(self.promises)}

    def without_known(self, promise_ids: Collection[str]) -> "Remembered":
        """Promises that the worker knows need not be remembered."""
        return replace(self, promises=self.promises - frozenset(promise_ids))

    def added_to(self, facts: BorrowerFacts) -> BorrowerFacts:
        """What the gate is to know."""
        active = facts.promise_active or bool(self.promises)
        return replace(facts, stops=facts.stops | self.stops, promise_active=active)
