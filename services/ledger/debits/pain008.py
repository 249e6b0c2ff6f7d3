"""A run as ISO 20022 pain.008.001.08 (CustomerDirectDebitInitiation). Sources: the message definition on iso20022.org;
EPC130-08 and EPC131-08, the schemes' customer-to-bank guidelines, for what SEPA asks of it.

A payment information holds the items of one scheme and sequence. Booking one by one is asked for, so that the statement
names each. What is known of the debtors is in the file alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from services.ledger.bank.lender import BankAccount, Creditor
from services.ledger.debits.refusals import AccountCollectsNothing
from services.ledger.debits.state import group_of
from shared.events.debits import DebitItem, Mandate
from shared.money import decimal_text, minor_units

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.008.001.08"
NAME_MAX = 70
"""Characters of a name that SEPA carries."""


@dataclass(frozen=True, slots=True, repr=False)
class Debtor:
    """Whose account is debited; personal data, which go into the file and nowhere else."""

    name: str
    iban: str
    bic: str | None = None


def pain008(
    run_id: str,
    account: BankAccount,
    on: date,
    items: Sequence[DebitItem],
    mandates: Mapping[str, Mandate],
    debtors: Mapping[str, Debtor],
    created: datetime,
) -> bytes:
    """The file. `mandates` and `debtors` by loan id. Raises AccountCollectsNothing."""
    if (creditor := account.creditor) is None:
        raise AccountCollectsNothing(f"{account.id} has no creditor in accounts.yaml.", field="account")
    root = Element("Document", xmlns=NAMESPACE)
    body = SubElement(root, "CstmrDrctDbtInitn")
    head = SubElement(body, "GrpHdr")
    _text(head, "MsgId", run_id)
    _text(head, "CreDtTm", created.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _sums(head, items, account.currency)
    _text(head, "InitgPty/Nm", creditor.name)

    by_group = partial(group_of, run_id)
    for name, some in groupby(sorted(items, key=by_group), key=by_group):
        members = list(some)
        group = _group(body, name, account, creditor, on, members)
        for item in members:
            _transaction(group, item, account.currency, mandates[item.loan_id], debtors[item.loan_id])
    indent(root)
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _group(
    body: Element,
    name: str,
    account: BankAccount,
    creditor: Creditor,
    on: date,
    items: Sequence[DebitItem],
) -> Element:
    """A payment information without its transactions, elements in the order of the schema."""
    group = SubElement(body, "PmtInf")
    _text(group, "PmtInfId", name)
    _text(group, "PmtMtd", "DD")
    _text(group, "BtchBookg", "false")
    _sums(group, items, account.currency)
    kinds = SubElement(group, "PmtTpInf")
    _text(kinds, "SvcLvl/Cd", "SEPA")
    _text(kinds, "LclInstrm/Cd", items[0].scheme)
    _text(kinds, "SeqTp", items[0].sequence)
    _text(group, "ReqdColltnDt", on.isoformat())
    _text(group, "Cdtr/Nm", creditor.name)
    _text(group, "CdtrAcct/Id/IBAN", account.number)
    _agent(group, "CdtrAgt", creditor.bic)
    _text(group, "ChrgBr", "SLEV")
    other = _at(group, "CdtrSchmeId/Id/PrvtId/Othr")
    _text(other, "Id", creditor.identifier)
    _text(other, "SchmeNm/Prtry", "SEPA")
    return group


def _transaction(group: Element, item: DebitItem, currency: str, mandate: Mandate, debtor: Debtor) -> None:
    one = SubElement(group, "DrctDbtTxInf")
    _text(one, "PmtId/EndToEndId", item.reference)
    _text(one, "InstdAmt", item.amount).set("Ccy", currency)
    signed = _at(one, "DrctDbtTx/MndtRltdInf")
    _text(signed, "MndtId", mandate.reference)
    _text(signed, "DtOfSgntr", mandate.signed_on.isoformat())
    _agent(one, "DbtrAgt", debtor.bic)
    _text(one, "Dbtr/Nm", debtor.name[:NAME_MAX])
    _text(one, "DbtrAcct/Id/IBAN", debtor.iban)
    _text(one, "RmtInf/Ustrd", f"{item.loan_id} {item.due.isoformat()}")


def total_of(items: Sequence[DebitItem], currency: str) -> int:
    """What the items ask for, in minor units."""
    return sum(minor_units(item.amount, currency) for item in items)


def _sums(node: Element, items: Sequence[DebitItem], currency: str) -> None:
    _text(node, "NbOfTxs", str(len(items)))
    _text(node, "CtrlSum", decimal_text(total_of(items, currency), currency))


def _agent(node: Element, name: str, bic: str | None) -> None:
    """A bank by its BIC; within SEPA the IBAN is enough, and the schema wants something said."""
    if bic is not None:
        _text(node, f"{name}/FinInstnId/BICFI", bic)
    else:
        _text(node, f"{name}/FinInstnId/Othr/Id", "NOTPROVIDED")


def _at(node: Element, path: str) -> Element:
    """A new element at `A/B/C` below the node."""
    for name in path.split("/"):
        node = SubElement(node, name)
    return node


def _text(node: Element, path: str, text: str) -> Element:
    found = _at(node, path)
    found.text = text
    return found
