"""The order in which `./run` brings everything up: each part as soon as what it needs is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
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
    world: World,
    environ: Mapping[str, str],
    say: Say,
    *,
    reporting: Sequence[Child] = (),
    watchers: Sequence[Child] = (),
) -> AsyncIterator[Supervisor]:
    """Bring up all that takes events in, applies and shows them, and the two sides that the connector synchronizes.

    `reporting` sends events, `watchers` need nothing. What crashes is started again; at the end, however it comes,
    all is stopped.
    """
    supervisor = Supervisor(world.folder.logs, world.folder.pids, say)
    watching = asyncio.create_task(supervisor.watch())
    try:
        async with asyncio.TaskGroup() as tasks:
            _Bringing(world, environ, supervisor, say, tasks).bring(reporting, watchers)
        yield supervisor
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await supervisor.stop()


@dataclass(frozen=True, slots=True)
class _Bringing:
    """Starts each part as soon as what it needs is there."""

    world: World
    environ: Mapping[str, str]
    supervisor: Supervisor
    say: Say
    tasks: asyncio.TaskGroup

    def bring(self, reporting: Sequence[Child], watchers: Sequence[Child]) -> None:
        world, supervisor, say = self.world, self.supervisor, self.say
        kafka = self._do(bring_kafka(world, self.environ, supervisor, say))
        postgres = self._do(bring_postgres(world, supervisor, say))
        calendars = self._start(children.radicale(world))
        schema = self._do(bring_schema(world, say), postgres)
        topics = self._do(_make_topics(world, say), kafka, schema)
        self._start(children.query(world), schema)
        for child in children.aggregators(world):
            self._start(child, topics)
        gateway = self._start(children.gateway(world), topics)
        tokens = self._do(access.ensure_tokens(world), schema)
        both_sides = self._do(_set_up_both_sides(world, say), schema, calendars)
        for child in reporting:
            self._start(child, gateway, tokens, both_sides)
        for child in watchers:
            self._start(child)

    def _start(self, child: Child, *first: asyncio.Task[None]) -> asyncio.Task[None]:
        return self._do(self.supervisor.start(child), *first)

    def _do(self, work: Coroutine[Any, Any, None], *first: asyncio.Task[None]) -> asyncio.Task[None]:
        return self.tasks.create_task(_after(work, *first))


async def _after(work: Coroutine[Any, Any, None], *first: asyncio.Task[None]) -> None:
    """Do `work` when all of `first` is done."""
    try:
        for task in first:
            await task
    except BaseException:
        work.close()
        raise
    await work


async def _make_topics(world: World, say: Say) -> None:
    await create_topics(world.bootstrap, world.owner_url)
    say("the topics and their positions are there")


async def _set_up_both_sides(world: World, say: Say) -> None:
    await output_of(children.connector_command(world, "setup", "setup"), world.folder.logs)
    say("the calendars and the CRM are set up")


async def stay(settings: Settings, environ: Mapping[str, str], folder: Folder, say: Say) -> None:
    """Bring everything up, print where it is, and keep it up until cancelled."""
    world = await _clear_and_plan(settings, folder, say)
    reporting = [*children.agents(world), children.life(world)]
    watchers = children.watchers(world)
    async with everything(world, environ, say, reporting=reporting, watchers=watchers):
        _tell(world, await access.sign_in_link(world), watchers)
        await asyncio.Event().wait()


async def run_once(settings: Settings, environ: Mapping[str, str], folder: Folder, sessions: int, say: Say) -> bool:
    """Bring up what is needed, run that many sessions, and say whether every published event was applied."""
    world = await _clear_and_plan(settings, folder, say)
    async with everything(world, environ, say) as supervisor:
        return await once.run(world, supervisor, sessions, say)


async def _clear_and_plan(settings: Settings, folder: Folder, say: Say) -> World:
    for name in await asyncio.to_thread(stop_leftovers, folder.pids):
        say(f"{name} was left over from an earlier start and is stopped")
    return plan(settings, folder)


def _tell(world: World, link: str, watchers: Sequence[Child]) -> None:
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
