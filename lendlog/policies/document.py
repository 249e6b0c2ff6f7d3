"""A YAML file as content and as lines: where a key of it stands."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


@dataclass(frozen=True, slots=True)
class Document:
    """One file as it was read. `root`: its nodes, which know their lines."""

    file: Path
    content: Any
    root: Node | None

    def at(self, path: Sequence[Any]) -> Any:
        """What stands at a path of keys and indices; None if nothing does."""
        here = self.content
        for step in path:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return None
        return here

    def line_of(self, path: Sequence[Any]) -> int | None:
        """The line (from 1) of the value at a path of keys and indices, or of the deepest part of it that is there."""
        node, line = self.root, None
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line

    def line_with(self, texts: Iterable[str]) -> int | None:
        """The line of the first scalar that is one of `texts`; of those, the earlier text first."""
        lines: dict[str, int] = {}
        for scalar in _scalars(self.root):
            lines.setdefault(scalar.value, scalar.start_mark.line + 1)
        return next((lines[text] for text in texts if text in lines), None)

    def keys_twice(self) -> Iterator[tuple[str, int]]:
        """(key, line) of every key that a mapping has for the second time: YAML's loader lets the last one win."""
        for mapping in _mappings(self.root):
            seen = set[str]()
            for key, _ in mapping.value:
                if key.value in seen:
                    yield key.value, key.start_mark.line + 1
                seen.add(key.value)


_DATE = "tag:yaml.org,2002:timestamp"


class NoSuchValue(Exception):
    """A value that YAML has a form for and the world has not: 31 February."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.text, self.line = text, line


def read(file: Path) -> Document:
    """The file. Raises OSError, UnicodeDecodeError, yaml.YAMLError and NoSuchValue."""
    text = file.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for scalar in _scalars(root):
        try:
            if scalar.tag == _DATE:
                yaml.SafeLoader("").construct_object(scalar)
        except ValueError:
            raise NoSuchValue(scalar.value, scalar.start_mark.line + 1) from None
    return Document(file, yaml.safe_load(text), root)


def _child(node: Node | None, step: Any) -> tuple[int, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    return None


def _nodes(root: Node | None) -> Iterator[Node]:
    """Every node once, in order; an alias is the node that it names."""
    seen, waiting = set[int](), [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, MappingNode):
            waiting += [one for pair in reversed(node.value) for one in reversed(pair)]
        elif isinstance(node, SequenceNode):
            waiting += reversed(node.value)


def _scalars(root: Node | None) -> Iterator[ScalarNode]:
    return (node for node in _nodes(root) if isinstance(node, ScalarNode))


def _mappings(root: Node | None) -> Iterator[MappingNode]:
    return (node for node in _nodes(root) if isinstance(node, MappingNode))
