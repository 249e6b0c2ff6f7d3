"""What the dashboard shows: a table of panels, each with its unit and what it means to whoever is on call.

Labels `service` and `process` come from the scrape configuration, all else from the code's metrics.
At most five lines a graph, and a label only where its values are few.
"""

from dataclasses import dataclass

STAT_WIDTH, STAT_HEIGHT = 4, 4
GRAPH_WIDTH, GRAPH_HEIGHT = 8, 8

CHOSEN = 'job=~"$job", instance=~"$instance", service=~"$service"'
"""What `<chosen>` in an expression stands for: every query is narrowed by the dashboard's variables."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `queries` are (expression, legend); `unit` is Grafana's name of it; a stat turns red at `red`."""

    title: str
    unit: str
    description: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    red: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the grid."""
        return (STAT_WIDTH, STAT_HEIGHT) if self.kind == "stat" else (GRAPH_WIDTH, GRAPH_HEIGHT)


def stat(title: str, unit: str, description: str, query: str, *, red: float | None = None) -> Panel:
    """One figure, red from `red` on."""
    return Panel(title, unit, description, ((query, ""),), "stat", red)


def graph(title: str, unit: str, description: str, *queries: tuple[str, str]) -> Panel:
    """Lines over time."""
    return Panel(title, unit, description, queries)


def p99(histogram: str) -> str:
    """The 99th percentile by service."""
    return f"histogram_quantile(0.99, sum by (service, le) (rate({histogram}_bucket{{<chosen>}}[$__rate_interval])))"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Does anything need a person?": (
        stat(
            "Processes down",
            "short",
            "Workers and APIs that did not answer the last scrape.",
            "sum(up{<chosen>} == bool 0)",
            red=1,
        ),
        stat(
            "Halted partitions",
            "short",
            "Partitions that stopped with a named error: nothing of their loans or borrowers moves.",
            "sum(lendlog_stream_halted_partitions{<chosen>})",
            red=1,
        ),
        stat(
            "Parked",
            "short",
            "Loans (ledger) and borrowers (the other services) that stopped at an event which breaks a rule.",
            "sum(lendlog_stream_parked{<chosen>})",
            red=1,
        ),
        stat(
            "Dead letters in a day",
            "short",
            "Records that could not be read in the last 24 hours.",
            "sum(increase(lendlog_stream_dead_letters_total{<chosen>}[1d]))",
            red=1,
        ),
        stat(
            "Conflicts in a day",
            "short",
            "Events set aside in the last 24 hours: their id was accepted before with another body.",
            "sum(increase(lendlog_stream_conflicts_total{<chosen>}[1d]))",
            red=1,
        ),
        stat(
            "Oldest unpublished command",
            "s",
            "Age of the oldest event that an API accepted and that is not on the log yet.",
            "max(lendlog_command_outbox_oldest_seconds{<chosen>})",
            red=30,
        ),
        stat(
            "Audit findings",
            "short",
            "Checks of the last `lendlog verify` that found something, by the auditor, which runs in containers.",
            "sum(lendlog_audit_findings{<chosen>})",
            red=1,
        ),
        stat(
            "Last audit",
            "s",
            "Time since the auditor finished an audit.",
            "time() - max(lendlog_audit_timestamp_seconds{<chosen>})",
            red=50 * 3600,
        ),
        stat(
            "Unclear contacts",
            "short",
            "Messages of which nobody knows whether they were sent. They are not repeated; a person decides.",
            "max(lendlog_collections_unclear_contacts{<chosen>})",
            red=1,
        ),
        stat(
            "Red alerts not released",
            "short",
            "Each blocks tranche, top-up and disbursement of its borrower until a named person releases it.",
            "max(lendlog_alerts_blocking{<chosen>})",
        ),
    ),
    "Streams: from the log to the tables": (
        graph(
            "Events taken in",
            "ops",
            "Accepted events a second, by service.",
            ("sum by (service) (rate(lendlog_stream_events_total{<chosen>}[$__rate_interval]))", "{{service}}"),
        ),
        graph(
            "Time since the last record",
            "s",
            "By the broker's timestamp of the last record taken in. Grows while nothing is written: compare with the "
            "events published beside it.",
            (
                "time() - max by (service) (lendlog_stream_last_event_timestamp_seconds{<chosen>})",
                "{{service}}",
            ),
        ),
        graph(
            "Events published by APIs and copied into inboxes",
            "ops",
            "What should be taken in: a service that publishes or copies and takes nothing in is stuck.",
            (
                "sum by (service) (rate(lendlog_command_outbox_published_total{<chosen>}[$__rate_interval]))",
                "{{service}} API",
            ),
            ("sum by (service) (rate(lendlog_inbox_copied_total{<chosen>}[$__rate_interval]))", "{{service}} inbox"),
        ),
        graph(
            "Time to take one batch in, 99th percentile",
            "s",
            "From the first record of a batch to the commit of its transaction.",
            (p99("lendlog_stream_batch_seconds"), "{{service}}"),
        ),
        graph(
            "Derived messages waiting for the broker",
            "short",
            "Committed with the tables and not yet published. Falls to zero whenever the log is quiet.",
            ("sum by (service) (lendlog_stream_relay_backlog_messages{<chosen>})", "{{service}}"),
        ),
        graph(
            "Dropped and tried again",
            "ops",
            "Duplicates and redelivered records are normal after a crash; retries and fencing follow a server that "
            "was away or a rebalance.",
            ("sum(rate(lendlog_stream_duplicates_total{<chosen>}[$__rate_interval]))", "duplicates"),
            ("sum(rate(lendlog_stream_redelivered_total{<chosen>}[$__rate_interval]))", "redelivered"),
            ("sum(rate(lendlog_stream_retried_total{<chosen>}[$__rate_interval]))", "retried transactions"),
            ("sum(rate(lendlog_stream_fenced_total{<chosen>}[$__rate_interval]))", "lost claims"),
            ("sum(rate(lendlog_stream_stale_batches_total{<chosen>}[$__rate_interval]))", "stale batches"),
        ),
        graph(
            "Claimed partitions",
            "short",
            "Partitions that the service's workers own, together. Fewer than the topic has: nobody reads the rest.",
            ("sum by (service) (lendlog_stream_claimed_partitions{<chosen>})", "{{service}}"),
        ),
        graph(
            "Where a batch's time goes",
            "percentunit",
            "Share of wall time that all workers spend in each stage of taking batches in.",
            (
                "sum by (stage) (rate(lendlog_stream_stage_seconds{<chosen>}[$__rate_interval]))",
                "{{stage}}",
            ),
        ),
        graph(
            "States in memory",
            "short",
            "Loan or borrower states that workers keep.",
            ("sum by (service) (lendlog_stream_cached{<chosen>})", "{{service}}"),
        ),
    ),
    "APIs": (
        graph(
            "Requests",
            "reqps",
            "Answers a second, by service.",
            ("sum by (service) (rate(lendlog_http_requests_total{<chosen>}[$__rate_interval]))", "{{service}}"),
        ),
        graph(
            "Errors",
            "percentunit",
            "Share of answers with a status of 500 or more.",
            (
                (
                    '(sum by (service) (rate(lendlog_http_requests_total{<chosen>, status=~"5.."}[$__rate_interval])) '
                    "or 0 * sum by (service) (rate(lendlog_http_requests_total{<chosen>}[$__rate_interval]))) "
                    "/ sum by (service) (rate(lendlog_http_requests_total{<chosen>}[$__rate_interval]))"
                ),
                "{{service}}",
            ),
        ),
        graph(
            "Time to the answer, 99th percentile",
            "s",
            "To the first byte of the answer, by service.",
            (p99("lendlog_http_request_seconds"), "{{service}}"),
        ),
        graph(
            "Age of the oldest unpublished command",
            "s",
            "How long an accepted command waits for the log. A long transaction anywhere in the database holds it.",
            ("max by (service) (lendlog_command_outbox_oldest_seconds{<chosen>})", "{{service}}"),
        ),
        graph(
            "Relay restarts",
            "ops",
            "Times the relay of an API's outbox had to start again, by what failed.",
            (
                "sum by (service, what) (rate(lendlog_command_outbox_failures_total{<chosen>}[$__rate_interval]))",
                "{{service}} {{what}}",
            ),
        ),
        graph(
            "Leading relays",
            "short",
            "API processes that publish for their service: one each. None: nothing is published.",
            ("sum by (service) (lendlog_command_outbox_leading{<chosen>})", "{{service}}"),
        ),
    ),
    "The book, its alerts and its contacts": (
        graph(
            "Portfolio at risk",
            "percentunit",
            "Principal of loans more than 30 and more than 90 days past due, over all outstanding principal, as of the "
            "last closed date.",
            ('max by (currency) (lendlog_portfolio_at_risk_ratio{<chosen>, days="30"})', "PAR30 {{currency}}"),
            ('max by (currency) (lendlog_portfolio_at_risk_ratio{<chosen>, days="90"})', "PAR90 {{currency}}"),
        ),
        graph(
            "Outstanding principal",
            "short",
            "In minor units, by currency, as of the last closed date.",
            ("max by (currency) (lendlog_portfolio_outstanding_minor{<chosen>})", "{{currency}}"),
        ),
        graph(
            "Loans by class",
            "short",
            "Loans with outstanding principal in each of the five classes.",
            ("sum by (class) (max by (class, currency) (lendlog_portfolio_loans{<chosen>}))", "{{class}}"),
        ),
        graph(
            "Open alerts",
            "short",
            "Alerts on borrowers that are open, acknowledged or snoozed, by severity.",
            ("sum by (severity) (max by (severity, indicator) (lendlog_alerts_open{<chosen>}))", "{{severity}}"),
        ),
        graph(
            "Contacts in an hour",
            "short",
            "Contacts with borrowers in the hour before, by how they ended.",
            ("sum by (outcome) (increase(lendlog_collections_contacts_total{<chosen>}[1h]))", "{{outcome}}"),
        ),
        graph(
            "Contacts denied in an hour",
            "short",
            "Attempts that the contact gate denied in the hour before, by its rule.",
            ("sum by (rule) (increase(lendlog_collections_denied_total{<chosen>}[1h]))", "{{rule}}"),
        ),
        graph(
            "Signals set aside",
            "short",
            "Signals on borrowers that did not count, by the rule that says why.",
            ("sum by (rule) (max by (rule) (lendlog_signals_set_aside{<chosen>}))", "{{rule}}"),
        ),
    ),
}
"""Row → its panels, from left to right."""
