"""The attributes that every event of a command has."""

from shared.commands import Unit
from shared.events.envelope import SCHEMA_BASE, Data, Envelope, new_event_id

SOURCE = "/collections/api"


def event_of(unit: Unit, kind: type[Envelope], data: Data, *, subject: str, event_id: str | None = None) -> Envelope:
    """A first-hand event of the unit's moment."""
    name = kind.model_fields["type"].default
    attributes = {
        "id": event_id or new_event_id(),
        "source": SOURCE,
        "subject": subject,
        "time": unit.time,
        "dataschema": f"{SCHEMA_BASE}{name}.json",
        "correlationid": unit.correlation_id,
    }
    return kind.model_validate(attributes | {"data": data})
