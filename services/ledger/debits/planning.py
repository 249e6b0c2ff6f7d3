"""What a run asks for on a day: a pure function of what loans ask for, what was tried before, and the rules of the day.

An item is one instalment. Its amount is what the instalment asks for, or, tried again, what was asked for before; all
items of a loan that are on their way never come to more than is due on the day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from services.ledger.bank.facts import Claim
from services.ledger.debits.policy import DebitRow, debit_row
from services.ledger.debits.state import Failure, LoanDebits, Run, Runs, reference_of, suspended_by
from shared.calendar import add_months
from shared.events.debits import DebitItem, Sequence
from shared.money import decimal_text, minor_units

Attempts = list[tuple[Run, DebitItem]]


@dataclass(frozen=True, slots=True)
class Asking:
    """A loan with something to collect: `claims` are its unpaid instalments up to the day, oldest first. `hindrance`:
    why nothing is debited now (parked, disputed), if so."""

    loan_id: str
    borrower_id: str
    claims: tuple[Claim, ...]
    hindrance: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An instalment that is not collected on the day, and why."""

    loan_id: str
    due: date
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what failed is tried again: not before `on`, or never, for the `reason`."""

    on: date | None
    reason: str = ""


def next_attempt(attempts: Attempts, failure: Failure) -> Verdict:
    """What the rules in force when it failed say of the next attempt."""
    row = debit_row(failure.on)
    if len(attempts) >= row.attempts_max:
        return Verdict(None, f"{len(attempts)} attempts, {row.version} allows {row.attempts_max}")
    if failure.code in row.retried:
        day = row.again_on(failure.on)
    elif failure.renewed is not None:
        day = row.business_day(failure.renewed)
    else:
        return Verdict(None, f"{failure.code or 'a reversal without a code'} is not tried again")
    last = attempts[0][0].data.on + timedelta(days=row.within_days)
    return Verdict(day) if day <= last else Verdict(None, f"the window of {row.version} ended on {last}")


def plan(
    loans: Iterable[Asking],
    debits: Mapping[str, LoanDebits],
    runs: Runs,
    on: date,
    currency: str,
) -> tuple[list[DebitItem], list[Skipped]]:
    """The items of a run on the day, by loan and due date, and what is left out though it is asked for."""
    row, attempts, items = debit_row(on), runs.attempts(), runs.by_reference()
    used = _used(runs, debits)
    chosen: list[DebitItem] = []
    skipped: list[Skipped] = []
    for loan in sorted(loans, key=lambda one: one.loan_id):
        known, before = debits.get(loan.loan_id, LoanDebits()), attempts.get(loan.loan_id, {})
        on_its_way = [last for tries in before.values() if _is_open(last := tries[-1][1], known)]
        left = sum(claim.amount for claim in loan.claims) - sum(minor_units(one.amount, currency) for one in on_its_way)
        for due, wanted, verdict in _candidates(loan, known, before, on, row, currency):
            if not (amount := min(wanted, left)) > 0:
                continue
            reason = loan.hindrance or verdict.reason or _unusable(known, items, used, on, row)
            if reason or verdict.on is None:
                skipped.append(Skipped(loan.loan_id, due, reason))
                continue
            if verdict.on > on:
                continue
            left -= amount
            chosen.append(_item(loan.loan_id, due, len(before.get(due, [])) + 1, known, used, amount, currency, on))
    return chosen, skipped


def _candidates(
    loan: Asking, known: LoanDebits, before: Mapping[date, Attempts], on: date, row: DebitRow, currency: str
) -> list[tuple[date, int, Verdict]]:
    """(due date, amount, from when on) of what has fallen due about now and was never tried, and of what came back."""
    found: dict[date, tuple[int, Verdict]] = {}
    for claim in loan.claims:
        if claim.due not in before and on - timedelta(days=row.late_days) <= claim.due <= on:
            amount = claim.amount + (found[claim.due][0] if claim.due in found else 0)
            found[claim.due] = amount, Verdict(claim.due)
    for due, tries in before.items():
        if (failure := known.failures.get(tries[-1][1].reference)) is not None and not _is_collected(tries, known):
            verdict = next_attempt(tries, failure)
            last = tries[0][0].data.on + timedelta(days=debit_row(failure.on).within_days)
            if verdict.on is not None and on > last:
                verdict = Verdict(None, f"the window ended on {last}")
            found[due] = minor_units(tries[-1][1].amount, currency), verdict
    return [(due, *found[due]) for due in sorted(found)]


def _is_open(item: DebitItem, known: LoanDebits) -> bool:
    """Whether nothing is known yet of what became of the item."""
    return item.reference not in known.failures and item.reference not in known.collected


def _is_collected(tries: Attempts, known: LoanDebits) -> bool:
    return any(item.reference in known.collected for _, item in tries)


def _used(runs: Runs, debits: Mapping[str, LoanDebits]) -> dict[tuple[str, str], tuple[date, bool]]:
    """By loan and mandate: the last day on which it was used, and whether a collection by it got as far as the
    debtor's bank, so that the next one is recurrent."""
    used: dict[tuple[str, str], tuple[date, bool]] = {}
    for run, item in runs.live():
        failure = debits[item.loan_id].failures.get(item.reference) if item.loan_id in debits else None
        reached = failure is None or failure.returned
        last, before = used.get((item.loan_id, item.mandate), (run.data.on, False))
        used[item.loan_id, item.mandate] = max(last, run.data.on), before or reached
    return used


def _unusable(
    known: LoanDebits,
    items: dict[str, tuple[Run, DebitItem]],
    used: Mapping[tuple[str, str], tuple[date, bool]],
    on: date,
    row: DebitRow,
) -> str:
    """Why the loan can't be debited; empty if it can."""
    if (mandate := known.mandate) is None:
        return "no mandate"
    if mandate.reference in known.revoked:
        return "the mandate is revoked"
    if (failure := suspended_by(known, items)) is not None:
        return f"the mandate is suspended by {failure.code}: sign a new one, or resume it"
    days = [mandate.signed_on, *(last for (_, name), (last, _) in used.items() if name == mandate.reference)]
    if add_months(max(days), row.unused_months_max) < on:
        return f"the mandate was not used for {row.unused_months_max} months: sign a new one"
    return ""


def _item(
    loan_id: str,
    due: date,
    attempt: int,
    known: LoanDebits,
    used: dict[tuple[str, str], tuple[date, bool]],
    amount: int,
    currency: str,
    on: date,
) -> DebitItem:
    mandate = known.mandate
    assert mandate is not None
    key = loan_id, mandate.reference
    sequence: Sequence = "RCUR" if used.get(key, (on, False))[1] else "FRST"
    used[key] = on, True
    return DebitItem(
        loan_id=loan_id,
        due=due,
        attempt=attempt,
        reference=reference_of(loan_id, due, attempt),
        mandate=mandate.reference,
        scheme=mandate.scheme,
        sequence=sequence,
        amount=decimal_text(amount, currency),
    )
