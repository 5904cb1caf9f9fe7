"""What runs beside the batches: lag for the tools, readiness, and patience around the store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaUnavailableError

from services.aggregator import metrics
from services.aggregator.apply import Store
from services.aggregator.batch import Held, Partition, Work
from services.aggregator.intake import Intake
from services.aggregator.monitor import Closed
from services.aggregator.positions import NO_POSITION
from services.aggregator.transaction import Saved
from services.aggregator.transport import Consumer
from services.common.health import Health

BOOKS_S: Final = 1.0
COURTESY_EVERY: Final = 5
KAFKA_ANSWERS_S: Final = 5.0
"""A broker that says nothing for so long is away."""


class PatientStore:
    """A store that waits out outages with the work in hand."""

    def __init__(self, store: Store[Saved], patient: Callable[..., Awaitable[Any]]) -> None:
        self._store = store
        self._patient = patient

    async def save(self, work: Work) -> Saved:
        """Save as the store does, but only what is no outage escapes."""
        saved: Saved = await self._patient(lambda: self._store.save(work))
        return saved


async def keep_books(intake: Intake, group: str, health: Health) -> None:
    """Show lag and what is not read every second, and tell Kafka how far we are every five, for ever."""
    told: dict[Partition, int] = {}
    places: dict[Partition, int] = {}
    """Where reading goes on, as last known: a partition that is looked at again is in no other list."""
    ends: Mapping[Partition, tuple[int, int]] = {}
    owned: frozenset[Partition] = frozenset()
    rounds = 0
    while True:
        await asyncio.sleep(BOOKS_S)
        consumer = intake.consumer
        if not isinstance(consumer, Consumer):
            continue
        health.set("positions", _unread(intake))
        before, owned = owned, frozenset(consumer.assigned())
        for partition in before - owned:
            metrics.gave_away(group, partition)
        stored = {partition: held.next_offset for partition, held in intake.stored().items()}
        places |= stored | {partition: halt.next_offset for partition, halt in intake.halted().items()}
        places = {partition: offset for partition, offset in places.items() if partition in owned}
        if rounds % COURTESY_EVERY == 0 and "kafka" not in health.problems():
            ends = await consumer.ends_for_courtesy(owned)
        for partition, next_offset in places.items():  # of what is not fetched the last fetch knows nothing
            end = max(ends.get(partition, (0, 0))[1], consumer.end_of(partition) or 0)
            if end:
                metrics.LAG.labels(group, partition[0], str(partition[1])).set(max(0, end - next_offset))
        rounds += 1
        moved = {partition: offset for partition, offset in stored.items() if told.get(partition) != offset}
        if rounds % COURTESY_EVERY == 0 and moved:
            await consumer.commit_for_courtesy(moved)
            told.update(moved)


def _unread(intake: Intake) -> str | None:
    """Return what is not read though it should be; what was halted on purpose is an alert of its own."""
    if not intake.is_settled:
        return "the positions of the assigned partitions are not read yet"
    missing = sorted(partition for partition, halt in intake.halted().items() if halt.reason == NO_POSITION)
    return ", ".join(f"{topic}-{number} has no position row" for topic, number in missing) or None


async def watch_kafka(producer: AIOKafkaProducer, patient: Callable[..., Awaitable[Any]]) -> None:
    """Ask Kafka every second whether it answers, for ever; `patient` shows where it does not."""
    while True:
        await patient(lambda: _ask(producer))
        await asyncio.sleep(BOOKS_S)


async def _ask(producer: AIOKafkaProducer) -> None:
    """Have the producer's metadata read again. Raises KafkaUnavailableError where no broker answers."""
    try:
        async with asyncio.timeout(KAFKA_ANSWERS_S):
            if await producer.client.force_metadata_update():
                return
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnavailableError from error
    raise KafkaUnavailableError


async def watch_pool(pool: asyncpg.Pool) -> None:
    """Show how many connections are in use, for ever."""
    while True:
        metrics.POOL_IN_USE.labels("writer").set(pool.get_size() - pool.get_idle_size())
        await asyncio.sleep(BOOKS_S)


def owned(intake: Intake, topic: str) -> dict[int, Held]:
    """Return the partitions of one topic that this worker owns, each as far as it is stored."""
    return {partition: held for (name, partition), held in intake.stored().items() if name == topic}


def watch_monitor(given_up: Sequence[Closed]) -> None:
    """Count what a run of the monitor gave up, after its commits."""
    metrics.monitor_ran()
    metrics.sessions_ended(Counter(given_up))
