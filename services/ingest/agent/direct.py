"""The way straight to Kafka, for the operator's own agents: the same checks as the gateway's, made here."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from schemas.events import Refused, decode
from schemas.topics import HEADERS, key_of, topic_of
from services.common.kafka import close_producer, producer_options
from services.ingest.agent.transport import Fate, NotNow, Outcome, Stopped

_CLOSE_S: Final = 1.0
_FORBIDDEN: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)


class KafkaTransport:
    """Publishes with acks=all and idempotence; the table that maps Kafka's errors to outcomes is `outcome_of`."""

    def __init__(self, bootstrap: str, topic_prefix: str = "", *, seconds: float = 10.0) -> None:
        """`seconds` is how long Kafka may take to acknowledge a batch."""
        self._bootstrap = bootstrap
        self._prefix = topic_prefix
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Do nothing: the producer is started with the first batch, when Kafka answers."""

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        """Publish one batch; see `Transport.send`."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._seconds
        found: list[Outcome | asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout_at(give_up):
                producer = await self._started()
                for value in values:
                    found.append(await self._publish(producer, value))
        except _FORBIDDEN as error:
            raise Stopped(f"Kafka refuses this agent: {type(error).__name__}") from error
        except (KafkaError, TimeoutError, OSError) as error:
            if not found:
                await self._give_up_broken(error)
                raise NotNow(f"Kafka does not answer: {type(error).__name__}") from error
        pending = [each for each in found if isinstance(each, asyncio.Future)]
        if pending:
            await asyncio.wait(pending, timeout=max(0.0, give_up - loop.time()))
        for future in pending:
            if future.done() and not future.cancelled():
                await self._give_up_broken(future.exception())
        outcomes = [outcome_of(each) if isinstance(each, asyncio.Future) else each for each in found]
        return outcomes + [Outcome(Fate.AGAIN, 503)] * (len(values) - len(outcomes))

    async def close(self) -> None:
        """Stop the producer, giving it a moment to send what it holds."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer, _CLOSE_S)

    async def _publish(self, producer: AIOKafkaProducer, value: bytes) -> Outcome | asyncio.Future[Any]:
        try:
            event = decode(value)
        except Refused as refused:
            status = 413 if refused.reason in {"too_large", "too_deep"} else 422
            return Outcome(Fate.REFUSED, status, refused.reason, refused.pointer, refused.detail)
        try:
            topic = self._prefix + topic_of(event).name
            future: asyncio.Future[Any] = await producer.send(topic, value, key=key_of(event), headers=list(HEADERS))
        except MessageSizeTooLargeError:
            return Outcome(Fate.REFUSED, 413, "too_large", "", "larger than Kafka takes")
        return future

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:  # a heartbeat and a batch may come together
            if self._producer is None:
                producer = AIOKafkaProducer(**producer_options(self._bootstrap), linger_ms=5)
                try:
                    await producer.start()
                except BaseException:
                    await close_producer(producer, _CLOSE_S)
                    raise
                self._producer = producer
            return self._producer

    async def _give_up_broken(self, error: BaseException | None) -> None:
        """A producer that is fenced or out of sequence never recovers: begin with a new one next time."""
        if isinstance(error, KafkaError) and not error.retriable and not isinstance(error, MessageSizeTooLargeError):
            await self.close()


def outcome_of(future: asyncio.Future[Any]) -> Outcome:
    """Return the outcome of one record, as the gateway would have told it."""
    if not future.done():
        future.add_done_callback(lambda late: late.cancelled() or late.exception())
        return Outcome(Fate.AGAIN, 503, "unacknowledged")
    error = None if future.cancelled() else future.exception()
    if error is None:
        return Outcome(Fate.AGAIN, 503) if future.cancelled() else Outcome(Fate.STORED)
    if isinstance(error, MessageSizeTooLargeError):
        return Outcome(Fate.REFUSED, 413, "too_large", "", "larger than Kafka takes")
    if isinstance(error, _FORBIDDEN):
        raise Stopped(f"Kafka refuses this agent: {type(error).__name__}") from error
    return Outcome(Fate.AGAIN, 503, type(error).__name__)
