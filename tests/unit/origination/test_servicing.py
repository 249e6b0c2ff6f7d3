"""What a product says of scheduling and servicing, from its file to the terms; what is withheld, in the year's rate."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.origination.annual_rate import NoAnnualRate
from services.origination.cost import fees_withheld, rate_of
from services.origination.decision import decide
from services.origination.offer import offer_of, quote
from services.origination.product import Product, require_fit, terms_of
from services.origination.rules import HERE, BadRulesFile, parse
from services.origination.servicing import Servicing
from shared.errors import Refusal
from shared.events.applications import Offer
from shared.events.terms import BorrowerRights, PenaltyInterest, PrepaymentFee, Terms, UpfrontFee
from shared.schedules import TermsContradict, paid_out_whole
from tests.unit.origination.examples import EVENT_ID, RULES, TODAY, facts, party, request, statement

HARVEST = (HERE / "products" / "seasonal-harvest.yaml").read_text()
SME_FROM = date(2026, 1, 1)
OF_THE_REQUEST = {"principal", "currency", "annual_rate", "instalments", "every", "unit", "first_due_date"}
OF_EVERY_PRODUCT = {"kind", "day_count", "rounding", "allocation", "arrears_materiality"}
OF_ONE_CONTRACT = {"rate_changes", "plan", "minimum_gap", "tranches"}


def sme(currency: str, **changes: Any) -> Any:
    asked = {
        "product": "sme-working-capital@2",
        "currency": currency,
        "amount": "800000.00",
        "first_due_date": date(2026, 2, 1),
    }
    return request(**(asked | changes))


def test_every_field_of_the_terms_comes_from_request_product_or_servicing() -> None:
    assert set(Servicing.model_fields) == set(Terms.model_fields) - OF_THE_REQUEST - OF_EVERY_PRODUCT - OF_ONE_CONTRACT
    for name, field in Servicing.model_fields.items():
        frozen = Terms.model_fields[name]
        assert (field.annotation, field.metadata) == (frozen.annotation, frozen.metadata), name
        assert field.get_default(call_default_factory=True) == frozen.get_default(call_default_factory=True), name


def test_the_terms_have_what_the_product_says_and_in_a_currency_what_it_says_there() -> None:
    product = RULES.products["sme-working-capital@2"]
    yuan, koruna = (terms_of(product, sme(code), amount="800000", annual_rate="0.13") for code in ("CNY", "CZK"))
    penalty = PenaltyInterest(annual_rate="0.04", grace_days=3)
    for terms in (yuan, koruna):
        assert terms.penalty == penalty
        assert terms.borrower_rights == BorrowerRights(due_date_moves=1, move_days=15, skips=1)
    assert (yuan.upfront_fees, yuan.prepayment_fees) == ((), ())
    assert koruna.upfront_fees == (UpfrontFee(name="arrangement", share="0.01"),)
    assert koruna.prepayment_fees == (PrepaymentFee(within_months=12, share="0.01"),)
    before = terms_of(RULES.products["sme-working-capital@1"], sme("CZK"), amount="800000", annual_rate="0.13")
    assert (before.penalty, before.upfront_fees) == (None, ())


def test_a_product_may_let_its_loans_follow_a_reference_rate() -> None:
    reference = "{index: CN-LPR-1Y, spread: '0.0900', resets: {rule: yearly, month: 1, day: 1}, cap: '0.24'}"
    text = HARVEST.replace('materiality: "20"', f'materiality: "20", servicing: {{reference: {reference}}}')
    product = parse(text, Product, where="harvest.yaml")
    terms = terms_of(product, request(amount="50000"), amount="50000", annual_rate="0.12")
    assert terms.annual_rate == "0.12"
    assert terms.reference is not None
    assert (terms.reference.index, terms.reference.spread, terms.reference.cap) == ("CN-LPR-1Y", "0.0900", "0.24")


def test_a_currency_says_it_in_place_of_the_product() -> None:
    text = HARVEST.replace('materiality: "20"', 'materiality: "20", servicing: {month_end: clamp, penalty: null}')
    product = parse(text, Product, where="harvest.yaml")
    terms = terms_of(product, request(amount="50000"), amount="50000", annual_rate="0.1")
    assert (terms.penalty, terms.holidays is None) == (None, False)


def test_a_version_is_offered_from_its_date_on() -> None:
    assert RULES.product("sme-working-capital", date(2025, 12, 31)).version == 1
    assert RULES.product("sme-working-capital", SME_FROM).version == 2
    assert RULES.contracted("sme-working-capital@1").version == 1


def test_a_crop_loan_is_paid_back_from_the_harvests() -> None:
    product = RULES.products["seasonal-harvest@1"]
    farmer = party(size="micro", industry="crops")
    asked = request(product=product.named, amount="50000", first_due_date=date(2024, 7, 10), instalments=12)
    require_fit(product, farmer, asked, today=TODAY)
    made = paid_out_whole(terms_of(product, asked, amount="50000", annual_rate="0.10"), disbursed_on=TODAY)
    by_month = {one.due.month: one for one in made.instalments}
    assert {month: one.principal for month, one in by_month.items() if one.principal} == {
        6: 15_000_00,
        10: 20_000_00,
        11: 15_000_00,
    }
    assert {month for month, one in by_month.items() if one.total} == {3, 6, 9, 10, 11, 12}


def test_a_product_is_shown_with_what_its_file_says() -> None:
    shown = RULES.products["sme-working-capital@2"].model_dump(mode="json")
    assert set(shown["servicing"]) == {"penalty", "borrower_rights"}
    assert set(shown["amounts"]["CZK"]["servicing"]) == {"upfront_fees", "prepayment_fees"}
    assert Product.model_validate(shown) == RULES.products["sme-working-capital@2"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('10: "0.4"', '10: "0.3"', "The shares sum to"),
        ("min: 12, default: 12", "min: 6, default: 12", "no instalment falls due in it"),
        ("repayment: seasonal", "repayment: flat", "Only a seasonal loan has shares by month"),
        ("country: CN", "country: XX", "XX"),
        ("  holidays:", "  grace_interest_payment: 12\n  holidays:", "leaves none of 12"),
        ("  holidays:", '  balloon: "100"\n  holidays:', "The kind seasonal says itself what is due last"),
        ("  holidays:", '  upfront_fees: [{name: a, amount: "5000"}]\n  holidays:', "no less than the principal"),
        ("grace_days: 15", "graze_days: 15", "there is no field servicing/penalty/graze_days"),
        ("grace_days: 15", "grace_days: fifteen", "servicing/penalty/grace_days"),
        ("  holidays:", "  tranches: []\n  holidays:", "servicing/tranches"),
        ("statement_months", "allocation: {cells: []}\nstatement_months", "allocation"),
    ],
)
def test_a_product_that_could_not_be_scheduled_is_refused_by_name_and_file(old: str, new: str, why: str) -> None:
    assert old in HARVEST
    with pytest.raises(BadRulesFile) as refused:
        parse(HARVEST.replace(old, new), Product, where="harvest.yaml")
    assert why in refused.value.detail
    assert refused.value.detail.startswith("harvest.yaml: ")
    assert "servicing" in refused.value.detail or "seasonal-harvest@1" in refused.value.detail or "allocation" in why


def test_an_amount_of_a_product_in_two_currencies_is_said_in_the_currency() -> None:
    text = (HERE / "products" / "sme-working-capital-2.yaml").read_text()
    fee = 'upfront_fees: [{name: stamp, amount: "50"}]'
    with pytest.raises(BadRulesFile, match="of one currency; say them under amounts"):
        parse(text.replace("\n  penalty:", f"\n  {fee}\n  penalty:"), Product, where="sme.yaml")
    with pytest.raises(BadRulesFile, match="of one currency"):
        parse(text.replace("\n  penalty:", '\n  balloon: "1000"\n  penalty:'), Product, where="sme.yaml")
    in_one = text.replace('share: "0.01"}]\n', 'share: "0.01", amount: "50"}]\n', 1)
    assert parse(in_one, Product, where="sme.yaml").amounts["CZK"].servicing.upfront_fees[0].amount == "50"


def test_an_order_of_cells_goes_into_the_terms() -> None:
    parts = ("penalty", "fee", "interest", "principal")
    cells = ", ".join(f"{{when: {w}, part: {p}}}" for w in ("past-due", "due", "in-advance") for p in parts)
    text = HARVEST.replace("servicing:", f"allocation: {{cells: [{cells}], future: last}}\nservicing:", 1)
    product = parse(text, Product, where="harvest.yaml")
    terms = terms_of(product, request(amount="50000"), amount="50000", annual_rate="0.1")
    assert terms.allocation == product.allocation
    with pytest.raises(BadRulesFile, match="there is no field allocation/cells/3/wenn"):
        parse(text.replace("principal}", "principal, wenn: due}", 1), Product, where="harvest.yaml")


def test_a_request_that_the_servicing_has_no_schedule_for_is_refused_at_once() -> None:
    product = RULES.products["consumer-equal-instalment@1"]
    month_ends = product.model_copy(update={"servicing": Servicing(month_end="last-day")})
    require_fit(month_ends, party(), request(first_due_date=date(2024, 7, 31)), today=TODAY)
    with pytest.raises(TermsContradict):
        require_fit(month_ends, party(), request(first_due_date=date(2024, 7, 30)), today=TODAY)


def offered(currency: str, country: str) -> tuple[Any, Offer]:
    product = RULES.products["sme-working-capital@2"]
    terms = terms_of(product, sme(currency), amount="800000.00", annual_rate="0.13")
    made = quote(
        product, terms, RULES.rate_caps, country=country, lender_kind="microloan-company", today=date(2026, 1, 1)
    )
    policy = RULES.policies["credit@1"]
    return made, offer_of(made, policy, application_id="a-1", offer_id=EVENT_ID, by="officer")


def test_an_offer_says_what_is_withheld_and_its_rate_counts_it() -> None:
    made, offer = offered("CZK", "CZ")
    assert offer.fees_withheld == "8000.00"
    assert made.shown()["fees"] == [{"name": "arrangement", "amount": "8000.00"}]
    assert made.shown()["fees_withheld"] == "8000.00"
    growth = (1 + Decimal(offer.all_in_rate)) ** (Decimal(1) / 12)
    worth = sum(Decimal(one.total) / growth**number for number, one in enumerate(made.instalments, 1))
    assert abs(worth - 792_000_00) < 20_00
    assert '"fees_withheld":"8000.00"' in offer.model_dump_json(exclude_none=True)


def test_an_offer_shows_the_fees_of_its_instalments_and_its_rate_counts_them() -> None:
    text = (HERE / "products" / "sme-working-capital-2.yaml").read_text()
    fee = 'instalment_fees: [{name: account, share: "0.0005", base: outstanding}]'
    product = parse(text.replace("\n  penalty:", f"\n  {fee}\n  penalty:"), Product, where="sme.yaml")
    terms = terms_of(product, sme("CZK"), amount="800000.00", annual_rate="0.13")
    made = quote(product, terms, RULES.rate_caps, country="CZ", lender_kind="microloan-company", today=date(2026, 1, 1))
    without, _ = offered("CZK", "CZ")
    shown = made.shown()
    assert shown["schedule"][0]["fees"] == "400.00"
    asked = sum(Decimal(row["fees"]) for row in shown["schedule"])
    assert Decimal(shown["instalment_fees"]) == asked > 400
    gained = sum(one.total for one in made.instalments) - sum(one.total for one in without.instalments)
    assert Decimal(gained) / 100 == asked
    assert made.all_in_rate > without.all_in_rate
    assert not {"instalment_fees", "fees"} & {*offered("CNY", "CN")[0].shown(), *without.shown()["schedule"][0]}


def test_an_offer_that_withholds_nothing_is_written_and_hashed_as_before() -> None:
    made, offer = offered("CNY", "CN")
    assert "fees_withheld" not in offer.model_dump_json(exclude_none=True)
    assert not {"fees", "fees_withheld"} & set(made.shown())


def test_the_decision_counts_what_is_withheld() -> None:
    changed = {
        "party": party(kind="business", size="small", country="CZ"),
        "request": sme("CZK", amount="200000.00"),
        "statement": statement(currency="CZK"),
    }
    _, decision = decide(facts(**changed), RULES, today=SME_FROM)
    changed["request"] = sme("CZK", amount="200000.00", product="sme-working-capital@1")
    _, without = decide(facts(**changed), RULES, today=SME_FROM)
    assert decision.terms.annual_rate == without.terms.annual_rate
    assert Decimal(decision.all_in_rate) > Decimal(without.all_in_rate) + Decimal("0.015")


def test_what_leaves_nothing_in_use_has_no_rate() -> None:
    product = RULES.products["sme-working-capital@2"]
    terms = terms_of(product, sme("CZK"), amount="800000", annual_rate="0.13").model_copy(
        update={"down_payment": "0.995"}
    )
    assert fees_withheld(terms) == (("arrangement", 8_000_00),)
    made = paid_out_whole(terms, disbursed_on=SME_FROM).instalments
    with pytest.raises(NoAnnualRate) as refused:
        rate_of(terms, made, disbursed_on=SME_FROM, method="effective")
    assert isinstance(refused.value, Refusal)
    assert refused.value.field == "upfront_fees"
