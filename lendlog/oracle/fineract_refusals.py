"""What a Fineract case says is refused, tried on our ledger.

The cases carry the sentence of the step alone; each sentence here is a step of Fineract's own test suite.
"""

import re
from collections.abc import Callable
from datetime import date, datetime

from lendlog.oracle import fineract_targets as targets
from lendlog.oracle.fineract_actions import act
from lendlog.oracle.fineract_loan import REASON, Loan
from lendlog.oracle.fineract_terms import NotTranslated
from shared.events.ledger import PaymentReversed, Reversal

Attempt = Callable[[Loan, re.Match[str]], None]
_ON = r'"(?P<on>[^"]+)"'
_AMOUNT = r'"?(?P<amount>[0-9.]+)"? EUR transaction amount'


def attempt(loan: Loan, text: str) -> None:
    """Try it. Raises NotTranslated, and, as it should, what the loan's rules forbid."""
    for pattern, trial in _TRIALS:
        if match := pattern.fullmatch(text):
            trial(loan, match)
            return
    raise NotTranslated(f"The error {text!r} is not understood.")


def _day(match: re.Match[str], name: str = "on") -> str:
    return datetime.strptime(match[name], "%d %B %Y").date().isoformat()  # noqa: DTZ007  a date has no zone


def _charge_off(loan: Loan, match: re.Match[str]) -> None:
    act(loan, {"do": "charge_off", "date": _day(match)})


def _undo_charge_off(loan: Loan, _: re.Match[str]) -> None:
    act(loan, {"do": "undo_charge_off"})


def _adjust(loan: Loan, _: re.Match[str]) -> None:
    """To change an amount is to reverse it and to receive another; a credit is no payment that could be reversed."""
    last = loan.sent[-1].event
    loan.send(PaymentReversed(**loan.head(), data=Reversal(payment_id=last.id, reason=REASON)))


def _undo(loan: Loan, match: re.Match[str]) -> None:
    loan.undo(targets.transaction(loan, f"transaction #{match['n']} among transactions dated {_day(match)}"))


def _disburse(loan: Loan, match: re.Match[str]) -> None:
    act(loan, {"do": "disburse", "date": _day(match), "amount": match["amount"]})


def _repay(loan: Loan, match: re.Match[str]) -> None:
    act(loan, {"do": "repay", "date": _day(match), "amount": match["amount"]})


def _refund(loan: Loan, match: re.Match[str]) -> None:
    step = {"do": "transaction", "type": "CREDIT_BALANCE_REFUND", "date": _day(match), "amount": match["amount"]}
    act(loan, step)


def _charge(loan: Loan, match: re.Match[str]) -> None:
    kind = "PENALTY" if "NSF" in match["name"] else "FEE"
    step = {"name": match["name"], "kind": kind, "due": _day(match), "amount": match["amount"]}
    act(loan, {"do": "charge", **step})


def _adjust_charge(loan: Loan, match: re.Match[str]) -> None:
    due, name = _day(match), targets.slug(match["name"])
    charge = targets.last_charge(loan, name, date.fromisoformat(due))
    line = next(one for one in loan.statement().charges if one.event_id == charge.event_id)
    above = str(line.amount // 100 + 1)
    act(loan, {"do": "charge_adjustment", "charge": match["name"], "due": due, "amount": above})


def _pause(loan: Loan, match: re.Match[str]) -> None:
    act(loan, {"do": "delinquency_pause", "start": _day(match), "end": _day(match, "end")})


def _resume(loan: Loan, match: re.Match[str]) -> None:
    act(loan, {"do": "delinquency_resume", "start": _day(match)})


_TRIALS: tuple[tuple[re.Pattern[str], Attempt], ...] = tuple(
    (re.compile(sentence), trial)
    for sentence, trial in (
        # LoanStepDef.chargeOffUndoFailure: by its name an undo, in fact a charge-off that later transactions forbid.
        (rf"Charge-off undo is not possible on {_ON}", _charge_off),
        (rf"Second Charge-off is not possible on {_ON}", _charge_off),
        (r"Charge-off undo is not possible as the loan is not charged-off", _undo_charge_off),
        (r'Loan "[^"]+" transaction adjust amount [0-9.]+ must return 403 code', _adjust),
        (rf'Admin fails to undo "(?P<n>\d+)"th transaction made on {_ON}', _undo),
        (rf"Admin fails to disburse the loan on {_ON} with {_AMOUNT} because .+", _disburse),
        (rf'Loan "[^"]+" repayment transaction on {_ON} with {_AMOUNT} results in error', _repay),
        (rf'Customer makes "[^"]+" repayment on {_ON} with {_AMOUNT} \(and transaction fails .+\)', _repay),
        (rf"Credit Balance Refund transaction on future date {_ON} with {_AMOUNT} will result an error", _refund),
        (
            rf'Admin is not able to add "(?P<name>[^"]+)" due date charge with {_ON} due date and {_AMOUNT} because .+',
            _charge,
        ),
        (
            rf'Admin makes a charge adjustment for the last "(?P<name>[^"]+)" type charge .+ due on {_ON} with .+',
            _adjust_charge,
        ),
        (rf'.*PAUSE.* results? an error - startDate: {_ON}, endDate: "(?P<end>[^"]+)"', _pause),
        (rf".*RESUME.* results? an error - startDate: {_ON}(, endDate: .+)?", _resume),
    )
)
