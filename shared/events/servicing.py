"""What happens to a loan between its disbursement and its end, other than plain payments: on `loans.lifecycle.v1`.

Each is a fact with a value date (`effectivedate`); each can be taken back with `EventUndone`, which folds the loan as
if it had never been. Amounts are in the loan's currency.
"""

from datetime import date
from functools import partial
from operator import eq
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from shared.events.envelope import Amount, CurrencyCode, Data, Envelope, EventId, LoanId
from shared.events.ledger import Reason
from shared.events.terms import AnnualRate, FeeName, Periods

Count = Annotated[int, Field(ge=1, le=600, strict=True)]


class Charge(Data):
    """A fee or penalty that falls due on `due`. Its id is the id of the event."""

    part: Literal["fee", "penalty"]
    name: FeeName
    amount: Amount
    currency: CurrencyCode
    due: date


class Waiver(Data):
    """What is unpaid of a charge is forgone."""

    charge_id: EventId
    reason: Reason


class ChargeCredit(Data):
    """A charge was wrong by `amount`; it counts as money of the kind `charge-adjustment`."""

    charge_id: EventId
    amount: Amount
    currency: CurrencyCode
    reason: Reason


class Refinancing(Data):
    """The loan whose disbursement pays this one off, and the event id of that disbursement."""

    loan_id: LoanId
    event_id: EventId


class Credit(Data):
    """Money for the loan that its borrower did not pay.

    goodwill-credit: the lender's own. merchant-refund: a purchase was returned. payout-refund: money paid out came
    back. refinancing: a new loan of the borrower pays this one off; `refinanced_by` says which.
    """

    kind: Literal["goodwill-credit", "merchant-refund", "payout-refund", "refinancing"]
    amount: Amount
    currency: CurrencyCode
    refinanced_by: Refinancing | None = None


class Chargeback(Data):
    """The payer's bank took back `amount` of a payment: the borrower owes it again, as principal."""

    payment_id: EventId
    amount: Amount
    currency: CurrencyCode


class Refund(Data):
    """Money paid too much went back to the borrower."""

    amount: Amount
    currency: CurrencyCode


class ChargeOff(Data):
    """The claim is taken out of the assets; it goes on, and what still comes in is a recovery."""

    reason: Reason
    fraud: Annotated[bool, Field(strict=True)] = False


class WriteOff(Data):
    """Nothing more is expected: the loan ends and what is owed is a loss."""

    reason: Reason


def _names_its_change(schema: dict[str, Any]) -> None:
    schema["required"] = ["change", *schema.get("required", ())]


class AgreedChange(Data):
    """One of the changes of a reschedule; on the topic each says which."""

    model_config = ConfigDict(json_schema_extra=_names_its_change)


class DueDateMoved(AgreedChange):
    """The instalment due on `due` moves to `to`, and all after it onto the grid that begins there."""

    change: Literal["due-date"] = "due-date"
    due: date
    to: date


class RateChanged(AgreedChange):
    """A new annual rate for the period of the instalment due on `from_due` and those after it."""

    change: Literal["rate"] = "rate"
    from_due: date
    annual_rate: AnnualRate


class TermExtended(AgreedChange):
    """So many more instalments; the principal left from the one due on `from_due` is spread anew."""

    change: Literal["term"] = "term"
    from_due: date
    instalments: Count


class GraceGranted(AgreedChange):
    """From the instalment due on `from_due` on, so many ask for no principal, or put their interest off."""

    change: Literal["grace"] = "grace"
    from_due: date
    principal: Periods = 0
    interest: Periods = 0


class InterestPaused(AgreedChange):
    """No day from `start` to `end` bears interest, both included; instalments stay, and the last one is the smaller."""

    change: Literal["interest-pause"] = "interest-pause"
    start: date
    end: date


Change = Annotated[
    DueDateMoved | RateChanged | TermExtended | GraceGranted | InterestPaused, Field(discriminator="change")
]


Ratio = Annotated[str, StringConstraints(pattern=r"^[01]\.[0-9]{6}$")]


class LimitOverride(Data):
    """Somebody with the authority let a restructuring go beyond the lender's limits, for a reason.

    by: the name of the caller's token. The shares are of outstanding principal of running loans, as the books had it;
    times: this one included.
    """

    reason: Reason
    by: Annotated[str, Field(min_length=1, max_length=100)]
    policy: Annotated[str, Field(min_length=1, max_length=60)]
    share_before: Ratio
    share_after: Ratio
    share_max: Ratio
    times: Annotated[int, Field(ge=1, strict=True)]
    times_max: Annotated[int, Field(ge=1, strict=True)]


class Reschedule(Data):
    """The instalments that are still to come change.

    by: `agreement` of borrower and lender, or the `borrower` alone, within the rights of the terms.
    restructure: the borrower is in difficulty and could not have kept the terms; counted, and watched for a year.
    override: of the lender's limits on restructuring; absent, it kept them or is from before they were.
    """

    changes: Annotated[tuple[Change, ...], Field(min_length=1, max_length=10)]
    by: Literal["agreement", "borrower"] = "agreement"
    restructure: Annotated[bool, Field(strict=True)] = False
    reason: Reason
    override: LimitOverride | None = Field(default=None, exclude_if=partial(eq, None))


