"""Events that could not be applied."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer

from schemas.sql import named_queries
from services.common.kafka import producer_options
from services.query.commands.context import Context
from services.query.commands.operating import listed, operating
from services.query.commands.words import from_1_to, verb

_SQL: Final = named_queries("operations")
_BATCH: Final = 200


def words(actions: Any) -> None:
    """Add the verbs."""
    listing = verb(actions, "list", "list what could not be applied, newest first, without its content", list_all)
    listing.add_argument("--reason", help="only this reason")
    listing.add_argument("--limit", type=from_1_to(100_000), default=50, help="at most so many (50)")
    replaying = verb(actions, "replay", "publish what is kept to its topic again, once each", replay)
    replaying.add_argument("--reason", help="only this reason")
    replaying.add_argument("--topic", help="only this topic")


async def list_all(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("topic", "epoch", "partition", "offset", "appended", "organization", "reason", "detail", "replayed")
    return await listed(context, "rejects", _SQL["list_rejects"], titles, arguments.reason, arguments.limit)


async def replay(context: Context, arguments: argparse.Namespace) -> str:
    """Publish kept events again. Each is marked in the transaction that publishes it; a second copy does no harm.

    What was appended after the newest event kept at the start waits for the next replay: an event that is rejected
    again comes back as a new one, and would be published without end.
    """
    bootstrap = context.setting("kafka_bootstrap", "where Kafka is, as host:port")
    producer = AIOKafkaProducer(**producer_options(bootstrap))
    replayed = 0
    try:
        await producer.start()
        newest = await _newest_reject(context)
        while batch := await _replay_batch(context, producer, arguments, newest):
            replayed += batch
    finally:
        await producer.stop()
    if not replayed:
        async with operating(context.database_url) as operator:
            await operator.note("rejects_replayed", None, count=0, reason=arguments.reason, topic=arguments.topic)
    return f"{replayed} replayed."


async def _newest_reject(context: Context) -> datetime | None:
    """Return when the newest kept event was appended, by the broker's clock: it dates what is published again too."""
    async with operating(context.database_url) as operator:
        newest: datetime | None = await operator.connection.fetchval(_SQL["newest_reject"])
    return newest


async def _replay_batch(
    context: Context, producer: AIOKafkaProducer, arguments: argparse.Namespace, newest: datetime | None
) -> int:
    async with operating(context.database_url) as operator:
        rows = await operator.connection.fetch(
            _SQL["take_rejects"], arguments.reason, arguments.topic, _BATCH, operator.now, newest
        )
        sent = [
            await producer.send(row["topic"], row["payload"], key=row["key"], headers=_headers(row["headers"]))
            for row in rows
        ]
        for each in sent:
            await each
        if rows:
            await operator.note(
                "rejects_replayed", None, count=len(rows), reason=arguments.reason, topic=arguments.topic
            )
    return len(rows)


def _headers(packed: bytes | None) -> list[tuple[str, bytes]]:
    return [(name, value) for name, value in msgspec.msgpack.decode(packed)] if packed else []
