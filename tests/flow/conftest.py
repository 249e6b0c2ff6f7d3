"""One platform with all four services and a real SMTP server, for all stories."""

import email
import email.policy
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller

from lendlog.platform import platform
from lendlog.servers.processes import free_port
from shared.settings import PlatformSettings
from tests.flow.steps import Office


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stories run in the loop of the platform, whose supervisor lives there; they own its processes."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.servers)


class _Taking:
    """Takes every message."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        message["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        self.messages.append(message)
        return "250 taken"


@pytest.fixture(scope="session")
def smtp() -> Iterator[_Taking]:
    """An SMTP server at any free port of the loopback; services find it by LENDLOG_SMTP_URL."""
    taking = _Taking()
    controller = Controller(taking, hostname="127.0.0.1", port=free_port(0, []))
    controller.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LENDLOG_SMTP_URL", f"smtp://127.0.0.1:{controller.port}")
        yield taking
    controller.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(
    tmp_path_factory: pytest.TempPathFactory, kafka_jars: Path, smtp: _Taking
) -> AsyncIterator[tuple[Any, _Taking]]:
    """The platform, in a home of its own."""
    home = tmp_path_factory.mktemp("flow")
    settings = PlatformSettings(
        home=home, postgres_port=0, kafka_port=0, api_port=0, metrics_port=0, ledger_workers=1,
        postgres_url=None, kafka_bootstrap=None,
    )  # fmt: skip
    async with platform(settings) as one:
        yield one, smtp
    shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def lender(running: tuple[Any, _Taking]) -> AsyncIterator[Office]:
    """The lender; stories share the book and go on from its open date."""
    async with httpx.AsyncClient(timeout=30) as http:
        one = Office(running[0], http, running[1].messages)
        yield one
        await one.close()