class ReAge(Data):
    """All principal that is unpaid gets new dates: `instalments` of them, from `first_due` on."""

    first_due: date
    instalments: Count
    every: Annotated[int, Field(ge=1, le=366, strict=True)] = 1
    unit: Literal["day", "week", "month"] = "month"
    reason: Reason


class ReAmortise(Data):
    """Principal that is past due is spread evenly over the instalments still to come."""

    reason: Reason


class Prepayment(Data):
    """Principal paid before it is due, where nothing is due; interest falls with it from the value date on.

    effect: `reduce-instalment` spreads what is left over the same dates; `fewer-instalments` leaves the instalments as
    they are, and the loan ends earlier. (Money that should only pay the next instalments is a plain payment.)
    """

    amount: Amount
    currency: CurrencyCode
    effect: Literal["reduce-instalment", "fewer-instalments"]


class Acceleration(Data):
    """The whole debt falls due on the value date: the lender has called the loan."""

    reason: Reason


class Pause(Data):
    """No day from `start` to `end` counts towards delinquency, both included."""

    start: date
    end: date


class Resume(Data):
    """A pause that reaches the value date ends on it."""

    reason: Reason


class Undoing(Data):
    """The fact with this event id never happened (mistaken, rejected, returned)."""

    event_id: EventId
    reason: Reason


class ChargeLevied(Envelope):
    """A fee or penalty was charged."""

    type: Literal["ledger.ChargeLevied.v1"] = "ledger.ChargeLevied.v1"
    data: Charge


class ChargeWaived(Envelope):
    """A charge was forgone."""

    type: Literal["ledger.ChargeWaived.v1"] = "ledger.ChargeWaived.v1"
    data: Waiver


class ChargeAdjusted(Envelope):
    """A charge was credited."""

    type: Literal["ledger.ChargeAdjusted.v1"] = "ledger.ChargeAdjusted.v1"
    data: ChargeCredit


class CreditReceived(Envelope):
    """The loan was credited with money that the borrower did not pay."""

    type: Literal["ledger.CreditReceived.v1"] = "ledger.CreditReceived.v1"
    data: Credit


class PaymentChargedBack(Envelope):
    """A payment was taken back, in whole or in part, and is owed again from then on."""

    type: Literal["ledger.PaymentChargedBack.v1"] = "ledger.PaymentChargedBack.v1"
    data: Chargeback


class CreditRefunded(Envelope):
    """A credit balance was paid out to the borrower."""

    type: Literal["ledger.CreditRefunded.v1"] = "ledger.CreditRefunded.v1"
    data: Refund


class LoanChargedOff(Envelope):
    """The loan was charged off."""

    type: Literal["ledger.LoanChargedOff.v1"] = "ledger.LoanChargedOff.v1"
    data: ChargeOff


class LoanWrittenOff(Envelope):
    """The loan was written off."""

    type: Literal["ledger.LoanWrittenOff.v1"] = "ledger.LoanWrittenOff.v1"
    data: WriteOff


class LoanRescheduled(Envelope):
    """The loan's instalments were changed by agreement."""

    type: Literal["ledger.LoanRescheduled.v1"] = "ledger.LoanRescheduled.v1"
    data: Reschedule


class LoanReAged(Envelope):
    """The loan's unpaid principal got new dates."""

    type: Literal["ledger.LoanReAged.v1"] = "ledger.LoanReAged.v1"
    data: ReAge


class LoanReAmortised(Envelope):
    """The loan's past due principal was spread over what is to come."""

    type: Literal["ledger.LoanReAmortised.v1"] = "ledger.LoanReAmortised.v1"
    data: ReAmortise


class PrincipalPrepaid(Envelope):
    """The borrower prepaid principal."""

    type: Literal["ledger.PrincipalPrepaid.v1"] = "ledger.PrincipalPrepaid.v1"
    data: Prepayment


class LoanAccelerated(Envelope):
    """The lender called the loan."""

    type: Literal["ledger.LoanAccelerated.v1"] = "ledger.LoanAccelerated.v1"
    data: Acceleration


class DelinquencyPaused(Envelope):
    """Delinquency stands still for a while."""

    type: Literal["ledger.DelinquencyPaused.v1"] = "ledger.DelinquencyPaused.v1"
    data: Pause


class DelinquencyResumed(Envelope):
    """Delinquency goes on."""

    type: Literal["ledger.DelinquencyResumed.v1"] = "ledger.DelinquencyResumed.v1"
    data: Resume


class EventUndone(Envelope):
    """An earlier fact of the loan was taken back."""

    type: Literal["ledger.EventUndone.v1"] = "ledger.EventUndone.v1"
    data: Undoing
