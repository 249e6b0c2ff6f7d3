"""One platform with all four services and a real SMTP server, for all stories."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from lendlog.platform import Platform, platform
from shared.settings import PlatformSettings
from tests.flow.mailbox import Mailbox
from tests.flow.steps import Office

STORY_SECONDS = 600
"""For a machine with much else to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stories run in the loop of the platform, whose supervisor lives there; they own its processes."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.servers)
            item.add_marker(pytest.mark.timeout(STORY_SECONDS))


@pytest.fixture(scope="package")
def mailbox() -> Iterator[Mailbox]:
    """An SMTP server; services find it by LENDLOG_SMTP_URL."""
    one = Mailbox()
    one.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LENDLOG_SMTP_URL", one.url)
        yield one
    one.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running(
    tmp_path_factory: pytest.TempPathFactory, kafka_jars: Path, mailbox: Mailbox
) -> AsyncIterator[Platform]:
    """The platform, in a home of its own."""
    home = tmp_path_factory.mktemp("flow")
    settings = PlatformSettings(
        home=home, postgres_port=0, kafka_port=0, api_port=0, metrics_port=0, ledger_workers=1,
        postgres_url=None, kafka_bootstrap=None,
    )  # fmt: skip
    async with platform(settings) as one:
        yield one
    shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def lender(running: Platform, mailbox: Mailbox) -> AsyncIterator[Office]:
    """The lender; stories share the book and go on from its open date."""
    async with httpx.AsyncClient(timeout=30) as http:
        one = Office(running, http, mailbox)
        yield one
        await one.close()
