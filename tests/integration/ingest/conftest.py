"""A gateway inside the test's own loop, on the real Kafka and Postgres, with tokens of two organizations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from prometheus_client import CollectorRegistry

from schemas.credentials import new_token
from services.common.health import Health
from services.common.kafka import client_options
from services.ingest import metrics
from services.ingest.gateway.__main__ import Connections
from services.ingest.gateway.app import Gateway, build
from services.ingest.gateway.publish import Publisher
from services.ingest.gateway.quota import Quota
from services.ingest.gateway.server import listening, make_server
from services.ingest.gateway.tokens import Tokens

BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"


@dataclass(frozen=True)
class Tenant:
    """An organization with a token of its agent `agent-1`."""

    organization_id: UUID
    token: str


@dataclass
class Rig:
    """The gateway under test."""

    client: httpx.AsyncClient
    gateway: Gateway
    publisher: Publisher
    prefix: str
    own: Tenant
    foreign: Tenant
    health: Health

    async def post(self, body: bytes, content_type: str | None = SINGLE, **headers: str) -> httpx.Response:
        """Send a body with the own organization's token."""
        head = {"Authorization": f"Bearer {self.own.token}"}
        if content_type is not None:
            head["Content-Type"] = content_type
        head |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/v1/events", content=body, headers=head)


async def add_token(database: Any, organization_id: UUID, *, agent_id: str = "agent-1", **times: datetime) -> str:
    """Store a token and return its text."""
    text, token_hash = new_token()
    async with database.connect() as connection:
        await connection.execute(
            "INSERT INTO agent_token"
            " (token_hash, token_id, agent_id, organization_id, created_at, expires_at, revoked_at)"
            " VALUES ($1, $2, $3, $4, now(), $5, $6)",
            token_hash, uuid4(), agent_id, organization_id, times.get("expires_at"), times.get("revoked_at"),
        )  # fmt: skip
    return text


@pytest.fixture
async def rig(database: Any, topics: Any) -> AsyncIterator[Rig]:
    own, foreign = uuid4(), uuid4()
    health = Health("kafka", "postgres")
    connections = Connections(database.gateway_url)
    publisher = Publisher(topics.bootstrap, health)
    gateway = Gateway(
        tokens=Tokens(connections.lend, time.monotonic),
        publisher=publisher,
        quota=Quota(),
        health=health,
        prefix=topics.prefix,
        now=lambda: datetime.now(UTC),
    )
    alive = asyncio.create_task(publisher.keep_alive())
    await publisher.begun()
    transport = httpx.ASGITransport(app=build(gateway), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Rig(
            client, gateway, publisher, topics.prefix,
            Tenant(own, await add_token(database, own)), Tenant(foreign, await add_token(database, foreign)), health,
        )  # fmt: skip
    alive.cancel()
    await asyncio.gather(alive, return_exceptions=True)
    await connections.close()


@pytest.fixture
async def url(rig: Rig) -> AsyncIterator[str]:
    """The same gateway behind the real HTTP server."""
    door = listening("127.0.0.1", 0)
    server = make_server(build(rig.gateway))
    serving = asyncio.create_task(server.serve(sockets=[door]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{door.getsockname()[1]}"
    server.should_exit = True
    await serving
    door.close()


@pytest.fixture
async def records(topics: Any) -> Callable[..., Any]:
    """Reads what is on a topic: `await records("syncwatch.events", count=3)`, or all there is within a moment."""

    async def read(short: str, count: int | None = None) -> list[Any]:
        consumer = AIOKafkaConsumer(
            topics.name(short), **client_options(topics.bootstrap), auto_offset_reset="earliest", group_id=None
        )
        await consumer.start()
        try:
            found: list[Any] = []
            ends = await consumer.end_offsets(consumer.assignment())
            give_up = time.monotonic() + 60
            while time.monotonic() < give_up:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
                if count is not None and len(found) >= count:
                    break
                if count is None and all([await consumer.position(tp) >= end for tp, end in ends.items()]):
                    break
            return found
        finally:
            await consumer.stop()

    return read


def counter(name: str, **labels: str) -> float:
    """The value of one of the gateway's counters at this moment."""
    registry: CollectorRegistry = metrics.REGISTRY
    return registry.get_sample_value(name, labels) or 0.0
