"""`python -m services.query`: the query service, panel and API, until SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import uvicorn
import uvloop

from services.common.health import Health, serve
from services.common.logs import set_up
from services.common.settings import BadSettings, read
from services.query.app import build
from services.query.metrics import REGISTRY, PoolUse
from services.query.services import Services, Settings, derived_key, open_pools
from services.query.views.view import All, One

_CHECK_S: Final = 5.0
_READER: Final = "postgres_reader"
_READER_ALL: Final = "postgres_reader_all"
_PANEL: Final = "postgres_panel"
_NOBODY: Final = UUID(int=0)
UNSENT_BYTES: Final = 32 * 1024


def main() -> None:
    """Read the settings, then serve; exits 2 on settings that cannot be used."""
    try:
        settings = read(Settings, os.environ, "query")
        if problem := settings.problem():
            raise BadSettings([problem])
    except BadSettings as bad:
        sys.exit(_told(bad.problems))
    set_up("query")
    # A page is thousands of small objects that refer to no one back: looking for cycles among them only makes it late.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    logging.getLogger("uvicorn").setLevel("WARNING")
    uvloop.run(run(settings))


def _told(problems: list[str]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    return 2


async def run(settings: Settings) -> None:
    """Serve until a signal comes; what still runs has three seconds to end."""
    pools = await open_pools(settings)
    services = Services(settings, pools, lambda: datetime.now(UTC), derived_key(settings.secret_key))
    REGISTRY.register(PoolUse(pools.in_use))
    health = Health(_READER, _READER_ALL, _PANEL)
    config = uvicorn.Config(
        build(services), host=settings.host, port=settings.port, http="httptools", loop="none", log_config=None,
        access_log=False, server_header=False, date_header=True, timeout_graceful_shutdown=3, timeout_keep_alive=15,
        h11_max_incomplete_event_size=16_384, proxy_headers=False,
    )  # fmt: skip
    with serve(settings.metrics_port, REGISTRY, health, settings.host):
        checking = asyncio.create_task(_keep_checking(services, health))
        try:
            await uvicorn.Server(config).serve([listen(config)])
        finally:
            checking.cancel()
            with suppress(asyncio.CancelledError):
                await checking


def listen(config: uvicorn.Config) -> socket.socket:
    """Return the socket to serve on. Little waits unsent in it: else who reads slowly seems to have stopped."""
    listening = config.bind_socket()
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return listening


async def _keep_checking(services: Services, health: Health) -> None:
    while True:
        await check(services, health)
        await asyncio.sleep(_CHECK_S)


async def check(services: Services, health: Health) -> None:
    """Ask Postgres as each of our roles: their passwords differ, and one that is refused leaves the others working."""
    for name, lent in (
        (_READER, services.reading(One(_NOBODY))),
        (_READER_ALL, services.reading(All())),
        (_PANEL, services.administering()),
    ):
        try:
            async with lent as connection:
                await connection.fetchval("SELECT 1")
            health.set(name, None)
        except Exception as error:
            health.set(name, f"Postgres does not answer: {type(error).__name__}")


if __name__ == "__main__":
    main()
