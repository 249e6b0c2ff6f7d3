"""A bank statement as it was read, whatever its format: dumb data, and the checks that need no other statement."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date

from services.ledger.bank.references import kept
from services.ledger.bank.refusals import NotAStatement, WrongChecksum
from shared.errors import Refusal
from shared.events.bank import LINES_MAX
from shared.money import MAX_MINOR, decimal_text, minor_units


@dataclass(frozen=True, slots=True)
class Line:
    """One booked movement in minor units, money in positive. `tokens` may name a loan or a payment (see references);
    `returned`: the bank says that it takes an earlier movement back; `code`: and why (external return reason);
    `counterparty`: the number of the account on the other side, to tell one's own by."""

    n: int
    booked_on: date
    value_date: date
    amount: int
    reference: str | None = None
    bank_reference: str | None = None
    tokens: tuple[str, ...] = ()
    returned: bool = False
    code: str | None = None
    counterparty: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of one account. `number` is the account's as the bank has it: an IBAN, or another id."""

    number: str
    statement_id: str
    sequence: int | None
    currency: str
    opens: date
    closes: date
    opening: int
    closing: int
    lines: tuple[Line, ...]
    pending: int = 0

    def digest(self) -> str:
        """SHA-256 of what was read; but for reasons of returns and counterparties' accounts, which statements that were
        taken before do not have."""
        read = asdict(self)
        for line in read["lines"]:
            del line["code"], line["counterparty"]
        return hashlib.sha256(json.dumps(read, default=str, sort_keys=True).encode()).hexdigest()


def checked(statement: Statement) -> Statement:
    """The statement, if it holds in itself. Raises WrongChecksum, NotAStatement."""
    where = f"Statement {statement.statement_id}"
    if statement.closes < statement.opens:
        raise NotAStatement(f"{where} ends on {statement.closes}, before it begins on {statement.opens}.")
    if len(statement.lines) > LINES_MAX:
        raise NotAStatement(f"{where} has {len(statement.lines)} lines; at most {LINES_MAX} are taken.")
    total = statement.opening + sum(line.amount for line in statement.lines)
    if total != statement.closing:
        code = statement.currency
        raise WrongChecksum(
            f"{where}: opening {decimal_text(statement.opening, code)} and its lines make {decimal_text(total, code)}, "
            f"its closing balance is {decimal_text(statement.closing, code)}."
        )
    for line in statement.lines:
        if line.booked_on > statement.closes:
            raise NotAStatement(f"{where}: line {line.n} is booked on {line.booked_on}, after it ends.")
    return statement


def usable_id(text: str) -> str:
    """The bank's id of a statement, or a hash of it where it has no form that may stand on the log."""
    return kept(text) or f"id-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def amount_of(text: str, currency: str, where: str) -> int:
    """Minor units of a plain decimal amount. Raises NotAStatement that says where."""
    whole, point, decimals = text.strip().partition(".")
    try:
        minor = minor_units((whole.lstrip("0") or "0") + point + (decimals or ("0" if point else "")), currency)
    except Refusal as refusal:
        raise NotAStatement(f"{where}: {refusal.detail}") from refusal
    assert minor <= MAX_MINOR
    return minor
