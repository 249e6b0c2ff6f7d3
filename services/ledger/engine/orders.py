"""The orders in which money is used, by name or as agreed cell by cell.

- `instalment-interest-principal`: oldest instalment first, in each: penalty, fee, interest, principal; also in advance.
- `due-interest-principal`: the same for what is due by the payment's date; of an instalment in advance: the charges
  that are due, principal, then penalty, fee, interest.
- `due-penalty-interest-principal-fee`: of what is due: penalty, interest, principal, fee; of an instalment in
  advance: the charges that are due, then the same.
- `civil-code-561`: of all that is due: costs (fees), then penalties and interest, then principal; then in advance.

The first three as Apache Fineract names them (PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER, DUE_PENALTY_FEE_INTEREST_
PRINCIPAL_IN_ADVANCE_PRINCIPAL_PENALTY_FEE_INTEREST, DUE_PENALTY_INTEREST_PRINCIPAL_FEE_IN_ADVANCE_...); the fourth is
article 561 of the Civil Code of the People's Republic of China, which puts the costs of recovery before interest and
interest before principal, over the whole debt. Cells are Fineract's ADVANCED_PAYMENT_ALLOCATION. "Due by the date"
includes the date itself.
"""

from functools import lru_cache

import msgspec

from services.ledger.engine.account import FEE, INTEREST, PARTS, PENALTY, PRINCIPAL
from shared.events.terms import AllocationCells

PAST_DUE, DUE, IN_ADVANCE, DUE_OR_PAST = range(4)
_WHEN = {"past-due": PAST_DUE, "due": DUE, "in-advance": IN_ADVANCE}


class Order(msgspec.Struct, frozen=True):
    """An order: instalment by instalment (`cells` empty), or by cells.

    due: the parts of an instalment that is due. early: of one in advance, after the charges that are due. ahead: of one
    in advance, at last. No `ahead`: instalments in advance are used as if they were due.
    cells: (when, parts) in order; vertical: each part through all instalments before the next.
    """

    due: tuple[int, ...] = ()
    early: tuple[int, ...] = ()
    ahead: tuple[int, ...] = ()
    cells: tuple[tuple[int, tuple[int, ...]], ...] = ()
    vertical: bool = False
    future: str = "next"
    future_by_kind: dict[str, str] = {}

    @property
    def in_advance(self) -> tuple[int, ...]:
        """The parts of an instalment in advance that has no charges."""
        return self.early + self.ahead or self.due


_PENALTY_FEE_INTEREST_PRINCIPAL = (PENALTY, FEE, INTEREST, PRINCIPAL)
_COSTS_INTEREST_PRINCIPAL = (FEE, PENALTY, INTEREST, PRINCIPAL)
_NAMED = {
    "instalment-interest-principal": Order(due=_PENALTY_FEE_INTEREST_PRINCIPAL),
    "due-interest-principal": Order(
        due=_PENALTY_FEE_INTEREST_PRINCIPAL, early=(PRINCIPAL,), ahead=_PENALTY_FEE_INTEREST_PRINCIPAL
    ),
    "due-penalty-interest-principal-fee": Order(
        due=(PENALTY, INTEREST, PRINCIPAL, FEE), ahead=(PENALTY, INTEREST, PRINCIPAL, FEE)
    ),
    "civil-code-561": Order(
        cells=tuple((when, (part,)) for when in (DUE_OR_PAST, IN_ADVANCE) for part in _COSTS_INTEREST_PRINCIPAL),
        vertical=True,
    ),
}


@lru_cache(maxsize=1024)
def order_of(text: str) -> Order:
    """The order that a loan's `order` names or spells out."""
    named = _NAMED.get(text)
    return named if named is not None else _of_cells(AllocationCells.model_validate_json(text))


def _of_cells(agreed: AllocationCells) -> Order:
    cells = [(_WHEN[cell.when], PARTS.index(cell.part)) for cell in agreed.cells]
    ordered: tuple[tuple[int, tuple[int, ...]], ...]
    if agreed.processing == "vertical":
        ordered = tuple((when, (part,)) for when, part in cells)
    else:  # the parts of one `when` go together, at the place where it comes first
        whens = dict.fromkeys(when for when, _ in cells)
        ordered = tuple((when, tuple(part for at, part in cells if at == when)) for when in whens)
    return Order(
        cells=ordered,
        vertical=agreed.processing == "vertical",
        future=agreed.future,
        future_by_kind={str(kind): str(future) for kind, future in agreed.future_by_kind.items()},
    )
