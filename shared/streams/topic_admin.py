"""Topics on the broker: `lendlog run` creates them, services verify them and refuse to start on a difference (D5)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from shared.errors import MissingPrecondition
from shared.topics import TOPICS, Topic

TIMEOUT_MS = 30_000
LEADERS_SECONDS_MAX = 30


async def ensure_topics(
    bootstrap: str, *, prefix: str = "", topics: Sequence[Topic] = TOPICS, partitions: int | None = None
) -> list[str]:
    """Create the topics that are missing, with every setting explicit, and verify all of them.

    `prefix` goes before each name; `partitions` overrides the map's number. Returns the names that were created.
    """
    async with _client(bootstrap) as client:
        there = set(await client.list_topics())
        missing = [topic for topic in topics if prefix + topic.name not in there]
        new = [
            NewTopic(prefix + topic.name, partitions or topic.partitions, 1, topic_configs=topic.config())
            for topic in missing
        ]
        if new:
            answer = await client.create_topics(new, timeout_ms=TIMEOUT_MS)
            for name, code, message in ((*error[:2], error[-1]) for error in answer.topic_errors):
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise MissingPrecondition(
                        f"Topic {name} could not be created: {message or for_code(code).__name__}."
                    )
        await _verify(client, prefix, topics, partitions, created=True)
    return [prefix + topic.name for topic in missing]


async def verify_topics(
    bootstrap: str, *, prefix: str = "", topics: Sequence[Topic] = TOPICS, partitions: int | None = None
) -> None:
    """Refuse (MissingPrecondition) unless every topic is there with its number of partitions and its settings."""
    async with _client(bootstrap) as client:
        await _verify(client, prefix, topics, partitions)


async def delete_topics(bootstrap: str, *, prefix: str = "", topics: Sequence[Topic] = TOPICS) -> None:
    """Delete the topics that are there. For tests: a log of record is never deleted."""
    async with _client(bootstrap) as client:
        there = set(await client.list_topics())
        if names := [prefix + topic.name for topic in topics if prefix + topic.name in there]:
            await client.delete_topics(names, timeout_ms=TIMEOUT_MS)


async def _verify(
    client: Any, prefix: str, topics: Sequence[Topic], partitions: int | None, *, created: bool = False
) -> None:
    names = [prefix + topic.name for topic in topics]
    counts = await _partition_counts(client, names, created=created)
    settings = await _settings(client, names)
    for topic in topics:
        name = prefix + topic.name
        wanted = partitions or topic.partitions
        if counts[name] != wanted:
            raise MissingPrecondition(
                f"Topic {name} has {counts[name]} partitions, not {wanted}: growing a topic moves its keys, so a new "
                "one must be filled by replay."
            )
        for setting, value in topic.config().items():
            if settings[name].get(setting) != value:
                raise MissingPrecondition(
                    f"Topic {name} has {setting}={settings[name].get(setting)}, not {value}: set it with kafka-configs."
                )


async def _partition_counts(client: Any, names: Sequence[str], *, created: bool) -> dict[str, int]:
    """Partitions by topic, once each has a leader: a topic that was just `created` needs a moment to be seen at all."""
    for _ in range(LEADERS_SECONDS_MAX * 10):
        described = {topic["topic"]: topic for topic in await client.describe_topics(list(names))}
        missing = [name for name in names if not described.get(name, {}).get("partitions")]
        if not missing and all(
            partition["leader"] >= 0 for topic in described.values() for partition in topic["partitions"]
        ):
            return {name: len(described[name]["partitions"]) for name in names}
        if missing and not created:
            raise MissingPrecondition(f"Topic {missing[0]} is missing: run `lendlog run`, which creates it.")
        await asyncio.sleep(0.1)
    raise MissingPrecondition(f"No leader for every partition of {', '.join(names)} within {LEADERS_SECONDS_MAX} s.")


async def _settings(client: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Settings in force, by topic."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for answer in await client.describe_configs(resources):
        for _code, _message, _kind, name, entries in answer.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


@asynccontextmanager
async def _client(bootstrap: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=TIMEOUT_MS)
    try:
        await client.start()
        yield client
    except KafkaConnectionError as error:
        raise MissingPrecondition(
            f"No broker answers at {bootstrap}: start it (`lendlog run`), or set LENDLOG_KAFKA_BOOTSTRAP."
        ) from error
    finally:
        await client.close()
