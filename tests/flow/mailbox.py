"""A real SMTP server that keeps what it is given."""

import email
import email.policy
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from lendlog.servers.processes import free_port


class Mailbox:
    """Takes every message, whoever it is for. `start` and `stop` it."""

    def __init__(self) -> None:
        self._messages: list[tuple[list[str], EmailMessage]] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port(0))
        self.meanwhile: Callable[[], None] | None = None
        """Called once, with the next message in hand and before the sender gets its answer."""

    def start(self) -> None:
        """Listen on the loopback, in a thread."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    @property
    def url(self) -> str:
        """Where services send to."""
        return f"smtp://127.0.0.1:{self._controller.port}"

    def to(self, address: str) -> Sequence[str]:
        """The texts of what came for an address, oldest first."""
        return [message.get_content() for to, message in self._messages if address in to]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        """A message has come."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self._messages.append((list(envelope.rcpt_tos), message))
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return "250 taken"
