"""The order in which `./run` brings everything up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from deploy.local import access, children, once
from deploy.local.children import World
from deploy.local.folder import Folder
from deploy.local.oneshots import output_of
from deploy.local.ports import Ports
from deploy.local.processes import stop_leftovers
from deploy.local.settings import Settings
from deploy.local.stores import bring_kafka, bring_postgres, bring_schema
from deploy.local.supervisor import Child, Say, Supervisor
from deploy.local.urls import with_database
from services.common.topics import create_topics
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS


@asynccontextmanager
async def watched(folder: Folder, say: Say) -> AsyncIterator[Supervisor]:
    """Lend a supervisor that restarts what crashes; at the end, however it comes, all is stopped."""
    for name in await asyncio.to_thread(stop_leftovers, folder.pids):
        say(f"{name} was left over from an earlier start and is stopped")
    supervisor = Supervisor(folder.logs, folder.pids, say)
    watching = asyncio.create_task(supervisor.watch())
    try:
        yield supervisor
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await supervisor.stop()


async def bring_stores(
    settings: Settings, environ: Mapping[str, str], folder: Folder, supervisor: Supervisor, say: Say
) -> World:
    """Bring up Kafka and Postgres side by side, then the schema and the topics."""
    ports = Ports(folder.path / "ports.json")
    taken = children.take_ports(ports, settings.port)
    async with asyncio.TaskGroup() as tasks:
        kafka = tasks.create_task(bring_kafka(settings, environ, folder, ports, supervisor, say))
        postgres = tasks.create_task(bring_postgres(settings, folder, ports, supervisor, say))
    world = World(
        folder=folder,
        bootstrap=kafka.result(),
        owner_url=postgres.result(),
        # The CRM is a system of its own; in a Postgres that the user lends us it only gets a schema.
        crm_url=settings.database_url or with_database(postgres.result(), "crm"),
        panel=taken["panel"],
        gateway=taken["gateway"],
        caldav=taken["caldav"],
        prometheus=taken["prometheus"],
        alertmanager=taken["alertmanager"],
        metrics=children.metrics_ports(taken),
    )
    await bring_schema(world.owner_url, world.role_passwords(), say)
    await create_topics(world.bootstrap, world.owner_url)
    say("the topics and their positions are there")
    return world


async def bring_services(world: World, supervisor: Supervisor, say: Say) -> None:
    """Start what takes events in, applies and shows them, and make the two sides that the connector synchronizes."""
    async with asyncio.TaskGroup() as tasks:
        for child in (children.gateway(world), *children.aggregators(world), children.query(world)):
            tasks.create_task(supervisor.start(child))
        tasks.create_task(access.ensure_tokens(world))
        tasks.create_task(_bring_both_sides(world, supervisor, say))


async def _bring_both_sides(world: World, supervisor: Supervisor, say: Say) -> None:
    await supervisor.start(children.radicale(world))
    environment = children.connector_environment(world)
    await output_of(children.connector_command("connector set-up", "setup", environment=environment))
    say("the calendars and the CRM are set up")


async def stay(settings: Settings, environ: Mapping[str, str], folder: Folder, say: Say) -> None:
    """Bring everything up, print where it is, and keep it up until cancelled."""
    async with watched(folder, say) as supervisor:
        world = await bring_stores(settings, environ, folder, supervisor, say)
        await bring_services(world, supervisor, say)
        watchers = children.watchers(world)
        async with asyncio.TaskGroup() as tasks:
            link = tasks.create_task(access.sign_in_link(world))
            for child in (*children.agents(world), children.life(world), *watchers):
                tasks.create_task(supervisor.start(child))
        _tell(world, link.result(), watchers)
        await asyncio.Event().wait()


async def run_once(settings: Settings, environ: Mapping[str, str], folder: Folder, sessions: int, say: Say) -> bool:
    """Bring up what is needed, run that many sessions, and say whether every published event was applied."""
    async with watched(folder, say) as supervisor:
        world = await bring_stores(settings, environ, folder, supervisor, say)
        await bring_services(world, supervisor, say)
        return await once.run(world, supervisor, sessions, say)


def _tell(world: World, link: str, watchers: list[Child]) -> None:
    missing = {"alertmanager", "prometheus"} - {child.name for child in watchers}
    lines = [
        f"Admin Panel     {link}",
        "                (this link signs you in once, within 15 minutes)",
        f"Organizations   {', '.join(organization.name for organization in ORGANIZATIONS)}",
        f"Gateway         {children.gateway_url(world)}",
        *(f"{child.name.title():<15} {child.where}" for child in watchers),
        *([f"Not started     {' and '.join(sorted(missing))}: not on the PATH"] if missing else []),
        f"Logs            {world.folder.logs}",
        "Ctrl-C stops everything; what is stored stays.",
    ]
    print("", *lines, "", sep="\n")
    sys.stdout.flush()
