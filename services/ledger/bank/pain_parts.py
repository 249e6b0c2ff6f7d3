"""Parts that payment initiation messages (pain) share: group header, parties, accounts, agents, amounts.

Source: ISO 20022 message definitions pain.001.001.09 and pain.008.001.08, whose data types are the same.
Elements are added in the order that the schema wants. What stands in a file goes to a bank
and nowhere else: no log, no table.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from shared.money import decimal_text

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
ID_MAX = 35
"""Max35Text: characters of a message's, a payment's or a transaction's id."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with an account: its holder's name, an IBAN or else the account's number, and what names the bank, a BIC
    or the code of a clearing system's member. `repr` tells nothing of it, so that no message does."""

    name: str
    iban: str | None = None
    number: str | None = None
    bank_code: str | None = None
    clearing: str | None = None
    bic: str | None = None

    def __repr__(self) -> str:
        return "Party(…)"


def reference_of(event_id: str) -> str:
    """The id of an event as an end-to-end id: without hyphens it fits in ID_MAX characters."""
    return event_id.replace("-", "")


def message(kind: str, body: str) -> tuple[Element, Element]:
    """A document of a message definition, such as pain.001.001.09, and its body."""
    document = Element("Document", xmlns=NAMESPACE + kind)
    return document, SubElement(document, body)


def add(parent: Element, path: str, text: str | None = None) -> Element:
    """Add the last element of `A/B/C`; those before it are made where the parent's last child is not one already."""
    *above, name = path.split("/")
    for tag in above:
        parent = parent[-1] if len(parent) and parent[-1].tag == tag else SubElement(parent, tag)
    made = SubElement(parent, name)
    made.text = text
    return made


def add_group_header(body: Element, message_id: str, made_at: str, amounts: list[int], currency: str, by: str) -> None:
    """GrpHdr: `made_at` is an ISO date and time, `by` the initiating party's name."""
    header = add(body, "GrpHdr")
    add(header, "MsgId", message_id)
    add(header, "CreDtTm", made_at)
    add_sums(header, amounts, currency)
    add(header, "InitgPty/Nm", by)


def add_sums(parent: Element, amounts: list[int], currency: str) -> None:
    """NbOfTxs and CtrlSum of these minor units."""
    add(parent, "NbOfTxs", str(len(amounts)))
    add(parent, "CtrlSum", decimal_text(sum(amounts), currency))


def add_amount(parent: Element, path: str, minor: int, currency: str) -> None:
    """An amount with its currency."""
    add(parent, path, decimal_text(minor, currency)).set("Ccy", currency)


def add_account(parent: Element, name: str, party: Party, currency: str | None = None) -> None:
    """An account (`DbtrAcct`, `CdtrAcct`) by IBAN, or by its number."""
    account = add(parent, name)
    if party.iban is not None:
        add(account, "Id/IBAN", party.iban)
    else:
        add(account, "Id/Othr/Id", party.number)
    if currency is not None:
        add(account, "Ccy", currency)


def add_agent(parent: Element, name: str, party: Party, *, optional: bool = False) -> None:
    """The bank of a party (`DbtrAgt`, `CdtrAgt`): by BIC, by its code, or, where the IBAN says it, not provided; an
    `optional` one is then left out, since SEPA has no other way to leave a creditor's bank to the IBAN."""
    if optional and party.bic is None and party.bank_code is None:
        return
    bank = add(parent, f"{name}/FinInstnId")
    if party.bic is not None:
        add(bank, "BICFI", party.bic)
    elif party.bank_code is not None:
        if party.clearing is not None:
            add(bank, "ClrSysMmbId/ClrSysId/Cd", party.clearing)
        add(bank, "ClrSysMmbId/MmbId", party.bank_code)
    else:
        add(bank, "Othr/Id", "NOTPROVIDED")


def to_bytes(document: Element) -> bytes:
    """The file: UTF-8, with its declaration, and indented, since people look at it before they send it."""
    indent(document)
    file: bytes = tostring(document, encoding="UTF-8", xml_declaration=True)
    return file + b"\n"
