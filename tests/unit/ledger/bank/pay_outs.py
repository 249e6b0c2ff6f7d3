"""Files of credit transfers and the bank's answers, with made-up names and figures of our own."""

from datetime import date

from services.ledger.bank.credit_transfer import Transfer, credit_transfers
from services.ledger.bank.pain002 import read_pain002
from services.ledger.bank.pain_parts import Party, reference_of
from services.ledger.bank.payment_files import (
    FilesState,
    file_of,
    fold_files,
    report_event_id,
    require_free,
    require_waiting,
    status_of,
)
from services.ledger.commands import model
from shared.events.envelope import derived_event_id
from shared.events.payment_files import PAYMENT_FILES, REJECTED, PaymentFile, PaymentFileVoid, PaymentItem
from shared.money import decimal_text, minor_units
from tests.unit.ledger.bank.samples import House

LENDER = Party("Example Lending", iban="DE02120300000000202051", bic="BYLADEM1001")
CZECH = Party("Ludmila Veselá", iban="CZ6508000000192000145399")
CHINESE = Party("王小明", number="6222020000000000001", bank_code="102100099996", clearing="CNAPS")
ON = date(2024, 2, 1)


def file_id(n: int) -> str:
    return derived_event_id(f"file-{n}", 0, "-", 0)


def pain001(transfers: list[Transfer], currency: str = "EUR", by: Party = LENDER) -> bytes:
    return credit_transfers("M1", transfers, by=by, currency=currency, on=ON, made_at="2024-02-01T09:00:00+00:00")


def said(reference: str, status: str, reason: str | None = None, amount: str | None = None, code: str = "EUR") -> str:
    """A transaction of a report."""
    why = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn><AddtlInf>Ludmila Vesela</AddtlInf></StsRsnInf>" if reason else ""
    tx = f'<OrgnlTxRef><Amt><InstdAmt Ccy="{code}">{amount}</InstdAmt></Amt></OrgnlTxRef>' if amount else ""
    return (
        f"<TxInfAndSts><OrgnlInstrId>{reference}</OrgnlInstrId><OrgnlEndToEndId>{reference}</OrgnlEndToEndId>"
        f"<TxSts>{status}</TxSts>{why}{tx}</TxInfAndSts>"
    )


def pain002(
    message_id: str,
    *transactions: str,
    report: str = "R-1",
    group: str | None = None,
    payment: str | None = None,
    count: int | None = None,
    total: str | None = None,
    name: str = "pain.001.001.09",
    version: str = "10",
) -> bytes:
    """A whole report on one file."""
    sums = (f"<OrgnlNbOfTxs>{count}</OrgnlNbOfTxs>" if count is not None else "") + (
        f"<OrgnlCtrlSum>{total}</OrgnlCtrlSum>" if total is not None else ""
    )
    block = (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{message_id}</OrgnlPmtInfId>"
        f"{f'<PmtInfSts>{payment}</PmtInfSts>' if payment else ''}{''.join(transactions)}</OrgnlPmtInfAndSts>"
    )
    return (
        f'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{report}</MsgId><CreDtTm>2024-02-01T12:00:00</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>{name}</OrgnlMsgNmId>{sums}"
        f"{f'<GrpSts>{group}</GrpSts>' if group else ''}</OrgnlGrpInfAndSts>"
        f"{block if transactions or payment else ''}</CstmrPmtStsRpt></Document>"
    ).encode()


class PayingHouse(House):
    """A house that pays out by file, as the desk does."""

    def files(self) -> FilesState:
        return fold_files(self.events(PAYMENT_FILES))

    def make(self, n: int, loans: list[str], seen: dict[str, str] | None = None) -> None:
        """A file of these loans' disbursements. `seen`: the last event of each loan when they were chosen; else now."""
        state = self.files()
        disbursed = {loan_id: self.id(f"d{loan_id}") for loan_id in loans}
        require_free(state, disbursed.values())
        facts = self.facts()
        items = tuple(
            PaymentItem(
                loan_id=loan_id,
                disbursement_id=event_id,
                amount=decimal_text(-facts[event_id].amount, "EUR"),
                reference=reference_of(event_id),
            )
            for loan_id, event_id in disbursed.items()
        )
        assert self.guards.open_date is not None
        file = PaymentFile(
            message_id=reference_of(file_id(n)),
            account="main-eur",
            currency="EUR",
            execution_date=self.guards.open_date,
            sha256="5e" * 32,
            total=decimal_text(sum(minor_units(one.amount, "EUR") for one in items), "EUR"),
            items=items,
            made_by="accountant",
        )
        lasts = {loan_id: (self.guards.last if seen is None else seen).get(loan_id) for loan_id in loans}
        self.record(model.MakePaymentFile(file, lasts, state.last_event, file_id(n)))

    def undo(self, loan_id: str) -> None:
        """Take the loan's disbursement back by hand."""
        event_id = self.id(f"d{loan_id}")
        self.record(model.UndoEvent(loan_id, event_id, "mistaken", self.id(f"mistaken{event_id}")))

    def void(self, n: int) -> None:
        state = self.files()
        require_waiting(state, file_id(n))
        void = PaymentFileVoid(file_id=file_id(n), reason="not sent", voided_by="accountant")
        event_id = derived_event_id(file_id(n), 0, "void", 0)
        self.record(model.VoidPaymentFile(void, state.last_event, event_id))

    def report(self, content: bytes) -> bool:
        """Take a report in; False: it was taken before."""
        state, report = self.files(), read_pain002(content)
        file = file_of(state, report)
        event_id = report_event_id(file.file_id, report)
        if event_id in self.recorded:
            return False
        status = status_of(file, report)
        rejected = [file.items[one.reference].item for one in status.items if one.status == REJECTED]
        standing = self.facts()
        gone = {fact.reverses for fact in standing.values() if fact.reverses}
        undo = [
            model.UndoEvent(one.loan_id, one.disbursement_id, "rejected", self.id(f"undo{one.disbursement_id}"))
            for one in rejected
            if one.disbursement_id not in gone
        ]
        self.record(model.TakePaymentStatus(status, state.last_event, event_id), *undo)
        return True
