"""Where the benchmark reads: a Postgres kept between runs, its rows, and the query service in a process of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import psutil

from deploy.local import ports
from deploy.local.postgres import Postgres, privilege
from deploy.local.processes import Command
from schemas.credentials import new_key
from schemas.sql import named_queries
from services.common.migrate import migrate, set_role_passwords
from tests.rig import databases
from tests.rig.databases import Database
from tests.rig.servers import clear, environment, running

BUFFERS = "4GB"
"""Memory for what is read all day, as a server for so many rows is given; `./run` gives its own less."""


class LargePostgres(Postgres):
    """The server of `./run` with more buffers."""

    def command(self) -> Command:
        usual = Postgres.command(self)
        return replace(usual, argv=[*usual.argv, "-c", f"shared_buffers={BUFFERS}"])


@contextmanager
def server(folder: Path, url: str | None) -> Iterator[str]:
    """Yield the owner's URL of a server: the one given, or one in `folder` that keeps its rows between runs."""
    if url:
        yield url
        return
    folder.mkdir(parents=True, exist_ok=True)
    clear(folder)
    own = LargePostgres(
        folder=folder / "postgres",
        port=ports.any_free(),
        password="bench",
        privilege=privilege(),
        environment=environment(),
    )
    with ExitStack() as stack:
        stack.enter_context(running(own, folder))
        yield own.url("postgres")


async def database(url: str) -> Database:
    """Return the benchmark's database, made and migrated where it is not there yet."""
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'bench_query')"):
            await connection.execute("CREATE DATABASE bench_query")
    finally:
        await connection.close()
    own = Database(databases._with(url, database="bench_query"))
    await migrate(own.owner_url)
    await set_role_passwords(own.owner_url, {f"syncwatch_{role}": databases.PASSWORD for role in databases.ROLES})
    return own


@dataclass(frozen=True, slots=True)
class Running:
    """A query service to ask."""

    url: str
    key: str
    process: psutil.Process

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, timeout=900)


@asynccontextmanager
async def service(own: Database) -> AsyncIterator[Running]:
    """Run the query service on the database, as in production: the reader roles, row-level security on."""
    text, digest = new_key()
    async with own.connect() as connection:
        bound = (digest, uuid4(), "bench", "platform_admin", None, datetime.now(UTC), None)
        await connection.execute(named_queries("accounts")["add_key"], *bound)
    port, metrics = ports.any_free(), ports.any_free()
    settings = {
        "READER_DATABASE_URL": own.reader_url, "READER_ALL_DATABASE_URL": own.reader_all_url,
        "PANEL_DATABASE_URL": own.panel_url, "SECRET_KEY": "bench", "PORT": str(port), "METRICS_PORT": str(metrics),
    }  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-m", "services.query"],
        env={"PATH": os.environ["PATH"], **settings},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _ready(f"http://127.0.0.1:{metrics}/ready", child)
        yield Running(f"http://127.0.0.1:{port}", text, psutil.Process(child.pid))
    finally:
        child.terminate()
        child.wait(15)


async def _ready(url: str, child: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 60
    async with httpx.AsyncClient() as client:
        while time.monotonic() < limit and child.poll() is None:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError("the query service did not start")
