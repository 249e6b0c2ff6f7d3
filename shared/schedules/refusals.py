"""Why terms, or a change of them, give no schedule."""

from shared.errors import Refusal


class FirstDueNotAfterDisbursement(Refusal):
    """The first instalment must fall due after the money is paid out."""


class UnschedulableTerms(Refusal):
    """The terms give no schedule in which every instalment asks for something and no principal is negative."""


class TermsContradict(Refusal):
    """These terms do not go together."""


class SharesDoNotSumToOne(Refusal):
    """The shares of a year's months must sum to one."""


class SeasonNotInTerm(Refusal):
    """A month that must repay a share has no instalment."""


class PlanDoesNotSumToPrincipal(Refusal):
    """The instalments agreed by hand must repay exactly the principal."""


class GapTooShort(Refusal):
    """Two due dates of the plan are closer than the terms allow."""


class GraceTooLong(Refusal):
    """A grace must leave an instalment after it."""


class TranchesDoNotSumToPrincipal(Refusal):
    """The tranches must pay out exactly the principal."""


class DisbursedAfterLastDue(Refusal):
    """Money can be paid out only before the last instalment has fallen due."""


class NoSuchInstalment(Refusal):
    """No instalment falls due on that date."""


class DueDateNotAhead(Refusal):
    """An instalment must fall due after the one before it, and after the money was paid out."""


class UnknownHolidayCalendar(Refusal):
    """There is no holiday calendar for the country."""


class PrepaidTooMuch(Refusal):
    """A prepayment must leave some principal outstanding."""


class PrepaidTooLate(Refusal):
    """A prepayment must come before the last instalment falls due."""


class FeesTooHigh(Refusal):
    """Fees must leave something of what is paid out."""
