"""Why an application was decided as it was: the chain from the facts to the people, read from the worker's tables."""

import json
from collections.abc import Mapping
from typing import Any

_APPLICATION = """
SELECT partition, subject, status, product, amount, currency, outcome, score, loan_id FROM application
WHERE application_id = $1
"""
_EVENTS = """
SELECT event_id, type, time, data FROM application_event WHERE partition = $1 AND application_id = $2 ORDER BY n
"""
_PREFIX, _SUFFIX = "origination.", ".v1"
_DECISIONS = ("ApplicationApproved", "ApplicationReferred", "ApplicationDeclined")
_PEOPLE = {
    "ApplicationStarted": "started",
    "ApplicationSubmitted": "submitted",
    "ReviewRequested": "asked for a person",
    "ReferralRecommended": "recommended",
    "ReferralApproved": "approved",
    "ReferralDeclined": "declined",
    "OfferMade": "offered",
    "OfferAccepted": "accepted",
    "ApplicationWithdrawn": "withdrew",
    "DisbursementOrdered": "paid out",
    "DisbursementRefused": "was refused to pay out",
}
_FACTS = ("ApplicationStarted", "ApplicationAmended", "StatementProvided", "DocumentReceived", "GuaranteeOffered")


async def why_decision(connection: Any, application_id: str) -> dict[str, Any] | None:
    """Facts, standing, points, rules, reasons, people and events of an application. `connection`: asyncpg's, its search
    path set to the worker's schema. None: there is no such application.

    `decision` is absent until the application was submitted. `inputs_sha256` is of the facts; the same facts under the
    same versions of policy, scorecard and product give the same decision (services/origination/decision.py).
    """
    row = await connection.fetchrow(_APPLICATION, application_id)
    if row is None:
        return None
    events = [
        (one["event_id"], one["type"].removeprefix(_PREFIX).removesuffix(_SUFFIX), one["time"], json.loads(one["data"]))
        for one in await connection.fetch(_EVENTS, row["partition"], application_id)
    ]
    found = {
        "application_id": application_id,
        "borrower_id": row["subject"],
        "status": row["status"],
        "product": row["product"],
        "loan_id": row["loan_id"],
        "asked_for": {"amount": row["amount"], "currency": row["currency"]},
    }
    decided = next((data for _, kind, _, data in reversed(events) if kind in _DECISIONS), None)
    if decided is not None:
        found["decision"] = _decision(row["outcome"], decided)
    found["facts"] = [
        {"event_id": name, "type": kind} | _facts(kind, data) for name, kind, _, data in events if kind in _FACTS
    ]
    found["people"] = [
        {"by": data["by"], "did": _PEOPLE[kind], "time": time} | _word(data)
        for _, kind, time, data in events
        if kind in _PEOPLE
    ]
    found["events"] = [{"event_id": name, "type": kind, "time": time} for name, kind, time, _ in events]
    return found


def _decision(outcome: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The decision, what was broken before what passed."""
    rules = sorted(data["rules"], key=lambda rule: {"decline": 0, "refer": 1, "pass": 2}[rule["outcome"]])
    points = sorted(data["points"], key=lambda one: -one["lost"])
    named = ("decided_on", "policy", "scorecard", "product", "score", "reasons", "limit", "terms", "all_in_rate")
    later = ("dscr", "dscr_stressed", "standing", "capacity", "inputs_sha256")
    return (
        {"outcome": outcome}
        | {name: data[name] for name in named}
        | {"rules": rules, "points": points}
        | {name: data.get(name) for name in later}
    )


def _facts(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A fact without what the chain says elsewhere; a statement's months as how many there are."""
    shown = {name: value for name, value in data.items() if name not in ("application_id", "months")}
    return shown | ({"months": len(data["months"])} if kind == "StatementProvided" else {})


def _word(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a person said with it."""
    named = ("recommend", "amount", "annual_rate", "authority", "reason", "method", "alerts")
    return {name: data[name] for name in named if name in data}
