"""Handing events to Kafka: one idempotent producer, kept alive; an event is taken only when every replica has it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.topics import HEADERS
from services.common.health import Health
from services.common.kafka import close_producer, producer_options
from services.ingest import metrics

_LOG: Final = logging.getLogger(__name__)
_LINGER_MS: Final = 5
_CLOSE_S: Final = 2.0
_BATCH_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish; the key keeps order, a partition given by number wins over it."""

    topic: str
    key: bytes
    value: bytes
    partition: int | None = None


class Publisher:
    """Publishes records and says of each whether Kafka acknowledged it. Waits out outages by itself."""

    def __init__(self, bootstrap: str, health: Health) -> None:
        self._bootstrap = bootstrap
        self._health = health
        self._producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()
        self._begun = asyncio.Event()

    async def keep_alive(self) -> None:
        """Run until cancelled: start the producer, and start a new one whenever it broke for good."""
        try:
            while True:
                self._producer = await self._started()
                self._answers(None)
                self._broken.clear()
                self._begun.set()
                await self._broken.wait()
                producer, self._producer = self._producer, None
                await close_producer(producer, _CLOSE_S)
        finally:
            if self._producer is not None:
                await close_producer(self._producer, _CLOSE_S)

    async def begun(self) -> None:
        """Return when Kafka has answered for the first time."""
        await self._begun.wait()

    async def publish(self, records: Sequence[Record], seconds: float) -> list[bool]:
        """Publish in order; True where all replicas have the record, False where that is not known after `seconds`."""
        pending: list[asyncio.Future[Any]] = []
        loop = asyncio.get_running_loop()
        give_up = loop.time() + seconds
        with metrics.PUBLISH_SECONDS.time():
            try:
                async with asyncio.timeout_at(give_up):
                    for record in records:
                        pending.append(await self._send(record))
            except (TimeoutError, KafkaError) as error:
                self._judge(error)
            if pending:
                await asyncio.wait(pending, timeout=max(0.0, give_up - loop.time()))
        acknowledged = [self._is_acknowledged(future) for future in pending]
        return acknowledged + [False] * (len(records) - len(pending))

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions."""
        if self._producer is None:
            raise KafkaError("the producer has not started")
        return sorted(await self._producer.partitions_for(topic))

    async def _send(self, record: Record) -> asyncio.Future[Any]:
        if self._producer is None:
            raise KafkaError("the producer has not started")
        future: asyncio.Future[Any] = await self._producer.send(
            record.topic, record.value, key=record.key, partition=record.partition, headers=list(HEADERS)
        )
        return future

    def _is_acknowledged(self, future: asyncio.Future[Any]) -> bool:
        if not future.done():
            # Its fate is unknown and nobody waits for it any more: an error that comes later is no news.
            future.add_done_callback(lambda late: late.cancelled() or late.exception())
            self._answers("Kafka does not acknowledge in time")
            return False
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            self._answers(None)
            return True
        self._judge(error)
        return False

    def _judge(self, error: BaseException | None) -> None:
        self._answers(f"Kafka does not take records: {type(error).__name__}")
        _LOG.warning("Kafka did not take a record", extra={"action": "publish_failed", "error": repr(error)})
        retriable = error is None or isinstance(error, TimeoutError) or getattr(error, "retriable", False)
        if not retriable and self._producer is not None and not isinstance(error, MessageSizeTooLargeError):
            self._broken.set()  # fenced, out of sequence, sender dead: such a producer never recovers

    def _answers(self, problem: str | None) -> None:
        self._health.set("kafka", problem)
        metrics.OUTAGE.labels("kafka").set(problem is not None)

    async def _started(self) -> AIOKafkaProducer:
        wait = 0.1
        while True:
            producer = AIOKafkaProducer(
                **producer_options(self._bootstrap), linger_ms=_LINGER_MS, max_batch_size=_BATCH_BYTES
            )
            try:
                async with asyncio.timeout(15):
                    await producer.start()
                return producer
            except (KafkaError, OSError) as error:  # a time-out is an OSError
                self._answers(f"Kafka does not answer: {type(error).__name__}")
                await close_producer(producer, _CLOSE_S)
            except BaseException:
                await close_producer(producer, _CLOSE_S)
                raise
            await asyncio.sleep(wait)
            wait = min(wait * 2, 2.0)
