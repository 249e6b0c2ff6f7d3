"""Whatever happens, in whatever order: no instalment is asked for twice at once, no more often than the policy allows,
never for more than is due; and a replay of the log gives the same."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.debits.policy import debit_row
from services.ledger.debits.reading import claims_by
from services.ledger.debits.state import reference_of
from services.ledger.memory import MemoryBooks, digest_in_memory
from shared.events import debits as events
from shared.money import minor_units
from tests.unit.ledger.bank.samples import TOPICS
from tests.unit.ledger.debits.samples import DebitHouse

LOANS = ("loan-1", "loan-2")
CODES = st.sampled_from(["AM04", "AM04", "AM04", "MS03", "MD01", "MD06", "RR01"])
ANSWERS = st.sampled_from(["reject", "reject", "return", "settle", "nothing", "void"])
BESIDES = st.sampled_from(["nothing", "nothing", "nothing", "pay", "sign", "resume", "revoke", "reverse"])
ROUNDS = st.lists(
    st.tuples(st.integers(0, 9), ANSWERS, st.integers(0, 3), CODES, BESIDES, st.integers(0, 1)), min_size=4, max_size=16
)
"""Days that pass, what the bank answers to which item and why, what else happens to which loan."""


def answer(house: DebitHouse, what: str, n: int, code: str) -> None:
    known = house.debits()
    waiting = [
        item
        for _, item in house.runs().live()
        if item.reference not in {**known[item.loan_id].collected, **known[item.loan_id].failures}
    ]
    if what == "void":
        asked = {item.reference for item in waiting}
        runs = [run for run in house.runs().runs.values() if run.voided is None]
        if runs and {item.reference for item in runs[-1].data.items} <= asked:
            house.void(runs[-1].data.run_id)
    elif waiting and what != "nothing":
        item = waiting[n % len(waiting)]
        if what == "reject":
            house.reject(item, code)
        else:
            house.settle(item)
            if what == "return":
                house.give_back(item, code)


def beside(house: DebitHouse, what: str, loan_id: str, code: str) -> None:
    of, today = house.debits()[loan_id], str(house.guards.open_date)
    match what:
        case "pay":
            house.pay(loan_id, "70.00", today, f"cash/{len(house.log_of)}")
        case "sign":
            house.sign(loan_id, f"M-{len(house.log_of)}")
        case "resume" | "revoke":
            kind = events.MandateResumed if what == "resume" else events.MandateRevoked
            house.say(kind, loan_id, of.mandate.reference if of.mandate else "M-1")
        case "reverse" if of.collected:
            reference = next(iter(of.collected))
            house.give_back(house.runs().by_reference()[reference][1], code)
        case _:
            pass


@settings(max_examples=60, deadline=None)
@given(ROUNDS)
def test_an_instalment_is_asked_for_once_at_a_time_and_as_often_as_the_policy_allows(
    rounds: list[tuple[int, str, int, str, str, int]],
) -> None:
    house = DebitHouse()
    for loan_id in LOANS:
        house.lend(loan_id)
        house.sign(loan_id)
    house.close_through("2024-02-27")
    for days, what, n, code, other, loan in rounds:
        before = {item.reference for _, item in house.runs().live()}
        today = house.guards.open_date
        assert today is not None
        house.make(str(debit_row(today).business_day(today + timedelta(days=n))))
        holds(house, before)
        answer(house, what, n, code)
        beside(house, other, LOANS[loan], code)
        if days:
            house.close_through(str(today + timedelta(days=days - 1)))
    again = MemoryBooks(0, TOPICS)
    for record in house.records:
        again.take(record)
    assert digest_in_memory([again]) == house.digest()
    assert not house.books.hosted.intake.parked


def holds(house: DebitHouse, before: set[str]) -> None:
    known, runs = house.debits(), house.runs()
    tried: dict[tuple[str, date], list[str]] = {}
    for run, item in runs.live():
        attempts = tried.setdefault((item.loan_id, item.due), [])
        attempts.append(item.reference)
        assert item.attempt == len(attempts) <= debit_row(run.data.on).attempts_max
        assert item.reference == reference_of(item.loan_id, item.due, item.attempt)
    for (loan_id, _), references in tried.items():
        of = known[loan_id]
        open_ones = [one for one in references if one not in of.failures or one in of.collected]
        assert len(open_ones) <= 1, "an instalment is in two live runs"
        assert open_ones in ([], references[-1:])
    for loan_id in LOANS:
        of, loan = known[loan_id], house.books.hosted.book.loans[loan_id]
        new = [(run, item) for run, item in runs.live() if item.loan_id == loan_id and item.reference not in before]
        on_their_way = [
            item
            for run, item in runs.live()
            if item.loan_id == loan_id and item.reference not in {**of.collected, **of.failures}
        ]
        if new:
            due = sum(claim.amount for claim in claims_by(loan, new[0][0].data.on))
            assert sum(minor_units(item.amount, "EUR") for item in on_their_way) <= due
