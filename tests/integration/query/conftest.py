"""A query service on a private database, asked over ASGI; accounts and keys of every role."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from schemas.credentials import new_key
from schemas.sql import named_queries
from services.query.app import build
from services.query.services import Services, Settings, derived_key, open_pools
from tests.rig.databases import Database
from tests.rig.seed import Plan, seed

ACCOUNTS = named_queries("accounts")
BASE = "http://127.0.0.1:8080"


@dataclass(slots=True)
class Service:
    """The service under test and ways to ask it."""

    services: Services
    app: Any
    database: Database
    clock: datetime

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Return a client that sends these headers."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)

    async def key(self, role: str, organization_id: UUID | None = None, name: str | None = None) -> str:
        """Make a key of the API."""
        text, digest = new_key()
        name = name or f"{role} {secrets.token_hex(2)}"
        async with self.database.connect() as connection:
            bound = (digest, uuid4(), name, role, organization_id, self.clock, None)
            await connection.execute(ACCOUNTS["add_key"], *bound)
        return text

    async def as_key(
        self, role: str, organization_id: UUID | None = None, name: str | None = None
    ) -> httpx.AsyncClient:
        """Return a client with a new key."""
        return self.client(authorization=f"Bearer {await self.key(role, organization_id, name)}")

    async def cookie(self, role: str, organization_id: UUID | None = None, user_id: UUID | None = None) -> str:
        """Make an account that is signed in and return its cookie."""
        account, cookie = uuid4(), secrets.token_urlsafe(32)
        async with self.database.connect() as connection:
            email = f"{role}.{secrets.token_hex(4)}@example.org"
            bound = (account, email, None, role, organization_id, user_id, self.clock)
            await connection.execute(ACCOUNTS["add_account"], *bound)
            digest = hashlib.sha256(cookie.encode()).digest()
            await connection.execute(ACCOUNTS["add_web_session"], digest, account, self.clock)
        return cookie

    async def as_person(
        self, role: str, organization_id: UUID | None = None, user_id: UUID | None = None
    ) -> httpx.AsyncClient:
        """Return a client that is signed in by a cookie."""
        client = self.client()
        client.cookies.set("syncwatch", await self.cookie(role, organization_id, user_id))
        return client


@pytest.fixture
def now() -> datetime:
    """The service's clock: noon of today, so that rows of the last hours have their day."""
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
async def service(database: Database, now: datetime) -> AsyncIterator[Service]:
    """A query service whose clock stands still at `now`."""
    async with serving(database, lambda: now) as made:
        yield made


@pytest.fixture
def plan(now: datetime) -> Plan:
    """What `client` is seeded with; a module that needs more has a plan of its own."""
    return Plan(now=now, organizations=2, users=4, sessions=6)


@pytest.fixture
async def client(service: Service, plan: Plan) -> AsyncIterator[httpx.AsyncClient]:
    """A platform admin's key on a small seeded database."""
    async with service.database.connect() as connection:
        await seed(connection, plan)
    async with await service.as_key("platform_admin") as client:
        yield client


async def body(client: httpx.AsyncClient, path: str) -> Any:
    """Return what the API answers at a path."""
    answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def read(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV, each title → cell."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


async def ask_raw(service: Service, path: str, query: str, send: Any, receive: Any = None) -> None:
    """Ask over bare ASGI, so that a broken answer is seen as one."""

    async def waiting() -> Any:
        await asyncio.sleep(3600)

    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {await service.key('platform_admin')}".encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080), "root_path": "", "state": {},
    }  # fmt: skip
    await service.app(scope, receive or waiting, send)


async def freed(service: Service) -> None:
    """Wait until no export holds a connection: it is given back behind the answer."""
    async with asyncio.timeout(60):
        while service.services.pools.in_use()["export"]:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(database: Database, clock: Callable[[], datetime]) -> AsyncIterator[Service]:
    """Run a query service on a database."""
    settings = Settings(
        reader_database_url=database.reader_url,
        reader_all_database_url=database.reader_all_url,
        panel_database_url=database.panel_url,
        secret_key="for tests",
        list_timeout_s=60,  # a starved machine is slow, and no test measures
        count_timeout_s=60,
        search_s=60,
    )
    pools = await open_pools(settings)
    services = Services(settings, pools, clock, derived_key("for tests"))
    try:
        yield Service(services, build(services), database, clock())
    finally:
        await pools.close()
