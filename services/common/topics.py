"""Making the topics: a step of deploying, never left to auto-creation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from schemas.sql import named_queries
from schemas.topics import TOPICS, Topic
from services.common.kafka import MAX_RECORD_BYTES, client_options

_ALREADY_EXISTS: Final = 36
_LED_WITHIN_S: Final = 30.0
_REPLICAS: Final = 3  # with acks=all and one fewer in sync: no acknowledged event is lost with one broker


class CannotCreateTopics(Exception):
    """Kafka refused a topic; the text names it and Kafka's reason."""


async def create_topics(bootstrap: str, pool_or_url: asyncpg.Pool | str, prefix: str = "") -> None:
    """Make every topic of `schemas.topics.TOPICS` as prefix + name, and the position rows of the input topics at 0.

    Does nothing where all is there; adds partitions where a topic has fewer than wanted, and their rows.
    """
    async with _admin(bootstrap) as admin:
        await _create(admin, TOPICS, prefix)
        await _add_partitions(admin, TOPICS, prefix)
        await _wait_until_led(admin, TOPICS, prefix)
    async with _connection(pool_or_url) as connection:
        await connection.executemany(named_queries("deploy")["add_position"], positions(TOPICS, prefix))


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
    safety = {"max.message.bytes": str(MAX_RECORD_BYTES), "min.insync.replicas": str(max(1, replicas - 1))}
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
    leaders = await _leaders(admin, topics, prefix)
    wanted = {prefix + topic.name: topic.partitions for topic in topics}
    short = {name: NewPartitions(count) for name, count in wanted.items() if 0 < len(leaders[name]) < count}
    if short:
        await admin.create_partitions(short)


async def _wait_until_led(admin: AIOKafkaAdminClient, topics: Iterable[Topic], prefix: str) -> None:
    """A broker answers for a new topic before its partitions have leaders: who writes then is refused."""
    wanted = {prefix + topic.name: topic.partitions for topic in topics}
    async with asyncio.timeout(_LED_WITHIN_S):
        while True:
            leaders = await _leaders(admin, topics, prefix)
            if all(sum(leader >= 0 for leader in leaders[name]) >= count for name, count in wanted.items()):
                return
            await asyncio.sleep(0.05)


async def _leaders(admin: AIOKafkaAdminClient, topics: Iterable[Topic], prefix: str) -> dict[str, list[int]]:
    """Return the leader of each partition by topic: below 0 where there is none yet, no entry where no partition."""
    names = [prefix + topic.name for topic in topics]
    told = await admin.describe_topics(names)
    return {name: [] for name in names} | {
        each["topic"]: [partition["leader"] for partition in each["partitions"]] for each in told
    }


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
