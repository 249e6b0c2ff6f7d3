"""Direct debits as a lender meets them: an instalment is asked for once, comes in by the statement, goes back by it,
and is tried again by the policy of the day and no more often."""

from datetime import date
from xml.etree.ElementTree import fromstring

import pytest

from services.ledger.commands.refusals import ChangedMeanwhile
from services.ledger.debits.policy import debit_row
from services.ledger.debits.refusals import CollectedAlready, CollectionDateOver
from services.ledger.debits.state import suspended_by
from services.ledger.debits.views import mandate_document, run_document
from shared.events import debits as events
from shared.events.ledger import EntryPosted
from shared.topics import ledger_events
from tests.unit.ledger.bank.samples import camt, entry
from tests.unit.ledger.debits.samples import DebitHouse


@pytest.fixture
def house() -> DebitHouse:
    house = DebitHouse()
    house.lend("loan-1")
    house.lend("loan-2")
    house.sign("loan-1")
    house.close_through("2024-02-27")
    return house


def states(house: DebitHouse) -> list[str]:
    runs, known = house.runs(), house.debits()
    return [item["state"] for run in runs.runs.values() for item in run_document(run, runs, known, whole=True)["items"]]


def test_what_falls_due_is_asked_for_once_and_only_by_a_mandate(house: DebitHouse) -> None:
    items, skipped = house.plan("2024-02-29")
    assert [(one.loan_id, one.amount, one.attempt, one.sequence) for one in items] == [("loan-1", "100.00", 1, "FRST")]
    assert [(one.loan_id, one.reason) for one in skipped] == [("loan-2", "no mandate")]
    assert house.make("2024-02-29") == items
    assert house.plan("2024-02-29")[0] == house.plan("2024-03-01")[0] == []
    assert len(items[0].reference) == 35


def test_a_hindered_loan_is_left_out_and_named(house: DebitHouse) -> None:
    items, skipped = house.plan("2024-02-29", {"loan-1": "the borrower disputes the debt"})
    assert items == []
    assert (skipped[0].loan_id, skipped[0].reason) == ("loan-1", "the borrower disputes the debt")


def test_sending_the_file_is_no_payment(house: DebitHouse) -> None:
    postings = len(house.books.postings)
    house.make("2024-02-29")
    assert len(house.books.postings) == postings
    assert not house.books.hosted.intake.parked


def test_the_statement_makes_the_payment_and_takes_it_back_with_the_reason(house: DebitHouse) -> None:
    (item,) = house.make("2024-02-29")
    house.close_through("2024-02-28")
    paid = camt(entry("100.00", e2e=item.reference, on="2024-02-29"), closing="5100.00", day="2024-02-29")
    assert len(house.take(paid)) == 2
    assert (house.outcomes(), states(house)) == ({1: "received"}, ["collected"])
    loan = house.books.hosted.book.loans["loan-1"]
    assert loan.unpaid(0) == 0
    back = camt(
        entry("-100.00", e2e=item.reference, returned=True, on="2024-02-29"), opening="5100.00", closing="5000.00",
        number=2, day="2024-02-29",
    )  # fmt: skip
    _, reversal = house.take(back)
    assert reversal.data.code == "AM04"  # type: ignore[attr-defined]
    assert states(house) == ["returned"]
    assert house.books.hosted.book.loans["loan-1"].unpaid(0) == 10_000
    once_more = camt(
        entry("-100.00", e2e=item.reference, returned=True, on="2024-02-29"), opening="5000.00", closing="4900.00",
        number=3, day="2024-02-29",
    )  # fmt: skip
    assert len(house.take(once_more)) == 1, "a return is taken once"


def test_others_hear_of_a_return_with_its_reason(house: DebitHouse) -> None:
    (item,) = house.make("2024-02-29")
    house.settle(item)
    house.give_back(item, "AM04")
    told = ledger_events.validate_json(house.books.messages[-1].value or b"")
    assert isinstance(told, EntryPosted)
    assert (told.data.cause, told.data.returned) == ("ledger.PaymentReversed.v1", "AM04")


def test_a_batch_line_pays_each_debit_that_its_details_name(house: DebitHouse) -> None:
    house.sign("loan-2", "M-2")
    items = house.make("2024-02-29")
    details = "".join(
        f"<TxDtls><Refs><EndToEndId>{item.reference.upper()}</EndToEndId></Refs>"
        f'<Amt Ccy="EUR">{item.amount}</Amt></TxDtls>'
        for item in items
    )
    house.close_through("2024-02-28")
    house.take(camt(entry("200.00", details=details, on="2024-02-29"), closing="5200.00", day="2024-02-29"))
    assert states(house) == ["collected", "collected"]


def test_another_payment_of_the_same_amount_is_not_taken_for_the_debit(house: DebitHouse) -> None:
    (item,) = house.make("2024-02-29")
    house.pay("loan-1", "100.00", "2024-02-28", "receipt/9")
    house.close_through("2024-02-28")
    house.take(camt(entry("100.00", e2e=item.reference, on="2024-02-29"), closing="5100.00", day="2024-02-29"))
    assert house.outcomes() == {1: "received"}
    assert house.books.hosted.book.loans["loan-1"].unpaid(1) == 0, "what was not due any more pays the next instalment"


def test_insufficient_funds_are_tried_again_until_the_policy_ends_it(house: DebitHouse) -> None:
    made, day = [], "2024-02-29"
    for _ in range(5):
        items = [item for item in house.make(day) if item.due == date(2024, 2, 29)]
        made += items
        if not items:
            break
        house.close_through(day)
        house.reject(items[0], "AM04")
        day = str(debit_row(date(2024, 3, 1)).again_on(house.guards.open_date or date.min))
        assert house.plan(str(house.guards.open_date))[0] == []
    assert [item.attempt for item in made] == [1, 2, 3]
    assert len({item.reference for item in made}) == 3
    assert {item.sequence for item in made} == {"FRST"}, "a rejected one never reached the debtor's bank"
    assert "attempts" in house.plan(day)[1][0].reason


