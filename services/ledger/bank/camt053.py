"""ISO 20022 camt.053 (BankToCustomerStatement) as statements; versions .02 to .13 alike, since elements are found by
local name. Source: the message definitions on iso20022.org.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from services.ledger.bank.camt_entries import lines_of
from services.ledger.bank.camt_nodes import all_of, at, day_of, root_of, text_at
from services.ledger.bank.refusals import (
    NotAStatement,
    OtherCurrencyThanAccount,
    StatementEmpty,
    SummaryDiffers,
)
from services.ledger.bank.statement import Line, Statement, amount_of, checked, usable_id
from shared.money import decimal_text

_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)
"""Opening booked, or closing booked of the statement before; closing booked. External code set, balance type."""


def read_camt053(content: bytes) -> list[Statement]:
    """The statements of a document, in its order. Raises the refusals of this folder by name."""
    if (body := at(root_of(content), "BkToCstmrStmt")) is None:
        raise NotAStatement("The document is no camt.053: it has no BkToCstmrStmt.")
    found = [checked(_statement(node)) for node in all_of(body, "Stmt")]
    if not found:
        raise StatementEmpty("The document has no statement (Stmt).")
    return found


def _statement(node: Any) -> Statement:
    stated = text_at(node, "Id")
    if stated is None:
        raise NotAStatement("A statement has no Id.")
    where = f"Statement {usable_id(stated)}"
    number = text_at(node, "Acct/Id/IBAN") or text_at(node, "Acct/Id/Othr/Id")
    if number is None:
        raise NotAStatement(f"{where} names no account (Acct/Id).")
    opening, opens, currency = _balance(node, _OPENING, where)
    closing, closes, other = _balance(node, _CLOSING, where)
    named = text_at(node, "Acct/Ccy")
    if len({currency, other, named or currency}) > 1:
        raise OtherCurrencyThanAccount(f"{where}: balances are in {currency} and {other}, the account in {named}.")
    opens = day_of(at(node, "FrToDt"), "FrDtTm", "FrDt") or opens
    closes = day_of(at(node, "FrToDt"), "ToDtTm", "ToDt") or closes
    lines, entries, pending = lines_of(node, currency, where)
    _check_summary(node, entries, currency, where)
    sequence = text_at(node, "ElctrncSeqNb") or text_at(node, "LglSeqNb")
    if sequence is not None and not (sequence.isdecimal() and len(sequence) <= 18):
        raise NotAStatement(f"{where}: its sequence number is no number.")
    return Statement(
        number=number.replace(" ", ""),
        statement_id=usable_id(stated),
        sequence=int(sequence) if sequence is not None else None,
        currency=currency,
        opens=min(opens, closes),
        closes=closes,
        opening=opening,
        closing=closing,
        lines=tuple(_numbered(lines)),
        pending=pending,
    )


def _numbered(lines: list[dict[str, Any]]) -> Iterator[Line]:
    for n, fields in enumerate(lines, start=1):
        yield Line(n=n, **fields)


def _balance(node: Any, kinds: tuple[str, ...], where: str) -> tuple[int, date, str]:
    """Signed minor units, date and currency of the first balance of the first of these kinds that is there."""
    for kind in kinds:
        for balance in all_of(node, "Bal"):
            if text_at(balance, "Tp/CdOrPrtry/Cd") != kind:
                continue
            amount, on = at(balance, "Amt"), day_of(at(balance, "Dt"), "Dt", "DtTm")
            if amount is None or on is None:
                raise NotAStatement(f"{where}: the balance {kind} has no amount or no date.")
            currency = amount.get("Ccy") or ""
            minor = amount_of(amount.text or "", currency, f"{where}, balance {kind}")
            return (-minor if text_at(balance, "CdtDbtInd") == "DBIT" else minor), on, currency
    raise NotAStatement(f"{where} has no balance of type {' or '.join(kinds)}.")


def _check_summary(node: Any, entries: list[tuple[int, bool]], currency: str, where: str) -> None:
    """The statement's TxsSummry, where it is given, counts its entries: those booked, or all of them."""
    summary = at(node, "TxsSummry")
    if summary is None:
        return
    booked = [amount for amount, is_booked in entries if is_booked]
    whole = [amount for amount, _ in entries]
    if (wrong := _wrong(summary, booked, currency, where)) and _wrong(summary, whole, currency, where):
        raise SummaryDiffers(f"{where}: {wrong}.")


def _wrong(summary: Any, amounts: list[int], currency: str, where: str) -> str | None:
    """What in the summary is not so of these signed amounts; None: all is."""
    kinds = {"TtlNtries": amounts, "TtlCdtNtries": [a for a in amounts if a > 0]}
    kinds["TtlDbtNtries"] = [a for a in amounts if a < 0]
    for name, some in kinds.items():
        count, total = text_at(summary, f"{name}/NbOfNtries"), text_at(summary, f"{name}/Sum")
        if count is not None and count.strip() != str(len(some)):
            return f"{name} counts {count} entries, there are {len(some)}"
        if total is not None and amount_of(total, currency, where) != sum(map(abs, some)):
            return f"{name} sums {total}, the entries make {decimal_text(sum(map(abs, some)), currency)}"
    total_node = at(summary, "TtlNtries")
    net = text_at(summary, "TtlNtries/TtlNetNtry/Amt") or text_at(summary, "TtlNtries/TtlNetNtryAmt")
    if net is not None and amount_of(net, currency, where) != abs(sum(amounts)):
        assert total_node is not None
        return f"the net of its entries is {net}, they make {decimal_text(sum(amounts), currency)}"
    return None
