"""Who may do what, one line a route. A route that is not here can't be served; a role that is not named is denied.

An applicant is bound to one borrower, and sees only what is of that borrower.
"""

from typing import Final

from shared.access import Matrix, Role

_WATCHERS: Final[tuple[Role, ...]] = ("risk", "officer", "approver", "supervisor", "auditor")
_ABOUT_ONE: Final[tuple[Role, ...]] = (*_WATCHERS, "collector", "service", "applicant")

MATRIX: Final[Matrix] = {
    # method, route                                               roles
    ("GET", "/v1/alerts"): (*_WATCHERS, "service"),
    ("GET", "/v1/alerts/{alert_id}"): (*_WATCHERS, "service"),
    ("GET", "/v1/alerts/{alert_id}/why"): _WATCHERS,
    ("POST", "/v1/alerts/{alert_id}/acknowledge"): ("risk",),
    ("POST", "/v1/alerts/{alert_id}/snooze"): ("risk",),
    ("POST", "/v1/alerts/{alert_id}/release"): ("risk",),
    ("POST", "/v1/alerts/{alert_id}/resolve"): ("risk",),
    ("GET", "/v1/borrowers/{borrower_id}/indicators"): _ABOUT_ONE,
    ("GET", "/v1/borrowers/{borrower_id}/indicators/{indicator}/why"): _ABOUT_ONE,
    ("GET", "/v1/borrowers/{borrower_id}/loans"): _ABOUT_ONE,
    ("GET", "/v1/loans/{loan_id}/classification"): _ABOUT_ONE,
    ("GET", "/v1/portfolio"): (*_WATCHERS, "operator"),
    ("GET", "/v1/usefulness"): _WATCHERS,
    ("GET", "/v1/shifts"): _WATCHERS,
    ("GET", "/v1/parked"): ("operator", "auditor"),
    ("POST", "/v1/parked/{borrower_id}/release"): ("operator",),
    ("GET", "/v1/dead-letters"): ("operator", "auditor"),
}
