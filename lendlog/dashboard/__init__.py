"""The Grafana dashboard, made from the table of panels.

`python -m lendlog.dashboard` writes deploy/grafana/dashboards/lendlog.json; a test compares the two.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lendlog.dashboard.panels import CHOSEN, ROWS, Panel

DASHBOARD = Path(__file__).parent.parent.parent / "deploy" / "grafana" / "dashboards" / "lendlog.json"
UID = "lendlog-overview"
SCHEMA_VERSION = 39
"""Of Grafana 10.4; later versions migrate it when they load it."""
WIDTH = 24

Json = dict[str, Any]


def document() -> Json:
    """The dashboard as Grafana reads it."""
    return {
        "uid": UID,
        "title": "Lendlog",
        "description": "Four services of a lender: is anything stuck, and how does the book fare?",
        "tags": ["lendlog"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": list(_variables())},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_panels()),
    }


def expressions() -> Iterator[tuple[str, str]]:
    """(title of the panel, expression with Grafana's variables in it) of every query."""
    for panels in ROWS.values():
        for panel in panels:
            for expression, _ in panel.queries:
                yield panel.title, expression.replace("<chosen>", CHOSEN)


def _variables() -> Iterator[Json]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}
    for name, metric in (
        ("job", "up"),
        ("service", 'up{job=~"$job"}'),
        ("instance", 'up{job=~"$job", service=~"$service"}'),
    ):
        query = f"label_values({metric}, {name})"
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "definition": query,
            "query": {"query": query, "refId": name},
            "refresh": 2,  # when the time range changes: a process that left is still there to be chosen
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            "current": {"text": "All", "value": "$__all"},
        }


_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _panels() -> Iterator[Json]:
    """Rows from top to bottom; inside a row from left to right, wrapping at the grid's width."""
    y, number = 0, 0
    for title, panels in ROWS.items():
        number += 1
        yield _row(number, title, y)
        x, y, height = 0, y + 1, 0
        for panel in panels:
            number += 1
            wide, high = panel.size
            if x + wide > WIDTH:
                x, y, height = 0, y + height, 0
            yield _panel(number, panel, {"x": x, "y": y, "w": wide, "h": high})
            x, height = x + wide, max(height, high)
        y += height


def _row(number: int, title: str, y: int) -> Json:
    place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(number: int, panel: Panel, place: Json) -> Json:
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": _SOURCE,
            "expr": expression.replace("<chosen>", CHOSEN),
            "legendFormat": legend or panel.title,
            "instant": panel.kind == "stat",
            "range": panel.kind != "stat",
        }
        for index, (expression, legend) in enumerate(panel.queries)
    ]
    options: Json = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    if panel.kind == "stat":
        options = {"colorMode": "value", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "thresholds": _thresholds(panel)}, "overrides": []},
        "options": options,
        "targets": targets,
    }


def _thresholds(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.red is not None:
        steps.append({"color": "red", "value": panel.red})
    return {"mode": "absolute", "steps": steps}


def text() -> str:
    """The file's content; the same table gives the same bytes."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
