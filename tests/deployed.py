"""What the files in deploy/ ask of the code: metrics as declared, expressions as written, for the tests of both."""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lendlog.dashboard import expressions

REPOSITORY = Path(__file__).parent.parent
DEPLOY = REPOSITORY / "deploy"
RULES = DEPLOY / "prometheus" / "rules" / "lendlog.yml"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
SCRAPED = ("job", "instance", "service", "process")
"""Labels that the scrape configuration gives."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A declaration found in the code."""

    name: str
    kind: str
    labels: tuple[str, ...]

    def series(self) -> dict[str, tuple[str, ...]]:
        """Names in the exposition → their labels."""
        if self.kind != "histogram":
            return {self.name: self.labels}
        ends = {"_bucket": (*self.labels, "le"), "_sum": self.labels, "_count": self.labels}
        return {self.name + end: labels for end, labels in ends.items()}


def declared() -> Iterator[Metric]:
    """Every metric that a module declares, whether it is imported or not."""
    for folder in ("lendlog", "services", "shared"):
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and (metric := _declaration(node)):
                    yield metric


def _declaration(call: ast.Call) -> Metric | None:
    kind = getattr(call.func, "id", None) or getattr(call.func, "attr", None)
    values = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    if kind not in ("counter", "gauge", "histogram") or not values or len(values) < len(call.args):
        return None
    name, _, _, *labels = (str(value) for value in values)
    return Metric(name, str(kind), tuple(labels)) if name.startswith("lendlog_") else None


@functools.cache
def all_series() -> dict[str, tuple[str, ...]]:
    """Names that Prometheus may hold → labels, those of the scrape configuration left out."""
    found: dict[str, tuple[str, ...]] = {"up": ()}
    for metric in declared():
        found |= metric.series()
    return found


def alerts() -> list[dict[str, Any]]:
    """Every alerting rule."""
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def asked() -> list[tuple[str, str]]:
    """(where, expression) of every panel and every rule."""
    return [*expressions(), *((rule["alert"], rule["expr"]) for rule in alerts())]


_SELECTOR = re.compile(r"(?<![\w$])(?:(lendlog_\w+|up)\b(?:\{([^{}]*)\})?|\{([^{}]*)\})")
_STRING = re.compile(r'"[^"]*"')


def selectors(expression: str) -> Iterator[tuple[list[str], str, dict[str, str]]]:
    """(metric names, the text before it, label → value) of every selector in a PromQL expression."""
    strings = [found.span() for found in _STRING.finditer(expression)]
    for found in _SELECTOR.finditer(expression):
        if any(begin < found.start() < end for begin, end in strings):
            continue
        matchers = dict(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', found[2] or found[3] or ""))
        pattern = found[1] or matchers.pop("__name__", "")
        names = [found[1]] if found[1] else [one for one in all_series() if re.fullmatch(pattern, one)]
        yield names, expression[: found.start()].rstrip(), matchers


def grouped(expression: str) -> set[str]:
    """Labels by which an expression aggregates."""
    lists = re.findall(r"\b(?:by|without|on|ignoring)\s*\(\s*([^()]*)\)", expression)
    return {label.strip() for one in lists for label in one.split(",") if label.strip()}
