"""The simulated lender's model for any seed: what it brings fits the products, and money is never made of nothing."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lendlog.simulate import applying
from lendlog.simulate.borrowers import CURRENCY, first_due, make_borrower
from lendlog.simulate.paying import Account, Payers
from services.origination.personal import Personal
from services.origination.product import require_fit
from services.origination.rules import load
from shared.events.applications import Request
from shared.events.parties import Party
from shared.money import minor_units

SEEDS = st.integers(min_value=-(2**40), max_value=2**40)
NUMBERS = st.integers(min_value=0, max_value=10**6)
DAYS = st.dates(date(2024, 1, 1), date(2033, 12, 31))


@given(SEEDS, NUMBERS, DAYS)
def test_whoever_comes_whenever_asks_for_what_the_product_offers(seed: int, number: int, today: date) -> None:
    borrower, rules = make_borrower(seed, number), load()
    brought = applying.party(seed, borrower)
    personal = Personal.model_validate(brought["personal"])
    assert personal.official_number is not None
    personal.official_number.compact()
    party = Party.model_validate(brought["party"] | {"channels": personal.contacts.channels()})
    wanted = applying.request(borrower, today)
    product = rules.product(wanted["product"], today)
    request = Request.model_validate(wanted | {"application_id": "a", "product": product.named, "by": "officer"})
    require_fit(product, party, request, today=today)
    assert minor_units(request.amount, CURRENCY) == borrower.amount


@settings(max_examples=60)
@given(SEEDS, NUMBERS, DAYS, st.booleans())
def test_what_is_paid_is_what_came_in(seed: int, number: int, today: date, struck: bool) -> None:
    borrower, payers = make_borrower(seed, number), Payers(seed)
    start = first_due(borrower, today)
    due = tuple((start + timedelta(days=30 * k), borrower.amount // borrower.instalments) for k in range(4))
    account = Account(borrower, "L1", due)
    payers.begin(account, today)
    received, back = 0, dict[date, int]()
    for n in range((start - today).days + 300):
        day = today + timedelta(days=n)
        for one, amount, returned_on in payers.payments(day, struck=lambda *_: struck):
            assert one is account
            assert amount > 0
            received += amount
            if returned_on is not None:
                assert returned_on > day
                back[returned_on] = back.get(returned_on, 0) + amount
        if taken := back.pop(day, 0):
            payers.returned(account, taken, day)
            received -= taken
        assert account.paid == received >= 0
