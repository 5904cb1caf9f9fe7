"""From emit to the list: events go in by the gateway and are looked for in the query service's list, under load."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
from aiokafka import AIOKafkaProducer

from deploy.local.ports import any_free
from schemas.credentials import new_key, new_token
from schemas.keys import session_key
from schemas.topics import EVENTS
from tests.bench.load import Load, event, events, identifier, make_producer, pack_by_time, publish_by_time
from tests.bench.measures import end, until_ready
from tests.bench.stage import Stage, started
from tests.rig.databases import Database

PROBES_S = 10.0
PROBE = Load(events=5, users=1, organizations=1, seed=99)


@dataclass
class Seen:
    """How long each probe took, and what each process held at most."""

    seconds: list[float] = field(default_factory=list)
    rss_mb: dict[str, float] = field(default_factory=dict)

    @property
    def p99_s(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


async def visible(
    stage: Stage, prefix: str, known: Database, load: Load, rate: float, seconds: float
) -> Seen:  # fmt: skip
    """Publish `rate` events a second for a while, and probe ten times a second."""
    await stage.make_topics(prefix)
    async with stage.database(prefix, known) as database, _producer(stage.bootstrap) as producer:
        slices = pack_by_time(producer, events(load), rate, seconds)
        token, key = await _credentials(database)
        ports = {name: any_free() for name in ("aggregator", "gateway", "query", "gateway_http", "query_http")}
        children = _start(stage, prefix, database, ports)
        try:
            for name in children:
                await until_ready(ports[name])
            seen = Seen()
            await asyncio.gather(
                publish_by_time(producer, prefix + EVENTS.name, slices),
                _probe(ports, token, key, seen, seconds),
                _weigh({name: psutil.Process(child.pid) for name, child in children.items()}, seen, seconds),
            )
        finally:
            await end(list(children.values()))
    return seen


async def _credentials(database: Database) -> tuple[str, str]:
    """Make a token for an agent of the probe's organization, and a key that may read it."""
    token, token_hash = new_token()
    key, key_hash = new_key()
    now, organization_id = datetime.now(UTC), identifier(1, 0)
    async with database.connect() as owner:
        await owner.execute(
            "INSERT INTO agent_token (token_hash, token_id, agent_id, organization_id, created_at) "
            "VALUES ($1, $2, $3, $4, $5)",
            token_hash, uuid4(), "agent-0", organization_id, now,
        )  # fmt: skip
        await owner.execute(
            "INSERT INTO api_key (key_hash, key_id, name, role, organization_id, created_at) "
            "VALUES ($1, $2, 'bench', 'organization_admin', $3, $4)",
            key_hash, uuid4(), organization_id, now,
        )  # fmt: skip
    return token, key


def _start(stage: Stage, prefix: str, database: Database, ports: dict[str, int]) -> dict[str, Any]:
    shared = {"KAFKA_BOOTSTRAP": stage.bootstrap, "TOPIC_PREFIX": prefix}
    return {
        "aggregator": started(
            "services.aggregator", log=stage.folder / "aggregator.log", DATABASE_URL=database.writer_url,
            METRICS_PORT=str(ports["aggregator"]), WORKER=f"{prefix}0", DATA_DIR=str(stage.folder / "faust-v"),
            **shared,
        ),
        "gateway": started(
            "services.ingest.gateway", log=stage.folder / "gateway.log", DATABASE_URL=database.gateway_url,
            METRICS_PORT=str(ports["gateway"]), PORT=str(ports["gateway_http"]), **shared,
        ),
        "query": started(
            "services.query", log=stage.folder / "query.log", METRICS_PORT=str(ports["query"]),
            PORT=str(ports["query_http"]), SECRET_KEY="bench" * 10, READER_DATABASE_URL=database.reader_url,
            READER_ALL_DATABASE_URL=database.url("reader_all"), PANEL_DATABASE_URL=database.panel_url,
        ),
    }  # fmt: skip


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = make_producer(bootstrap)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _probe(ports: dict[str, int], token: str, key: str, seen: Seen, seconds: float) -> None:
    waiting: dict[str, float] = {}
    list_url = f"http://127.0.0.1:{ports['query_http']}/api/v1/organizations/{identifier(1, 0)}/sessions"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    async with httpx.AsyncClient(timeout=10) as client:

        async def emit() -> None:
            for number in range(int(seconds * PROBES_S)):
                started_at = datetime.now(UTC)
                value = event(PROBE, number, 4, started_at).value
                waiting[session_key(started_at, UUID(json.loads(value)["data"]["session_id"]))] = time.monotonic()
                answer = await client.post(
                    f"http://127.0.0.1:{ports['gateway_http']}/v1/events", content=value, headers=headers
                )
                answer.raise_for_status()
                await asyncio.sleep(1 / PROBES_S)

        emitting = asyncio.create_task(emit())
        deadline = time.monotonic() + seconds + 30
        while (not emitting.done() or waiting) and time.monotonic() < deadline:
            answer = await client.get(
                list_url, params={"sort": "-run", "limit": "100"}, headers={"Authorization": f"Bearer {key}"}
            )
            answer.raise_for_status()
            now, text = time.monotonic(), answer.text
            for shown in [each for each in waiting if each in text]:
                seen.seconds.append(now - waiting.pop(shown))
            await asyncio.sleep(0.05)
        await emitting
        seen.seconds += [time.monotonic() - since for since in waiting.values()]


async def _weigh(processes: dict[str, psutil.Process], seen: Seen, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name, process in processes.items():
            seen.rss_mb[name] = max(seen.rss_mb.get(name, 0.0), process.memory_info().rss / 2**20)
        await asyncio.sleep(0.2)
