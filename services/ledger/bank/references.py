"""What of a line's texts may be kept, and what of it may name something of ours.

Kept is what has the form of a reference (`shared.events.bank.BankReference`) and holds a digit, and is nobody's account
number. Names and remittance texts stay in memory for as long as a statement is matched, as tokens.
"""

import re
from collections.abc import Iterable
from uuid import UUID

from stdnum import iban

_REFERENCE = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_UNHYPHENATED = re.compile(r"[0-9A-Fa-f]{32}")
NOT_PROVIDED = "NOTPROVIDED"
"""What ISO 20022 rules ask banks to write where the payer gave no end-to-end id."""


def kept(text: str | None) -> str | None:
    """The text if it may stand on the log, else None."""
    if text is None or not _REFERENCE.fullmatch(text) or text == NOT_PROVIDED:
        return None
    return text if any(map(str.isdigit, text)) and not iban.is_valid(text) else None


def tokens(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Everything in the texts that could be an id of ours, as it stands and in lower case (banks write capitals),
    sorted."""
    found = set[str]()
    for text in texts:
        for word in _TOKEN.findall(text or ""):
            for one in (word, word.rstrip(".:/-"), *re.split(r"[:/]", word)):
                if one and any(map(str.isdigit, one)):
                    found |= {one, one.lower()}
                if _UNHYPHENATED.fullmatch(one):  # the end-to-end id of a file of ours: see pain_parts.reference_of
                    found.add(str(UUID(one)))
    return tuple(sorted(found))
