"""The order in which `./run` brings everything up: each part as soon as what it needs is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from deploy.local import access, children, once
from deploy.local.folder import Folder
from deploy.local.oneshots import output_of
from deploy.local.processes import stop_leftovers
from deploy.local.settings import Settings
from deploy.local.stores import bring_kafka, bring_postgres, bring_schema
from deploy.local.supervisor import Child, Say, Supervisor
from deploy.local.world import World, plan
from services.common.topics import create_topics
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS


@asynccontextmanager
async def everything(
    settings: Settings, environ: Mapping[str, str], folder: Folder, say: Say
) -> AsyncIterator[tuple[World, Supervisor]]:
    """Bring up all that takes events in, applies and shows them, and the two sides that the connector synchronizes.

    What crashes is started again; at the end, however it comes, all is stopped.
    """
    for name in await asyncio.to_thread(stop_leftovers, folder.pids):
        say(f"{name} was left over from an earlier start and is stopped")
    world = plan(settings, folder)
    supervisor = Supervisor(folder.logs, folder.pids, say)
    watching = asyncio.create_task(supervisor.watch())
    try:
        await _bring(world, environ, supervisor, say)
        yield world, supervisor
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await supervisor.stop()


async def _bring(world: World, environ: Mapping[str, str], supervisor: Supervisor, say: Say) -> None:
    async with asyncio.TaskGroup() as tasks:
        kafka = tasks.create_task(bring_kafka(world, environ, supervisor, say))
        schema = tasks.create_task(_bring_schema(world, supervisor, say))
        calendars = tasks.create_task(supervisor.start(children.radicale(world)))
        topics = tasks.create_task(_after(_make_topics(world, say), kafka, schema))
        tasks.create_task(_after(supervisor.start(children.query(world)), schema))
        tasks.create_task(_after(access.ensure_tokens(world), schema))
        tasks.create_task(_after(_set_up_both_sides(world, say), schema, calendars))
        for child in (children.gateway(world), *children.aggregators(world)):
            tasks.create_task(_after(supervisor.start(child), topics))


async def _after(work: Coroutine[Any, Any, None], *first: asyncio.Task[None]) -> None:
    """Do `work` when all of `first` is done."""
    try:
        for task in first:
            await task
    except BaseException:
        work.close()
        raise
    await work


async def _bring_schema(world: World, supervisor: Supervisor, say: Say) -> None:
    await bring_postgres(world, supervisor, say)
    await bring_schema(world, say)


async def _make_topics(world: World, say: Say) -> None:
    await create_topics(world.bootstrap, world.owner_url)
    say("the topics and their positions are there")


async def _set_up_both_sides(world: World, say: Say) -> None:
    await output_of(children.connector_command(world, "setup", "setup"), world.folder.logs)
    say("the calendars and the CRM are set up")


async def stay(settings: Settings, environ: Mapping[str, str], folder: Folder, say: Say) -> None:
    """Bring everything up, print where it is, and keep it up until cancelled."""
    async with everything(settings, environ, folder, say) as (world, supervisor):
        watchers = children.watchers(world)
        async with asyncio.TaskGroup() as tasks:
            link = tasks.create_task(access.sign_in_link(world))
            for child in (*children.agents(world), children.life(world), *watchers):
                tasks.create_task(supervisor.start(child))
        _tell(world, link.result(), watchers)
        await asyncio.Event().wait()


async def run_once(settings: Settings, environ: Mapping[str, str], folder: Folder, sessions: int, say: Say) -> bool:
    """Bring up what is needed, run that many sessions, and say whether every published event was applied."""
    async with everything(settings, environ, folder, say) as (world, supervisor):
        return await once.run(world, supervisor, sessions, say)


def _tell(world: World, link: str, watchers: list[Child]) -> None:
    missing = sorted({"alertmanager", "prometheus"} - {child.name for child in watchers})
    lines = [
        f"Admin Panel     {link}",
        "                (this link signs you in once, within 15 minutes)",
        f"Organizations   {', '.join(organization.name for organization in ORGANIZATIONS)}",
        f"Gateway         {world.url('gateway')}",
        *(f"{child.name.title():<15} {child.where}" for child in watchers),
        *([f"Not started     {' and '.join(missing)}: not on the PATH"] if missing else []),
        f"Logs            {world.folder.logs}",
        "Ctrl-C stops everything; what is stored stays.",
    ]
    print("", *lines, "", sep="\n", flush=True)
