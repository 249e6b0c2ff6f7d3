"""Whether versions of one event schema can live side by side on a topic that is kept forever (D5)."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

Schema = dict[str, Any]

_DESCRIPTIVE = frozenset({"$defs", "$id", "$schema", "default", "description", "examples", "title"})


def incompatibilities(versions: Sequence[Schema]) -> list[str]:
    """Why the schemas, oldest first, are not FULL_TRANSITIVE: every one must read what any other one's writers wrote.

    FULL leaves two changes: adding and removing an optional property (readers ignore what they don't know). All else, a
    looser pattern or one more enum value included, is a new `vN`. Source: the compatibility types of schema registries.
    """
    found: list[str] = []
    for (earlier, old), (later, new) in combinations(enumerate(versions, start=1), 2):
        found += [f"version {later} against {earlier}: {what}" for what in _differences(old, new, old, new, "")]
    return found


def _differences(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(set(old.get("required", ())) ^ set(new.get("required", ()))):
        yield f"{path}/{name} is required in one and not in the other"
    for name in sorted(before.keys() & after.keys()):
        yield from _differences(before[name], after[name], old_root, new_root, f"{path}/{name}")
    for keyword in sorted((old.keys() | new.keys()) - _DESCRIPTIVE - {"properties", "required", "$ref"}):
        left, right = old.get(keyword), new.get(keyword)
        if keyword == "items" and left and right:
            yield from _differences(left, right, old_root, new_root, f"{path}/[]")
        elif keyword == "anyOf" and left and right and len(left) == len(right):
            for n, (one, other) in enumerate(zip(left, right, strict=True)):
                yield from _differences(one, other, old_root, new_root, f"{path}/anyOf {n}")
        elif left != right:
            yield f"{path or '/'} has another `{keyword}`"


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema behind a local `$ref`; keywords beside the reference count too."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Schema = root["$defs"][reference.rpartition("/")[2]]
    return _resolved(found, root) | {key: value for key, value in schema.items() if key != "$ref"}
