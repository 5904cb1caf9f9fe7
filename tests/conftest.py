"""What tests of every area share: a real Kafka, a real Postgres, a private database and private topics per test."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.refusals import Refusal
from schemas.topics import TOPICS
from services.common.kafka import client_options
from services.common.topics import create_topics
from tests.rig import databases, parts
from tests.rig.databases import Database
from tests.rig.servers import make_kafka, make_postgres, running, scratch
from tests.rig.stack import Stack, running_stack


@dataclass(frozen=True, slots=True)
class KafkaRig:
    """Where the run's broker is."""

    bootstrap: str


@dataclass(frozen=True, slots=True)
class Topics:
    """One test's topics: `prefix` + the name in `schemas.topics`; their position rows are in the test's database."""

    bootstrap: str
    prefix: str

    def name(self, short: str) -> str:
        """Return the full name of a topic, given as it stands in `schemas.topics`."""
        return self.prefix + short


@pytest.fixture(scope="session")
def scratch_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the run's servers keep their files; gone with the run."""
    with scratch(tmp_path_factory.mktemp("rig")) as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres(scratch_folder: Path) -> Iterator[str]:
    """The URL of the run's Postgres, as its owner. TEST_DATABASE_URL names one that already runs."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    folder = scratch_folder / "postgres rig"
    try:
        server = make_postgres(folder)
    except Refusal as refusal:
        parts.missing(str(refusal))
    with running(server, folder):
        yield server.url("postgres")


@pytest.fixture(scope="session")
def kafka(scratch_folder: Path) -> Iterator[KafkaRig]:
    """The run's broker. TEST_KAFKA_BOOTSTRAP names one that already runs."""
    if bootstrap := os.environ.get("TEST_KAFKA_BOOTSTRAP"):
        yield KafkaRig(bootstrap)
        return
    folder = scratch_folder / "kafka rig"
    try:
        server = make_kafka(folder)
    except Refusal as refusal:
        parts.missing(str(refusal))
    with running(server, folder):
        yield KafkaRig(server.bootstrap)


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[Database]:
    """A fresh, migrated database of this test alone."""
    async with databases.fresh(postgres) as fresh:
        yield fresh


@pytest.fixture
async def topics(kafka: KafkaRig, database: Database) -> AsyncIterator[Topics]:
    """Fresh topics of this test alone, with their position rows at 0 in its database."""
    async with fresh_topics(kafka, database) as fresh:
        yield fresh


@asynccontextmanager
async def fresh_topics(kafka: KafkaRig, database: Database) -> AsyncIterator[Topics]:
    """Make topics with a prefix of their own, and their position rows at 0; delete the topics at the end."""
    prefix = f"t{secrets.token_hex(4)}-"
    await create_topics(kafka.bootstrap, database.owner_url, prefix)
    yield Topics(kafka.bootstrap, prefix)
    admin = AIOKafkaAdminClient(**client_options(kafka.bootstrap))
    await admin.start()
    try:
        await admin.delete_topics([prefix + topic.name for topic in TOPICS])
    finally:
        await admin.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(kafka: KafkaRig, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Everything running, with the sessions of a real connector: once for a file, whose tests only read."""
    async with databases.fresh(postgres) as database, fresh_topics(kafka, database) as topics:
        folder = tmp_path_factory.mktemp("stack")
        async with running_stack(postgres, kafka.bootstrap, topics.prefix, database, folder) as whole:
            yield whole


@pytest.fixture
def program() -> Callable[..., Path]:
    """Finds a program on the PATH: `program("promtool")`; where it is missing, CI fails and a laptop skips."""
    return parts.program


@pytest.fixture
def chromium() -> Path:
    """The browser of the browser tests."""
    return parts.program("chromium", "chromium-browser", "google-chrome")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the very last line what was run and what was not."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not config.option.collectonly:
        counts = {kind: len(reporter.stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped")}
        failed = counts["failed"] + counts["error"]
        print(f"{counts['passed']} passed, {failed} failed, {counts['skipped']} skipped")
