"""Reads an address from origination's contact API at the moment of sending; nothing of it is kept here."""

from types import TracebackType
from urllib.parse import quote

import aiohttp

from services.collections.channel import AddressUnavailable

TIMEOUT_SECONDS = 10.0
NOT_FOUND = (404, 409, 410)
"""No such address or party, or erased."""


class OriginationAddresses:
    """Implements `channel.AddressBook`, as an asynchronous context manager."""

    def __init__(self, url: str, token: str) -> None:
        """`url`: of origination's API; `token`: one of role `service`."""
        self._url, self._token = url.rstrip("/"), token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "OriginationAddresses":
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        headers = {"Authorization": f"Bearer {self._token}"}
        self._session = aiohttp.ClientSession(timeout=timeout, headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def address(self, borrower_id: str, channel: str, purpose: str) -> str | None:
        """The borrower's address on this channel; None: there is none, or not any more."""
        if not self._url:
            raise AddressUnavailable("LENDLOG_ORIGINATION_URL is not set")
        assert self._session is not None
        path = f"/v1/parties/{quote(borrower_id, safe='')}/contact/{quote(channel, safe='')}"
        try:
            async with self._session.get(self._url + path, params={"purpose": purpose}) as answer:
                if answer.status in NOT_FOUND:
                    return None
                if answer.status != 200:
                    raise AddressUnavailable(f"origination answered {answer.status}")
                document = await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AddressUnavailable(f"origination does not answer: {type(error).__name__}") from error
        return str(document["address"])
