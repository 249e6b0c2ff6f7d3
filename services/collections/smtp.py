"""Sends e-mail over SMTP (RFC 5321), one connection a message.

A server that refuses before the message is through has not taken it: failed. Once DATA was sent, a lost connection
leaves open who has the message (RFC 5321, 4.1.1.4 and 6.1): unclear, and never repeated.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from services.collections.channel import Failed, Message, SendOutcome, Sent, Unclear
from shared.errors import MissingPrecondition

TIMEOUT_SECONDS = 20.0
"""For each step of the dialogue."""
StartTls = Literal["require", "offered", "never"]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where messages go. `tls`: from the first byte (smtps); else `starttls` says whether the line must be upgraded."""

    host: str
    port: int
    tls: bool = False
    starttls: StartTls = "offered"
    username: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str) -> "SmtpServer":
        """From smtp:// or smtps://[user:password@]host[:port][?starttls=require|offered|never]. A password is never
        sent in the clear: with one, STARTTLS is required unless the host is this machine. Raises MissingPrecondition.
        """
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        wanted = options.pop("starttls", ["require" if parts.password and not _here(parts.hostname) else "offered"])[-1]
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or options or wanted not in _STARTTLS:
            raise MissingPrecondition(
                "LENDLOG_SMTP_URL is smtp:// or smtps://[user:password@]host:port[?starttls=require|offered|never]."
            )
        tls = parts.scheme == "smtps"
        return cls(
            parts.hostname,
            parts.port or (465 if tls else 587),
            tls=tls,
            starttls="require" if wanted == "require" else "never" if wanted == "never" else "offered",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


_STARTTLS: Sequence[str] = ("require", "offered", "never")


def _here(host: str | None) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


class Smtp:
    """Implements `channel.Channel`. `context`: which certificates are trusted; None: those that the system trusts."""

    def __init__(
        self,
        server: SmtpServer,
        sender: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._server, self._sender, self._timeout, self._context = server, sender, timeout, context

    async def send(self, address: str, message: Message) -> SendOutcome:
        """Send it once, over a connection of its own."""
        server = self._server
        try:
            mail = self._mail(address, message)
        except ValueError:
            return Failed("the address can't stand in a message")
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls={"require": True, "never": False, "offered": None}[server.starttls] if not server.tls else False,
            username=server.username,
            password=server.password,
            timeout=self._timeout,
            tls_context=self._context,
        )
        try:
            await client.connect()
            await client.mail(self._sender)
            await client.rcpt(address)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            return Failed(_said(error, address))
        try:
            await client.data(mail)
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            return Failed(_said(error, address)) if error.code > 0 else Unclear(_said(error, address))
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            return Unclear(_said(error, address))
        await _leave(client)
        return Sent()

    def _mail(self, address: str, message: Message) -> bytes:
        mail = EmailMessage()
        mail["From"] = self._sender
        mail["To"] = address
        mail["Subject"] = message.subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.message_id}@{self._sender.rpartition('@')[2]}>"
        mail["Content-Language"] = message.language
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic answers, please
        mail.set_content(message.text)
        return mail.as_bytes(policy=SMTP)


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye; the message is through, whatever comes of it."""
    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _said(error: Exception, address: str) -> str:
    """What went wrong, without the address: servers like to repeat it."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        text = f"{error.code} {error.message}"
    elif isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        text = "; ".join(f"{one.code} {one.message}" for one in error.recipients)
    else:
        text = f"{type(error).__name__}: {error}"
    return text.replace(address, "<address>").replace(address.rpartition("@")[0], "<address>")[:300]
