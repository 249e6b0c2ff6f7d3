"""Opening positions of a loan that is taken over, checked and in minor units: dumb figures, no loan yet."""

from dataclasses import dataclass
from datetime import date

from services.ledger.engine.account import FEE, INTEREST, PENALTY, PRINCIPAL
from services.ledger.engine.opening import most_that_can_be_lent
from shared.errors import Refusal
from shared.events.take_over import OpeningInstalment, OpeningPositions
from shared.events.terms import Terms
from shared.money import decimal_text, divide, minor_units


class FollowsWhatIsOutstanding(Refusal):
    """A loan whose interest follows what is outstanding comes with its history, not with positions."""


class FollowsReferenceRate(Refusal):
    """A loan whose rate is reset comes with its history: positions are instalments that no reset lays out anew."""


class AccruedUpfront(Refusal):
    """A loan by accrual-upfront accounting comes with its history: positions don't say what was income before."""


class DueDatesOutOfOrder(Refusal):
    """Instalments stand in order of due date, one on a date."""


class InstalmentIsPaid(Refusal):
    """An instalment that fell due before the cut-over and is paid is no opening position."""


class FellDueBeforeCutOver(Refusal):
    """Interest of an instalment that fell due before the cut-over is paid or owed, not paid ahead."""


class AccrualStartMissing(Refusal):
    """Interest is running: say from when."""


class DatesContradict(Refusal):
    """The dates of the positions contradict each other."""


class PrincipalDiffers(Refusal):
    """The principal of the instalments adds up to the principal outstanding."""


class PrincipalAboveContract(Refusal):
    """No more principal can be outstanding than the contract lets be paid out."""


class CreditBesideClaims(Refusal):
    """Money paid too much would have paid what is unpaid: enter it as a payment on the cut-over date."""


class NothingToTakeOver(Refusal):
    """The loan is over: nothing is left to pay, and nothing was paid too much."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Positions that are in order, in minor units; dates are ordinals.

    left, asked: by part, then by instalment. since: when the running period began. running: the due date of the
    instalment whose interest is running, 0 if none. accrued: what that one has earned before the cut-over.
    """

    due: list[int]
    left: list[list[int]]
    asked: list[list[int]]
    fallen: int
    since: int
    running: int
    accrued: int
    overpaid: int


def checked(terms: Terms, data: OpeningPositions, cut_over: date) -> Opening:
    """The positions on the cut-over date, if they are in order. Raises the refusals above, and those of an amount that
    its currency can't have; `field` is the place in the positions."""
    if terms.recalculation is not None:
        raise FollowsWhatIsOutstanding("The contract recalculates its interest.")
    if terms.reference is not None:
        raise FollowsReferenceRate(f"The contract follows {terms.reference.index}.")
    if terms.accounting == "accrual-upfront":
        raise AccruedUpfront("The contract's interest is income when it is paid out.")
    _check_dates(data, cut_over)
    left, ahead = _amounts(terms, data)
    due = [one.due.toordinal() for one in data.instalments]
    fallen = sum(1 for day in due if day < cut_over.toordinal())
    _check_instalments(data, left, ahead, fallen, cut_over)
    _check_sums(terms, data, left)
    asked = [column[:] for column in left]
    asked[INTEREST] = [owed + paid for owed, paid in zip(left[INTEREST], ahead, strict=True)]
    overpaid = _minor(data.overpaid, terms.currency, "overpaid")
    if overpaid and any(map(any, left)):
        raise CreditBesideClaims(f"{data.overpaid} {terms.currency} while instalments are unpaid.", field="overpaid")
    if not overpaid and not due:
        raise NothingToTakeOver("No instalment is open.", field="instalments")
    since, running, accrued = _running(terms, data, asked[INTEREST], fallen, cut_over)
    return Opening(due, left, asked, fallen, since, running, accrued, overpaid)


