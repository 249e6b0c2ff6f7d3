"""Credit transfers to borrowers as pain.001.001.09 (CustomerCreditTransferInitiation). Pure: what it is told goes in.

Source: the message definition on iso20022.org; EPC132-08 (SEPA credit transfer, customer to bank) for what SEPA wants.
Each transfer is booked on its own (BtchBookg false), so that a statement's lines are the disbursements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

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

KIND = "pain.001.001.09"
PURPOSE = "LOAN"
"""ExternalPurpose1Code: the transfer of a loan to its borrower."""
SEPA_NAME_MAX = 70
"""Characters of a name in SEPA, where ISO 20022 has 140."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Minor units to a borrower. `reference`: the end-to-end id; `text`: what the borrower reads."""

    reference: str
    amount: int
    to: Party
    text: str


def credit_transfers(
    message_id: str, transfers: Sequence[Transfer], *, by: Party, currency: str, on: date, made_at: str
) -> bytes:
    """The file that asks the bank of `by` to pay these out of that account on a date."""
    amounts = [one.amount for one in transfers]
    document, body = message(KIND, "CstmrCdtTrfInitn")
    add_group_header(body, message_id, made_at, amounts, currency, by.name)
    payment = add(body, "PmtInf")
    add(payment, "PmtInfId", message_id)
    add(payment, "PmtMtd", "TRF")
    add(payment, "BtchBookg", "false")
    add_sums(payment, amounts, currency)
    sepa = currency == "EUR" and all(one.iban is not None for one in (by, *(transfer.to for transfer in transfers)))
    if sepa:
        add(payment, "PmtTpInf/SvcLvl/Cd", "SEPA")
    add(payment, "ReqdExctnDt/Dt", on.isoformat())
    add(payment, "Dbtr/Nm", by.name)
    add_account(payment, "DbtrAcct", by, currency)
    add_agent(payment, "DbtrAgt", by)
    add(payment, "ChrgBr", "SLEV" if sepa else "SHAR")
    for one in transfers:
        transaction = add(payment, "CdtTrfTxInf")
        add(transaction, "PmtId/InstrId", one.reference)
        add(transaction, "PmtId/EndToEndId", one.reference)
        add_amount(transaction, "Amt/InstdAmt", one.amount, currency)
        add_agent(transaction, "CdtrAgt", one.to, optional=True)
        add(transaction, "Cdtr/Nm", one.to.name[:SEPA_NAME_MAX] if sepa else one.to.name)
        add_account(transaction, "CdtrAcct", one.to)
        add(transaction, "Purp/Cd", PURPOSE)
        add(transaction, "RmtInf/Ustrd", one.text)
    return to_bytes(document)
