"""One real Kafka and one real Postgres for a whole test run, or those that a developer already has running."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from deploy.local import jars, java, ports
from deploy.local.folder import cache_folder
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres, privilege
from deploy.local.processes import Process, start, stop_leftovers

T = TypeVar("T")

MEMORY: Final = Path("/dev/shm")
ROOM_BYTES: Final = 4 * 1024**3
SCRATCH: Final = "syncwatch-tests-"


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
def scratch(usual: Path) -> Iterator[Path]:
    """Lend a folder for the servers of one run: in memory where there is room, else `usual`.

    A new database is some 700 files: 0.15 s in memory, on a disk 0.2 s at first and 1.5 s after a dozen of them.
    What runs that were killed left there, servers and files, is cleared away first.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        yield usual
        return
    for left in MEMORY.glob(f"{SCRATCH}*"):
        if not Path("/proc", left.name.removeprefix(SCRATCH)).exists():
            for pids in left.glob("*/pids"):
                stop_leftovers(pids)
            shutil.rmtree(left, ignore_errors=True)
    folder = MEMORY / f"{SCRATCH}{os.getpid()}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
