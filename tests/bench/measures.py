"""What is measured: the limit, the worker, vanilla Faust, what waits, what is seen, and how much memory it takes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from deploy.local.ports import any_free
from schemas.topics import EVENTS
from tests.bench.holding import held
from tests.bench.load import Load
from tests.bench.speed import Commit, Speed, commits_of, speed_of
from tests.bench.stage import Stage, started
from tests.rig.databases import Database

PARTITIONS = EVENTS.partitions


def worked_s() -> float:
    """Return the seconds that all processors have worked since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


@dataclass
class Samples:
    """What is looked at while workers run."""

    totals: list[tuple[float, dict[int, int]]] = field(default_factory=list)
    """(time, partition -> events applied)."""
    lock_waits: int = 0
    rss_mb: float = 0.0


def _asked(child: subprocess.Popen[str]) -> str:
    """Return the next line a child prints."""
    assert child.stdout is not None
    return child.stdout.readline()


def _commits(line: str) -> list[Commit]:
    """Return what a child tells of its commits."""
    return [Commit(*each) for each in json.loads(line)]


def _go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


async def limit(
    stage: Stage, prefix: str, known: Database, load: Load, processes: int, share: float | None = None
) -> Speed:
    """Measure bare aiokafka and an upsert, in as many processes, on a copy of a known database.

    `share`: each is held to so much of a processor.
    """
    async with stage.database(prefix, known) as database:
        children = [
            started(
                "tests.bench.limit", "--bootstrap", stage.bootstrap, "--topic", prefix + EVENTS.name,
                "--url", database.writer_url,
                "--partitions", ",".join(str(number) for number in range(PARTITIONS) if number % processes == child),
                log=stage.folder / "limit.log",
            )
            for child in range(processes)
        ]  # fmt: skip
        for child in children:
            await asyncio.to_thread(_asked, child)
        before = worked_s()
        for child in children:
            _go(child)
        async with held((child.pid for child in children), share):
            commits = [_commits(await asyncio.to_thread(_asked, child)) for child in children]
        for child in children:
            await asyncio.to_thread(child.wait)
        cpu_us = (worked_s() - before) / load.events * 1e6
    return replace(speed_of(commits), cpu_us=cpu_us)


async def vanilla(stage: Stage, prefix: str, known: Database, seconds: float) -> Speed:
    """Measure the agent of the tutorials for a while; it would not come to the end."""
    async with stage.database(prefix, known) as database:
        child = started(
            "tests.bench.vanilla", "--bootstrap", stage.bootstrap, "--topic", prefix + EVENTS.name,
            "--url", database.writer_url, "--seconds", str(seconds), log=stage.folder / "vanilla.log",
        )  # fmt: skip
        commits = _commits(await asyncio.to_thread(_asked, child))
        await asyncio.to_thread(child.wait)
    return speed_of([commits])


async def ours(
    stage: Stage, prefix: str, known: Database, load: Load, workers: int, share: float | None = None
) -> Speed:
    """Measure the program itself, with as many workers, on a copy of a known database. `share`: as `limit` has it."""
    async with stage.database(prefix, known) as database:
        ports = [any_free() for _ in range(workers)]
        # Halted, so that all workers have joined and settled when the reading begins.
        await _execute(database, "UPDATE kafka_position SET halted = 'bench', halted_at = now()")
        children = [
            started(
                "services.aggregator", log=stage.folder / "aggregator.log", DATABASE_URL=database.writer_url,
                KAFKA_BOOTSTRAP=stage.bootstrap, TOPIC_PREFIX=prefix, METRICS_PORT=str(port),
                WORKER=f"{prefix}{number}", DATA_DIR=str(stage.folder / f"faust-{number}"),
            )
            for number, port in enumerate(ports)
        ]  # fmt: skip
        try:
            for port in ports:
                await until_ready(port)
            await asyncio.sleep(1.0)
            await _execute(database, "UPDATE kafka_position SET halted = NULL, halted_at = NULL")
            before = worked_s()
            async with held((child.pid for child in children), share):
                samples = await _watch(database, load.events, children)
            cpu_us = (worked_s() - before) / load.events * 1e6
            rows = 0.0
            for port in ports:
                rows += await metric(port, "syncwatch_batch_rows_sum")
        finally:
            await end(children)
    events_s = speed_of([commits_of(samples.totals, worker, workers) for worker in range(workers)]).events_s
    return Speed(events_s, events_s * rows / load.events, samples.rss_mb, samples.lock_waits, cpu_us)


async def _execute(database: Database, statement: str) -> None:
    async with database.connect() as owner:
        await owner.execute(statement)


async def _watch(database: Database, events: int, children: Sequence[subprocess.Popen[str]]) -> Samples:
    samples = Samples()
    processes = [psutil.Process(child.pid) for child in children]
    async with database.connect() as owner:
        while True:
            rows = await owner.fetch(
                "SELECT partition, next_offset FROM kafka_position WHERE topic LIKE '%' || $1", EVENTS.name
            )
            totals = {row["partition"]: row["next_offset"] for row in rows}
            samples.totals.append((time.time(), totals))
            samples.lock_waits += await owner.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
                "AND wait_event IN ('tuple', 'transactionid')"  # of rows; growing one table together is none
            )
            samples.rss_mb = max(samples.rss_mb, *(each.memory_info().rss / 2**20 for each in processes))
            if sum(totals.values()) >= events:
                return samples
            if any(child.poll() is not None for child in children):
                raise RuntimeError("a worker ended: see aggregator.log")
            await asyncio.sleep(0.1)  # looking costs processor time, which is measured


async def end(children: Sequence[subprocess.Popen[str]]) -> None:
    """Ask processes to end, and wait until they have."""
    for child in children:
        child.terminate()
    for child in children:
        await asyncio.to_thread(child.wait)


async def metric(port: int, name: str) -> float:
    text = await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/metrics")
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def until_ready(port: int) -> None:
    """Wait until a process says that it is ready."""
    deadline = time.monotonic() + 60
    while True:
        try:
            await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/ready")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


async def steps(stage: Stage, prefix: str, known: Database) -> dict[str, float]:
    """Return what each step costs, in microseconds a row."""
    async with stage.database(prefix, known) as database, stage.database(prefix, known) as plain:
        child = started(
            "tests.bench.steps", "--bootstrap", stage.bootstrap, "--topic", prefix + EVENTS.name,
            "--url", database.writer_url, "--plain-url", plain.writer_url, log=stage.folder / "steps.log",
        )  # fmt: skip
        figures: dict[str, float] = json.loads(await asyncio.to_thread(_asked, child))
        await asyncio.to_thread(child.wait)
    return figures


def read_log(folder: Path, name: str) -> str:
    """Return the last lines a process of the benchmark logged."""
    path = folder / f"{name}.log"
    return path.read_text()[-3000:] if path.exists() else ""
