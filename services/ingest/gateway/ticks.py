"""Ticks: every 2 s one record into each partition of the ticked topics, so that time goes on while nobody syncs."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from aiokafka.errors import KafkaError

from schemas.events import TickData, encode, make
from schemas.topics import TICKED_TOPICS
from services.ingest import metrics
from services.ingest.gateway.publish import Publisher, Record

PERIOD_S: Final = 2.0
_LOG: Final = logging.getLogger(__name__)


async def keep_ticking(publisher: Publisher, prefix: str, gateway: str, now: Callable[[], datetime]) -> None:
    """Run until cancelled. A tick that Kafka does not take is not sent later: the next one says more."""
    await publisher.begun()
    loop = asyncio.get_running_loop()
    due = loop.time()
    number = 0
    while True:
        try:
            await tick(publisher, prefix, gateway, number, now())
        except (KafkaError, TimeoutError) as error:
            _LOG.warning("no ticks were written", extra={"action": "tick_failed", "error": repr(error)})
        number += 1
        due = max(due + PERIOD_S, loop.time())
        await asyncio.sleep(due - loop.time())


async def tick(publisher: Publisher, prefix: str, gateway: str, number: int, now: datetime) -> None:
    """Write one tick into every partition."""
    async with asyncio.timeout(PERIOD_S):
        records = [
            record
            for topic in TICKED_TOPICS
            for record in _of_topic(
                prefix + topic.name, await publisher.partitions(prefix + topic.name), gateway, number, now
            )
        ]
    metrics.TICKS.inc(sum(await publisher.publish(records, PERIOD_S)))


def _of_topic(topic: str, partitions: Sequence[int], gateway: str, number: int, now: datetime) -> list[Record]:
    data = TickData(gateway=gateway, sent_at=now)
    return [
        Record(
            topic,
            gateway.encode(),
            encode(make(data, id=f"tick-{gateway}-{number}-{partition}", agent_id=gateway, time=now)),
            partition,
        )
        for partition in partitions
    ]
