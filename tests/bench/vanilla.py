"""The comparison a reader expects: a Faust agent as the tutorials have it, writing the same rows one by one.

`python -m tests.bench.vanilla` reads the topic for so many seconds and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import tempfile
import time
from typing import Any

import asyncpg
import faust

from schemas.events import decode
from services.aggregator.rows import SESSION_COLUMNS, session_row
from services.common.pool import create_pool
from tests.bench.limit import plain
from tests.bench.speed import Commit

UPSERT = """
INSERT INTO sync_session AS kept ({columns}, began, status)
VALUES ({values}, least($1::timestamptz, $9::timestamptz), $11::text)
ON CONFLICT (started_at, session_id) DO UPDATE SET {sets}, status = excluded.status
 WHERE (kept.attempt, kept.seq) < (excluded.attempt, excluded.seq)
""".format(
    columns=", ".join(SESSION_COLUMNS),
    values=", ".join(f"${number}" for number in range(1, len(SESSION_COLUMNS) + 1)),
    sets=", ".join(f"{name} = excluded.{name}" for name in SESSION_COLUMNS if name not in ("started_at", "session_id")),
)


def build(bootstrap: str, topic: str, pool: asyncpg.Pool, commits: list[Commit]) -> faust.App:
    """Return the app: one agent, `async for event in stream`, one statement an event."""
    app = faust.App(
        f"vanilla-{time.time_ns()}", broker=f"kafka://{bootstrap}", store="memory://", datadir=tempfile.mkdtemp(),
        value_serializer="raw", web_enabled=False, topic_disable_leader=True, topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
    )  # fmt: skip
    source = app.topic(topic, value_type=bytes, internal=True)

    async def write(stream: Any) -> None:
        async for event in stream.events():
            record = event.message
            row = session_row(plain(decode(record.value), int(record.timestamp * 1000), record.partition), {})
            await pool.execute(UPSERT, *row)
            commits.append(Commit(time.time(), len(commits) + 1, len(commits) + 1))

    app.agent(source)(write)
    return app


async def run(bootstrap: str, topic: str, url: str, seconds: float) -> list[Commit]:
    pool = await create_pool(url, role_name="vanilla")
    commits: list[Commit] = []
    app = build(bootstrap, topic, pool, commits)
    await app.start()
    while not commits:
        await asyncio.sleep(0.05)
    await asyncio.sleep(seconds)
    await app.stop()
    await pool.close()
    return commits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    commits = asyncio.run(run(chosen.bootstrap, chosen.topic, chosen.url, chosen.seconds))
    print(json.dumps(commits))


if __name__ == "__main__":
    main()