def _check_dates(data: OpeningPositions, cut_over: date) -> None:
    for name, day in (("disbursed_on", data.disbursed_on), ("charged_off_on", data.charged_off_on)):
        if day is not None and day > cut_over:
            raise DatesContradict(f"{day} is after the cut-over date {cut_over}.", field=name)
    if data.charged_off_on is not None and data.charged_off_on < data.disbursed_on:
        raise DatesContradict(f"{data.charged_off_on} is before the disbursement.", field="charged_off_on")
    if (data.restructured is None) != (data.watched_until is None):
        raise DatesContradict("How often restructured, and watched until when, come together.", field="watched_until")
    before = data.disbursed_on
    for n, one in enumerate(data.instalments):
        if n and one.due <= before:
            raise DueDatesOutOfOrder(f"{one.due} comes after {before}.", field=f"instalments/{n}/due")
        if one.due < before:
            raise DatesContradict(f"{one.due} is before the disbursement.", field=f"instalments/{n}/due")
        before = one.due


def _minor(text: str, code: str, name: str) -> int:
    try:
        return minor_units(text, code)
    except Refusal as refusal:
        refusal.field = name
        raise


def _amounts(terms: Terms, data: OpeningPositions) -> tuple[list[list[int]], list[int]]:
    """What is left by part and instalment, and interest paid ahead by instalment."""
    left: list[list[int]] = [[], [], [], []]
    ahead: list[int] = []
    for n, one in enumerate(data.instalments):
        for part, name in ((PENALTY, "penalties"), (FEE, "fees"), (INTEREST, "interest"), (PRINCIPAL, "principal")):
            left[part].append(_minor(getattr(one, name), terms.currency, f"instalments/{n}/{name}"))
        ahead.append(_minor(one.interest_paid_ahead, terms.currency, f"instalments/{n}/interest_paid_ahead"))
    return left, ahead


def _check_instalments(
    data: OpeningPositions, left: list[list[int]], ahead: list[int], fallen: int, cut_over: date
) -> None:
    """Of what fell due before the cut-over, something is left of each, and nothing was paid ahead."""
    for n, one in enumerate(data.instalments[:fallen]):
        where = f"instalments/{n}"
        if ahead[n]:
            detail = f"The instalment of {one.due} fell due before {cut_over}."
            raise FellDueBeforeCutOver(detail, field=f"{where}/interest_paid_ahead")
        if not any(column[n] for column in left):
            raise InstalmentIsPaid(f"Nothing is left of the instalment of {one.due}: leave it out.", field=where)


def _check_sums(terms: Terms, data: OpeningPositions, left: list[list[int]]) -> None:
    said, name = _minor(data.principal_outstanding, terms.currency, "principal_outstanding"), "principal_outstanding"
    if said != (found := sum(left[PRINCIPAL])):
        text = decimal_text(found, terms.currency)
        raise PrincipalDiffers(f"It is {text}, not {data.principal_outstanding}.", field=name)
    most = most_that_can_be_lent(terms, _minor(terms.principal, terms.currency, "terms/principal"))
    if said > most:
        detail = f"The contract lets {decimal_text(most, terms.currency)} {terms.currency} be paid out."
        raise PrincipalAboveContract(detail, field=name)


def _running(
    terms: Terms, data: OpeningPositions, interest: list[int], fallen: int, cut_over: date
) -> tuple[int, int, int]:
    """(start of the running period, due date of its instalment or 0, its interest earned before the cut-over)."""
    coming: list[OpeningInstalment] = list(data.instalments[fallen:])
    earliest = data.instalments[fallen - 1].due if fallen else data.disbursed_on
    since = data.accrues_from
    if since is None:
        if any(interest[fallen:]) and data.charged_off_on is None:
            raise AccrualStartMissing("Instalments that are to come ask for interest.", field="accrues_from")
        return earliest.toordinal(), 0, 0
    if not earliest <= since <= cut_over:
        detail = f"{since} is not between {earliest} and the cut-over date {cut_over}."
        raise DatesContradict(detail, field="accrues_from")
    if not coming:
        return since.toordinal(), 0, 0
    days = max(1, (coming[0].due - since).days)
    accrued = divide(interest[fallen] * (cut_over - since).days, days, terms.rounding)
    return since.toordinal(), coming[0].due.toordinal(), accrued
