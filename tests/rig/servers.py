"""One real Kafka and one real Postgres for a whole test run, or those that a developer already has running."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from deploy.local import jars, java, ports
from deploy.local.folder import cache_folder
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres, privilege
from deploy.local.processes import Process, start, stop_leftovers

T = TypeVar("T")


def finish(work: Awaitable[T]) -> T:
    """Await `work` on a loop of its own, from a fixture that is not async and may run beside one that is."""

    async def whole() -> T:
        return await work

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, whole()).result()


def environment() -> dict[str, str]:
    """Return the few variables a server needs, so that nothing of the developer's leaks in."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8"}


def make_kafka(folder: Path) -> Kafka:
    """Return a node in `folder` on free ports; nothing runs yet. Raises CannotRun without Java or jars."""
    named = os.environ.get("KAFKA_JARS")
    class_path = jars.of_folder(Path(named)) if named else jars.ensure(cache_folder(os.environ) / "kafka")
    return Kafka(
        folder=folder / "kafka",
        java=java.find(os.environ.get("JAVA_HOME")),
        jars=class_path,
        port=ports.any_free(),
        controller_port=ports.any_free(),
        environment=environment(),
        throwaway=True,
    )


def make_postgres(folder: Path) -> Postgres:
    """Return a server in `folder` on a free port, for data that nobody misses; nothing runs yet."""
    return Postgres(
        folder=folder / "postgres",
        port=ports.any_free(),
        password="rig",
        privilege=privilege(),
        environment=environment(),
        throwaway=True,
    )


@contextmanager
def running(server: Kafka | Postgres, folder: Path) -> Iterator[Process]:
    """Run a server until the block is left."""
    logs, pids = folder / "logs", folder / "pids"
    for each in (logs, pids):
        each.mkdir(parents=True, exist_ok=True)
    server.prepare()
    process = start(server.command(), logs, pids)
    try:
        finish(server.ready(process))
        yield process
    finally:
        finish(process.stop())


def clear(folder: Path) -> None:
    """End what a rig that was killed left running in `folder`."""
    if (folder / "pids").exists():
        stop_leftovers(folder / "pids")
