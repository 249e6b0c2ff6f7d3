"""What a valuation run found and did, in sums by group and currency."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.ledger.commands.model import ValueLoan
from services.ledger.commands.recorder import Recorded
from services.ledger.engine.account import Valued
from shared.events.valuation import Valuation
from shared.money import decimal_text, divide, minor_units

COVERAGE_DECIMALS = 4
_NOTHING = Valued(0, "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One loan's valuation as it is now and as it stood before, and the command where the two differ; or why there is
    none."""

    loan_id: str
    now: Valuation | None = None
    before: Valued | None = None
    command: ValueLoan | None = None
    reason: str | None = None


@dataclass(slots=True)
class Sums:
    """Of one group and currency, in minor units. The last three: by how much the balances change."""

    loans: int = 0
    exposure: int = 0
    allowance: int = 0
    suspended_interest: int = 0
    deferred_fees: int = 0
    provision_expense: int = 0
    interest_suspended: int = 0
    fees_deferred: int = 0

    def add(self, now: Valuation, before: Valued) -> None:
        """One loan more."""
        allowance, suspended, deferred = (
            minor_units(text, now.currency) for text in (now.allowance, now.suspended_interest, now.deferred_fees)
        )
        self.loans += 1
        self.exposure += minor_units(now.inputs.exposure, now.currency)
        self.allowance += allowance
        self.suspended_interest += suspended
        self.deferred_fees += deferred
        self.provision_expense += allowance - before.allowance
        self.interest_suspended += suspended - before.suspended_interest
        self.fees_deferred += deferred - before.deferred_fees

    def document(self, code: str) -> dict[str, Any]:
        """As text; coverage is allowance over exposure."""
        amounts = {
            name: decimal_text(getattr(self, name), code) for name in self.__dataclass_fields__ if name != "loans"
        }
        scale = 10**COVERAGE_DECIMALS
        coverage = divide(self.allowance * scale, self.exposure, "half-even") if self.exposure else 0
        return {"loans": self.loans, **amounts, "coverage": f"{coverage // scale}.{coverage % scale:04}"}


@dataclass(slots=True)
class Totals:
    """Collects outcomes."""

    groups: dict[str, dict[str, Sums]] = field(default_factory=dict)
    not_valued: list[dict[str, str]] = field(default_factory=list)
    unchanged: int = 0
    changed: int = 0
    new: int = 0
    repeated: int = 0

    def add(self, one: Outcome) -> None:
        """One loan's outcome."""
        if one.now is None:
            self.not_valued.append({"loan_id": one.loan_id, "reason": one.reason or ""})
            return
        self.unchanged += one.command is None
        self.changed += one.command is not None
        by_group = self.groups.setdefault(one.now.currency, {})
        by_group.setdefault(one.now.group, Sums()).add(one.now, one.before or _NOTHING)

    def recorded(self, found: Iterable[Recorded]) -> None:
        """What became of commands."""
        for one in found:
            self.repeated += one.repeated
            self.new += not one.repeated

    def document(self, end: date, policy: str, *, preview: bool, named_max: int) -> dict[str, Any]:
        """The report. `recorded`: events that are new; `under_way`: recorded before, and not in the books yet."""
        return {
            "period_end": end.isoformat(),
            "policy": policy,
            "preview": preview,
            "loans": self.unchanged + self.changed,
            "unchanged": self.unchanged,
            "changed": self.changed,
            "recorded": self.new,
            "under_way": self.repeated,
            "not_valued": len(self.not_valued),
            "reasons": self.not_valued[:named_max],
            "currencies": {
                code: [{"group": group} | groups[group].document(code) for group in sorted(groups)]
                for code, groups in sorted(self.groups.items())
            },
        }
