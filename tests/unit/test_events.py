"""Golden events: what is on the topics for ever must still be read, and be written the same way."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from lendlog.generate import schema_of, type_of
from shared.events.envelope import Envelope, derived_event_id, new_event_id
from shared.events.ledger import AccountSnapshot, PaymentReceived
from shared.topics import LEDGER_EVENTS, LIFECYCLE, TOPICS, ledger_events, lifecycle_events

GOLDEN = Path(__file__).parent.parent / "golden"
MODELS = [pytest.param(model, id=type_of(model)) for model in {m: None for topic in TOPICS for m in topic.writers}]


def golden(model: type[BaseModel]) -> str:
    return (GOLDEN / f"{type_of(model)}.json").read_text()


def test_every_event_has_one_golden_example_and_no_other_file_is_there() -> None:
    names = {f"{type_of(model)}.json" for topic in TOPICS for model in topic.writers}
    assert {file.name for file in GOLDEN.iterdir()} == names


@pytest.mark.parametrize("model", MODELS)
def test_a_golden_event_is_read_and_written_the_same(model: type[BaseModel]) -> None:
    text = golden(model)
    event = model.model_validate_json(text)
    written = event.to_json() if isinstance(event, Envelope) else event.model_dump_json(exclude_none=True)
    assert json.dumps(json.loads(written)) == json.dumps(json.loads(text))


@pytest.mark.parametrize("model", MODELS)
def test_a_golden_event_is_valid_by_its_schema(model: type[BaseModel]) -> None:
    schema = schema_of(model)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(json.loads(golden(model)))


def test_a_union_of_a_topic_finds_the_class_by_type() -> None:
    for topic, union in ((LIFECYCLE, lifecycle_events), (LEDGER_EVENTS, ledger_events)):
        for model in topic.writers:
            assert type(union.validate_json(golden(model))) is model


def test_a_schema_refuses_what_the_model_refuses() -> None:
    event = json.loads(golden(PaymentReceived))
    validator = Draft202012Validator(schema_of(PaymentReceived))
    for field, bad in (
        ("amount", "-1"),
        ("amount", "1e3"),
        ("amount", "01"),
        ("currency", "eur"),
        ("reference", "a b"),
    ):
        assert not validator.is_valid(event | {"data": event["data"] | {field: bad}})
    for field in ("specversion", "type", "id", "source", "data"):
        assert not validator.is_valid({key: value for key, value in event.items() if key != field})


def test_readers_ignore_fields_that_they_do_not_know() -> None:
    snapshot = json.loads(golden(AccountSnapshot))
    assert AccountSnapshot.model_validate(snapshot | {"new": 1}) == AccountSnapshot.model_validate(snapshot)


def test_first_hand_ids_are_ordered_by_time_and_derived_ids_repeat() -> None:
    ids = [new_event_id() for _ in range(20)]
    assert sorted(identity[:13] for identity in ids) == [identity[:13] for identity in ids]
    assert all(identity[14] == "7" for identity in ids)
    assert derived_event_id(ids[0], 3, "5314", 0) == derived_event_id(ids[0], 3, "5314", 0)
    assert len({derived_event_id(ids[0], p, loan, n) for p in (0, 1) for loan in ("a", "b") for n in (0, 1)}) == 8
