"""`python -m services.query`: the query service, panel and API, until SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

import uvicorn
import uvloop

from services.common.health import Health, serve
from services.common.logs import set_up
from services.common.settings import BadSettings, read
from services.query.app import build
from services.query.metrics import REGISTRY, PoolUse
from services.query.services import Services, Settings, derived_key, open_pools
from services.query.view import All

_CHECK_S = 5.0


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
    health = Health("postgres")
    config = uvicorn.Config(
        build(services), host=settings.host, port=settings.port, http="httptools", loop="none", log_config=None,
        access_log=False, server_header=False, date_header=True, timeout_graceful_shutdown=3, timeout_keep_alive=15,
        h11_max_incomplete_event_size=16_384, proxy_headers=False,
    )  # fmt: skip
    with serve(settings.metrics_port, REGISTRY, health, settings.host):
        checking = asyncio.create_task(_check(services, health))
        try:
            await uvicorn.Server(config).serve()
        finally:
            checking.cancel()
            with suppress(asyncio.CancelledError):
                await checking


async def _check(services: Services, health: Health) -> None:
    """Ask each role's database now and then; ready names what does not answer."""
    while True:
        try:
            async with services.reading(All()) as connection:
                await connection.fetchval("SELECT 1")
            async with services.administering() as connection:
                await connection.fetchval("SELECT 1")
            health.set("postgres", None)
        except Exception as error:
            health.set("postgres", f"Postgres does not answer: {type(error).__name__}")
        await asyncio.sleep(_CHECK_S)


if __name__ == "__main__":
    main()
