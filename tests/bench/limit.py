"""What the worker is measured against: bare aiokafka, msgspec, one row per session and batch, COPY and an upsert.

`python -m tests.bench.limit` says "ready", waits for a line, reads the partitions it is given to their ends and prints
one line of JSON: of each commit its time in seconds since 1970, and the events and rows committed by then.
No positions, no counters, no statuses, no group, nothing that could be wrong: the least that writes the same rows.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.events import Event, SessionEvent
from schemas.sql import named_queries
from services.aggregator.app import RECORDS_A_FETCH
from services.aggregator.fold import Session
from services.aggregator.rows import SESSION_COLUMNS, session_row
from services.common.kafka import MAX_FETCH_BYTES, client_options
from services.common.pool import create_pool
from tests.bench.speed import Commit

TABLE = named_queries("sessions")["make_batch_session"]
UPSERT = """
INSERT INTO sync_session AS kept ({columns}, began, status)
SELECT {columns}, least(started_at, first_appended_at), status_sent FROM batch_session ORDER BY started_at, session_id
ON CONFLICT (started_at, session_id) DO UPDATE SET {sets}, status = excluded.status
 WHERE (kept.attempt, kept.seq) < (excluded.attempt, excluded.seq)
""".format(
    columns=", ".join(SESSION_COLUMNS),
    sets=", ".join(f"{name} = excluded.{name}" for name in SESSION_COLUMNS if name not in ("started_at", "session_id")),
)


async def run(
    bootstrap: str, topic: str, url: str, partitions: list[int], rows_a_batch: int, events_a_batch: int
) -> list[Commit]:
    """Read to the end and write what was read."""
    pool = await create_pool(url, role_name="limit", init=_prepare)
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap), auto_offset_reset="earliest", max_partition_fetch_bytes=MAX_FETCH_BYTES
    )
    await consumer.start()
    places = [TopicPartition(topic, partition) for partition in partitions]
    left = sum((await consumer.end_offsets(places)).values())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    consumer.assign(places)  # only now: what is fetched before the clock runs would cost nothing
    await consumer.seek_to_beginning()
    decode = msgspec.json.Decoder(Event).decode
    commits = [Commit(time.time(), 0, 0)]
    worth = rows_a_batch
    while left:
        sessions: dict[int, tuple[SessionEvent, int, int]] = {}
        events = 0
        while events < worth and left:
            fetch = await consumer.getmany(timeout_ms=200, max_records=RECORDS_A_FETCH)
            for place, records in fetch.items():
                for record in records:
                    event = decode(record.value)
                    data = event.data
                    kept = sessions.get(data.session_id.int)
                    if kept is None or (kept[0].data.attempt, kept[0].data.seq) < (data.attempt, data.seq):
                        sessions[data.session_id.int] = event, record.timestamp, place.partition
                events += len(records)
                left -= len(records)
        await _write(pool, sessions)
        commits.append(Commit(time.time(), commits[-1].events + events, commits[-1].rows + len(sessions)))
        worth = int(min(max(rows_a_batch * events / len(sessions), rows_a_batch), events_a_batch))
    await consumer.stop()
    await pool.close()
    return commits[1:]


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.execute(TABLE)


def plain(event: SessionEvent, appended_ms: int, partition: int) -> Session:
    """Return one event as what `session_row` makes a row of, without a digest: the limit has no ties to break."""
    return Session(event, event, appended_ms, appended_ms, partition, 0)


async def _write(pool: asyncpg.Pool, sessions: dict[int, tuple[SessionEvent, int, int]]) -> None:
    rows = [session_row(plain(*each), {}) for each in sessions.values()]
    async with pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table("batch_session", records=rows, columns=SESSION_COLUMNS)
        await connection.execute(UPSERT)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--partitions", required=True, help="numbers with commas")
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--events", type=int, default=20_000)
    chosen = parser.parse_args()
    gc.freeze()  # as the worker does
    gc.set_threshold(200_000, 50, 100)
    partitions = [int(number) for number in chosen.partitions.split(",")]
    commits = asyncio.run(run(chosen.bootstrap, chosen.topic, chosen.url, partitions, chosen.rows, chosen.events))
    print(json.dumps(commits))


if __name__ == "__main__":
    main()
