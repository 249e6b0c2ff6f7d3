"""Who may do what, one line a route. A route that is not here can't be served; a role that is not named is denied.

An applicant is bound to one borrower, and every route asks whether it is the own one.
"""

from typing import Final

from shared.access import Matrix, Role

_READERS: Final[tuple[Role, ...]] = ("officer", "approver", "risk", "auditor", "applicant")
_OWN: Final[tuple[Role, ...]] = ("officer", "applicant")

MATRIX: Final[Matrix] = {
    # method, route                                                            roles
    ("POST", "/v1/parties"): ("officer",),
    ("GET", "/v1/parties/{borrower_id}"): (*_READERS, "collector", "supervisor", "service"),
    ("PUT", "/v1/parties/{borrower_id}"): ("officer",),
    ("GET", "/v1/parties/{borrower_id}/personal"): ("officer", "applicant"),
    ("PUT", "/v1/parties/{borrower_id}/personal"): ("officer",),
    ("GET", "/v1/parties/{borrower_id}/contact/{channel}"): ("service", "collector"),
    ("GET", "/v1/parties/{borrower_id}/account"): ("accountant", "service"),
    ("PUT", "/v1/parties/{borrower_id}/account"): ("officer",),
    ("POST", "/v1/parties/{borrower_id}/consents"): _OWN,
    ("POST", "/v1/parties/{borrower_id}/consents/{purpose}/withdrawal"): _OWN,
    ("POST", "/v1/parties/{borrower_id}/relations"): ("officer",),
    ("POST", "/v1/parties/{borrower_id}/relations/end"): ("officer",),
    ("POST", "/v1/parties/{borrower_id}/flags"): ("officer", "collector", "supervisor"),
    ("POST", "/v1/parties/{borrower_id}/flags/{flag}/clearing"): ("officer", "supervisor"),
    ("POST", "/v1/parties/{borrower_id}/erasure"): ("supervisor",),
    ("GET", "/v1/parties/{borrower_id}/readings"): ("auditor", "applicant"),
    ("POST", "/v1/groups"): ("officer",),
    ("GET", "/v1/products"): (*_READERS, "service"),
    ("GET", "/v1/products/{name}"): (*_READERS, "service"),
    ("GET", "/v1/applications"): ("officer", "approver", "risk", "auditor"),
    ("POST", "/v1/applications"): _OWN,
    ("GET", "/v1/applications/{application_id}"): _READERS,
    ("PUT", "/v1/applications/{application_id}"): _OWN,
    ("POST", "/v1/applications/{application_id}/statement"): _OWN,
    ("POST", "/v1/applications/{application_id}/documents"): _OWN,
    ("POST", "/v1/applications/{application_id}/guarantees"): ("officer",),
    ("POST", "/v1/applications/{application_id}/submission"): _OWN,
    ("POST", "/v1/applications/{application_id}/review"): _OWN,
    ("POST", "/v1/applications/{application_id}/recommendation"): ("officer",),
    ("POST", "/v1/applications/{application_id}/decision"): ("officer", "approver", "risk"),
    ("GET", "/v1/applications/{application_id}/offer"): _READERS,
    ("POST", "/v1/applications/{application_id}/offer"): ("officer",),
    ("POST", "/v1/applications/{application_id}/acceptance"): _OWN,
    ("GET", "/v1/applications/{application_id}/signing-head"): _READERS,
    ("POST", "/v1/applications/{application_id}/withdrawal"): _OWN,
    ("POST", "/v1/applications/{application_id}/disbursement"): ("officer",),
    ("GET", "/v1/parked"): ("operator", "auditor"),
    ("POST", "/v1/parked/{borrower_id}/release"): ("operator",),
    ("GET", "/v1/dead-letters"): ("operator", "auditor"),
}
