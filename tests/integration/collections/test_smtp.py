"""The SMTP adapter against a real server: three ways in which a sending can end, and the line's encryption."""

import asyncio
import ssl
from pathlib import Path

import pytest

from services.collections.channel import Failed, Message, SendOutcome, Sent, Unclear
from services.collections.smtp import Smtp, SmtpServer
from shared.errors import MissingPrecondition
from tests.integration.collections.post import Taking, certificate, post

SENDER, TO = "lender@lender.example", "li.hua@borrowers.example"
MESSAGE = Message("0190-a", "来自贷款机构的通知", "您好:\n\n还款日为明日。\n", "zh-CN")


async def send(port: int, options: str = "", *, scheme: str = "smtp", **more: object) -> SendOutcome:
    server = SmtpServer.of(f"{scheme}://127.0.0.1:{port}{options}")
    return await Smtp(server, SENDER, timeout=2.0, **more).send(TO, MESSAGE)  # type: ignore[arg-type] # a context


async def test_a_message_arrives_whole() -> None:
    taking = Taking()
    async with post(taking) as port:
        assert await send(port) == Sent()
    (mail,) = taking.messages
    assert taking.recipients == [TO]
    assert (mail["subject"], mail["message-id"]) == (MESSAGE.subject, "<0190-a@lender.example>")
    assert mail.get_content().replace("\r\n", "\n") == MESSAGE.text


async def test_what_the_server_refuses_has_failed_and_its_words_are_kept_without_the_address() -> None:
    taking = Taking()
    taking.refuse_recipient = f"550 5.1.1 no such mailbox <{TO}>"
    async with post(taking) as port:
        assert await send(port) == Failed("550 5.1.1 no such mailbox <<address>>")
        taking.refuse_recipient, taking.refuse_message = None, "554 5.6.0 we do not like it"
        assert await send(port) == Failed("554 5.6.0 we do not like it")
    assert taking.messages == []


async def test_without_a_server_it_has_failed() -> None:
    async with post(Taking()) as port:
        pass
    assert isinstance(await send(port), Failed)


async def test_a_line_lost_after_data_leaves_it_unclear() -> None:
    taking = Taking()
    taking.cut_after_data = True
    async with post(taking) as port:
        ended = await send(port)
    assert isinstance(ended, Unclear), ended
    assert len(taking.messages) == 1  # the server has it, and the sender can't know


async def test_a_server_that_falls_silent_after_data_leaves_it_unclear() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
            elif line == b".\r\n":
                break
            elif line.upper().startswith((b"EHLO", b"MAIL", b"RCPT")):
                writer.write(b"250 OK\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        ended = await send(server.sockets[0].getsockname()[1])
        await gone.wait()
    assert isinstance(ended, Unclear), ended


async def test_starttls_when_required_is_used_and_a_server_without_it_gets_nothing(tmp_path: Path) -> None:
    theirs, ours = certificate(tmp_path)
    taking = Taking()
    async with post(taking, tls_context=theirs) as port:
        assert await send(port, "?starttls=require", context=ours) == Sent()
    async with post(taking) as port:
        assert isinstance(await send(port, "?starttls=require", context=ours), Failed)
    assert taking.over_tls == [True]


async def test_smtps_speaks_tls_from_the_first_byte_and_checks_the_certificate(tmp_path: Path) -> None:
    theirs, ours = certificate(tmp_path)
    taking = Taking()
    async with post(taking, tls=theirs) as port:
        assert await send(port, scheme="smtps", context=ours) == Sent()
        assert isinstance(await send(port, scheme="smtps", context=ssl.create_default_context()), Failed)
    assert len(taking.messages) == 1


def test_a_password_never_goes_in_the_clear_and_a_wrong_url_is_said_without_it() -> None:
    assert SmtpServer.of("smtp://user:secret@mail.example").starttls == "require"
    assert SmtpServer.of("smtps://user:p%40ss@mail.example").password == "p@ss"
    for wrong in ("http://mail.example", "smtp://u:secret@mail.example?starttls=maybe", "smtp://"):
        with pytest.raises(MissingPrecondition) as refused:
            SmtpServer.of(wrong)
        assert "secret" not in str(refused.value)
