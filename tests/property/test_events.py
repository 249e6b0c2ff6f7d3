"""Any event survives the wire, and the schemas promise no more than the models read."""

from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from lendlog.generate import schema_of, type_of
from shared.events.envelope import Envelope
from shared.topics import TOPICS

MODELS = [pytest.param(model, id=type_of(model)) for model in {m: None for topic in TOPICS for m in topic.writers}]
ASCII = st.characters(codec="ascii")


def instances(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """JSON values that are valid by `schema`, for the keywords that ours use."""
    match schema:
        case {"$ref": reference}:
            return instances(root["$defs"][reference.rpartition("/")[2]], root)
        case {"anyOf": choices} | {"oneOf": choices}:
            return st.one_of(*(instances(choice, root) for choice in choices))
        case {"type": "array", "items": items}:
            least = schema.get("minItems", 0)
            return st.lists(instances(items, root), min_size=least, max_size=max(3, least))
        case {"patternProperties": patterns}:
            ((pattern, values),) = patterns.items()
            return st.dictionaries(scalars({"pattern": pattern}), instances(values, root), max_size=2)
        case {"propertyNames": names, "additionalProperties": values}:
            return st.dictionaries(instances(names, root), instances(values, root), max_size=2)
        case {"properties": properties}:
            parts = {name: instances(part, root) for name, part in properties.items()}
            required = {name: part for name, part in parts.items() if name in schema.get("required", ())}
            optional = {name: part for name, part in parts.items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case _:
            return scalars(schema)


def scalars(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema:
        case {"const": value}:
            return st.just(value)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"type": "null"}:
            return st.none()
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 2**62))
        case {"format": "date"}:
            return st.dates().map(date.isoformat)
        case {"pattern": pattern}:
            return st.from_regex(pattern.replace("$", r"\Z"), alphabet=ASCII)
        case {"type": "string"}:
            return st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 50))
    raise AssertionError(f"no strategy for {schema}")


@cache
def instances_of(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """What the model's schema lets pass."""
    schema = schema_of(model)
    return instances(schema, schema)


def wire(event: BaseModel) -> bytes:
    return event.to_json() if isinstance(event, Envelope) else event.model_dump_json(exclude_none=True).encode()


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
def test_any_event_survives_the_wire(model: type[BaseModel], data: st.DataObject) -> None:
    event = model.model_validate(data.draw(instances_of(model)))
    assert model.model_validate_json(wire(event)) == event
