"""Worker processes of the real program, and what tests ask of them. Only processes started here are ever signalled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.ports import any_free
from schemas.events import Event, encode
from schemas.topics import HEADERS, TOPICS, key_of, topic_of
from services.common.kafka import MAX_FETCH_BYTES, client_options, producer_options
from services.common.topics import create_topics
from tests.rig.databases import Database


async def until(asked: Callable[[], Awaitable[Any]], what: str, *, within_s: float = 60.0) -> Any:
    """Ask again and again until the answer is true, and return it; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        answer = await asked()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        await asyncio.sleep(0.1)


@dataclass
class Worker:
    """One worker process."""

    name: str
    environment: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def start(self) -> None:
        self.port = any_free()
        log = (self.folder / f"{self.name}.log").open("ab")
        own = {"METRICS_PORT": str(self.port), "DATA_DIR": str(self.folder / f"faust-{self.name}")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.aggregator"], env={**self.environment, **own}, stderr=log, stdout=log
        )
        log.close()

    def signal(self, number: int) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash of the machine would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout_s: float = 60.0) -> int:
        assert self.process is not None
        return self.process.wait(timeout_s)

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text()

    async def metric(self, line: str) -> float | None:
        """Return the value of one series, given as it stands in the exposition; None where it is not answered."""
        _, text = await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}/metrics")
        found = [row for row in text.splitlines() if row.startswith(line + " ")]
        return float(found[0].rpartition(" ")[2]) if found else None

    async def is_ready(self) -> bool:
        status, _ = await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}/ready")
        return status == 200

    async def problems(self) -> dict[str, str]:
        """Return what it says is wrong, by check; nothing where it does not answer."""
        _, text = await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}/ready")
        return dict(json.loads(text)["problems"]) if text else {}


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@dataclass
class Pipeline:
    """A database, topics, and workers between them."""

    database: Database
    bootstrap: str
    prefix: str
    folder: Path
    owner: Any
    producer: AIOKafkaProducer
    workers: list[Worker] = field(default_factory=list)

    def worker(self, name: str, **more: str) -> Worker:
        """Return a worker that has not been started; it is ended with the test."""
        environment = {
            "PATH": os.environ["PATH"], "DATABASE_URL": self.database.writer_url, "KAFKA_BOOTSTRAP": self.bootstrap,
            "TOPIC_PREFIX": self.prefix, "WORKER": f"{self.prefix}{name}", "PYTHONPATH": str(Path.cwd()), **more,
        }  # fmt: skip
        self.workers.append(Worker(name, environment, self.folder))
        return self.workers[-1]

    async def send(self, events: Iterable[Event]) -> None:
        """Publish events as the gateway does."""
        sent = [
            await self.producer.send(
                self.prefix + topic_of(event).name, encode(event), key=key_of(event), headers=list(HEADERS)
            )
            for event in events
        ]
        await asyncio.gather(*sent)

    async def send_raw(self, topic: str, value: bytes | None, *, partition: int = 0, **more: Any) -> int:
        """Publish one record as it is, and return its offset."""
        sent = await self.producer.send_and_wait(self.prefix + topic, value, partition=partition, **more)
        return int(sent.offset)

    async def log(self, topic: str) -> dict[int, list[Any]]:
        """Return all records of a topic, by partition."""
        consumer = AIOKafkaConsumer(
            **client_options(self.bootstrap), auto_offset_reset="earliest", max_partition_fetch_bytes=MAX_FETCH_BYTES
        )
        await consumer.start()
        try:
            partitions = next(known.partitions for known in TOPICS if known.name == topic)
            places = [TopicPartition(self.prefix + topic, partition) for partition in range(partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning()
            beginnings, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            left = sum(ends.values()) - sum(beginnings.values())
            found: dict[int, list[Any]] = {place.partition: [] for place in places}
            while left > 0:
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[place.partition] += records
                    left -= len(records)
            return found
        finally:
            await consumer.stop()

    async def positions(self, topic: str) -> dict[int, Any]:
        rows = await self.owner.fetch("SELECT * FROM kafka_position WHERE topic = $1", self.prefix + topic)
        return {row["partition"]: row for row in rows}

    async def is_applied(self, topic: str) -> bool:
        """Whether every partition that is not halted is applied to its end."""
        consumer = AIOKafkaConsumer(**client_options(self.bootstrap))
        await consumer.start()
        try:
            positions = await self.positions(topic)
            places = {number: TopicPartition(self.prefix + topic, number) for number in positions}
            ends = await consumer.end_offsets(list(places.values()))
        finally:
            await consumer.stop()
        return all(row["halted"] or row["next_offset"] >= ends[places[number]] for number, row in positions.items())

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.owner.fetch(query, *arguments)]

    async def make_anew(self, topic: str) -> None:
        """Delete a topic and make it again, empty."""
        admin = AIOKafkaAdminClient(**client_options(self.bootstrap))
        await admin.start()
        try:
            await admin.delete_topics([self.prefix + topic])

            async def is_gone() -> bool:
                return self.prefix + topic not in await admin.list_topics()

            await until(is_gone, "the topic is deleted")
        finally:
            await admin.close()
        await create_topics(self.bootstrap, self.database.owner_url, self.prefix)


@asynccontextmanager
async def running_pipeline(database: Database, bootstrap: str, prefix: str, folder: Path) -> AsyncIterator[Pipeline]:
    """Lend a pipeline without workers; whatever workers the test starts are ended with it."""
    producer = AIOKafkaProducer(**producer_options(bootstrap))
    await producer.start()
    owner = await asyncpg.connect(database.owner_url)
    pipeline = Pipeline(database, bootstrap, prefix, folder, owner, producer)
    try:
        yield pipeline
    finally:
        for worker in pipeline.workers:
            if worker.is_alive:
                worker.kill()
        await producer.stop()
        await owner.close()
