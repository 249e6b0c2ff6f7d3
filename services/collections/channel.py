"""The port to a channel: what sends a message to an address, and the three ways in which that can end."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. `message_id` names the attempt, so that the receiving side can tell a repetition."""

    message_id: str
    subject: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side took the message over."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The message certainly did not go out; it may be tried again as a new attempt. `detail` has no address in it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows whether it went out: the line was lost after the other side may have taken it. Never repeated."""

    detail: str


SendOutcome = Sent | Failed | Unclear


class Channel(Protocol):
    """One way to reach somebody."""

    async def send(self, address: str, message: Message) -> SendOutcome:
        """Send it once. Whatever goes wrong is an outcome, not an exception."""
        ...


class AddressUnavailable(Exception):
    """The address can't be read now; the message says why, and holds no address."""


class AddressBook(Protocol):
    """Where addresses are kept: origination's vault, which notes every reading."""

    async def address(self, borrower_id: str, channel: str, purpose: str) -> str | None:
        """The borrower's address on this channel; None: there is none. Raises AddressUnavailable."""
        ...
