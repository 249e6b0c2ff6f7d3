"""Whatever happens, in whatever order: no instalment is asked for twice at once, no more often than the policy allows,
never for more than is due; and a replay of the log gives the same."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.commands import PaymentAlreadyReversed
from services.ledger.debits.policy import debit_row
from services.ledger.debits.reading import claims_by
from services.ledger.debits.state import reference_of
from services.ledger.memory import MemoryBooks, digest_in_memory
from shared.events import debits as events
from shared.money import minor_units
from tests.unit.ledger.bank.samples import TOPICS
from tests.unit.ledger.debits.samples import DebitHouse

LOANS = ("loan-1", "loan-2")
CODES = st.sampled_from(["AM04", "MS03", "MD01", "MD06", "RR01"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from("make make make pass pass settle settle reject return void pay resume revoke sign".split()),
        st.integers(0, 12),
        CODES,
    ),
    max_size=40,
)


def act(house: DebitHouse, what: str, n: int, code: str) -> None:
    known, items = house.debits(), [item for _, item in house.runs().live()]
    item = items[-1 - n % len(items)] if items else None
    loan_id = LOANS[n % 2]
    of = known[item.loan_id] if item is not None else None
    today = house.guards.open_date
    assert today is not None
    match what:
        case "make":
            house.make(str(debit_row(today).business_day(today + timedelta(days=n % 4))))
        case "pass":
            house.close_through(str(today + timedelta(days=n)))
        case "pay":
            house.pay(loan_id, f"{20 + n}.00", str(today), f"cash/{len(house.log_of)}")
        case "sign":
            house.sign(loan_id, f"M-{len(house.log_of)}")
        case "resume" | "revoke":
            mandate = known[loan_id].mandate
            kind = events.MandateResumed if what == "resume" else events.MandateRevoked
            house.say(kind, loan_id, mandate.reference if mandate else "M-1")
        case "void":
            for run_id, run in house.runs().runs.items():
                answered = any(
                    one.reference in known[one.loan_id].failures or one.reference in known[one.loan_id].collected
                    for one in run.data.items
                )
                if run.voided is None and not answered:
                    house.void(run_id)
                    break
        case "settle" if item is not None and of is not None and item.reference not in {**of.collected, **of.failures}:
            house.settle(item)
        case "reject" if item is not None and of is not None and item.reference not in {**of.collected, **of.failures}:
            house.reject(item, code)
        case "return" if item is not None and of is not None and item.reference in of.collected:
            house.give_back(item, code)
        case _:
            pass


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_an_instalment_is_asked_for_once_at_a_time_and_as_often_as_the_policy_allows(
    steps: list[tuple[str, int, str]],
) -> None:
    house = DebitHouse()
    for loan_id in LOANS:
        house.lend(loan_id)
        house.sign(loan_id)
    house.close_through("2024-02-27")
    for what, n, code in steps:
        before = {item.reference for _, item in house.runs().live()}
        try:
            act(house, what, n, code)
        except PaymentAlreadyReversed:
            continue
        holds(house, before)
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
        open_ones = [one for one in references if one not in known[loan_id].failures]
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
