"""What each step of applying a batch costs, taken one after another in one process: `python -m tests.bench.steps`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import zstandard
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.events import Event, decode
from schemas.retention import KEPT
from schemas.sql import named_queries
from schemas.topics import EVENTS
from services.aggregator import rows, transaction
from services.aggregator.app import RECORDS_A_FETCH
from services.aggregator.batch import Batch, Held, Work, work_of
from services.aggregator.judge import judge
from services.aggregator.sift import Bounds, Reject, sift
from services.aggregator.store import open_pool
from services.common.kafka import MAX_FETCH_BYTES, client_options

STEPS = ("fetch", "decode", "fold", "rows", "copy", "merge", "counters", "status", "rest")
_SESSIONS = named_queries("sessions")


class Clock:
    """Adds up seconds by step."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()

    async def time(self, step: str, action: Callable[[], Awaitable[Any]]) -> Any:
        began = time.perf_counter()
        try:
            return await action()
        finally:
            self.spent[step] += time.perf_counter() - began


class Timed:
    """A connection that says how long COPY and the merge of sessions take."""

    def __init__(self, connection: Any, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def copy_records_to_table(self, table: str, **options: Any) -> Any:
        return await self._clock.time("copy", lambda: self._connection.copy_records_to_table(table, **options))

    async def fetch(self, statement: str, *arguments: Any) -> Any:
        step = "merged" if "INSERT INTO sync_session" in statement else "other"
        return await self._clock.time(step, lambda: self._connection.fetch(statement, *arguments))


async def run(bootstrap: str, topic: str, url: str, plain_url: str) -> dict[str, float]:
    """Return microseconds a row by step. The merge without counters goes to a database of its own."""
    clock = Clock()
    pool, plain = [await open_pool(each, role_name="steps") for each in (url, plain_url)]

    async def timed_judge(connection: Any, *arguments: Any) -> None:
        await clock.time("status", lambda: judge(connection._connection, *arguments))

    transaction.judge = timed_judge  # type: ignore[assignment]
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap), auto_offset_reset="earliest", max_partition_fetch_bytes=MAX_FETCH_BYTES
    )
    await consumer.start()
    places = [TopicPartition(topic, partition) for partition in range(EVENTS.partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning()
    left = sum((await consumer.end_offsets(places)).values())
    offsets = dict.fromkeys((place.partition for place in places), 0)
    written = 0
    bounds = Bounds.at(datetime.now(UTC), KEPT.sessions, KEPT.logs)
    while left:
        batch = Batch()
        sifted_of: dict[int, list[Event | Reject]] = {}
        while batch.events < 20_000 and left:
            fetch = await clock.time("fetch", lambda: consumer.getmany(timeout_ms=500, max_records=RECORDS_A_FETCH))
            for place, records in fetch.items():
                began = time.perf_counter()
                events = list(sift(records, decode, bounds))
                clock.spent["decode"] += time.perf_counter() - began
                held = Held(0, offsets[place.partition])
                sifted = sifted_of.setdefault(place.partition, [])
                sifted += events
                part = batch.part(topic, place.partition, held, keeps_position=True, sift=partial(_again, sifted))
                part.records.extend(records)
                offsets[place.partition] = records[-1].offset + 1
                batch.events += len(records)
                left -= len(records)
        began = time.perf_counter()
        work = work_of(list(batch.parts.values()), {})
        clock.spent["fold"] += time.perf_counter() - began
        await _apply(pool, work, topic, clock)
        await _merge_plainly(plain, work, clock)
        written += work.fold.rows
    await consumer.stop()
    for each in (pool, plain):
        await each.close()
    spent = clock.spent
    spent["merge"] = spent.pop("plain")
    spent["counters"] = max(0.0, spent.pop("merged") - spent["merge"])
    known_steps = sum(spent[step] for step in ("rows", "copy", "merge", "counters", "status"))
    spent["rest"] = max(0.0, spent.pop("transaction") - known_steps)
    return {step: spent[step] / written * 1e6 for step in STEPS}


def _again(sifted: Iterable[Event | Reject], records: object) -> Iterator[Event | Reject]:
    """Give what was sifted before, so that the fold is timed alone."""
    return iter(sifted)


async def _apply(pool: Any, work: Work, topic: str, clock: Clock) -> None:
    async with pool.acquire() as connection, connection.transaction():
        timed: Any = Timed(connection, clock)
        one = transaction.Transaction(timed, work, topic, zstandard.ZstdCompressor())
        await clock.time("transaction", one.run)


async def _merge_plainly(pool: Any, work: Work, clock: Clock) -> None:
    began = time.perf_counter()
    records = [rows.session_row(session, {}) for session in work.fold.sessions.values()]
    clock.spent["rows"] += time.perf_counter() - began
    async with pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table("batch_session", records=records, columns=rows.SESSION_COLUMNS)
        starts = [session.event.data.started_at for session in work.fold.sessions.values()]
        days = min(starts), max(starts)
        await clock.time("plain", lambda: connection.fetch(_SESSIONS["merge_sessions"], *days))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap", "--topic", "--url", "--plain-url"):
        parser.add_argument(name, required=True)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(run(chosen.bootstrap, chosen.topic, chosen.url, chosen.plain_url))))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
