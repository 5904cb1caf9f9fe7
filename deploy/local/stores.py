"""Bringing up Kafka and Postgres: ours, or those that the user names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import asyncpg

from deploy.local import jars, java
from deploy.local.children import base_environment
from deploy.local.folder import Folder, cache_folder
from deploy.local.kafka import Kafka, answers
from deploy.local.ports import Ports
from deploy.local.postgres import Postgres, privilege, trouble
from deploy.local.refusals import CannotRun
from deploy.local.settings import Settings
from deploy.local.supervisor import Child, Say, Supervisor
from deploy.local.urls import without_password
from services.common.migrate import CannotMigrate, migrate, set_role_passwords

DATABASE: Final = "syncwatch"
WITHIN_S: Final = 15.0


async def bring_kafka(
    settings: Settings, environ: Mapping[str, str], folder: Folder, ports: Ports, supervisor: Supervisor, say: Say
) -> str:
    """Return the address of a Kafka that answers."""
    if settings.kafka_bootstrap is not None:
        await _patiently(
            lambda: _answers_or_says(settings.kafka_bootstrap or ""),
            f"No Kafka answers at KAFKA_BOOTSTRAP={settings.kafka_bootstrap}: {{}}.",
        )
        say(f"kafka answers at {settings.kafka_bootstrap}")
        return settings.kafka_bootstrap
    server = await asyncio.to_thread(_make_kafka, settings, environ, folder, ports, say)
    await asyncio.to_thread(server.prepare)
    await supervisor.start(Child(command=server.command(), ready=server.ready, where=server.bootstrap))
    return server.bootstrap


def _make_kafka(settings: Settings, environ: Mapping[str, str], folder: Folder, ports: Ports, say: Say) -> Kafka:
    runtime = java.find(settings.java_home)
    if settings.kafka_jars is not None:
        class_path: list[Path] = jars.of_folder(settings.kafka_jars)
    else:
        class_path = jars.ensure(cache_folder(environ) / "kafka", say=say)
    return Kafka(
        folder=folder.path / "kafka",
        java=runtime,
        jars=class_path,
        port=ports.take("kafka", 19092),
        controller_port=ports.take("kafka controller", 19093),
        environment=base_environment(),
    )


async def bring_postgres(settings: Settings, folder: Folder, ports: Ports, supervisor: Supervisor, say: Say) -> str:
    """Return the owner's URL of a Postgres that answers; our own has the database made."""
    if settings.database_url is not None:
        url = settings.database_url
        shown = without_password(url)
        await _patiently(lambda: trouble(url), f"No Postgres answers at DATABASE_URL={shown}: {{}}.")
        say(f"postgres answers at {shown}")
        return url
    server = Postgres(
        folder=folder.path / "postgres",
        port=ports.take("postgres", 15432),
        password=folder.secret("postgres"),
        privilege=privilege(),
        environment=base_environment(),
    )
    await asyncio.to_thread(server.prepare)
    where = without_password(server.url(DATABASE))
    await supervisor.start(Child(command=server.command(), ready=server.ready, where=where))
    await _ensure_database(server.url("postgres"), DATABASE)
    return server.url(DATABASE)


async def bring_schema(owner_url: str, passwords: Mapping[str, str], say: Say) -> None:
    """Migrate the database and let the services' roles sign in."""
    try:
        applied = await migrate(owner_url)
    except CannotMigrate as problem:
        raise CannotRun(str(problem)) from problem
    except asyncpg.PostgresError as problem:
        raise CannotRun(f"The database cannot be migrated: {problem}.") from problem
    await set_role_passwords(owner_url, passwords)
    say(f"the schema is up to date{f' ({len(applied)} migrations applied)' if applied else ''}")


async def _ensure_database(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url, timeout=10)
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


async def _answers_or_says(bootstrap: str) -> str | None:
    return None if await answers(bootstrap) else "no metadata request is answered"


async def _patiently(problem_of: Callable[[], Awaitable[str | None]], sentence: str) -> None:
    """Ask for a while until there is no problem, else refuse with `sentence`, which holds a {} for the problem."""
    limit = asyncio.get_running_loop().time() + WITHIN_S
    while (problem := await problem_of()) is not None:
        if asyncio.get_running_loop().time() > limit:
            raise CannotRun(sentence.format(problem.rstrip(".")))
        await asyncio.sleep(0.5)
