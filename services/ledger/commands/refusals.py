"""Why the ledger records nothing: refusals by name."""

from shared.errors import Refusal


class BookNotOpen(Refusal):
    """The book has no open business date yet."""

    status = 409


class BookAlreadyOpen(Refusal):
    """The book was opened before; it opens once."""

    status = 409


class DateNotOpen(Refusal):
    """Only the open business date can be closed."""

    status = 409


class PeriodNotOver(Refusal):
    """A period is valued and closed once its last date is closed."""

    status = 409


class RateBeforeOpenDate(Refusal):
    """A reference rate must not begin before the open business date: loans were reset by what there was until then."""

    status = 409


class LastDate(Refusal):
    """The calendar ends: no business date can follow."""


class LoanAlreadyContracted(Refusal):
    """The loan has a contract already."""

    status = 409


class LoanNotContracted(Refusal):
    """The loan has no contract."""

    status = 409


class LoanNotDisbursed(Refusal):
    """The loan is not paid out yet."""

    status = 409


class LoanIsRunning(Refusal):
    """Only a loan that is contracted and not paid out can be taken over."""

    status = 409


class LoanWasTakenOver(Refusal):
    """A loan that came from another system is not paid out again."""

    status = 409


class AboveContract(Refusal):
    """Disbursements together must not exceed the amount of the contract, or what its terms allow above it."""


class OtherCurrency(Refusal):
    """The amount must be in the loan's currency."""


class BeforeDisbursement(Refusal):
    """Nothing can happen to a loan before the money is paid out."""


class BreaksRule(Refusal):
    """The books would not take it: it breaks a rule of the loan."""

    status = 409


class RestructuredShareAboveLimit(Refusal):
    """Too much of the running loans would be restructured."""

    status = 409


class RestructuredTooOften(Refusal):
    """The loan was restructured as often as it may be."""

    status = 409


class OverrideNotAllowed(Refusal):
    """This role may not go beyond the limits on restructuring."""

    status = 403


class LoanIsParked(Refusal):
    """The loan is parked: its books are not complete until it is released."""

    status = 409


class ReservedLoanId(Refusal):
    """The id begins as those of bank accounts and of unmatched money do."""


class ChangedMeanwhile(Refusal):
    """Something else happened to the loan at the same time; look at it again."""

    status = 409


class AmountZero(Refusal):
    """The amount must be more than zero."""


class ValueDateAhead(Refusal):
    """The effective date is after the open business date."""


class UnknownPayment(Refusal):
    """No such payment was recorded for this loan."""

    status = 404


class PaymentAlreadyReversed(Refusal):
    """The payment was reversed before."""

    status = 409


class ReceiptNumberUsed(Refusal):
    """The branch gave a receipt of this number for something else."""

    status = 409


class UnknownPartition(Refusal):
    """The log has no such partition."""

    status = 404


class ReservedId(Refusal):
    """The id stands for something that is no loan."""


class UnknownAccount(Refusal):
    """The chart of accounts has no such account."""


class ControlAccount(Refusal):
    """Only the loans themselves move this account: its balance is what their states say."""


class SameAccount(Refusal):
    """An account can't stand on both sides of an entry in one currency."""


class EntryUnbalanced(Refusal):
    """Debits and credits of an entry must be equal in each currency."""


class UnknownEntry(Refusal):
    """No such entry was proposed."""

    status = 404


class EntryDecided(Refusal):
    """The entry was approved or declined before; that is final."""

    status = 409


class EntryNotApproved(Refusal):
    """Only an entry that was approved can be reversed."""

    status = 409


class EntryReversed(Refusal):
    """A reversal of the entry was proposed before."""

    status = 409


class FourEyes(Refusal):
    """Whoever proposed an entry can't decide on it."""

    status = 403


class PeriodIsClosed(Refusal):
    """The period was closed before; what is booked counts in a later one."""

    status = 409


class PeriodSkipped(Refusal):
    """Periods are closed in order: an earlier one is open."""

    status = 409


class YearNotOver(Refusal):
    """A year is closed once its last period is."""

    status = 409


class YearIsClosed(Refusal):
    """The year, or a later one, was closed before; what is found later is booked in the open period."""

    status = 409
