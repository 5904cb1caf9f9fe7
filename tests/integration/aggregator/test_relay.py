"""Status changes on Kafka: every one, in order per user, and the example consumer of the docs prints them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.events import StatusEvent, decode_out
from schemas.topics import STATUS
from services.aggregator.figures import store_figures
from services.aggregator.relay import relay
from services.common.kafka import client_options, producer_options
from tests.conftest import KafkaRig, Topics
from tests.integration.aggregator.conftest import Stored
from tests.rig.scene import Scene
from tests.rig.stream import NOW

START = NOW - timedelta(hours=3)
MINUTE = timedelta(minutes=1)
PAGE = Path(__file__).parents[3] / "docs" / "consumers.md"


@pytest.fixture
def scene(stored: Stored) -> Scene:
    return Scene(stored)


async def read_changes(topics: Topics, count: int) -> list[StatusEvent]:
    consumer = AIOKafkaConsumer(
        topics.name(STATUS.name), auto_offset_reset="earliest", **client_options(topics.bootstrap)
    )  # fmt: skip
    read: list[StatusEvent] = []
    async with consumer, asyncio.timeout(60):
        while len(read) < count:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                read += [decode_out(record.value) for record in records if record.value]  # type: ignore[misc]
    return read


async def test_every_change_is_told_once_and_in_order(scene: Scene, stored: Stored, topics: Topics) -> None:
    user_id = uuid4()
    statuses = ["finished", "errors", "finished", "finished_with_issues"]
    for number, status in enumerate(statuses):
        at = START + number * MINUTE
        await scene.tell(at, scene.session(user_id, started_at=at, status=status))
    async with (
        AIOKafkaProducer(**producer_options(topics.bootstrap)) as producer,
        stored.pool.acquire() as connection,
    ):
        await store_figures(connection, START)
        assert await relay(connection, producer, topics.prefix) == 5
        assert await relay(connection, producer, topics.prefix) == 0
    told = await read_changes(topics, 5)
    of_user = [event.data for event in told if event.data.user_id == user_id]
    assert [(data.from_, data.to, data.revision) for data in of_user] == [
        (None, "healthy", 1), ("healthy", "failing", 2), ("failing", "healthy", 3), ("healthy", "partial", 4),
    ]  # fmt: skip
    assert of_user[1].reason == "session_errors"
    assert of_user[1].since == START + MINUTE
    whose = f"{scene.organization_id}/{user_id}"
    assert [event.id for event in told if event.data.user_id] == [f"{whose}/{number}" for number in (1, 2, 3, 4)]
    (health,) = [event for event in told if event.data.user_id is None]
    assert (health.data.to, health.subject) == ("ok", f"organizations/{scene.organization_id}")
    assert health.id == f"{scene.organization_id}/1"


async def test_what_kafka_did_not_take_stays_unpublished(scene: Scene, stored: Stored, kafka: KafkaRig) -> None:
    await scene.tell(START, scene.session(uuid4(), started_at=START, status="finished"))

    class Refusing:
        async def send(self, *arguments: Any, **options: Any) -> asyncio.Future[None]:
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(ConnectionError("away"))
            return refused

    async with stored.pool.acquire() as connection:
        with pytest.raises(ConnectionError):
            await relay(connection, Refusing())  # type: ignore[arg-type]
    assert await stored.rows("SELECT published_at FROM status_change") == [{"published_at": None}]


async def test_the_example_consumer_prints_them(scene: Scene, stored: Stored, topics: Topics, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(example.strip().splitlines()) <= 30
    script = tmp_path / "consumer.py"
    script.write_text(example)
    user_id = uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="errors"))
    async with (
        AIOKafkaProducer(**producer_options(topics.bootstrap)) as producer,
        stored.pool.acquire() as connection,
    ):
        await relay(connection, producer, topics.prefix)
        await connection.execute("UPDATE status_change SET published_at = NULL")
        await relay(connection, producer, topics.prefix)  # a second copy, which the consumer drops
        at = START + MINUTE
        await scene.tell(at, scene.session(user_id, started_at=at, status="finished"))
        await relay(connection, producer, topics.prefix)
    told = {**os.environ, "KAFKA_BOOTSTRAP": topics.bootstrap, "TOPIC_PREFIX": topics.prefix}
    process = await asyncio.create_subprocess_exec(sys.executable, script, env=told, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            lines = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
    finally:
        process.kill()
        await process.wait()
    assert [line.partition(" ")[2] for line in lines] == [
        f"user {user_id}: unknown -> failing, session_errors",
        f"user {user_id}: failing -> healthy, session_finished",
    ]
