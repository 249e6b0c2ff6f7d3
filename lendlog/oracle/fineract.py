"""Apache Fineract's scenarios, played through our engine and compared figure by figure (docs/oracles.md).

A case gives steps. What is done becomes events of ours (fineract_actions), what the terms are becomes our terms
(fineract_terms); what is expected is read off our statement (fineract_expected). Nothing here computes a loan.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from lendlog.oracle import fineract_delinquency, fineract_expected, fineract_refusals
from lendlog.oracle.difference import Difference
from lendlog.oracle.fineract_actions import act, known_setting
from lendlog.oracle.fineract_loan import Loan
from lendlog.oracle.fineract_terms import NotTranslated
from shared.errors import InvariantBroken, Refusal

Case = Mapping[str, Any]
Step = Mapping[str, Any]
_SOME_DAY = date(2024, 1, 15)
"""Today, in a case that dates a step relative to it."""


def differences(case: Case) -> list[Difference]:
    """Where our engine's figures are not the case's. A step that is refused or not understood is a difference too."""
    play = _Play(case)
    found: list[Difference] = []
    for number, step in enumerate(case["steps"], start=1):
        try:
            step_found = play.take(step)
        except NotTranslated as unknown:
            step_found = [Difference("understood", "yes", unknown.detail)]
        except (InvariantBroken, Refusal) as refused:
            step_found = [Difference("accepted", "yes", str(refused))]
        name = step.get("do") or step.get("query") or step.get("expect")
        found += [Difference(f"step {number} {name}: {one.where}", one.expected, one.actual) for one in step_found]
    return found


class _Play:
    """A case on its way: today, the products' rules, and the loan once there is one."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.today = _SOME_DAY
        self.future: dict[str, dict[str, str]] = {}
        self.from_submission: set[str] = set()
        self.loan: Loan | None = self._unit_test_loan() if "params" in case else None

    def take(self, step: Step) -> list[Difference]:
        """One step: do it, or compare."""
        if "query" in step:
            return fineract_expected.payable(self._there(), step)
        if step.get("expect") == "error":
            return self._refused(step["text"])
        if "expect" in step:
            return fineract_expected.check(self._there(), step)
        match step["do"]:
            case "business_date":
                self._today(date.fromisoformat(step["date"]))
            case "set_future_installment_rule":
                self.future.setdefault(step["product"], {})[step["transaction_type"]] = step["rule"]
            case "set_repayment_start_date_type":
                self._start_date(step)
            case "create_loan":
                self.loan = self._created(step["loan"])
            case "global_config":
                known_setting(step)
            case _:
                self._act(step)
        return []

    def _act(self, step: Step) -> None:
        loan = self._there()
        if "params" in self.case:  # a case without business dates happens on the dates of its steps
            step = {**step, "date": _day(step["date"])}
            self._today(date.fromisoformat(step["date"]))
        act(loan, step)
        fineract_delinquency.classify(loan, step["do"])

    def _refused(self, text: str) -> list[Difference]:
        try:
            fineract_refusals.attempt(self._there(), text)
        except NotTranslated:
            raise
        except (InvariantBroken, Refusal):
            return []
        return [Difference(text, "refused", "accepted")]

    def _today(self, on: date) -> None:
        self.today = on
        if self.loan is not None:
            self.loan.business_date = on

    def _there(self) -> Loan:
        if self.loan is None:
            raise NotTranslated("There is no loan yet.")
        return self.loan

    def _start_date(self, step: Step) -> None:
        if "SUBMITTED_ON_DATE" in step.values():
            self.from_submission.add(step["product"])
        elif "DISBURSEMENT_DATE" in step.values():
            self.from_submission.discard(step["product"])
        else:
            raise NotTranslated(f"Repayments starting as in {dict(step)} have no counterpart.")

    def _created(self, given: Mapping[str, Any]) -> Loan:
        return Loan(
            case_id=self.case["id"],
            params=given["params"],
            principal=given["principal"],
            submitted=date.fromisoformat(given["submitted"]),
            business_date=self.today,
            future=dict(self.future.get(given["product"], {})),
            start_from_submission=given["product"] in self.from_submission,
        )

    def _unit_test_loan(self) -> Loan:
        """A case that begins with its parameters: a loan for all that it pays out."""
        paid_out = [step for step in self.case["steps"] if step.get("do") == "disburse"]
        periods = self.case.get("periods") or []
        start = date.fromisoformat(_day(paid_out[0]["date"]))
        return Loan(
            case_id=self.case["id"],
            params=self.case["params"],
            principal=str(sum(Decimal(step["amount"]) for step in paid_out)),
            submitted=start,
            business_date=start,
            first_due=date.fromisoformat(periods[0]["due"]) if periods else None,
            calculator=bool(periods),
            gaps=any(one["due"] != next_["start"] for one, next_ in pairwise(periods)),
            pays_by_part=any(step.get("do") == "pay_principal" for step in self.case["steps"]),
        )


def _day(text: str) -> str:
    """A date, which may be given as days before today."""
    if text.startswith("relative: today-"):
        days = int(text.removeprefix("relative: today-").removesuffix("d"))
        return (_SOME_DAY - timedelta(days=days)).isoformat()
    return text
