"""The audit across partitions tells runs that the rules would not have made."""

from types import SimpleNamespace
from typing import Any

from services.ledger.verify.of_debits import Debits, asked_twice, take
from shared.events.debits import DIRECT_DEBITS, DebitItem
from tests.unit.ledger.debits.samples import DebitHouse


def problems(house: DebitHouse) -> list[str]:
    leaves = [(loan, leaf) for _, loan, _, leaf in house.books.events.values()]
    loans = [SimpleNamespace(number=number, loan_id=name) for number, (name, _) in house.books.states.items()]
    by_loan: dict[Any, list[Any]] = {}
    for loan, leaf in leaves:
        by_loan.setdefault(loan, []).append(SimpleNamespace(record=leaf))
    found = Debits()
    take(found, SimpleNamespace(partition=0, loans=loans, events_by_loan=by_loan))  # type: ignore[arg-type]
    return [finding.problem for finding in asked_twice(found)]


def house_with_runs() -> tuple[DebitHouse, DebitItem]:
    house = DebitHouse()
    house.lend("loan-1")
    house.sign("loan-1")
    house.close_through("2024-02-27")
    house.make("2024-02-29")
    house.void(next(iter(house.runs().runs)))
    (item,) = house.make("2024-02-29")
    return house, item


def test_runs_of_the_rules_are_sound_whatever_became_of_them() -> None:
    house, item = house_with_runs()
    house.settle(item)
    house.give_back(item, "AM04")
    house.close_through("2024-03-07")
    assert [one.attempt for one in house.make("2024-03-08")] == [2]
    assert problems(house) == []


def test_an_instalment_that_is_asked_for_twice_is_found() -> None:
    house, item = house_with_runs()
    run, _ = house.runs().by_reference()[item.reference]
    again = run.data.model_copy(update={"run_id": "ddr-" + "f" * 16})
    from shared.events.debits import DebitRunMade

    house.note(DebitRunMade, DIRECT_DEBITS, again, "forged", house.runs().last_event)
    assert len(problems(house)) == 2