def test_no_mandate_suspends_until_a_person_resumes_it(house: DebitHouse) -> None:
    (item,) = house.make("2024-02-29")
    house.close_through("2024-02-29")
    house.reject(item, "MD01")
    known = house.debits()["loan-1"]
    assert suspended_by(known, house.runs().by_reference()) is not None
    document = mandate_document("loan-1", known.mandates["M-1"], known, house.runs().by_reference())
    assert (document["state"], document["reason"]) == ("suspended", "MD01")
    house.close_through("2024-03-27")
    assert house.plan("2024-03-29")[0] == []
    house.say(events.MandateResumed, "loan-1")
    again = house.make("2024-03-28")
    assert [(one.due.month, one.attempt) for one in again] == [(2, 2)]
    house.say(events.MandateRevoked, "loan-1")
    assert house.plan("2024-04-02")[0] == []
    house.sign("loan-1", "M-2")
    assert [one.mandate for one in house.plan("2024-04-02")[0]] == ["M-2"]


def test_a_later_instalment_waits_for_what_is_on_its_way(house: DebitHouse) -> None:
    (february,) = house.make("2024-02-29")
    house.pay("loan-1", "100.00", "2024-02-28")
    house.close_through("2024-03-27")
    assert house.plan("2024-03-28")[0] == []
    assert house.plan("2024-04-02")[0] == [], "february's debit, still on its way, will pay march"
    house.reject(february, "AM04")
    (march,) = house.plan("2024-04-02")[0]
    assert (march.due, march.attempt) == (date(2024, 3, 29), 1), "february's turn has not come, easter being closed"
    (again,) = house.plan("2024-04-04")[0]
    assert (again.due, again.attempt, again.amount) == (date(2024, 2, 29), 2, "100.00")


def test_a_void_run_frees_its_instalments_and_keeps_the_reference(house: DebitHouse) -> None:
    (item,) = house.make("2024-02-29")
    house.void(next(iter(house.runs().runs)))
    assert house.make("2024-02-29") == [item]
    assert states(house) == ["void", "asked"]


def test_runs_share_one_order_and_none_is_for_a_day_that_is_over(house: DebitHouse) -> None:
    house.make("2024-02-29")
    with pytest.raises(ChangedMeanwhile):
        house.note(
            events.DebitRunVoided, "direct-debits", events.RunVoid(run_id="ddr-" + "0" * 16, reason="x"), "late", None
        )
    house.sign("loan-2", "M-2")
    with pytest.raises(CollectionDateOver):
        house.make("2024-02-27") or house.close_through("2024-03-01") or house.make("2024-02-29")


def test_the_file_says_what_the_run_says(house: DebitHouse) -> None:
    house.sign("loan-2", "M-2")
    items = house.make("2024-02-29")
    (run,) = house.runs().runs.values()
    root = fromstring(house.file(run.data.run_id, "2024-02-29", items))
    space = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.008.001.08"}
    assert root.findtext(".//p:GrpHdr/p:NbOfTxs", namespaces=space) == "2"
    assert root.findtext(".//p:GrpHdr/p:CtrlSum", namespaces=space) == run.data.total == "200.00"
    assert [one.text for one in root.iterfind(".//p:EndToEndId", space)] == [item.reference for item in items]
    assert root.findtext(".//p:SeqTp", namespaces=space) == "FRST"
    assert "Ludmila" not in run.data.model_dump_json()


def pain002(run_id: str, group: str = "", rest: str = "") -> bytes:
    return (
        f"<Document><CstmrPmtStsRpt><GrpHdr><MsgId>R-1</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{run_id}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pain.008.001.08</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>{rest}</CstmrPmtStsRpt></Document>"
    ).encode()


def test_a_status_report_rejects_an_item_or_all_and_each_once(house: DebitHouse) -> None:
    house.sign("loan-2", "M-2")
    items = house.make("2024-02-29")
    (run_id,) = house.runs().runs
    reason = "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>"
    one = (
        f"<TxInfAndSts><OrgnlEndToEndId>{items[0].reference}</OrgnlEndToEndId><TxSts>RJCT</TxSts>{reason}</TxInfAndSts>"
    )
    rest = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{run_id}-CORE-FRST</OrgnlPmtInfId>{one}</OrgnlPmtInfAndSts>"
    assert house.report(pain002(run_id, "<GrpSts>ACCP</GrpSts>")) == []
    assert len(house.report(pain002(run_id, "<GrpSts>PART</GrpSts>", rest))) == 1
    assert states(house) == ["rejected", "asked"]
    assert len(house.report(pain002(run_id, "<GrpSts>RJCT</GrpSts>"))) == 1, "the other one"
    assert house.report(pain002(run_id, "<GrpSts>RJCT</GrpSts>")) == []
    assert [of.failures[item.reference].code for item in items for of in [house.debits()[item.loan_id]]] == [
        "AC04",
        "NARR",
    ]


def test_what_was_collected_is_not_rejected_any_more(house: DebitHouse) -> None:
    (item,) = house.make("2024-02-29")
    house.settle(item)
    (run_id,) = house.runs().runs
    with pytest.raises(CollectedAlready):
        house.report(pain002(run_id, "<GrpSts>RJCT</GrpSts>"))


@pytest.mark.parametrize("code", sorted(debit_row(date(2024, 3, 1)).suspended))
def test_what_suspends_is_not_tried_again(code: str) -> None:
    assert code not in debit_row(date(2024, 3, 1)).retried
