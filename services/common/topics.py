"""Making the topics: a step of deploying, never left to auto-creation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from schemas.topics import TOPICS, Topic
from services.common.kafka import MAX_MESSAGE_BYTES, client_options

_ALREADY_EXISTS: Final = 36
_REPLICAS: Final = 3  # with acks=all and one fewer in sync: no acknowledged event is lost with one broker

# A position is only ever made at 0: where records are missing before the log's start, that is a gap to be told.
_ADD_POSITION: Final = """
INSERT INTO kafka_position (topic, partition) VALUES ($1, $2) ON CONFLICT (topic, partition) DO NOTHING
"""


class CannotCreateTopics(Exception):
    """Kafka refused a topic; the text names it and Kafka's reason."""


async def create_topics(bootstrap: str, pool_or_url: asyncpg.Pool | str, prefix: str = "") -> None:
    """Make every topic of `schemas.topics.TOPICS` as prefix + name, and the position rows of the input topics at 0.

    Does nothing where all is there; adds partitions where a topic has fewer than wanted, and their rows.
    """
    async with _admin(bootstrap) as admin:
        await _create(admin, TOPICS, prefix)
        await _add_partitions(admin, TOPICS, prefix)
    async with _connection(pool_or_url) as connection:
        await connection.executemany(_ADD_POSITION, positions(TOPICS, prefix))


def positions(topics: Iterable[Topic], prefix: str = "") -> list[tuple[str, int]]:
    """Return (full topic name, partition) of every position row: one per partition of the topics that need order."""
    return [
        (prefix + topic.name, partition)
        for topic in topics
        if topic.on_gap in {"halt", "note"}
        for partition in range(topic.partitions)
    ]


async def _create(admin: AIOKafkaAdminClient, topics: Iterable[Topic], prefix: str) -> None:
    replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
    safety = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "min.insync.replicas": str(max(1, replicas - 1))}
    wanted = [
        NewTopic(prefix + topic.name, topic.partitions, replicas, topic_configs={**safety, **topic.config})
        for topic in topics
    ]
    answer = await admin.create_topics(wanted)
    for name, code, *reason in answer.topic_errors:
        if code not in {0, _ALREADY_EXISTS}:
            raise CannotCreateTopics(
                f"Kafka refused the topic {name}: error {code} {' '.join(map(str, reason))}".strip()
            )


async def _add_partitions(admin: AIOKafkaAdminClient, topics: Iterable[Topic], prefix: str) -> None:
    wanted = {prefix + topic.name: topic.partitions for topic in topics}
    found = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(list(wanted))}
    short = {name: NewPartitions(count) for name, count in wanted.items() if 0 < found.get(name, 0) < count}
    if short:
        await admin.create_partitions(short)


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _connection(pool_or_url: asyncpg.Pool | str) -> AsyncIterator[Any]:
    if isinstance(pool_or_url, str):
        connection = await asyncpg.connect(pool_or_url, timeout=10)
        try:
            yield connection
        finally:
            await connection.close()
    else:
        async with pool_or_url.acquire() as lent:
            yield lent
