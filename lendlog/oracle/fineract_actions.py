"""Fineract's actions as events of ours."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from lendlog.oracle import fineract_targets as targets
from lendlog.oracle.fineract_loan import REASON, Loan, SentCharge
from lendlog.oracle.fineract_terms import UNITS, NotTranslated, fraction
from shared.events import servicing
from shared.money import decimal_text, divide

Step = Mapping[str, Any]
CREDITS = {
    "GOODWILL_CREDIT": "goodwill-credit",
    "MERCHANT_ISSUED_REFUND": "merchant-refund",
    "PAYOUT_REFUND": "payout-refund",
}
QUIET_SETTINGS = frozenset({"charge-accrual-date"})
"""Settings that decide when Fineract books an accrual, and nothing else."""


def act(loan: Loan, step: Step) -> None:
    """Do what a step says. Raises NotTranslated, and what the loan's rules forbid."""
    action = ACTIONS.get(step["do"])
    if action is None:
        raise NotTranslated(f"The action {step['do']} is not understood.")
    action(loan, step)


def day(step: Step, name: str = "date") -> date:
    """A date of a step."""
    return date.fromisoformat(step[name])


def _approve(loan: Loan, step: Step) -> None:
    loan.approved_on, loan.principal = day(step), step["amount"]


def _disburse(loan: Loan, step: Step) -> None:
    loan.disburse(step["amount"], day(step), paid_out="nothing is disbursed" not in step.get("note", ""))


def _repay(loan: Loan, step: Step) -> None:
    loan.pay(step["amount"], day(step), channel=step.get("payment_type"))


def _transaction(loan: Loan, step: Step) -> None:
    kind, on, money = step["type"], day(step), {"amount": step["amount"], "currency": loan.currency}
    if kind == "REPAYMENT":
        loan.pay(step["amount"], on)
    elif kind == "CREDIT_BALANCE_REFUND":
        refund = servicing.Refund.model_validate(money)
        loan.send(servicing.CreditRefunded(**loan.head(on), data=refund), targets.NAMES[kind])
    elif kind in CREDITS:
        credit = servicing.Credit.model_validate({"kind": CREDITS[kind], **money})
        loan.send(servicing.CreditReceived(**loan.head(on), data=credit), targets.NAMES[kind])
    else:
        raise NotTranslated(f"The transaction type {kind} has no counterpart.")


def _charge(loan: Loan, step: Step) -> None:
    """A charge in advanced allocation counts from the day it was entered, or from its due date if that is earlier.

    The fixed orders go through all transactions again when a charge is added, and know no date of it
    (LoanChargeWritePlatformServiceImpl.addLoanCharge): for them it is there from the beginning.
    """
    due = day(step, "due")
    head = loan.head(min(due, loan.business_date) if loan.advanced else loan.start())
    charge = servicing.Charge.model_validate(
        {
            "part": step["kind"].lower(),
            "name": targets.slug(step["name"]),
            "amount": step["amount"] if "amount" in step else _share(loan, step["pct_of_principal_plus_interest"]),
            "currency": loan.currency,
            "due": due,
        }
    )
    loan.send(servicing.ChargeLevied(**head, data=charge))
    calculation = "Flat" if "amount" in step else "% Loan Amount + Interest"
    loan.charges.append(SentCharge(head["id"], charge.name, due, calculation))


def _share(loan: Loan, percent: str) -> str:
    """So much of all principal and interest that the loan asks for, rounded to the minor unit."""
    whole = sum(one.principal + one.interest for one in loan.statement().instalments)
    share = fraction(percent)
    places = len(share.partition(".")[2])
    return decimal_text(divide(whole * int(share.replace(".", "")), 10**places, "half-even"), loan.currency)


def _chargeback(loan: Loan, step: Step) -> None:
    payment = targets.transaction(loan, step["target"])
    back = servicing.Chargeback(payment_id=payment.event.id, amount=step["amount"], currency=loan.currency)
    loan.send(servicing.PaymentChargedBack(**loan.head(), data=back), "Chargeback")


def _waive_charge(loan: Loan, step: Step) -> None:
    if step["target"] != "last charge":
        raise NotTranslated(f"The target {step['target']!r} is not understood.")
    charge = targets.last_charge(loan)
    waiver = servicing.Waiver(charge_id=charge.event_id, reason=REASON)
    # A charge past its due date is forgone as of that date (LoanChargeWritePlatformServiceImpl.waiveLoanCharge).
    head = loan.head(min(charge.due, loan.business_date))
    loan.send(servicing.ChargeWaived(**head, data=waiver), "Waive loan charges")


def _charge_adjustment(loan: Loan, step: Step) -> None:
    charge = targets.last_charge(loan, targets.slug(step["charge"]), day(step, "due"))
    credit = servicing.ChargeCredit(
        charge_id=charge.event_id, amount=step["amount"], currency=loan.currency, reason=REASON
    )
    loan.send(servicing.ChargeAdjusted(**loan.head(), data=credit), "Charge Adjustment")


