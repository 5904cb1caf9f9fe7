"""The only broker is killed while agents publish through the gateway: what was answered 202 is in the log (P3, P12)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from deploy.local.kafka import Kafka
from deploy.local.ports import any_free
from deploy.local.processes import Process, start
from deploy.local.refusals import Refusal
from schemas.topics import EVENTS
from services.common.topics import create_topics
from services.ingest.agent import HttpTransport, Reporter
from services.ingest.agent.transport import Fate, NotNow, Outcome
from tests.faults.test_workers import assert_exact
from tests.faults.workers import Pipeline, running_pipeline, until
from tests.integration.ingest.conftest import add_token
from tests.rig import parts
from tests.rig.databases import Database
from tests.rig.outside import process, wait_until_ready
from tests.rig.servers import make_kafka

AGENTS = 3


@dataclass
class Broker:
    """A broker of this test alone: the run's own must live."""

    server: Kafka
    folder: Path
    process: Process | None = None

    async def start(self) -> None:
        """Start it, on what an earlier life left, and wait until it answers."""
        self.process = start(self.server.command(), self.folder, self.folder)
        await self.server.ready(self.process)

    async def kill(self) -> None:
        """End it at once: it closes nothing and tells nobody."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        assert await self.process.ended(10)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    try:
        server = make_kafka(tmp_path)
    except Refusal as refusal:
        parts.missing(str(refusal))
    broker = Broker(server, tmp_path)
    server.prepare()
    try:
        await broker.start()
        yield broker
    finally:
        if broker.process is not None:
            await broker.process.stop()


class Journal(HttpTransport):
    """Writes down which events were answered 202, and each time the gateway said when to come again."""

    def __init__(self, gateway_url: str, token: str) -> None:
        super().__init__(gateway_url, token)
        self.stored: list[bytes] = []
        self.told_later: list[str] = []

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        try:
            outcomes = await super().send(values)
        except NotNow as not_now:
            if not_now.after_s is not None:
                self.told_later.append(str(not_now))
            raise
        self.stored += [value for value, each in zip(values, outcomes, strict=True) if each.fate is Fate.STORED]
        return outcomes

    @property
    def sessions(self) -> list[bytes]:
        """Return the events of sessions among them: heartbeats go to another topic."""
        return [value for value in self.stored if b'"syncwatch.session.v1"' in value]


@dataclass
class Agent:
    """A reporter that goes from session to session until it is told to stop."""

    journal: Journal
    reporter: Reporter
    over: set[UUID]

    async def work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with self.reporter.session(uuid4()) as session:
                await asyncio.sleep(0.02)
            self.over.add(session.session_id)


@contextmanager
def gateway(pipeline: Pipeline) -> Iterator[str]:
    """Run the real gateway; yields its address."""
    port, metrics_port = any_free(), any_free()
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "DATABASE_URL": pipeline.database.gateway_url,
        "KAFKA_BOOTSTRAP": pipeline.bootstrap, "PORT": str(port), "METRICS_PORT": str(metrics_port),
    }  # fmt: skip
    with process([sys.executable, "-m", "services.ingest.gateway"], environment) as running:
        wait_until_ready(running, metrics_port)
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def agents(database: Database, url: str, folder: Path) -> AsyncIterator[list[Agent]]:
    """Lend agents of one organization, each with a token and a spool of its own."""
    organization_id = uuid4()
    async with AsyncExitStack() as stack:
        found = []
        for name in (f"agent-{number}" for number in range(AGENTS)):
            journal = Journal(url, await add_token(database, organization_id, agent_id=name))
            reporter = Reporter(
                journal, agent_id=name, organization_id=organization_id, spool_path=folder / f"{name}.db",
                version="1", spread_s=0.5,
            )  # fmt: skip
            found.append(Agent(journal, await stack.enter_async_context(reporter), set()))
        yield found


async def test_p3_p12_a_killed_broker_loses_nothing_that_was_answered_202(
    broker: Broker, database: Database, tmp_path: Path, rounds: int
) -> None:
    """Agents go on reporting all the while: into their spools, and out of them when the broker is back."""
    await create_topics(broker.server.bootstrap, database.owner_url)
    async with running_pipeline(database, broker.server.bootstrap, "", tmp_path) as pipeline:
        worker = pipeline.worker("one")
        worker.start()
        with ExitStack() as stack:
            url = stack.enter_context(gateway(pipeline))
            async with agents(database, url, tmp_path) as team:
                stop = asyncio.Event()
                work = asyncio.gather(*(agent.work(stop) for agent in team))
                for _ in range(rounds):
                    await heard(team, 20)
                    warned = [len(agent.journal.told_later) for agent in team]
                    await broker.kill()
                    await warned_again(team, warned)
                    await broker.start()
                    await heard(team, 20)
                stop.set()
                await work
                for agent in team:
                    assert await agent.reporter.drained(60), agent.reporter.figures()
        # No gateway any more, so no ticks: the log stands still.
        log = [record.value for partition in (await pipeline.log(EVENTS.name)).values() for record in partition]
        for agent in team:
            figures = agent.reporter.figures()
            assert set(agent.journal.sessions) <= set(log)
            assert figures.acknowledged == {"session": len(agent.journal.sessions)}
            assert (figures.queued, figures.set_aside, figures.dropped) == (0, {}, {})
            assert all("503" in words for words in agent.journal.told_later)
        await assert_exact(pipeline)
        rows = await pipeline.rows("SELECT session_id, status FROM sync_session")
        assert {row["session_id"]: row["status"] for row in rows} == dict.fromkeys(
            set[UUID]().union(*(agent.over for agent in team)), "finished"
        )
        counted = await pipeline.rows("SELECT status, sum(sessions)::int AS sessions FROM session_hour GROUP BY status")
        assert [row for row in counted if row["sessions"]] == [{"status": "finished", "sessions": len(rows)}]
        assert worker.is_alive


async def test_p3_a_worker_that_loses_kafka_says_so_until_it_is_back(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    await create_topics(broker.server.bootstrap, database.owner_url)
    async with running_pipeline(database, broker.server.bootstrap, "", tmp_path) as pipeline:
        worker = pipeline.worker("one")
        worker.start()
        await until(worker.is_ready, "the worker is ready")
        await broker.kill()

        async def says_so() -> bool:
            return "kafka" in await worker.problems()

        await until(says_so, "the worker says that Kafka does not answer")
        assert await worker.metric('syncwatch_outage{dependency="kafka"}') == 1
        assert await worker.metric('syncwatch_outage{dependency="postgres"}') == 0
        await broker.start()
        await until(worker.is_ready, "the worker is ready again")
        assert await worker.metric('syncwatch_outage{dependency="kafka"}') == 0
        assert worker.is_alive


async def heard(team: Sequence[Agent], more: int) -> None:
    """Wait until each agent has had so many more events acknowledged."""
    wanted = [len(agent.journal.sessions) + more for agent in team]

    async def are_there() -> bool:
        return all(len(agent.journal.sessions) >= count for agent, count in zip(team, wanted, strict=True))

    await until(are_there, f"{more} more events of each agent are acknowledged")


async def warned_again(team: Sequence[Agent], before: Sequence[int]) -> None:
    """Wait until each agent was told 503 and when to come again."""

    async def are() -> bool:
        return all(len(agent.journal.told_later) > count for agent, count in zip(team, before, strict=True))

    await until(are, "each agent was answered 503 with Retry-After")
