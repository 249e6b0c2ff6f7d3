"""What the host adds to an event: ids, wall time and the caller's correlation id."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from shared.events.envelope import SCHEMA_BASE, Data, Envelope

SOURCE = "/origination/api"


@dataclass(frozen=True, slots=True)
class Stamp:
    """`time`: RFC 3339, UTC. `new_id` gives a fresh event id each time."""

    time: str
    new_id: Callable[[], str]
    correlation_id: str | None = None

    def event(
        self, kind: type[Envelope], subject: str, data: Data, *, event_id: str | None = None, on: date | None = None
    ) -> Envelope:
        """The event of this type about the subject, which is its key as well; `on`: its effective date."""
        name: str = kind.model_fields["type"].default
        return kind.model_validate(
            {
                "id": event_id or self.new_id(),
                "source": SOURCE,
                "subject": subject,
                "time": self.time,
                "dataschema": f"{SCHEMA_BASE}{name}.json",
                "correlationid": self.correlation_id,
                "effectivedate": on,
                "data": data,
            }
        )
