"""The load of the benchmark: session events as JSON, put on a topic once and read by everything that is measured."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.topics import EVENTS
from services.common.kafka import producer_options

EVENTS_OF_A_SESSION = 5
BATCH_BYTES = 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many events, of whom, and how close together those of one session lie."""

    events: int
    users: int = 20_000
    organizations: int = 200
    at_once: int = 1_500
    """Sessions that run at the same time: the events of one lie among those of so many others."""
    seed: int = 1

    @property
    def sessions(self) -> int:
        return self.events // EVENTS_OF_A_SESSION


class Sent(NamedTuple):
    """One event: its record key and value."""

    key: bytes
    value: bytes


@lru_cache(maxsize=2**19)
def identifier(kind: int, number: int, seed: int = 0) -> UUID:
    """Return a UUID that is the same in every process."""
    return UUID(int=(kind << 120) | (seed << 64) | (number * 0x9E3779B97F4A7C15 & (1 << 63) - 1))


def events(load: Load) -> Iterator[Sent]:
    """Give all events: sessions in groups that run at once, each with a start, three words of progress and an end."""
    chance = random.Random(load.seed)
    base = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    for first in range(0, load.sessions, load.at_once):
        running = range(first, min(first + load.at_once, load.sessions))
        started = {number: base + timedelta(milliseconds=number % 7_200_000) for number in running}
        for seq in range(EVENTS_OF_A_SESSION):
            order = list(running)
            chance.shuffle(order)
            for number in order:
                yield event(load, number, seq, started[number])


def event(load: Load, number: int, seq: int, started_at: datetime) -> Sent:
    """Return one event of about 650 bytes."""
    user = number % load.users
    organization_id = identifier(1, user % load.organizations)
    user_id = str(identifier(2, user))
    session_id = identifier(3, number, load.seed)
    at = (started_at + timedelta(seconds=30 * seq)).isoformat()
    outcome = number % 100
    status, error, failed = "running", "", 0
    if seq == EVENTS_OF_A_SESSION - 1:
        status, failed = "finished", int(outcome < 13)
        if outcome >= 94:
            status = "errors"
            error = (
                ',"error":{"source":"office365","category":"throttling","code":"ApplicationThrottled",'
                '"retryable":true,"scope":"mailbox","message":"Application is over its MailboxConcurrency limit."}'
            )
    ended = f',"ended_at":"{at}"' if status != "running" else ""
    value = (
        f'{{"specversion":"1.0","id":"{session_id}-{seq}","source":"/agents/agent-{user % 50}",'
        f'"type":"syncwatch.session.v1","time":"{at}","subject":"organizations/{organization_id}/users/{user_id}",'
        f'"datacontenttype":"application/json","data":{{"organization_id":"{organization_id}","user_id":"{user_id}",'
        f'"session_id":"{session_id}","started_at":"{started_at.isoformat()}","attempt":1,"seq":{seq},'
        f'"status":"{status}","interval_s":1800,"mail_system":"office365","agent_version":"1.4.2"{ended}{error},'
        f'"objects":[{{"type":"contact","direction":"mail_to_crm","fetched":{40 * seq},"created":{3 * seq},'
        f'"updated":{seq},"failed":{failed}}},{{"type":"appointment","direction":"crm_to_mail","fetched":{7 * seq},'
        f'"created":{seq}}}]}}}}'
    )
    return Sent(user_id.encode(), value.encode())


@lru_cache(maxsize=2**18)
def partition_of(key: bytes, partitions: int = EVENTS.partitions) -> int:
    """Return where a record with that key goes, as our producers send it."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def make_producer(bootstrap: str) -> AIOKafkaProducer:
    """Return a producer for large batches; start and stop it."""
    options = {**producer_options(bootstrap), "max_batch_size": BATCH_BYTES * 2, "enable_idempotence": False}
    return AIOKafkaProducer(**options)


async def publish(bootstrap: str, topic: str, sent: Iterable[Sent]) -> int:
    """Put events on a topic in large batches, each in the partition of its key; return how many."""
    producer = make_producer(bootstrap)
    await producer.start()
    try:
        count = 0
        pending = []
        for packed in pack(producer, sent):
            count += packed.events
            pending.append(await producer.send_batch(packed.builder, topic, partition=packed.partition))
        await asyncio.gather(*pending)
        return count
    finally:
        await producer.stop()


class Packed(NamedTuple):
    """Events of one partition, ready to be sent."""

    partition: int
    builder: BatchBuilder
    events: int


TICK_S = 0.1


def pack_by_time(producer: AIOKafkaProducer, sent: Iterator[Sent], rate: float, seconds: float) -> list[list[Packed]]:
    """Return what is due at each tenth of a second, packed so that sending costs little. `rate`: events a second."""
    return [list(pack(producer, islice(sent, int(rate * TICK_S)))) for _ in range(int(seconds / TICK_S))]


async def publish_by_time(producer: AIOKafkaProducer, topic: str, slices: Iterable[Iterable[Packed]]) -> None:
    """Put slices on a topic at times fixed beforehand, whatever the answers take."""
    began = time.monotonic()
    for number, slice_of_time in enumerate(slices):
        await asyncio.sleep(max(0.0, began + number * TICK_S - time.monotonic()))
        pending = [await producer.send_batch(each.builder, topic, partition=each.partition) for each in slice_of_time]
        await asyncio.gather(*pending)


def pack(producer: AIOKafkaProducer, sent: Iterable[Sent]) -> Iterator[Packed]:
    """Give events in large batches, each in the partition of its key."""
    builders = {partition: producer.create_batch() for partition in range(EVENTS.partitions)}
    for each in sent:
        partition = partition_of(each.key)
        builder = builders[partition]
        if builder.size() > BATCH_BYTES or builder.append(key=each.key, value=each.value, timestamp=None) is None:
            yield Packed(partition, builder, builder.record_count())
            builder = builders[partition] = producer.create_batch()
            builder.append(key=each.key, value=each.value, timestamp=None)
    for partition, builder in builders.items():
        if builder.record_count():
            yield Packed(partition, builder, builder.record_count())
