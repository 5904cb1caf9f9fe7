"""Starts a worker: `python -m services.aggregator`."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer

from schemas.events import decode
from schemas.retention import KEPT
from schemas.topics import EVENTS, INPUT_TOPICS
from services.aggregator import metrics
from services.aggregator.app import GROUP, Membership, serve
from services.aggregator.intake import Intake
from services.aggregator.leader import run_leader
from services.aggregator.monitor import run_monitor
from services.aggregator.positions import Positions
from services.aggregator.reading import Limits
from services.aggregator.store import PostgresStore, open_pool
from services.aggregator.tasks import PatientStore, keep_books, owned, watch_kafka, watch_monitor, watch_pool
from services.common import logs
from services.common.health import Health
from services.common.health import serve as serve_health
from services.common.kafka import producer_options
from services.common.patience import through_outages
from services.common.priority import step_back
from services.common.settings import BadSettings, read, setting

T = TypeVar("T")


def _niceness(text: str) -> int:
    number = int(text)
    if number not in range(20):
        raise ValueError(text)
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a worker is told from outside."""

    database_url: str = setting("where Postgres is, as a URL, as the role syncwatch_writer", secret=True)
    kafka_bootstrap: str = setting("Kafka, host:port, several with commas")
    topic_prefix: str = setting("put in front of every topic name and of the group", default="")
    host: str = setting("address to listen on", default="127.0.0.1")
    metrics_port: int = setting("port for /metrics, /alive and /ready", parse=int, default=9102)
    worker: str = setting("name of this worker, unlike all others: a restart then moves no partition", default="")
    data_dir: str = setting("folder for Faust, whose parent exists", default="")
    batch_rows: int = setting("rows that are worth a transaction", parse=int, default=4_000)
    batch_events: int = setting("most events in a transaction", parse=int, default=20_000)
    batch_seconds: float = setting("longest wait before a batch is applied", parse=float, default=0.2)
    niceness: int = setting("how far to step back for what shares the machine, 0 to 19", parse=_niceness, default=0)
    log_level: str = setting("least level of log lines", default="INFO")


def main() -> None:
    """Read settings, run until told to stop; bad settings end with one line per problem and code 2."""
    try:
        settings = read(Settings, os.environ, prefix="aggregator")
    except BadSettings as bad:
        print(bad, file=sys.stderr)
        raise SystemExit(2) from None
    logs.set_up("aggregator", settings.log_level)
    step_back(settings.niceness)
    for chatty in ("faust", "mode", "aiokafka"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    metrics.BUILD_INFO.labels(version("syncwatch")).set(1)
    metrics.start_at_zero(settings.topic_prefix + GROUP, settings.topic_prefix)
    # A batch is tens of thousands of small objects that refer to no one back: looking for cycles among them is in vain.
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    asyncio.run(run(settings))


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Whatever is no outage escapes and ends the process."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = Health("kafka", "postgres", "positions")
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(serve_health(settings.metrics_port, metrics.REGISTRY, health, settings.host))
        patient = _patience(health)
        starting = asyncio.create_task(_work(settings, stop, health, patient, stack))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            await asyncio.wait({starting}, timeout=4)
            starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting


async def _work(
    settings: Settings, stop: asyncio.Event, health: Health, patient: Any, stack: contextlib.AsyncExitStack
) -> None:
    name = f"syncwatch {settings.worker or 'aggregator'}"
    pool = await patient(lambda: open_pool(settings.database_url, role_name=name))
    health.set("postgres", None)
    stack.callback(pool.terminate)
    producer = await patient(lambda: _open_producer(settings))
    health.set("kafka", None)
    stack.push_async_callback(producer.stop)
    prefix = settings.topic_prefix
    intake = Intake(
        PatientStore(PostgresStore(pool, events_topic=prefix + EVENTS.name), patient), Positions(pool),
        on_gap={prefix + topic.name: topic.on_gap for topic in INPUT_TOPICS if topic.on_gap is not None},
        decode=decode, watcher=metrics.Watcher(), kept=KEPT, patient=patient, wall=_now,
        limits=Limits(rows=settings.batch_rows, events=settings.batch_events, seconds=settings.batch_seconds),
    )  # fmt: skip
    folder = Path(settings.data_dir or tempfile.mkdtemp(prefix="syncwatch-aggregator-"))
    topics = tuple(prefix + topic.name for topic in INPUT_TOPICS)
    membership = Membership(
        bootstrap=settings.kafka_bootstrap, group=prefix + GROUP, topics=topics, data_dir=folder,
        instance=settings.worker or None,
    )  # fmt: skip
    jobs = [
        intake.run(), intake.look(), intake.watch_halted(), keep_books(intake, prefix + GROUP, health),
        watch_pool(pool), watch_kafka(producer, patient), serve(membership, intake, stop, patient=patient),
        run_monitor(
            pool, topic=prefix + EVENTS.name, owned=lambda: owned(intake, prefix + EVENTS.name), lock=intake.lock,
            patient=patient, observe=watch_monitor,
        ),
        run_leader(
            producer, url=settings.database_url, registry=metrics.REGISTRY, wall=_now, patient=patient,
            topic_prefix=prefix,
        ),
    ]  # fmt: skip
    await _first_to_end([asyncio.create_task(job) for job in jobs])


async def _first_to_end(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the first task that ends - the one that was told to stop, or one that failed - and end the others."""
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.wait(rest, timeout=3) if rest else None
    for task in done:
        task.result()


def _patience(health: Health) -> Any:
    """Return a function that does something until it succeeds, and shows meanwhile what is waited for."""

    async def patient(action: Callable[[], Awaitable[T]]) -> T:
        waited: set[str] = set()

        def on_wait(error: BaseException, seconds: float) -> None:
            dependency = "kafka" if type(error).__module__.startswith("aiokafka") else "postgres"
            waited.add(dependency)
            metrics.OUTAGE.labels(dependency).set(1)
            health.set(dependency, f"does not answer: {type(error).__name__}")

        answer = await through_outages(action, on_wait=on_wait)
        for dependency in waited:
            metrics.OUTAGE.labels(dependency).set(0)
            health.set(dependency, None)
        return answer

    return patient


async def _open_producer(settings: Settings) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(**producer_options(settings.kafka_bootstrap))
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
