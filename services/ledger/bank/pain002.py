"""ISO 20022 pain.002 (CustomerPaymentStatusReport): what the bank says of a file of payments.

Versions .03 to .14 alike, since elements are found by local name. Source: the message definition on iso20022.org.

A status may stand at the file, at a payment information block, or at a transaction; the nearest one counts.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.ledger.bank.camt_nodes import all_of, at, root_of, text_at
from services.ledger.bank.refusals import (
    AmountDiffers,
    NotAStatusReport,
    StatementTooLarge,
    SumDiffers,
    UnknownPaymentFile,
    UnknownReference,
)
from shared.errors import Refusal
from shared.money import decimal_text, minor_units

FILE_BYTES_MAX = 8 << 20
REJECTED = "RJCT"
PARTLY = "PART"
"""ExternalPaymentGroupStatus1Code: some were accepted, some not; the transactions say which."""
_CODE = re.compile(r"[A-Z0-9]{1,4}")
_ID = re.compile(r"[A-Za-z0-9+?/:().,' -]{1,35}")


@dataclass(frozen=True, slots=True)
class Said:
    """A status, and the code of its reason; the bank's free text may name people and is not read."""

    status: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """How many transactions of which sum the original had, as the bank has it; None: it does not say."""

    count: str | None
    total: str | None


@dataclass(frozen=True, slots=True)
class TransactionSaid:
    """What is said of one transaction; `amount` is as it is written."""

    reference: str
    said: Said
    amount: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentSaid:
    """What is said of a payment information block."""

    payment_id: str
    said: Said
    sums: Sums
    transactions: tuple[TransactionSaid, ...]


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A report. `message_id` and `message_name` are those of the file that it is about."""

    report_id: str
    message_id: str
    message_name: str
    said: Said
    sums: Sums
    payments: tuple[PaymentSaid, ...]

    def digest(self) -> str:
        """SHA-256 of everything that was read."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def read_pain002(content: bytes) -> StatusReport:
    """The report. Raises HostileXml, NotXml, StatementTooLarge, NotAStatusReport."""
    if len(content) > FILE_BYTES_MAX:
        raise StatementTooLarge(f"At most {FILE_BYTES_MAX} bytes are read.")
    if (body := at(root_of(content), "CstmrPmtStsRpt")) is None:
        raise NotAStatusReport("The document is no pain.002: it has no CstmrPmtStsRpt.")
    group = at(body, "OrgnlGrpInfAndSts")
    return StatusReport(
        report_id=_id(body, "GrpHdr/MsgId"),
        message_id=_id(group, "OrgnlMsgId"),
        message_name=_id(group, "OrgnlMsgNmId"),
        said=_said(group, "GrpSts"),
        sums=_sums(group),
        payments=tuple(_payment(node) for node in all_of(body, "OrgnlPmtInfAndSts")),
    )


def statuses(report: StatusReport, payments: Mapping[str, Mapping[str, int]], currency: str) -> dict[str, Said]:
    """What is said of each transaction, by reference; of those that nothing is said of, nothing. `payments`: the file's
    blocks by id, their amounts in minor units by reference. Raises SumDiffers, UnknownPaymentFile, UnknownReference,
    AmountDiffers: the report is then of something else."""
    everything = [amount for block in payments.values() for amount in block.values()]
    _require_sums(report.sums, everything, currency, f"File {report.message_id}")
    found: dict[str, Said] = {}
    if report.said.status not in (None, PARTLY):
        found = {reference: report.said for block in payments.values() for reference in block}
    for payment in report.payments:
        if (block := payments.get(payment.payment_id)) is None:
            raise UnknownPaymentFile(f"File {report.message_id} has no payment {payment.payment_id}.")
        _require_sums(payment.sums, block.values(), currency, f"Payment {payment.payment_id}")
        if payment.said.status not in (None, PARTLY):
            found |= dict.fromkeys(block, payment.said)
        own: dict[str, Said] = {}
        for one in payment.transactions:
            _require_transaction(one, block, currency, payment.payment_id)
            if own.setdefault(one.reference, one.said) != one.said:
                raise NotAStatusReport(f"Transaction {one.reference} has two statuses.")
        found |= {reference: said for reference, said in own.items() if said.status is not None}
    return found


def _payment(node: Any) -> PaymentSaid:
    transactions = [
        TransactionSaid(
            reference=_id(one, "OrgnlEndToEndId"),
            said=_said(one, "TxSts"),
            amount=text_at(one, "OrgnlTxRef/Amt/InstdAmt"),
            currency=amount.get("Ccy") if (amount := at(one, "OrgnlTxRef/Amt/InstdAmt")) is not None else None,
        )
        for one in all_of(node, "TxInfAndSts")
    ]
    return PaymentSaid(_id(node, "OrgnlPmtInfId"), _said(node, "PmtInfSts"), _sums(node), tuple(transactions))


def _said(node: Any, name: str) -> Said:
    status = text_at(node, name)
    if status is not None and not _CODE.fullmatch(status):
        raise NotAStatusReport(f"{name} holds no status code.")
    codes = (text_at(info, "Rsn/Cd") for info in all_of(node, "StsRsnInf"))
    return Said(status, next((code for code in codes if code is not None and _CODE.fullmatch(code)), None))


def _sums(node: Any) -> Sums:
    return Sums(text_at(node, "OrgnlNbOfTxs"), text_at(node, "OrgnlCtrlSum"))


def _id(node: Any, path: str) -> str:
    """An id that every report has, in the characters that ISO 20022 ids are made of in practice (EPC217-08)."""
    text = text_at(node, path) if node is not None else None
    if text is None or not _ID.fullmatch(text):
        raise NotAStatusReport(f"{path} is missing, or is no id.")
    return text


def _require_sums(sums: Sums, amounts: Collection[int], currency: str, where: str) -> None:
    if sums.count is not None and sums.count != str(len(amounts)):
        raise SumDiffers(f"{where} has {len(amounts)} transactions, the report says {sums.count[:15]}.")
    if sums.total is not None and _minor(sums.total, currency, where) != sum(amounts):
        raise SumDiffers(f"{where} has {decimal_text(sum(amounts), currency)}, the report says {sums.total[:30]}.")


def _require_transaction(one: TransactionSaid, block: Mapping[str, int], currency: str, payment_id: str) -> None:
    if one.reference not in block:
        raise UnknownReference(f"Payment {payment_id} has no transaction {one.reference}.")
    if one.amount is None:
        return
    if one.currency != currency or _minor(one.amount, currency, one.reference) != block[one.reference]:
        detail = f"Transaction {one.reference} is {decimal_text(block[one.reference], currency)} {currency}"
        raise AmountDiffers(f"{detail}, the report says {one.amount[:30]} {(one.currency or '')[:3]}.")


def _minor(text: str, currency: str, where: str) -> int:
    whole, _, decimals = text.partition(".")
    try:
        return minor_units(f"{whole.lstrip('0') or '0'}.{decimals or '0'}", currency)
    except Refusal as refusal:
        raise NotAStatusReport(f"{where}: {refusal.detail}") from None
