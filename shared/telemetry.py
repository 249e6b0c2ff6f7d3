"""JSON logs and declared metrics: what every process says about itself, in one form.

Logs are one JSON object a line on stderr with `service`, `level`, `time` (RFC 3339, UTC), `event` and the caller's
fields (event and loan ids; never a person's data, a token or a payload). Before `configure_logging`, warnings alone go
to stderr, as the standard library does it; nothing ever goes to stdout, which belongs to a command's result.
"""

import logging
import sys
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

PREFIX = "lendlog_"
METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST
LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Histogram bounds: the promised 15, 50, 60 and 250 ms are among them, so that each can be read off exactly."""

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as it stands in the reference: `unit` is also the name's ending (counters end in `_total`)."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: tuple[str, ...]


DECLARED: dict[str, Declared] = {}
"""Every metric of the modules imported so far, by name."""


def counter(name: str, unit: str, meaning: str, *labels: str) -> Counter:
    """Declare a count that only grows, for example `lendlog_stream_duplicates_total` in events."""
    assert name.endswith("_total"), f"{name}: a counter's name ends in _total"
    _declare(name, "counter", unit, meaning, labels)
    return Counter(name, meaning, labels)


def gauge(name: str, unit: str, meaning: str, *labels: str) -> Gauge:
    """Declare a value that goes up and down, for example `lendlog_command_outbox_oldest_seconds`."""
    _declare(name, "gauge", unit, meaning, labels)
    return Gauge(name, meaning, labels)


def histogram(
    name: str, unit: str, meaning: str, *labels: str, buckets: tuple[float, ...] = LATENCY_SECONDS
) -> Histogram:
    """Declare a distribution; the default bounds are for seconds of latency."""
    _declare(name, "histogram", unit, meaning, labels)
    return Histogram(name, meaning, labels, buckets=buckets)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)


def configure_logging(service: str, level: str) -> None:
    """Send structlog's and the standard library's records to stderr as JSON.

    `level` is debug, info, warning or error; the lowest that is written.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    steps = [*_STEPS, _with_service(service)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*steps, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(sort_keys=True, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.getLogger("aiokafka").setLevel(max(number, logging.WARNING))  # its info lines repeat every fetch
    _hand_over([*steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter])


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes fields: `logger(__name__).info("published", events=12)`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


_STEPS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]


def _hand_over(steps: list[Any]) -> None:
    """Let structlog's records go through the standard library's handlers, so that there is one way out."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *steps],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


_hand_over([*_STEPS, structlog.processors.KeyValueRenderer(key_order=["event"])])


def _with_service(service: str) -> Any:
    def add(_: Any, __: str, fields: dict[str, Any]) -> dict[str, Any]:
        fields["service"] = service
        return fields

    return add


def _declare(name: str, kind: Kind, unit: str, meaning: str, labels: tuple[str, ...]) -> None:
    assert name.startswith(PREFIX), f"{name}: a metric's name begins with {PREFIX}"
    assert name not in DECLARED, f"{name} is declared twice"
    DECLARED[name] = Declared(name, kind, unit, meaning, labels)
