"""The generated reference: the same as the code, and sound documents of their kind."""

import json
from pathlib import Path
from typing import Any

import pytest

from lendlog.compatibility import incompatibilities
from lendlog.generate import REFERENCE, asyncapi, main, pages, schema_of, stale
from shared.events.ledger import PaymentReceived
from shared.topics import TOPICS


def test_the_reference_in_the_repository_is_what_the_code_gives() -> None:
    assert stale(REFERENCE) == [], "run `make generate`"


def test_writing_twice_changes_nothing_and_a_difference_is_found(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")} == pages().keys()
    assert main(["--check", str(tmp_path)]) == 0
    (tmp_path / "topics.md").write_text("another")
    (tmp_path / "schemas" / "ledger.Gone.v1.json").write_text("{}")
    assert stale(tmp_path) == ["schemas/ledger.Gone.v1.json", "topics.md"]
    assert main(["--check", str(tmp_path)]) == 1
    assert main([str(tmp_path)]) == 0
    assert stale(tmp_path) == []


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for part in node.values() for found in references(part)]
    return [found for part in node for found in references(part)] if isinstance(node, list) else []


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document, files = asyncapi(), pages()
    assert document["channels"].keys() == {topic.name for topic in TOPICS}
    for reference in references(document):
        target: Any = document
        if reference.startswith("./"):
            assert reference.removeprefix("./") in files
            continue
        for token in reference.removeprefix("#/").split("/"):
            target = target[token]


def changed(**changes: Any) -> dict[str, Any]:
    """The payment's schema after a change to its data: a property replaced, added, or (None) removed."""
    schema = json.loads(json.dumps(schema_of(PaymentReceived)))
    data = schema["$defs"]["Payment"]
    for name, part in changes.items():
        if part is None:
            del data["properties"][name]
        else:
            data["properties"][name] = part
    return schema


def test_optional_fields_may_come_and_go() -> None:
    versions = [changed(), changed(channel={"type": "string"}), changed(reference=None)]
    assert incompatibilities(versions) == []


@pytest.mark.parametrize(
    "part",
    [{"type": "integer"}, {"type": "string", "pattern": "^[a-z]{3}$"}, {"type": "string", "enum": ["EUR"]}],
)
def test_a_field_that_changes_is_incompatible(part: dict[str, Any]) -> None:
    assert incompatibilities([changed(), changed(currency=part)])


def test_a_required_field_may_not_come_or_go() -> None:
    less = changed(currency=None)
    less["$defs"]["Payment"]["required"].remove("currency")
    assert incompatibilities([changed(), less]) == [
        "version 2 against 1: /data/currency is required in one and not in the other"
    ]
    assert incompatibilities([less, changed()])


def test_a_name_does_not_come_back_with_another_meaning() -> None:
    versions = [changed(channel={"type": "string"}), changed(), changed(channel={"type": "integer"})]
    assert incompatibilities(versions) == ["version 3 against 1: /data/channel has another `type`"]
