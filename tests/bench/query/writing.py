"""One real worker that writes while pages are read: its maximum on this database first, then half of that.

`python -m tests.bench.query.writing` is the agents' side, a process of its own so that it slows down nobody's clock.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from deploy.local.children import WORKER_NICENESS
from deploy.local.ports import any_free
from schemas.topics import EVENTS
from services.common.topics import create_topics
from tests.bench.load import (
    EVENTS_OF_A_SESSION,
    Load,
    Sent,
    event,
    identifier,
    make_producer,
    pack_by_time,
    publish_by_time,
)
from tests.bench.measures import end, until_ready
from tests.bench.stage import new_prefix, started
from tests.rig.databases import Database
from tests.rig.servers import make_kafka, running

BACKLOG = 200_000
SETTLED_S = 3.0


class Writer:
    """A worker on the benchmark's database, with topics of its own."""

    def __init__(self, own: Database, bootstrap: str, folder: Path) -> None:
        self._own = own
        self._bootstrap = bootstrap
        self._folder = folder
        self._topic = new_prefix("busy")
        self.maximum = 0.0
        """Events a second that it applies when more are waiting than it can take."""

    async def make(self) -> None:
        await create_topics(self._bootstrap, self._own.owner_url, self._topic)

    async def forget(self) -> None:
        """Take its positions away again: they would keep every page's as-of time back."""
        async with self._own.connect() as owner:
            await owner.execute("DELETE FROM kafka_position WHERE topic LIKE $1 || '%'", self._topic)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        port = any_free()
        child = started(
            "services.aggregator", log=self._folder / "aggregator.log", DATABASE_URL=self._own.writer_url,
            KAFKA_BOOTSTRAP=self._bootstrap, TOPIC_PREFIX=self._topic, METRICS_PORT=str(port),
            WORKER=f"{self._topic}0", DATA_DIR=str(self._folder / "faust"), NICENESS=str(WORKER_NICENESS),
        )  # fmt: skip
        try:
            await until_ready(port)
            yield
        finally:
            await end([child])

    def agents(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the agents. They say when they are ready, send so much, and end."""
        return started(
            "tests.bench.query.writing", "--bootstrap", self._bootstrap, "--topic", self._topic + EVENTS.name,
            "--url", self._own.owner_url, *arguments, log=self._folder / "agents.log",
        )  # fmt: skip

    async def measure_maximum(self) -> None:
        """Let the worker work off a backlog, and keep how fast it did."""
        await asyncio.to_thread(self.agents("--rate", str(BACKLOG), "--seconds", "1").wait)
        async with self.worker():
            while not (before := await self._applied()):
                await asyncio.sleep(0.02)
            began = time.monotonic()
            while (now := await self._applied()) < BACKLOG:
                await asyncio.sleep(0.02)
            self.maximum = (now - before) / (time.monotonic() - began)

    @asynccontextmanager
    async def half(self, seconds: float) -> AsyncIterator[None]:
        """Let it write at half of its maximum, for at most so long."""
        async with self.worker():
            agents = self.agents("--rate", str(self.maximum / 2), "--seconds", str(seconds))
            try:
                assert agents.stdout is not None
                await asyncio.to_thread(agents.stdout.readline)
                await asyncio.sleep(SETTLED_S)
                before, began = await self._applied(), time.monotonic()
                yield
                assert agents.poll() is None, f"reading took longer than the load of {seconds} s"
                rate = (await self._applied() - before) / (time.monotonic() - began)
                print(f"{rate:,.0f} events/s were applied meanwhile, of {self.maximum:,.0f} at most", flush=True)
            finally:
                await end([agents])

    async def _applied(self) -> int:
        async with self._own.connect() as owner:
            return int(
                await owner.fetchval(
                    "SELECT sum(next_offset) FROM kafka_position WHERE topic = $1", self._topic + EVENTS.name
                )
            )


@asynccontextmanager
async def writer(own: Database, folder: Path) -> AsyncIterator[Writer]:
    """Lend a worker whose maximum is known."""
    place = folder / f"busy-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        kafka = make_kafka(place)
        stack.enter_context(running(kafka, place))
        made = Writer(own, kafka.bootstrap, place)
        await made.make()
        try:
            await made.measure_maximum()
            yield made
        finally:
            await made.forget()


# ---------------------------------------------------------------------------------------------- the agents
def sessions_of(users: Sequence[tuple[UUID, UUID]], load: Load, rate: float) -> Iterator[Sent]:
    """Give events of sessions that start from now on, of users that are in the database; `rate` events a second."""
    ours = {f"{identifier(2, number)}": number for number in range(load.users)}
    now = datetime.now(UTC)
    for first in itertools.count(0, load.at_once):
        starts_at = now + timedelta(seconds=first * EVENTS_OF_A_SESSION / rate)
        for seq in range(EVENTS_OF_A_SESSION):
            for number in range(first, first + load.at_once):
                sent = event(load, number, seq, starts_at)
                at = ours[sent.key.decode()]
                organization_id, user_id = users[at]
                value = sent.value.replace(sent.key, str(user_id).encode())
                value = value.replace(
                    str(identifier(1, at % load.organizations)).encode(), str(organization_id).encode()
                )
                yield Sent(str(user_id).encode(), value)


async def send(arguments: argparse.Namespace) -> None:
    """Send the load: packed beforehand, as the agents of an installation share no processor with it."""
    connection = await asyncpg.connect(arguments.url)
    rows: list[Any] = await connection.fetch("SELECT organization_id, user_id FROM benchmark_user ORDER BY number")
    await connection.close()
    users = [(row["organization_id"], row["user_id"]) for row in rows]
    load = Load(events=0, users=len(users), organizations=2_000, seed=secrets.randbelow(2**31) + 1)
    events = sessions_of(users, load, arguments.rate)
    producer = make_producer(arguments.bootstrap)
    await producer.start()
    slices = pack_by_time(producer, events, arguments.rate, arguments.seconds)
    print("ready", flush=True)
    await publish_by_time(producer, arguments.topic, slices)
    await producer.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, required=True, help="events a second")
    parser.add_argument("--seconds", type=float, required=True)
    asyncio.run(send(parser.parse_args()))


if __name__ == "__main__":
    main()
