"""Borrowers' bank accounts, asked of origination at the moment of making a file to the bank; each reading is noted
there. They are in this process's memory and in the file, and nowhere else."""

import asyncio
from collections.abc import Iterable
from urllib.parse import quote

import aiohttp

from services.ledger.bank.pain_parts import Party
from shared.errors import MissingPrecondition

AT_ONCE = 8
"""Requests under way: a run of thousands does not drown the others who ask."""
TIMEOUT_SECONDS = 30.0
NONE = (404, 409)
"""No account, no such borrower, or erased."""


async def accounts_of(url: str, token: str, borrower_ids: Iterable[str], purpose: str) -> dict[str, Party]:
    """The accounts of those of these borrowers who have one, by borrower id. `url`: of origination's API; `token`: one
    of role accountant; `purpose`: pay-out or direct-debit. Raises MissingPrecondition if any can't be read: a file
    without them would pass for whole."""
    turn = asyncio.Semaphore(AT_ONCE)
    headers, timeout = {"Authorization": f"Bearer {token}"}, aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(url.rstrip("/"), headers=headers, timeout=timeout) as session:

        async def one(borrower_id: str) -> tuple[str, Party | None]:
            path = f"/v1/parties/{quote(borrower_id, safe='')}/account"
            try:
                async with turn, session.get(path, params={"purpose": purpose}) as answer:
                    if answer.status in NONE:
                        return borrower_id, None
                    if answer.status != 200:
                        raise MissingPrecondition(f"Origination answers {answer.status} for an account: see its log.")
                    said = await answer.json()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise MissingPrecondition(f"Origination's API does not answer: {type(error).__name__}.") from None
            named = {name: said[name] for name in ("iban", "number", "bank_code", "clearing", "bic")}
            return borrower_id, Party(name=said["holder"], **named)

        found = await asyncio.gather(*(one(borrower_id) for borrower_id in sorted(set(borrower_ids))))
    return {borrower_id: party for borrower_id, party in found if party is not None}
