"""ISO 20022 pain.002 (CustomerPaymentStatusReport) as the items of runs that the bank rejects; versions alike, since
elements are found by local name. Source: the message definitions on iso20022.org.

RJCT of a transaction rejects one item; of a payment information or the whole group, with no transaction named, all of
its items. Any other status (ACCP, ACSC …) says nothing of money: that is for the statement to say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.ledger.bank.camt_nodes import all_of, at, root_of, text_at
from services.ledger.debits.refusals import NotAStatusReport

REJECTED = "RJCT"
NO_REASON = "NARR"
"""What stands for a reason that the bank gives in words alone, or not at all: those are not kept."""
_CODE = re.compile(r"[A-Z0-9]{4}")


@dataclass(frozen=True, slots=True)
class Rejected:
    """What a report rejects: an item by its `reference`; or, where that is None, all items of payment information
    `group`; or, where that is None too, of the whole run."""

    run_id: str
    code: str
    group: str | None = None
    reference: str | None = None


def read_pain002(content: bytes) -> list[Rejected]:
    """What the report rejects, in its order. Raises NotAStatusReport, HostileXml, NotXml."""
    if (body := at(root_of(content), "CstmrPmtStsRpt")) is None:
        raise NotAStatusReport("The document is no pain.002: it has no CstmrPmtStsRpt.")
    whole = at(body, "OrgnlGrpInfAndSts")
    if (run_id := text_at(whole, "OrgnlMsgId")) is None:
        raise NotAStatusReport("The report names no original message (OrgnlMsgId).")
    named = list(_groups(body, run_id))
    if not named and text_at(whole, "GrpSts") == REJECTED:
        return [Rejected(run_id, _reason(whole) or NO_REASON)]
    return named


def _groups(body: Any, run_id: str) -> Iterator[Rejected]:
    for group in all_of(body, "OrgnlPmtInfAndSts"):
        name, code = text_at(group, "OrgnlPmtInfId"), _reason(group)
        found = list(all_of(group, "TxInfAndSts"))
        for one in found:
            if text_at(one, "TxSts") == REJECTED:
                if (reference := text_at(one, "OrgnlEndToEndId")) is None:
                    raise NotAStatusReport("A rejected transaction has no OrgnlEndToEndId.")
                yield Rejected(run_id, _reason(one) or code or NO_REASON, name, reference)
        if not found and text_at(group, "PmtInfSts") == REJECTED:
            yield Rejected(run_id, code or NO_REASON, name)


def _reason(node: Any) -> str | None:
    """The first reason that is a code."""
    codes = (text_at(one, "Rsn/Cd") for one in all_of(node, "StsRsnInf"))
    return next((code for code in codes if code and _CODE.fullmatch(code)), None)
