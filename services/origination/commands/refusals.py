"""Refusals of commands, by name; rules files, requests and statements have theirs beside them."""

from shared.errors import Refusal


class BookNotOpen(Refusal):
    """The ledger has told no business date yet; without one nothing is decided."""

    status = 409


class UnknownParty(Refusal):
    """No such borrower is registered."""

    status = 404


class PersonalDataIsErased(Refusal):
    """The borrower's personal data was erased; nothing new begins."""

    status = 409


class PartyAlreadyRegistered(Refusal):
    """Somebody with this official number is registered."""

    status = 409


class LoansOutstanding(Refusal):
    """Personal data is needed for as long as loans are open or applications under way."""

    status = 409


class ConsentUnknown(Refusal):
    """There is no such consent to take back."""

    status = 409


class FlagUnknown(Refusal):
    """The circumstance does not hold."""

    status = 409


class RelationUnknown(Refusal):
    """There is no such relation."""

    status = 409


class RelationToSelf(Refusal):
    """Nobody stands by themselves."""


class NotAGroup(Refusal):
    """A group has between 3 and 20 different members."""


class UnknownApplication(Refusal):
    """There is no such application."""

    status = 404


class ApplicationNotDraft(Refusal):
    """The application was submitted; what it says no longer changes."""

    status = 409


class ApplicationNotReferred(Refusal):
    """The application is not referred to people."""

    status = 409


class ReferralAlreadyRecommended(Refusal):
    """Somebody else recommended on this referral before."""

    status = 409


class ReferralNotRecommended(Refusal):
    """Nobody has recommended yet: the first person's word comes first."""

    status = 409


class ReferralAlreadyDecided(Refusal):
    """Somebody else decided on this referral before."""

    status = 409


class SamePerson(Refusal):
    """Whoever recommended can't decide: it takes another person."""

    status = 403


class NoAuthority(Refusal):
    """The policy gives the decision on such an amount to other roles."""

    status = 403


class AmountAboveRequest(Refusal):
    """No more can be approved than was asked for."""


class AmountBelowProduct(Refusal):
    """Less than the product's least amount can't be approved."""


class NotDeclinedAutomatically(Refusal):
    """Only an automatic decline that no person looked at can be taken to a person."""

    status = 409


class ApplicationNotApproved(Refusal):
    """The application is not approved."""

    status = 409


class ExposureExceeded(Refusal):
    """What the borrower owes by now leaves no room for this loan under the policy's limits."""

    status = 409


class NoOffer(Refusal):
    """There is no offer to accept."""

    status = 409


class OfferExpired(Refusal):
    """The offer's last day has passed."""

    status = 409


class ShownDiffers(Refusal):
    """What was shown is not what was offered: the hash is another one."""


class ApplicationEnded(Refusal):
    """The application came to its end before."""

    status = 409


class NoContract(Refusal):
    """Nothing was signed in this application."""

    status = 404


class NoHeadKept(Refusal):
    """No signed head of the log is kept with this contract."""

    status = 404


class LoanNotAgreed(Refusal):
    """No loan was agreed in this application."""

    status = 409


class LoanAlreadyDisbursed(Refusal):
    """The loan was paid out before; it is paid out once, whole."""

    status = 409


class DisbursementTooLate(Refusal):
    """The first instalment would fall due before the money is paid out: a new application is needed."""

    status = 409


class DisbursementBlocked(Refusal):
    """An open red alert blocks the disbursement until a named person releases it."""

    status = 409


class CircumstanceStopsLoan(Refusal):
    """A circumstance of the borrower stops the loan by the credit policy."""

    status = 409


class GuarantorIsBorrower(Refusal):
    """A borrower can't guarantee the own loan."""


class GuaranteeIncomplete(Refusal):
    """A guarantor is named by id, collateral by kind, and never both."""
