"""One real Apache Kafka and one real PostgreSQL for the whole session, a place of its own for each test."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lendlog.platform import Platform
from lendlog.platform import servers as start_servers
from lendlog.servers.home import Home
from lendlog.servers.java import jars
from shared.settings import PlatformSettings
from tests.places import Place, new_place

REPOSITORY = Path(__file__).parent.parent
BERKA = Path(os.environ.get("LENDLOG_BERKA", "../shared/data/berka"))

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that own, stop or kill servers come last: what they burden is no longer in use."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without the data set its tests are skipped by name; continuous integration has it, or fails."""
    if item.get_closest_marker("berka") and not (BERKA / "loan.asc").is_file() and os.environ.get("CI") != "true":
        pytest.skip(f"the Berka data set is not in {BERKA}: set LENDLOG_BERKA")


@pytest.fixture(scope="session")
def kafka_jars() -> Iterator[Path]:
    """The broker's jars, fetched once into the repository's own .lendlog; children find them by LENDLOG_KAFKA_JARS."""
    with pytest.MonkeyPatch.context() as patch:
        folder = asyncio.run(jars(Home(REPOSITORY / ".lendlog")))
        patch.setenv("LENDLOG_KAFKA_JARS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Running servers: those that LENDLOG_ variables name, else embedded ones at any free port."""
    if not os.environ.get("LENDLOG_KAFKA_BOOTSTRAP"):
        request.getfixturevalue("kafka_jars")
    home = tmp_path_factory.mktemp("home")
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = start_servers(PlatformSettings(home=home, postgres_port=0, kafka_port=0))
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def places(servers: Platform) -> AsyncIterator[Callable[..., Awaitable[Place]]]:
    """Makes places (`await places(partitions=2, services=("ledger", "monitoring"))`), removed after the test."""
    made: list[Place] = []

    async def make(partitions: int = 8, services: tuple[str, ...] = ("ledger",)) -> Place:
        made.append(new_place(servers, partitions, services))
        await made[-1].create()
        return made[-1]

    yield make
    for place in made:
        await place.drop()


@pytest.fixture
async def place(places: Callable[..., Awaitable[Place]]) -> Place:
    """Schemas and topics of eight partitions for one test."""
    return await places()
