"""`python -m services.ingest.connectors.caldav_crm COMMAND`: the connector and the two systems it connects."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson

from services.common import health, logs
from services.common.settings import BadSettings, read
from services.ingest.agent.http import HttpTransport
from services.ingest.connectors.caldav_crm import accounts, once, seeds, server
from services.ingest.connectors.caldav_crm.agent import opened_agent
from services.ingest.connectors.caldav_crm.hands import hands
from services.ingest.connectors.caldav_crm.life import Life, journal_of
from services.ingest.connectors.caldav_crm.metrics import REGISTRY
from services.ingest.connectors.caldav_crm.sessionlog import listening
from services.ingest.connectors.caldav_crm.settings import (
    PREFIX,
    AgentSettings,
    LifeSettings,
    OnceSettings,
    ServerSettings,
    SetUpSettings,
    at_least_one,
)
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, everybody

SERVICE = "caldav-crm"


async def organizations(_: argparse.Namespace) -> int:
    """Print which organizations there are."""
    print(
        orjson.dumps(
            [{"slug": each.slug, "organization_id": each.organization_id, "name": each.name} for each in ORGANIZATIONS]
        ).decode()
    )
    return 0


async def radicale(_: argparse.Namespace) -> int:
    """Serve the calendars until stopped."""
    settings = read(ServerSettings, os.environ, PREFIX)
    checks = health.Health("calendar server")
    _private(settings.state_dir)
    accounts.lay(settings.state_dir, tuple(person.login for person in everybody()))
    async with _daemon(settings.metrics_port, checks) as stop:
        await server.serve(settings.state_dir, settings.host, settings.port, checks, stop)
    return 0


async def set_up(_: argparse.Namespace) -> int:
    """Make the CRM and the calendars, with their first appointments."""
    settings = read(SetUpSettings, os.environ, PREFIX)
    now = _now()
    _private(settings.state_dir)
    await seeds.lay_crm(settings.crm_database_url, now)
    await seeds.lay_calendars(settings.state_dir, settings.caldav_url, now)
    return 0


async def agent(_: argparse.Namespace) -> int:
    """Announce one organization and synchronize its people until stopped."""
    settings = read(AgentSettings, os.environ, PREFIX)
    checks = health.Health("crm")
    _private(settings.state_dir)
    async with (
        _daemon(settings.metrics_port, checks) as stop,
        opened_agent(
            settings.organization,
            HttpTransport(settings.gateway_url, settings.agent_token),
            agent_id=settings.agent_id,
            state_dir=settings.state_dir,
            crm_database_url=settings.crm_database_url,
            caldav_url=settings.caldav_url,
            interval_s=settings.interval_s,
            concurrency=settings.concurrency,
            now=_now,
        ) as opened,
    ):
        with listening():
            await opened.serve(settings.concurrency, checks, stop)
    return 0


async def live(_: argparse.Namespace) -> int:
    """Let people edit both sides and things go wrong, until stopped."""
    settings = read(LifeSettings, os.environ, PREFIX)
    async with (
        _daemon(settings.metrics_port, health.Health()) as stop,
        hands(settings.state_dir, settings.crm_database_url, settings.caldav_url) as outer,
    ):
        rng = Random(settings.life_seed)
        await Life(outer, journal_of(settings.state_dir), rng, _now, time.monotonic).live(settings.life_period_s, stop)
    return 0


async def run_once(options: argparse.Namespace) -> int:
    """Make so many sessions with faults, and print what was acknowledged."""
    settings = read(OnceSettings, os.environ, PREFIX)
    _private(settings.state_dir)
    try:
        with listening():
            report = await once.run(settings, options.sessions, _now)
    except once.NotDrained as problem:
        print(problem, file=sys.stderr)
        return 1
    print(orjson.dumps(report).decode(), flush=True)
    return 0


def _now() -> datetime:
    return datetime.now(UTC)


COMMANDS: dict[str, Callable[[argparse.Namespace], Awaitable[int]]] = {
    "organizations": organizations,
    "radicale": radicale,
    "setup": set_up,
    "agent": agent,
    "life": live,
    "once": run_once,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for a failure, 2 for settings that cannot be used."""
    options = _options(arguments)
    logs.set_up(f"{SERVICE}-{options.command}")
    try:
        return asyncio.run(_run(COMMANDS[options.command], options))
    except BadSettings as bad:
        print(*bad.problems, sep="\n", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def _run(command: Callable[[argparse.Namespace], Awaitable[int]], options: argparse.Namespace) -> int:
    return await command(options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=SERVICE, description="Synchronize CalDAV calendars with a CRM in Postgres.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        described = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        if command is run_once:
            described.add_argument("--sessions", type=at_least_one, required=True, help="how many sessions")
    return parser.parse_args(arguments)


@asynccontextmanager
async def _daemon(metrics_port: int, checks: health.Health) -> AsyncIterator[asyncio.Event]:
    """Serve /metrics and /ready, and yield an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if not metrics_port:
        yield stop
        return
    with health.serve(metrics_port, REGISTRY, checks):
        yield stop


def _private(state_dir: Path) -> None:
    """There are passwords in it."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    state_dir.chmod(0o700)


if __name__ == "__main__":
    sys.exit(main())
