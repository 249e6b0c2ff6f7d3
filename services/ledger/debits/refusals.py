"""Why a mandate, a run or a status report is refused; nothing of it is then recorded."""

from shared.errors import Refusal


class CollectionDateOver(Refusal):
    """A run asks for money on the open date or later."""

    status = 409


class NoBusinessDay(Refusal):
    """Nothing is collected on a day on which banks do not settle."""


class NothingToCollect(Refusal):
    """Nothing falls due or is tried again on the day."""

    status = 409


class TooManyItems(Refusal):
    """A run would be too large: collect an earlier day first."""


class AccountCollectsNothing(Refusal):
    """The account has no creditor_id in accounts.yaml, by which banks know who collects, no IBAN, or is not in euro."""

    status = 409


class MandateExists(Refusal):
    """The loan has a mandate of this reference with another content, or one that was revoked."""

    status = 409


class UnknownMandate(Refusal):
    """The loan has no such mandate that stands."""

    status = 404


class MandateNotSuspended(Refusal):
    """The mandate is not suspended."""

    status = 409


class UnknownRun(Refusal):
    """There is no such run of direct debits."""

    status = 404


class RunIsVoid(Refusal):
    """The run was voided."""

    status = 409


class RunWasSent(Refusal):
    """The bank has answered to the run: it was sent, and can't be voided."""

    status = 409


class RunsOnTheirWay(Refusal):
    """What was recorded of direct debits before is not in the books yet; ask again in a moment."""

    status = 409


class CollectedAlready(Refusal):
    """The debit was collected: that it came back is for the bank's statement to say."""

    status = 409
