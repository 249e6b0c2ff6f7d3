"""Which disbursements a file pays: what no live file carries, and of the rest nothing is dropped without a word."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lendlog.private_file import private_file
from services.ledger.bank.lender import BankAccount
from services.ledger.bank.pay_out import Disbursed, plan
from services.ledger.bank.payment_files import broken_rules
from services.ledger.bank.refusals import FileWasVoided
from services.ledger.commands.refusals import ChangedMeanwhile
from services.ledger.verify.of_payment_files import PaymentFiles, Seen, Wanted, unpaid
from shared.errors import MissingPrecondition
from shared.events.payment_files import PAYMENT_FILES, PaymentItem
from tests.unit.ledger.bank.pay_outs import PayingHouse, file_id, pain002

IDS = [f"018f3d2a-7b1c-7d4e-9a3b-{n:012d}" for n in range(6)]
SOME = st.sets(st.sampled_from(IDS))
DISBURSED = st.builds(
    lambda n, amount, settles: Disbursed(IDS[n], f"loan-{n % 3}", "b-1", date(2024, 1, 1 + n), "EUR", amount, settles),
    st.integers(0, 5),
    st.integers(0, 3),
    st.integers(0, 2),
)


@given(st.lists(DISBURSED, unique_by=lambda one: one.event_id), SOME, SOME, SOME, st.sets(st.sampled_from(["loan-1"])))
def test_each_disbursement_is_paid_or_carried_or_left_out_with_a_reason(
    found: list[Disbursed], carried: set[str], undone: set[str], linked: set[str], parked: set[str]
) -> None:
    made = plan(found, carried=carried, undone=undone, linked=linked, held=dict.fromkeys(parked, "parked"))
    paid = {one.event_id for one in made.pays}
    left = {one.disbursed.event_id for one in made.left_out if one.why != "pays-off-loan"}
    assert paid | left | (carried & {one.event_id for one in found}) == {one.event_id for one in found}
    assert not paid & (left | carried | undone | linked)
    assert all(one.amount > 0 for one in made.pays)
    assert {one.disbursed.event_id: one.amount for one in made.left_out if one.why == "pays-off-loan"} == {
        one.event_id: one.settles for one in found if one.settles and one.event_id not in carried
    }


def test_an_item_fits_what_end_to_end_ids_may_be() -> None:
    item = Disbursed(IDS[1], "loan-1", "b-1", date(2024, 1, 31), "JPY", 120_000).item()
    assert (item.amount, item.reference) == ("120000", "018f3d2a7b1c7d4e9a3b000000000001")


def test_a_file_is_not_made_of_what_changed_since_it_was_chosen() -> None:
    house = PayingHouse()
    house.lend("loan-1")
    seen = dict(house.guards.last)
    house.undo("loan-1")
    with pytest.raises(ChangedMeanwhile):
        house.make(1, ["loan-1"], seen)


def test_a_report_on_a_voided_file_says_that_it_was_sent_all_the_same() -> None:
    house = PayingHouse()
    house.lend("loan-1")
    house.make(1, ["loan-1"])
    house.void(1)
    with pytest.raises(FileWasVoided):
        house.report(pain002(house.files().files[file_id(1)].file.message_id, group="ACCP"))


def test_a_log_that_pays_twice_is_found() -> None:
    house = PayingHouse()
    house.lend("loan-1")
    house.make(1, ["loan-1"])
    made = house.events(PAYMENT_FILES)[0]
    again = made.model_copy(update={"id": file_id(2)})
    assert [event_id for event_id, _ in broken_rules([made, again])] == [file_id(2)]
    short = made.model_copy(update={"data": made.data.model_copy(update={"total": "1.00"})})
    assert [problem for _, problem in broken_rules([short])] == ["its items do not add up to 1.00"]


ITEM = PaymentItem(loan_id="loan-1", disbursement_id=IDS[0], amount="1200.00", reference="ab12")
BOOKED, LATER = date(2024, 1, 31), date(2024, 2, 1)


@pytest.mark.parametrize(
    ("seen", "rejected", "problem"),
    [
        (Seen("loan-1", 120_000, 978, undone=False), None, None),
        (Seen("loan-1", 120_000, 978, undone=True), BOOKED, None),
        (Seen("loan-1", 120_000, 978, undone=False), BOOKED, "the bank rejected it, and it stands"),
        (Seen("loan-1", 119_999, 978, undone=False), None, "another amount left cash"),
        (Seen("loan-1", 120_000, 203, undone=False), None, "another amount left cash"),
        (Seen("loan-2", 120_000, 978, undone=False), None, "no such disbursement"),
        (None, None, "no such disbursement"),
    ],
)
def test_the_audit_holds_each_item_against_the_books(
    seen: Seen | None, rejected: date | None, problem: str | None
) -> None:
    found = PaymentFiles(wanted={IDS[0]: Wanted(ITEM, "EUR", BOOKED, rejected)}, open_dates=[LATER])
    found.seen = {IDS[0]: seen} if seen is not None else {}
    problems = [finding.problem for finding in unpaid(found)]
    assert (problem is None) == (problems == [])
    assert problem is None or problem in problems[0]
    found.open_dates = [BOOKED]
    assert list(unpaid(found)) == [], "the loan's partition may not have come so far"


def test_a_file_is_there_whole_for_its_owner_alone_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "pay.xml"
    with pytest.raises(RuntimeError), private_file(out, b"x"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with private_file(out, b"secret"):
        assert not out.exists()
    assert (out.read_bytes(), out.stat().st_mode & 0o777) == (b"secret", 0o600)
    with pytest.raises(MissingPrecondition), private_file(out, b"other"):
        pass
    assert out.read_bytes() == b"secret"
    with pytest.raises(MissingPrecondition), private_file(tmp_path / "none" / "pay.xml", b"x"):
        pass
    late = tmp_path / "late.xml"
    with pytest.raises(MissingPrecondition, match=r"what was made is .*late\.xml"), private_file(late, b"recorded"):
        late.write_bytes(b"another's")
    assert {path.read_bytes() for path in tmp_path.glob("late.xml*")} == {b"another's", b"recorded"}


def test_an_account_that_the_bank_would_not_know_pays_nothing() -> None:
    account = {"id": "a", "number": "000111", "currency": "CNY", "opened_on": date(2024, 1, 1)}
    for lacks in ({}, {"holder": "Example Lending"}):
        with pytest.raises(MissingPrecondition):
            BankAccount(**account, **lacks).party()
    party = BankAccount(**account, holder="Example", bank_code="102100099996", clearing="CNAPS").party()
    assert (party.iban, party.number) == (None, "000111")