def _charge_off(loan: Loan, step: Step) -> None:
    off = servicing.ChargeOff(reason=REASON, fraud=loan.fraud)
    loan.send(servicing.LoanChargedOff(**loan.head(day(step)), data=off), "Charge-off")


def _write_off(loan: Loan, step: Step) -> None:
    off = servicing.WriteOff(reason=REASON)
    loan.send(servicing.LoanWrittenOff(**loan.head(day(step)), data=off), "Close (as written-off)")


def _undo(loan: Loan, step: Step) -> None:
    loan.undo(targets.transaction(loan, step["target"]))


def _undo_last(name: str) -> Callable[[Loan, Step], None]:
    def undo(loan: Loan, _: Step) -> None:
        loan.undo(targets.last_of(loan, name))

    return undo


def _re_age(loan: Loan, step: Step) -> None:
    (data,) = step["data"]
    again = servicing.ReAge.model_validate(
        {
            "first_due": data["startdate"],
            "instalments": int(data["numberofinstallments"]),
            "every": int(data["frequencynumber"]),
            "unit": UNITS[data["frequencytype"]],
            "reason": REASON,
        }
    )
    loan.send(servicing.LoanReAged(**loan.head(), data=again), "Re-age")


def _re_amortize(loan: Loan, _: Step) -> None:
    loan.send(servicing.LoanReAmortised(**loan.head(), data=servicing.ReAmortise(reason=REASON)), "Re-amortize")


def _reschedule(loan: Loan, step: Step) -> None:
    for data in step["data"]:
        given = {name: value for name, value in data.items() if value not in ("", None)}
        start, on = given.pop("reschedulefromdate"), date.fromisoformat(given.pop("submittedondate"))
        changes: list[dict[str, Any]] = []
        if "adjustedduedate" in given:
            changes.append({"change": "due-date", "due": start, "to": given.pop("adjustedduedate")})
        if "newinterestrate" in given:
            rate = fraction(given.pop("newinterestrate"))
            changes.append({"change": "rate", "from_due": start, "annual_rate": rate})
        if "extraterms" in given:
            changes.append({"change": "term", "from_due": start, "instalments": int(given.pop("extraterms"))})
        grace = {
            "principal": int(given.pop("graceonprincipal", 0)),
            "interest": int(given.pop("graceoninterest", 0)),
        }
        if any(grace.values()):
            changes.append({"change": "grace", "from_due": start, **grace})
        if given:
            raise NotTranslated(f"A reschedule with {min(given)} is not understood.")
        again = servicing.Reschedule.model_validate({"changes": changes, "reason": REASON})
        loan.send(servicing.LoanRescheduled(**loan.head(on), data=again))


def _pay_off(loan: Loan, step: Step) -> None:
    on = day(step)
    loan.pay(decimal_text(loan.payoff(on).total, loan.currency), on)


def _pause(loan: Loan, step: Step) -> None:
    pause = servicing.Pause(start=day(step, "start"), end=day(step, "end"))
    loan.send(servicing.DelinquencyPaused(**loan.head(), data=pause))


def _resume(loan: Loan, step: Step) -> None:
    resume = servicing.Resume(reason=REASON)
    loan.send(servicing.DelinquencyResumed(**loan.head(day(step, "start")), data=resume))


def known_setting(step: Step) -> None:
    """Pass over a setting that changes no figure of ours. Raises NotTranslated for any other."""
    if step["key"] not in QUIET_SETTINGS:
        raise NotTranslated(f"The setting {step['key']} has no counterpart.")


def _set_fraud(loan: Loan, step: Step) -> None:
    loan.fraud = step["value"]


def _nothing(_: Loan, __: Step) -> None:
    """Closing a day moves no money; accruals are no transactions of ours."""


ACTIONS: dict[str, Callable[[Loan, Step], None]] = {
    "approve": _approve,
    "disburse": _disburse,
    "repay": _repay,
    "pay_principal": _repay,
    "pay_interest": _repay,
    "transaction": _transaction,
    "charge": _charge,
    "chargeback": _chargeback,
    "waive_charge": _waive_charge,
    "undo_waive_charge": _undo_last("Waive loan charges"),
    "charge_adjustment": _charge_adjustment,
    "undo_charge_adjustment": _undo_last("Charge Adjustment"),
    "charge_off": _charge_off,
    "undo_charge_off": _undo_last("Charge-off"),
    "write_off": _write_off,
    "undo": _undo,
    "undo_disbursal": lambda loan, _: loan.undo_disbursals(last_only=False),
    "undo_last_disbursal": lambda loan, _: loan.undo_disbursals(last_only=True),
    "re_age": _re_age,
    "undo_re_age": _undo_last("Re-age"),
    "re_amortize": _re_amortize,
    "undo_re_amortize": _undo_last("Re-amortize"),
    "reschedule": _reschedule,
    "pay_off": _pay_off,
    "delinquency_pause": _pause,
    "delinquency_resume": _resume,
    "set_fraud": _set_fraud,
    "close_of_business": _nothing,
    "run_accruals": _nothing,
    "run_delinquency": _nothing,
}
