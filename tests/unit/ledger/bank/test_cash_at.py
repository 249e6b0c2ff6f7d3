"""Cash by bank account in reports: its parts are the whole, whatever was transferred, and on every pair of dates."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.bank.cash_at import Moved, _transferred, with_balances, with_movements
from tests.unit.ledger.bank.samples import IBAN, camt, entry
from tests.unit.ledger.bank.test_cash_check import SECOND, two  # noqa: F401 - a fixture

DAYS = [date(2024, 1, day) for day in (1, 10, 20, 31)]
FACTS = st.lists(
    st.builds(
        lambda account, day, booked, since, amount: (
            account,
            Moved(None, "EUR", day, max(day, booked), since, max(amount, 0), max(-amount, 0)),
        ),
        st.sampled_from([None, "main-eur", "second-eur"]),
        st.sampled_from(DAYS),
        st.sampled_from(DAYS),
        st.sampled_from([date.min, DAYS[1], DAYS[2]]),
        st.integers(-500, 500),
    ),
    max_size=12,
)


def placed(facts: list[tuple[str | None, Moved]]) -> list[Moved]:
    """As the books give it: the whole, what is at accounts, and that taken out of the whole."""
    at = [one._replace(account=account) for account, one in facts if account is not None]
    rest = [one._replace(account=None, debit=-one.debit, credit=-one.credit) for one in at]
    return [one for _, one in facts] + at + rest


def net(one: Moved) -> int:
    return one.debit - one.credit


@given(FACTS, st.sampled_from(DAYS), st.sampled_from(DAYS))
def test_a_trial_balance_has_each_account_with_its_own_cash_and_the_rest(
    facts: list[tuple[str | None, Moved]], known: date, effective: date
) -> None:
    document: dict[str, Any] = {"known": str(known), "effective": str(effective), "currencies": {"EUR": {}}}
    rows = with_balances(document, placed(facts))["currencies"]["EUR"]["bank_accounts"]
    told = {row["bank_account"]: round(float(row["balance"]) * 100) for row in rows}
    counted = [(at, one) for at, one in facts if one.booked <= known and one.effective <= effective]
    for account in (None, "main-eur", "second-eur"):
        assert told.get(account, 0) == sum(net(one) for at, one in counted if at == account)


@given(FACTS, st.sampled_from(["booking", "value", "accounting"]))
def test_movements_go_on_from_one_period_to_the_next(facts: list[tuple[str | None, Moved]], by: str) -> None:
    def told(opens: date, closes: date) -> dict[str | None, dict[str, int]]:
        document = {"from": str(opens), "to": str(closes), "by": by, "currencies": {"EUR": {}}}
        rows = with_movements(document, placed(facts))["currencies"]["EUR"]["bank_accounts"]
        return {
            row["bank_account"]: {name: round(float(row[name]) * 100) for name in row if name != "bank_account"}
            for row in rows
        }

    first, second = told(DAYS[0], DAYS[1]), told(date(2024, 1, 11), DAYS[3])
    for account, row in second.items():
        assert row["opening"] == first.get(account, {"closing": 0})["closing"]
        assert row["opening"] + row["debit"] - row["credit"] == row["closing"]


def test_a_transfer_leaves_one_account_and_reaches_the_other_with_nothing_booked(two: Any) -> None:  # noqa: F811
    two.take(camt(entry("-300.00", bank="B-2", other=SECOND.number), closing="4700.00"))
    arrived = entry("300.00", bank="C-1", other=IBAN, on="2024-03-01")
    two.take(camt(arrived, opening="10.00", closing="310.00", iban=SECOND.number, day="2024-03-01"))
    moved = list(_transferred([two.state("main-eur"), two.state("second-eur")]))

    def balances(day: str) -> dict[str | None, str]:
        document: dict[str, Any] = {"known": day, "effective": day, "currencies": {"EUR": {}}}
        rows = with_balances(document, moved)["currencies"]["EUR"]["bank_accounts"]
        return {row["bank_account"]: row["balance"] for row in rows}

    assert balances("2024-02-28") == {"main-eur": "-300.00", None: "300.00"}
    assert balances("2024-03-01") == {"main-eur": "-300.00", "second-eur": "300.00", None: "0.00"}
