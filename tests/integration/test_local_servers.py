"""Kafka and Postgres as `./run` and the tests start them: real ones, on free ports, in a path with a space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import ports
from deploy.local.kafka import Kafka, answers
from deploy.local.postgres import Postgres, trouble
from deploy.local.processes import Process, start
from deploy.local.refusals import CannotRun, Refusal
from services.common.kafka import client_options, producer_options
from tests.rig import parts
from tests.rig.servers import make_kafka, make_postgres


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose path has a space."""
    folder = tmp_path / "state folder"
    for name in ("logs", "pids"):
        (folder / name).mkdir(parents=True)
    return folder


def launch(server: Kafka | Postgres, folder: Path) -> Process:
    server.prepare()
    return start(server.command(), folder / "logs", folder / "pids")


async def test_postgres_keeps_what_it_stored_over_a_stop_and_over_a_kill(folder: Path) -> None:
    server = make_postgres(folder)
    process = launch(server, folder)
    try:
        await server.ready(process)
        connection = await asyncpg.connect(server.url("postgres"))
        await connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        await connection.close()
        await process.stop()
        assert process.exit_code() == 0
        assert await trouble(server.url("postgres")) is not None

        process = launch(server, folder)
        await server.ready(process)
        process.sweep()  # kill -9, as a crash would
        assert await process.ended(10)

        process = launch(server, folder)
        await server.ready(process)
        connection = await asyncpg.connect(server.url("postgres"))
        assert await connection.fetchval("SELECT number FROM kept") == 1
        await connection.close()
    finally:
        await process.stop()


async def test_postgres_lets_nobody_in_without_the_password(folder: Path) -> None:
    server = make_postgres(folder)
    process = launch(server, folder)
    try:
        await server.ready(process)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.url("postgres", password="guessed"))
    finally:
        await process.stop()


async def test_postgres_on_a_port_that_is_taken_tells_its_own_log_lines(folder: Path) -> None:
    first = make_postgres(folder / "1")
    second = replace(make_postgres(folder / "2"), port=first.port)
    process = launch(first, folder)
    try:
        await first.ready(process)
        blocked = launch(second, folder)
        assert await blocked.ended(10)
        with pytest.raises(CannotRun, match="Postgres ended with code 1:\n.*"):
            await replace(second, port=ports.any_free()).ready(blocked)
    finally:
        await process.stop()


async def test_kafka_keeps_its_records_over_a_stop_and_over_a_kill(folder: Path) -> None:
    try:
        server = make_kafka(folder)
    except Refusal as refusal:
        parts.missing(str(refusal))
    process = launch(server, folder)
    try:
        await server.ready(process)
        await send_one(server.bootstrap)
        await process.stop()
        assert not await answers(server.bootstrap)

        process = launch(server, folder)
        await server.ready(process)
        process.sweep()  # kill -9, as a crash would
        assert await process.ended(10)

        process = launch(server, folder)
        await server.ready(process)
        assert await read_one(server.bootstrap) == b"kept"
    finally:
        await process.stop()


async def send_one(bootstrap: str) -> None:
    """Make a topic and put a record into it."""
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(**producer_options(bootstrap))
    await producer.start()
    await producer.send_and_wait("kept", b"kept")
    await producer.stop()


async def read_one(bootstrap: str) -> bytes | None:
    """Return the first record of that topic."""
    consumer = AIOKafkaConsumer("kept", **client_options(bootstrap), auto_offset_reset="earliest")
    await consumer.start()
    try:
        record = await consumer.getone()
        value: bytes | None = record.value
        return value
    finally:
        await consumer.stop()
