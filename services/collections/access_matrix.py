"""Who may do what, one line a route. A route that is not here can't be served; a role that is not named is denied."""

from typing import Final

from shared.access import Matrix, Role

_DESK: Final[tuple[Role, ...]] = ("collector", "supervisor")
_MACHINES: Final[tuple[Role, ...]] = ("operator", "service")
_READERS: Final[tuple[Role, ...]] = (*_DESK, *_MACHINES, "auditor")

MATRIX: Final[Matrix] = {
    # method, route                                                roles
    ("GET", "/v1/queue"): _READERS,
    ("POST", "/v1/queue/next"): (*_DESK, "service"),
    ("GET", "/v1/cases/{case_id}"): _READERS,
    ("GET", "/v1/cases/{case_id}/history"): _READERS,
    ("POST", "/v1/cases/{case_id}/lease"): (*_DESK, "service"),
    ("POST", "/v1/cases/{case_id}/return"): (*_DESK, "service"),
    ("GET", "/v1/borrowers/{borrower_id}/case"): _READERS,
    ("GET", "/v1/borrowers/{borrower_id}/promises"): (*_READERS, "applicant"),
    ("GET", "/v1/borrowers/{borrower_id}/contact-check"): _READERS,
    ("GET", "/v1/borrowers/{borrower_id}/contacts"): (*_READERS, "applicant"),
    ("POST", "/v1/borrowers/{borrower_id}/contacts"): (*_DESK, "service"),
    ("POST", "/v1/borrowers/{borrower_id}/stops"): (*_DESK, "service"),
    ("POST", "/v1/borrowers/{borrower_id}/stops/lifting"): ("supervisor",),
    ("GET", "/v1/contacts"): (*_READERS,),
    ("GET", "/v1/contacts/{contact_id}"): _READERS,
    ("POST", "/v1/contacts/{contact_id}/conclusion"): (*_DESK, *_MACHINES),
    ("POST", "/v1/loans/{loan_id}/promises"): (*_DESK, "service"),
    ("POST", "/v1/borrowers/{borrower_id}/promises/{promise_id}/withdrawal"): (*_DESK, "service"),
    ("POST", "/v1/loans/{loan_id}/plans"): ("supervisor",),
    ("POST", "/v1/reminders/dispatch"): _MACHINES,
    ("GET", "/v1/lessons/{stage}"): (*_READERS, "applicant"),
    ("GET", "/v1/parked"): ("operator", "auditor"),
    ("POST", "/v1/parked/{borrower_id}/release"): ("operator",),
    ("GET", "/v1/dead-letters"): ("operator", "auditor"),
}
