"""What is wrong with a statement, or with what a person wants of its lines: each by name, and nothing is half taken."""

from shared.errors import Refusal


class StatementEmpty(Refusal):
    """The file is empty, or has no statement in it."""


class StatementTooLarge(Refusal):
    """The file is larger than a statement may be."""


class NotXml(Refusal):
    """The file is not well-formed XML."""


class HostileXml(Refusal):
    """The XML has a document type or entities; no message of a bank needs either, and attacks do."""


class NotAStatement(Refusal):
    """The file lacks what every statement has, or has it in a form that is none."""


class UnknownProfile(Refusal):
    """There is no CSV profile of this name."""


class ProfileNeeded(Refusal):
    """The file is no XML: say which CSV profile it has."""


class ColumnMissing(Refusal):
    """The file lacks a column that the profile names."""


class UnreadableRow(Refusal):
    """A row holds something that the profile does not allow."""


class UnknownBankAccount(Refusal):
    """The statement is of an account that is not in the lender's list of accounts."""


class OtherCurrencyThanAccount(Refusal):
    """The statement, or a line of it, is in another currency than the account."""


class WrongChecksum(Refusal):
    """Opening balance and lines do not add up to the closing balance."""


class SummaryDiffers(Refusal):
    """The statement's own summary counts or sums another thing than its entries."""


class StatementGap(Refusal):
    """The statement does not begin where the last one of the account ended: one is missing in between."""

    status = 409


class StatementOutOfOrder(Refusal):
    """The statement is from before the last one that was taken."""

    status = 409


class StatementChanged(Refusal):
    """A statement of this id was taken before, with another content."""

    status = 409


class BookBehindStatement(Refusal):
    """The statement ends after the open business date."""

    status = 409


class StatementOnItsWay(Refusal):
    """What was recorded of the account before is not in the books yet; ask again in a moment."""

    status = 409


class UnknownLine(Refusal):
    """There is no such line."""

    status = 404


class DoesNotAddUp(Refusal):
    """The parts do not add up to the line."""


class NothingToTakeBack(Refusal):
    """The line is matched to nothing."""

    status = 409


class UnknownFact(Refusal):
    """The books have no such payment or disbursement that still stands, or it is another line's."""

    status = 404


class ReturnStands(Refusal):
    """A payment that was taken back can't be put back by the line: record it again."""

    status = 409


class MoneyWentOut(Refusal):
    """Money that went out is no payment for a loan: name the disbursement, or the payment that it returns."""


class NotAStatusReport(Refusal):
    """The file lacks what every payment status report has, or has it in a form that is none."""


class UnknownPaymentFile(Refusal):
    """The report is about a file, or a payment in it, that was not made here."""


class UnknownReference(Refusal):
    """The report is about a transaction that is not in the file."""


class SumDiffers(Refusal):
    """The report counts or sums the file's transactions otherwise than the file does."""


class AmountDiffers(Refusal):
    """The report states another amount or currency for a transaction than the file does."""


class PaysNothingOut(Refusal):
    """No disbursement goes out of this account by file."""


class NothingToPayOut(Refusal):
    """No disbursement is there to pay out."""

    status = 409


class TooManyToPayOut(Refusal):
    """More disbursements than a file may have: take an earlier date."""


class DisbursementInFile(Refusal):
    """The disbursement stands in a file already."""

    status = 409


class NotToBePaidOut(Refusal):
    """The disbursement is none that this account pays out by file, or not any more."""

    status = 409


class ExecutionInThePast(Refusal):
    """A file can't be executed before the open business date."""


class FileWasVoided(Refusal):
    """The file was voided."""

    status = 409


class FileNotWaiting(Refusal):
    """The file was sent: the bank has said something of it."""

    status = 409


class ReportChanged(Refusal):
    """A report of this id was taken before, with another content."""

    status = 409


class RejectedBefore(Refusal):
    """The transaction was rejected before; that is final."""

    status = 409


class FilesOnTheirWay(Refusal):
    """What was recorded of files before is not in the books yet; ask again in a moment."""

    status = 409


class PaymentFileExists(Refusal):
    """A file of this id was made with another content."""

    status = 409


class NotATransfer(Refusal):
    """A transfer is between two accounts of the lender's own in one currency."""
