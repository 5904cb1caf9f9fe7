"""The gateway as a process: it starts, says what is wrong with its settings, and stops in time."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from deploy.local.ports import any_free
from tests.corpus.poison import session, text
from tests.integration.ingest.conftest import SINGLE, add_token

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def process(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ingest.gateway", env=env, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.communicate()


async def ended(started: asyncio.subprocess.Process, seconds: float) -> tuple[int | None, str]:
    async with asyncio.timeout(seconds):
        _, errors = await started.communicate()
    return started.returncode, errors.decode()


async def until_ready(client: httpx.AsyncClient, port: int) -> None:
    give_up = time.monotonic() + 60
    while True:
        try:
            if (await client.get(f"http://127.0.0.1:{port}/ready")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < give_up, "the gateway never became ready"
        await asyncio.sleep(0.1)


async def test_it_serves_ticks_and_stops_within_five_seconds(
    database: Any, topics: Any, records: Callable[..., Any]
) -> None:
    organization, port, metrics_port = uuid4(), any_free(), any_free()
    token = await add_token(database, organization)
    environment = {
        "DATABASE_URL": database.gateway_url, "KAFKA_BOOTSTRAP": topics.bootstrap, "TOPIC_PREFIX": topics.prefix,
        "PORT": str(port), "METRICS_PORT": str(metrics_port),
    }  # fmt: skip
    async with httpx.AsyncClient() as client, process(**environment) as started:
        await until_ready(client, metrics_port)
        answer = await client.post(
            f"http://127.0.0.1:{port}/v1/events", content=text(session(organization, datetime.now(UTC))),
            headers={"Authorization": f"Bearer {token}", "Content-Type": SINGLE},
        )  # fmt: skip
        assert answer.status_code == 202
        assert len(await records("syncwatch.events", count=13)) >= 13  # a tick in each partition
        figures = (await client.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
        assert 'syncwatch_events_received_total{type="session"} 1.0' in figures
        assert 'syncwatch_events_refused_total{reason="nul_in_text",type="log"} 0.0' in figures
        started.send_signal(signal.SIGTERM)
        code, errors = await ended(started, 5)
    assert code == 0
    assert "Traceback" not in errors
    assert token not in errors


async def test_it_starts_without_kafka_and_postgres_and_says_so(tmp_path: Path) -> None:
    metrics_port = any_free()
    environment = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "PORT": str(any_free()), "METRICS_PORT": str(metrics_port),
    }  # fmt: skip
    async with httpx.AsyncClient() as client, process(**environment) as started:
        give_up = time.monotonic() + 60
        problems: dict[str, str] = {}
        while not all("does not answer" in problems.get(name, "") for name in ("kafka", "postgres")):
            assert time.monotonic() < give_up, problems
            try:
                problems = (await client.get(f"http://127.0.0.1:{metrics_port}/ready")).json()["problems"]
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        assert (await client.get(f"http://127.0.0.1:{metrics_port}/alive")).status_code == 200
        started.send_signal(signal.SIGTERM)
        code, errors = await ended(started, 5)
    assert code == 0
    assert "Traceback" not in errors


async def test_bad_settings_are_one_line_each() -> None:
    async with process(PORT="eighty", QUOTA_EVENTS_S="many") as started:
        code, errors = await ended(started, 60)
    assert code == 2
    lines = errors.strip().splitlines()
    assert len(lines) == 4
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP", "PORT", "QUOTA_EVENTS_S"):
        assert any(line.startswith(name) for line in lines)


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = {"DATABASE_URL": "postgresql://x", "KAFKA_BOOTSTRAP": "x", "METRICS_PORT": str(any_free())}
        async with process(**environment, PORT=port) as started:
            code, errors = await ended(started, 60)
    assert code == 2
    assert errors.strip() == f"port {port} cannot be had: Address already in use"
