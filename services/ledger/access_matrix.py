"""Who may do what, one line a route. A route that is not here can't be served; a role that is not named is denied."""

from typing import Final

from shared.access import Matrix, Role

_EVERYONE: Final[tuple[Role, ...]] = ("officer", "teller", "operator", "auditor")

MATRIX: Final[Matrix] = {
    # method, route                                                roles
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
