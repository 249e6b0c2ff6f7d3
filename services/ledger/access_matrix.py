"""Who may do what, one line a route. A route that is not here can't be served; a role that is not named is denied."""

from typing import Final

from shared.access import Matrix, Role

_EVERYONE: Final[tuple[Role, ...]] = ("officer", "teller", "accountant", "operator", "auditor")

MATRIX: Final[Matrix] = {
    # method, route                                                roles
    ("GET", "/v1/book"): _EVERYONE,
    ("POST", "/v1/book"): ("operator",),
    ("POST", "/v1/book/closings"): ("operator",),
    ("GET", "/v1/reference-rates"): _EVERYONE,
    ("POST", "/v1/reference-rates"): ("operator",),
    ("POST", "/v1/loans"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/disbursement"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/take-over"): ("operator",),
    ("POST", "/v1/loans/{loan_id}/payments"): ("teller",),
    ("POST", "/v1/loans/{loan_id}/payments/{payment_id}/reversal"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/payments/{payment_id}/chargeback"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/charges"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/charges/{charge_id}/waiver"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/charges/{charge_id}/adjustments"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/credits"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/refunds"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/refinance"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/charge-off"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/write-off"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/reschedules"): ("officer", "approver"),  # of restructuring limits, see policies/
    ("POST", "/v1/loans/{loan_id}/re-ageing"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/re-amortisation"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/prepayments"): ("teller",),
    ("POST", "/v1/loans/{loan_id}/acceleration"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/pauses"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/resumption"): ("officer",),
    ("POST", "/v1/loans/{loan_id}/events/{event_id}/undoing"): ("officer",),
    ("GET", "/v1/loans/{loan_id}/payoff"): _EVERYONE,
    ("GET", "/v1/loans/{loan_id}/statement"): _EVERYONE,
    ("GET", "/v1/loans/{loan_id}/delinquency"): _EVERYONE,
    ("POST", "/v1/schedules"): _EVERYONE,  # it records nothing
    ("GET", "/v1/loans/{loan_id}"): _EVERYONE,
    ("GET", "/v1/loans/{loan_id}/schedule"): _EVERYONE,
    ("GET", "/v1/loans/{loan_id}/entries"): _EVERYONE,
    ("GET", "/v1/loans/{loan_id}/balances"): _EVERYONE,
    ("GET", "/v1/trial-balance"): ("accountant", "operator", "auditor"),
    ("GET", "/v1/movements"): ("accountant", "operator", "auditor"),
    ("GET", "/v1/income-statement"): ("accountant", "operator", "auditor"),
    ("POST", "/v1/entries"): ("accountant",),
    ("GET", "/v1/entries"): ("accountant", "auditor", "approver"),
    ("POST", "/v1/entries/{entry_id}/approval"): ("accountant", "approver"),  # never who proposed it
    ("POST", "/v1/entries/{entry_id}/decline"): ("accountant", "approver"),
    ("POST", "/v1/entries/{entry_id}/reversal"): ("accountant",),
    ("GET", "/v1/periods"): ("accountant", "operator", "auditor", "approver"),
    ("POST", "/v1/periods/{period}/valuation"): ("accountant",),
    ("POST", "/v1/periods/{period}/close"): ("accountant",),
    ("POST", "/v1/years/{year}/close"): ("accountant",),
    ("POST", "/v1/bank/statements"): ("officer", "teller", "accountant"),
    ("GET", "/v1/bank/statements"): _EVERYONE,
    ("GET", "/v1/bank/lines"): _EVERYONE,
    ("POST", "/v1/bank/lines/{line_id}/match"): ("officer", "accountant"),
    ("POST", "/v1/bank/lines/{line_id}/split"): ("officer", "accountant"),
    ("POST", "/v1/bank/lines/{line_id}/unmatch"): ("officer", "accountant"),
    ("GET", "/v1/loans/{loan_id}/proof"): _EVERYONE,
    ("GET", "/v1/checkpoints"): _EVERYONE,
    ("GET", "/v1/checkpoints/{partition}"): _EVERYONE,
    ("GET", "/v1/parked"): ("operator", "auditor"),
    ("POST", "/v1/parked/{loan_id}/release"): ("operator",),
    ("GET", "/v1/dead-letters"): ("operator", "auditor"),
    ("POST", "/v1/dead-letters/{partition}/{offset}/retry"): ("operator",),
}
