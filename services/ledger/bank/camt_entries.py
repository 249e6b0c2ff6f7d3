"""Entries (Ntry) of a camt.053 statement as the fields of lines."""

import re
from typing import Any

from services.ledger.bank.camt_nodes import all_of, at, day_of, text_at
from services.ledger.bank.references import kept, tokens
from services.ledger.bank.refusals import NotAStatement, OtherCurrencyThanAccount
from services.ledger.bank.statement import amount_of

BOOKED = "BOOK"
RETURNS = ("RRTN", "RPCR", "PRDD", "UPDD", "RDDT", "ARET")
"""Bank transaction sub-families (BkTxCd) of payments and direct debits that are returned, reimbursed or reversed."""

_CODE = re.compile(r"[A-Z0-9]{1,4}")

Fields = dict[str, Any]


def lines_of(node: Any, currency: str, where: str) -> tuple[list[Fields], list[tuple[int, bool]], int]:
    """(fields of the booked lines, every entry's signed amount and whether it is booked, how many are not booked).

    A batch entry whose transactions have amounts that add up to it becomes a line for each; any other entry one line.
    """
    lines: list[Fields] = []
    entries: list[tuple[int, bool]] = []
    for n, entry in enumerate(all_of(node, "Ntry"), start=1):
        here = f"{where}, entry {n}"
        amount = _amount(entry, currency, here)
        is_booked = (text_at(entry, "Sts/Cd") or text_at(entry, "Sts") or BOOKED) == BOOKED
        entries.append((amount, is_booked))
        if is_booked:
            lines += _lines(entry, amount, currency, here)
    return lines, entries, sum(not is_booked for _, is_booked in entries)


def _amount(node: Any, currency: str, here: str) -> int:
    """Signed minor units. Raises OtherCurrencyThanAccount."""
    amount, side = at(node, "Amt"), text_at(node, "CdtDbtInd")
    if amount is None or side not in ("CRDT", "DBIT"):
        raise NotAStatement(f"{here} has no amount, or is neither credit nor debit.")
    if amount.get("Ccy") != currency:
        raise OtherCurrencyThanAccount(f"{here} is in {amount.get('Ccy')}, the account in {currency}.")
    minor = amount_of(amount.text or "", currency, here)
    return -minor if side == "DBIT" else minor


def _lines(entry: Any, amount: int, currency: str, here: str) -> list[Fields]:
    booked_on = day_of(at(entry, "BookgDt"), "Dt", "DtTm") or day_of(at(entry, "ValDt"), "Dt", "DtTm")
    if booked_on is None:
        raise NotAStatement(f"{here} has neither booking nor value date.")
    dates = {"booked_on": booked_on, "value_date": day_of(at(entry, "ValDt"), "Dt", "DtTm") or booked_on}
    details = [tx for group in all_of(entry, "NtryDtls") for tx in all_of(group, "TxDtls")]
    parts = _parts(details, amount, currency, here)
    if len(details) > 1 and parts is not None:
        return [
            dates | _named(entry, [tx]) | _other(tx, part) | {"amount": part} | _returned(entry, [tx])
            for tx, part in zip(details, parts, strict=True)
        ]
    other = _other(details[0], amount) if len(details) == 1 else {}
    return [dates | _named(entry, details) | other | {"amount": amount} | _returned(entry, details)]


def _parts(details: list[Any], amount: int, currency: str, here: str) -> list[int] | None:
    """The signed amounts of an entry's transactions, if each has one in the account's currency and they add up."""
    parts = []
    for tx in details:
        node = at(tx, "Amt") if at(tx, "Amt") is not None else at(tx, "AmtDtls/TxAmt/Amt")
        if node is None or node.get("Ccy") != currency:
            return None
        minor = amount_of(node.text or "", currency, here)
        side = text_at(tx, "CdtDbtInd")
        parts.append(-minor if (side == "DBIT" if side else amount < 0) else minor)
    return parts if sum(parts) == amount else None


def _named(entry: Any, details: list[Any]) -> Fields:
    """References that may be kept, and the tokens in which something of ours may be named."""
    ours = [text_at(tx, f"Refs/{name}") for tx in details for name in ("EndToEndId", "InstrId", "MndtId", "PmtInfId")]
    structured = [
        text_at(one, "CdtrRefInf/Ref")
        for tx in details
        for info in all_of(tx, "RmtInf")
        for one in all_of(info, "Strd")
    ]
    free = [one.text for tx in details for info in all_of(tx, "RmtInf") for one in all_of(info, "Ustrd")]
    single = details[0] if len(details) == 1 else None
    bank = (text_at(single, "Refs/AcctSvcrRef") if single is not None else None) or text_at(entry, "AcctSvcrRef")
    return {
        "reference": kept(text_at(single, "Refs/EndToEndId")) if single is not None else None,
        "bank_reference": kept(bank),
        "tokens": tokens([*ours, *structured, *free, text_at(entry, "AddtlNtryInf")]),
    }


def _other(tx: Any, amount: int) -> Fields:
    """The number of the account that the money came from, or went to."""
    account = f"RltdPties/{'Cdtr' if amount < 0 else 'Dbtr'}Acct/Id"
    number = text_at(tx, f"{account}/IBAN") or text_at(tx, f"{account}/Othr/Id")
    return {"counterparty": number.replace(" ", "") if number is not None else None}


def _returned(entry: Any, details: list[Any]) -> Fields:
    """Whether the bank takes an earlier movement back, and why, where it says so of a single transaction."""
    reasons = {text_at(tx, "RtrInf/Rsn/Cd") for tx in details}
    code = next(iter(reasons)) if len(reasons) == 1 else None
    kinds = [text_at(node, "BkTxCd/Domn/Fmly/SubFmlyCd") for node in (entry, *details)]
    returned = (
        text_at(entry, "RvslInd") in ("true", "1")
        or any(at(tx, "RtrInf") is not None for tx in details)
        or any(kind in RETURNS for kind in kinds)
    )
    return {"returned": returned, "code": code if returned and code and _CODE.fullmatch(code) else None}
