"""Bringing up Kafka and Postgres: ours, or those that the user names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import asyncpg

from deploy.local import jars, java
from deploy.local.children import base_environment
from deploy.local.folder import cache_folder
from deploy.local.kafka import Kafka, answers
from deploy.local.postgres import Postgres, privilege, trouble
from deploy.local.refusals import CannotRun
from deploy.local.supervisor import Child, Say, Supervisor
from deploy.local.urls import with_database, without_password
from deploy.local.world import DATABASE, World
from services.common.migrate import CannotMigrate, migrate, set_role_passwords

WITHIN_S: Final = 15.0


async def bring_kafka(world: World, environ: Mapping[str, str], supervisor: Supervisor, say: Say) -> None:
    """Return when a Kafka answers at the world's address."""
    named = world.settings.kafka_bootstrap
    if named is not None:
        await _patiently(lambda: _silence(named), f"No Kafka answers at KAFKA_BOOTSTRAP={named}: {{}}.")
        say(f"kafka answers at {named}")
        return
    server = await asyncio.to_thread(_make_kafka, world, environ, say)
    await asyncio.to_thread(server.prepare)
    await supervisor.start(Child(command=server.command(), ready=server.ready, where=server.bootstrap))


def _make_kafka(world: World, environ: Mapping[str, str], say: Say) -> Kafka:
    runtime = java.find(world.settings.java_home)
    named = world.settings.kafka_jars
    return Kafka(
        folder=world.folder.path / "kafka",
        java=runtime,
        jars=jars.of_folder(named) if named else jars.ensure(cache_folder(environ) / "kafka", say=say),
        port=world.ports["kafka"],
        controller_port=world.ports["kafka controller"],
        environment=base_environment(),
    )


async def bring_postgres(world: World, supervisor: Supervisor, say: Say) -> None:
    """Return when a Postgres answers at the world's address; our own has the database made."""
    named = world.settings.database_url
    shown = without_password(world.owner_url)
    if named is not None:
        await _patiently(lambda: trouble(named), f"No Postgres answers at DATABASE_URL={shown}: {{}}.")
        say(f"postgres answers at {shown}")
        return
    server = Postgres(
        folder=world.folder.path / "postgres",
        port=world.ports["postgres"],
        password=world.folder.secret("postgres"),
        privilege=privilege(),
        environment=base_environment(),
    )
    await asyncio.to_thread(server.prepare)
    await supervisor.start(Child(command=server.command(), ready=server.ready, where=shown))
    await _ensure_database(with_database(world.owner_url, "postgres"), DATABASE)


async def bring_schema(world: World, say: Say) -> None:
    """Migrate the database and let the services' roles sign in."""
    try:
        applied = await migrate(world.owner_url)
        await set_role_passwords(world.owner_url, world.role_passwords())
    except CannotMigrate as problem:
        raise CannotRun(str(problem)) from problem
    except asyncpg.PostgresError as problem:
        raise CannotRun(f"The database cannot be migrated: {problem}.") from problem
    say(f"the schema is up to date{f' ({len(applied)} migrations applied)' if applied else ''}")


async def _ensure_database(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url, timeout=10)
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


async def _silence(bootstrap: str) -> str | None:
    return None if await answers(bootstrap) else "no metadata request is answered"


async def _patiently(problem_of: Callable[[], Awaitable[str | None]], sentence: str) -> None:
    """Ask for a while until there is no problem, else refuse with `sentence`, which holds a {} for the problem."""
    clock = asyncio.get_running_loop().time
    limit = clock() + WITHIN_S
    while (problem := await problem_of()) is not None:
        if clock() > limit:
            raise CannotRun(sentence.format(problem.rstrip(".")))
        await asyncio.sleep(0.5)
