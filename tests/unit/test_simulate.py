"""The simulated lender's model: seeded, whole, and fit for the rules of the services that it will meet."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest

from lendlog.simulate import applying
from lendlog.simulate.borrowers import CURRENCY, GROUP_SIZE, HABITS, PRODUCTS, Borrower, first_due, make_borrower
from lendlog.simulate.climate import SEASONS, Climate
from lendlog.simulate.plan import FIRST, NothingToSimulate, Plan
from lendlog.simulate.telling import signal
from services.origination.completeness import require_sound
from services.origination.personal import Personal
from services.origination.product import require_fit
from services.origination.rules import load
from shared.events.applications import Request, Statement
from shared.events.parties import Party
from shared.events.terms import Terms
from shared.money import decimal_text

TODAY = date(2024, 5, 20)


@dataclass
class Life:
    """A plan that runs with a lender who grants whatever is asked for."""

    plan: Plan
    seen: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    """Everything that happened, in order."""

    def run(self) -> "Life":
        under_way, returns = 0, dict[date, list[tuple[int, int]]]()
        for day in self.plan.days():
            for borrower in self.plan.arrivals(day, under_way):
                under_way += 1
                self.plan.paid_out(borrower, f"L{borrower.number}", terms(borrower, day), day)
                self.note(day, "loan", borrower.number)
            for payment in self.plan.payments(day):
                number = payment.account.borrower.number
                self.note(day, "payment", number, payment.amount)
                if payment.returned_on is not None:
                    returns.setdefault(payment.returned_on, []).append((number, payment.amount))
            for number, amount in returns.pop(day, []):
                self.plan.payers.returned(self.plan.payers.accounts[number], amount, day)
                self.note(day, "return", number, amount)
            for nth, (account, data) in enumerate(self.plan.told(day)):
                number = account.borrower.number
                event = signal(self.plan.seed, number, f"B{number}", day, nth, data)
                self.note(day, event.type, event.to_json().decode())
            for index in self.plan.indices(day):
                self.note(day, "index", index.to_json().decode())
            for borrower in self.plan.withdrawals(day):
                self.note(day, "withdrawal", borrower.number)
        return self

    def note(self, day: date, kind: str, *what: object) -> None:
        self.seen[kind] += 1
        self.lines.append(f"{day} {kind} {what}")


def terms(borrower: Borrower, day: date) -> Terms:
    return Terms(
        kind="equal-instalment",
        principal=decimal_text(borrower.amount, CURRENCY),
        currency=CURRENCY,
        annual_rate="0.15",
        instalments=borrower.instalments,
        every=borrower.asked.every,
        unit=borrower.asked.unit,
        first_due_date=first_due(borrower, day),
    )


@pytest.fixture(scope="module")
def life() -> Life:
    return Life(Plan(7, 150, 12)).run()


def test_the_same_seed_gives_the_same_life(life: Life) -> None:
    random.seed(1)  # nothing is drawn from the global source
    assert Life(Plan(7, 150, 12)).run().lines == life.lines
    assert Life(Plan(8, 150, 12)).run().lines != life.lines


def test_borrowers_pay_early_late_partly_too_much_stop_recover_and_have_money_returned(life: Life) -> None:
    assert life.seen["loan"] == 150
    assert set(life.seen) >= {"payment", "return", "index", "signals.AccountMoved.v1", "signals.FigureReported.v1"}
    accounts = life.plan.payers.accounts.values()
    last = date(2024, 12, 31)
    assert any(account.owed(last) for account in accounts)
    assert any(account.left == 0 for account in accounts)
    assert any(account.paid > sum(amount for _, amount in account.due) for account in accounts)
    assert {account.borrower.habit for account in accounts} == set(HABITS)
    stopped = [account for account in accounts if account.stopped_on is not None and account.stopped_on <= last]
    assert any(account.resumes_on is not None for account in stopped)
    assert any(account.resumes_on is None and account.owed(last) for account in stopped)


def test_some_clocks_and_units_are_wrong() -> None:
    life = Life(Plan(7, 400, 18)).run()
    moved = [line for line in life.lines if "signals.AccountMoved.v1" in line]
    assert any(f'"observed_on":"{int(line[:4]) - 10}' in line for line in moved)
    assert any(f'"unit":"k{CURRENCY}"' in line for line in life.lines)


def test_every_application_is_one_that_the_products_take() -> None:
    rules, climate = load(), Climate(7, FIRST, 24)
    products = Counter[str]()
    for number in range(300):
        borrower = make_borrower(7, number)
        brought = applying.party(7, borrower)
        personal = Personal.model_validate(brought["personal"])
        assert personal.official_number is not None
        personal.official_number.compact()  # its check digit is right
        assert personal.account is not None
        personal.account.checked()
        party = Party.model_validate(brought["party"] | {"channels": personal.contacts.channels()})
        wanted = applying.request(borrower, TODAY)
        product = rules.product(wanted["product"], TODAY)
        request = Request.model_validate(wanted | {"application_id": "a", "product": product.named, "by": "officer"})
        require_fit(product, party, request, today=TODAY)
        statement = Statement.model_validate(
            applying.statement(7, borrower, climate, TODAY) | {"application_id": "a", "by": "officer"}
        )
        require_sound(statement, currency=CURRENCY, today=TODAY)
        assert len(statement.months) >= product.statement_months
        kinds = [document["kind"] for document in applying.documents(borrower, first_try=False)]
        assert kinds == product.documents
        assert (applying.collateral(7, borrower) is None) == (product.security.required != "collateral")
        products[borrower.asked.product] += 1
    assert set(products) == {asked.product for asked in PRODUCTS}


def test_a_group_comes_whole_and_shares_trade_and_region() -> None:
    plan = Plan(7, 400, 6)
    came = [borrower for day in plan.days() for borrower in plan.arrivals(day, 0)][:400]
    groups: dict[int, list[Borrower]] = {}
    for borrower in came:
        if borrower.group is not None:
            groups.setdefault(borrower.group, []).append(borrower)
    assert len(groups) > 5
    whole = list(groups.values())[:-1]
    assert all(len(members) == GROUP_SIZE for members in whole)
    assert all(len({(one.trade, one.region) for one in members}) == 1 for members in whole)


@pytest.mark.parametrize("loans", [1, 3, 8, 41])
def test_no_more_loans_are_granted_than_asked_for(loans: int) -> None:
    plan, granted = Plan(7, loans, 6), 0
    for day in plan.days():
        granted += len(plan.arrivals(day, granted))
    assert granted == loans


def test_who_is_declined_is_replaced_until_the_loans_are_there() -> None:
    plan, granted, came = Plan(3, 40, 12), 0, 0
    for day in plan.days():
        came += len(plan.arrivals(day, granted))
        granted = came // 2
    assert granted >= 40
    assert came > 70


def test_seasons_add_up_to_a_year_and_shocks_pass() -> None:
    assert all(abs(sum(season) - 12) < 1e-9 for season in SEASONS.values())
    climate = Climate(7, FIRST, 24)
    shock = climate.shocks[0]
    region = shock.region or "north"
    before = climate.weather(shock.trade, region, shock.begins - timedelta(days=1))
    during = climate.weather(shock.trade, region, shock.begins)
    assert during == pytest.approx(before * shock.left, rel=0.01)


@pytest.mark.parametrize(("loans", "months"), [(0, 1), (1, 0), (-5, 3), (10**9, 3), (3, 10**6)])
def test_nothing_and_too_much_are_refused(loans: int, months: int) -> None:
    with pytest.raises(NothingToSimulate):
        Plan(1, loans, months)
