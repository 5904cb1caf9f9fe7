"""Starts the gateway: `python -m services.ingest.gateway`."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import asyncpg
import uvloop

from services.common import health, logs
from services.common.patience import is_outage, through_outages
from services.common.pool import create_pool
from services.common.settings import BadSettings, read, setting
from services.ingest import metrics
from services.ingest.gateway import limits
from services.ingest.gateway.app import Gateway, build
from services.ingest.gateway.publish import Publisher
from services.ingest.gateway.quota import Quota, Rate
from services.ingest.gateway.server import Server, listening, make_server
from services.ingest.gateway.ticks import keep_ticking
from services.ingest.gateway.tokens import Tokens
from services.ingest.gateway.watching import Watching


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the gateway is told from outside."""

    database_url: str = setting("where Postgres is, as a URL, as the role syncwatch_gateway", secret=True)
    kafka_bootstrap: str = setting("Kafka, host:port, several with commas")
    topic_prefix: str = setting("put in front of every topic name", default="")
    host: str = setting("address to listen on", default="127.0.0.1")
    port: int = setting("port for agents", parse=int, default=8081)
    metrics_port: int = setting("port for /metrics, /alive and /ready", parse=int, default=9101)
    quota_events_s: float = setting(
        "events a second an organization may send to this gateway for long; 0 is no limit", parse=float, default=2000.0
    )
    quota_burst: float = setting("events an organization may send to it at once on top", parse=float, default=50_000.0)
    quota_bytes_s: float = setting(
        "inflated bytes a second an organization may send to this gateway for long; 0 is no limit",
        parse=float,
        default=8e6,
    )
    quota_bytes_burst: float = setting(
        "inflated bytes an organization may send to it at once on top", parse=float, default=128e6
    )
    gateway_id: str = setting("name of this gateway in its ticks", default="")
    log_level: str = setting("least level of log lines", default="INFO")


def main() -> None:
    """Read settings, run until told to stop; bad settings end with one line per problem and code 2."""
    try:
        settings = read(Settings, os.environ, prefix="gateway")
    except BadSettings as bad:
        print(bad, file=sys.stderr)
        raise SystemExit(2) from None
    logs.set_up("gateway", settings.log_level)
    metrics.BUILD_INFO.labels(version("syncwatch")).set(1)
    try:
        uvloop.run(run(settings))
    except PortTaken as taken:
        print(taken, file=sys.stderr)
        raise SystemExit(2) from None


class PortTaken(Exception):
    """A port that was asked for cannot be had; the text names it."""


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    ready = health.Health("kafka", "postgres")
    gateway_id = re.sub(r"[^A-Za-z0-9._-]", "-", settings.gateway_id or f"gateway-{socket.gethostname()}")[:128]
    async with contextlib.AsyncExitStack() as stack:
        with _naming(settings.metrics_port):
            stack.enter_context(health.serve(settings.metrics_port, metrics.REGISTRY, ready, settings.host))
        with _naming(settings.port):
            door = stack.enter_context(listening(settings.host, settings.port))
        connections = Connections(settings.database_url)
        stack.push_async_callback(connections.close)
        publisher = Publisher(settings.kafka_bootstrap, ready)
        gateway = Gateway(
            tokens=Tokens(connections.lend, time.monotonic),
            publisher=publisher,
            quota=Quota(
                events=Rate(settings.quota_events_s, settings.quota_burst),
                size=Rate(settings.quota_bytes_s, settings.quota_bytes_burst),
            ),
            health=ready,
            prefix=settings.topic_prefix,
            now=_now,
        )
        server = make_server(Watching(build(gateway)))
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, _stop, server)
        jobs = [
            asyncio.create_task(publisher.keep_alive()),
            asyncio.create_task(keep_ticking(publisher, settings.topic_prefix, gateway_id, _now)),
            asyncio.create_task(_watch_postgres(connections, ready)),
            asyncio.create_task(limits.keep_checking(settings.kafka_bootstrap, settings.topic_prefix, ready)),
        ]
        serving = asyncio.create_task(server.serve(sockets=[door]))
        done, _ = await asyncio.wait([serving, *jobs], return_when=asyncio.FIRST_COMPLETED)
        _stop(server)
        await serving
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        for task in done:  # a job that ended by itself is a bug, and the process says so
            task.result()


def _stop(server: Server) -> None:
    server.should_exit = True


@contextlib.contextmanager
def _naming(port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PortTaken(f"port {port} cannot be had: {error.strerror}") from error


class Connections:
    """A small pool that is opened when Postgres answers, so that the gateway starts without it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def lend(self) -> AsyncIterator[Any]:
        """Lend a connection for one look-up; raises TimeoutError when none comes free within 2 s."""
        async with asyncio.timeout(2):
            pool = await self._opened()
            connection = await pool.acquire()
        try:
            async with asyncio.timeout(2):
                yield connection
        finally:
            await pool.release(connection, timeout=2)

    async def close(self) -> None:
        """Close whatever is open, at once."""
        if self._pool is not None:
            self._pool.terminate()

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await create_pool(self._url, role_name="syncwatch gateway", min_size=1, max_size=4)
            return self._pool


async def _watch_postgres(connections: Connections, ready: health.Health) -> None:
    async def ask() -> None:
        async with connections.lend() as connection:
            await connection.fetchval("SELECT 1")
        ready.set("postgres", None)
        metrics.OUTAGE.labels("postgres").set(0)

    def waiting(error: BaseException, seconds: float) -> None:
        assert is_outage(error)
        ready.set("postgres", f"Postgres does not answer: {type(error).__name__}")
        metrics.OUTAGE.labels("postgres").set(1)

    while True:
        await through_outages(ask, on_wait=waiting)
        await asyncio.sleep(5)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
