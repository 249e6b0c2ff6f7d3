"""The one generator of instalments: terms, what was paid out and what was agreed since become a schedule.

Pure: dates and exact integers come in and go out. Every figure is an exact quotient that is rounded once, as the terms
say; what rounding leaves is taken by the last instalment. Origination quotes with it, the ledger services with it.
"""

from shared.schedules.checks import check
from shared.schedules.loan import paid_out_whole, schedule
from shared.schedules.model import Dated, Instalment, PaidOut, Schedule
from shared.schedules.recalculated import recalculated
from shared.schedules.refusals import (
    DisbursedAfterLastDue,
    DueDateNotAhead,
    FirstDueNotAfterDisbursement,
    GapTooShort,
    GraceTooLong,
    NoSuchInstalment,
    PlanDoesNotSumToPrincipal,
    SeasonNotInTerm,
    SharesDoNotSumToOne,
    TermsContradict,
    TranchesDoNotSumToPrincipal,
    UnknownHolidayCalendar,
    UnschedulableTerms,
)

__all__ = [
    "Dated",
    "DisbursedAfterLastDue",
    "DueDateNotAhead",
    "FirstDueNotAfterDisbursement",
    "GapTooShort",
    "GraceTooLong",
    "Instalment",
    "NoSuchInstalment",
    "PaidOut",
    "PlanDoesNotSumToPrincipal",
    "Schedule",
    "SeasonNotInTerm",
    "SharesDoNotSumToOne",
    "TermsContradict",
    "TranchesDoNotSumToPrincipal",
    "UnknownHolidayCalendar",
    "UnschedulableTerms",
    "check",
    "paid_out_whole",
    "recalculated",
    "schedule",
]
