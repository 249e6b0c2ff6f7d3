"""The rules of commands, by the names under which they are refused. The docstring is what the caller reads."""

from shared.errors import Refusal


class BookNotOpen(Refusal):
    """The ledger has told no business date yet."""

    status = 409


class UnknownLoan(Refusal):
    """Nothing is known of such a loan."""

    status = 404


class UnknownCase(Refusal):
    """There is no such case."""

    status = 404


class UnknownContact(Refusal):
    """There is no such contact."""

    status = 404


class UnknownPromise(Refusal):
    """The borrower has no such promise that still stands."""

    status = 404


class CaseNotOpen(Refusal):
    """Only an open case can be worked on."""

    status = 409


class CaseTakenByAnother(Refusal):
    """Somebody else works on the case."""

    status = 409


class CaseNotTaken(Refusal):
    """The caller does not work on the case."""

    status = 409


class QueueEmpty(Refusal):
    """No case waits for somebody."""

    status = 404


class NothingPastDue(Refusal):
    """Nothing is past due on the loan: there is nothing to promise."""

    status = 409


class PromiseAboveDebt(Refusal):
    """The promise is above the debt."""


class PlanAboveDebt(Refusal):
    """The plan's parts are above the debt together."""


class PlanNotInOrder(Refusal):
    """The plan's parts follow each other by date, none before the open date."""


class DatePassed(Refusal):
    """The date is before the open business date."""


class DateTooFarAhead(Refusal):
    """The date is further ahead than the policy allows."""


class TooManyActivePromises(Refusal):
    """As many promises stand as the policy allows."""

    status = 409


class TooManyBrokenPromises(Refusal):
    """The borrower broke as many promises as the policy allows."""

    status = 409


class AmountZero(Refusal):
    """The amount must be more than zero."""


class OtherCurrency(Refusal):
    """The amount is in another currency than the loan."""


class StopNotSet(Refusal):
    """There is no such stop."""

    status = 409


class ContactDenied(Refusal):
    """The contact gate does not allow it now."""

    status = 409


class ContactAlreadyConcluded(Refusal):
    """What became of the contact was recorded before."""

    status = 409


class NotTheCallers(Refusal):
    """The contact was reserved by somebody else."""

    status = 403


class InstantNotYours(Refusal):
    """Only another service or an operator may ask with an instant of their own; anyone else asks about now."""

    status = 403


class DispatchUnderWay(Refusal):
    """Another pass sends reminders at this moment."""

    status = 409
