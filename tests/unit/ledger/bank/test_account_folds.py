"""A process that keeps what it knows of an account says the same as one that folds it whole."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.bank.assigning import to_outside
from services.ledger.bank.state import AccountFolds, AccountState, fold_account
from tests.unit.ledger.bank.samples import House, camt, entry


def lived() -> list[Any]:
    """The events of an account with statements, and people who decide about their lines."""
    house = House()
    house.lend("loan-1")
    house.close_through("2024-02-28")
    balance = 5000
    for number in range(1, 6):
        lines = [entry("100.00", text="loan-1", bank=f"B-{number}"), entry("-7.00", bank=f"F-{number}")]
        opened, balance = balance, balance + 93
        house.take(camt(*lines, opening=f"{opened}.00", closing=f"{balance}.00", number=number))
        line = [one for one in house.state().lines.values() if one.line.n == 2][-1]
        house.record(*to_outside(line, "the bank's fee", house.state().last_event or ""))
    return house.events("bank.main-eur")


EVENTS = lived()
SUBJECT = "bank.main-eur"


def read(folds: AccountFolds, events: list[Any], *, keep: bool = True) -> AccountState:
    """As `reading.account_state` does."""
    ids = [event.id for event in events]
    state, done = folds.resume(SUBJECT, ids)
    state.go_on(events[done:])
    if keep:
        folds.keep(SUBJECT, ids, state)
    return state


@given(st.lists(st.tuples(st.integers(0, len(EVENTS)), st.booleans()), max_size=8))
def test_whatever_was_read_before_the_state_is_that_of_the_whole_fold(reads: list[tuple[int, bool]]) -> None:
    folds = AccountFolds()
    for length, keep in reads:  # a shorter one is an older snapshot
        state = read(folds, EVENTS[:length], keep=keep)
        assert state == fold_account(EVENTS[:length])
        state.lines.clear()  # what a caller does with its state is its own business
        state.statements.clear()
    assert read(folds, EVENTS) == fold_account(EVENTS)


def test_only_what_came_since_is_folded() -> None:
    folds = AccountFolds()
    read(folds, EVENTS[:4])
    _, done = folds.resume(SUBJECT, [event.id for event in EVENTS])
    assert done == 4


def test_another_order_or_another_log_is_folded_from_the_beginning() -> None:
    folds = AccountFolds()
    read(folds, EVENTS)
    for others in (EVENTS[1:], [*EVENTS[:2], EVENTS[3], EVENTS[2]], []):
        assert folds.resume(SUBJECT, [event.id for event in others]) == (AccountState(), 0)
