"""A run as ISO 20022 pain.008.001.08 (CustomerDirectDebitInitiation). Pure: what it is told goes in.

Source: the message definition on iso20022.org; EPC130-08, EPC131-08 (SEPA direct debits, customer to bank).
A payment information holds the items of one scheme and sequence, and each is booked on its own (BtchBookg false), so
that a statement's lines are the debits.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from itertools import groupby
from xml.etree.ElementTree import Element

from services.ledger.bank.pain_parts import (
    Party,
    add,
    add_account,
    add_agent,
    add_amount,
    add_group_header,
    add_sums,
    message,
    to_bytes,
)
from services.ledger.debits.state import group_of
from shared.events.debits import DebitItem, Mandate
from shared.money import minor_units

KIND = "pain.008.001.08"
NAME_MAX = 70
"""Characters of a name in SEPA, where ISO 20022 has 140."""


def direct_debits(
    run_id: str,
    items: Sequence[DebitItem],
    mandates: Mapping[str, Mandate],
    debtors: Mapping[str, Party],
    *,
    by: Party,
    creditor_id: str,
    currency: str,
    on: date,
    made_at: str,
) -> bytes:
    """The file that asks the bank of `by` to collect these on a date. `mandates`, `debtors`: by loan id."""
    document, body = message(KIND, "CstmrDrctDbtInitn")
    add_group_header(body, run_id, made_at, amounts_of(items, currency), currency, by.name[:NAME_MAX])
    by_group = partial(group_of, run_id)
    for name, some in groupby(sorted(items, key=by_group), key=by_group):
        members = list(some)
        payment = add(body, "PmtInf")
        add(payment, "PmtInfId", name)
        add(payment, "PmtMtd", "DD")
        add(payment, "BtchBookg", "false")
        add_sums(payment, amounts_of(members, currency), currency)
        add(payment, "PmtTpInf/SvcLvl/Cd", "SEPA")
        add(payment, "PmtTpInf/LclInstrm/Cd", members[0].scheme)
        add(payment, "PmtTpInf/SeqTp", members[0].sequence)
        add(payment, "ReqdColltnDt", on.isoformat())
        add(payment, "Cdtr/Nm", by.name[:NAME_MAX])
        add_account(payment, "CdtrAcct", by)
        add_agent(payment, "CdtrAgt", by)
        add(payment, "ChrgBr", "SLEV")
        add(payment, "CdtrSchmeId/Id/PrvtId/Othr/Id", creditor_id)
        add(payment, "CdtrSchmeId/Id/PrvtId/Othr/SchmeNm/Prtry", "SEPA")
        for item in members:
            _add_debit(payment, item, mandates[item.loan_id], debtors[item.loan_id], currency)
    return to_bytes(document)


def amounts_of(items: Sequence[DebitItem], currency: str) -> list[int]:
    """What each item asks for, in minor units."""
    return [minor_units(item.amount, currency) for item in items]


def _add_debit(payment: Element, item: DebitItem, mandate: Mandate, debtor: Party, currency: str) -> None:
    one = add(payment, "DrctDbtTxInf")
    add(one, "PmtId/InstrId", item.reference)
    add(one, "PmtId/EndToEndId", item.reference)
    add_amount(one, "InstdAmt", minor_units(item.amount, currency), currency)
    add(one, "DrctDbtTx/MndtRltdInf/MndtId", mandate.reference)
    add(one, "DrctDbtTx/MndtRltdInf/DtOfSgntr", mandate.signed_on.isoformat())
    add_agent(one, "DbtrAgt", debtor)
    add(one, "Dbtr/Nm", debtor.name[:NAME_MAX])
    add_account(one, "DbtrAcct", debtor)
    add(one, "RmtInf/Ustrd", f"{item.loan_id} {item.due.isoformat()}")
