"""Accounts of borrowers at the moment of debiting them: read from origination one by one, each reading noted there."""

from collections.abc import Iterable
from urllib.parse import quote

import aiohttp

from lendlog.platform import Platform
from services.ledger.bank.pain_parts import Party
from shared.errors import MissingPrecondition

TIMEOUT_SECONDS = 30.0
NONE = (404, 409, 410)
"""No such account or borrower, or erased."""


async def debtors(platform: Platform, borrower_ids: Iterable[str]) -> dict[str, Party]:
    """By borrower id, those with an account that an IBAN names. Raises MissingPrecondition where origination does not
    answer."""
    url, found = platform.api_url("origination"), dict[str, Party]()
    headers = {"Authorization": f"Bearer {platform.tokens()['service']}"}
    timeout = aiohttp.ClientTimeout(total=None, sock_read=TIMEOUT_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            for borrower_id in sorted(set(borrower_ids)):
                path = f"/v1/parties/{quote(borrower_id, safe='')}/account"
                async with session.get(url + path, params={"purpose": "direct-debit"}) as answer:
                    if answer.status in NONE:
                        continue
                    if answer.status != 200:
                        raise MissingPrecondition(f"Origination answered {answer.status}: look at its logs.")
                    document = await answer.json()
                if document["iban"] is not None:
                    found[borrower_id] = Party(document["holder"], iban=document["iban"], bic=document["bic"])
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise MissingPrecondition(f"Origination does not answer: {type(error).__name__}.") from error
    return found
