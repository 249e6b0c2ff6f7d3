"""Who may do what, one line a route. A route that is not here can't be served; a role that is not named is denied."""

from typing import Final

from shared.access import Role

PUBLIC: Final = "public"
"""Answers without a token: what probes and scrapers read; it holds no figure of any loan."""

_EVERYONE: Final[tuple[Role, ...]] = ("officer", "teller", "operator", "auditor")

MATRIX: Final[dict[tuple[str, str], tuple[Role, ...] | str]] = {
    # method, route                                                roles
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/v1/book"): _EVERYONE,
    ("POST", "/v1/book"): ("operator",),
    ("POST", "/v1/book/closings"): ("operator",),
    ("POST", "/v1/loans"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/disbursement"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/payments"): ("teller",),
    ("POST", "/v1/loans/{loan_id}/payments/{payment_id}/reversal"): ("officer",),
    ("GET", "/v1/loans/{loan_id}"): _EVERYONE,
    ("GET", "/v1/loans/{loan_id}/schedule"): _EVERYONE,
    ("GET", "/v1/loans/{loan_id}/entries"): _EVERYONE,
    ("GET", "/v1/parked"): ("operator", "auditor"),
    ("POST", "/v1/parked/{loan_id}/release"): ("operator",),
    ("GET", "/v1/dead-letters"): ("operator", "auditor"),
    ("POST", "/v1/dead-letters/{partition}/{offset}/retry"): ("operator",),
}
