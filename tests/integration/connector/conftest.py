"""A real CalDAV server and a real CRM for all tests of the connector, and somebody new for each test."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import aiohttp
import asyncpg
import pytest

from services.ingest.connectors.caldav_crm import accounts
from services.ingest.connectors.caldav_crm.books import Books
from services.ingest.connectors.caldav_crm.calendar import calendar_of
from services.ingest.connectors.caldav_crm.crm import CrmStorage, open_crm
from services.ingest.connectors.caldav_crm.hands import Hands, hands
from services.ingest.connectors.caldav_crm.memory import Memory
from services.ingest.connectors.caldav_crm.passes import sync_person
from services.ingest.connectors.caldav_crm.world import Person, everybody
from tests.integration.connector.recorder import Recorder

COMMAND = (sys.executable, "-m", "services.ingest.connectors.caldav_crm")
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Outside:
    """The two systems, running and set up."""

    state_dir: Path
    crm_url: str
    caldav_url: str

    def environment(self) -> dict[str, str]:
        """What a command of the connector needs to find them."""
        return os.environ | {
            "STATE_DIR": str(self.state_dir),
            "CRM_DATABASE_URL": self.crm_url,
            "CALDAV_URL": self.caldav_url,
        }


@dataclass(slots=True)
class Connector:
    """One person's connector, run pass by pass."""

    person: Person
    outside: Outside
    hands: Hands
    memory: Memory
    pool: asyncpg.Pool
    http: aiohttp.BaseConnector

    async def run(self, password: str | None = None) -> tuple[Books, Recorder]:
        """Run one pass, and return its books and what the session was told. Raises what the pass raises."""
        recorder = Recorder()
        return await self.run_into(recorder, password), recorder

    async def run_into(self, recorder: Recorder, password: str | None = None) -> Books:
        """Run one pass that tells `recorder`."""
        login = self.person.login
        known = password or accounts.read_known(self.outside.state_dir)[login]
        calendar = calendar_of(self.http, self.outside.caldav_url, login, known)
        crm = CrmStorage(self.pool, self.person.user_id)
        return await sync_person(self.person, calendar, crm, self.memory, recorder)


@contextmanager
def running_outside(postgres: str, state_dir: Path) -> Iterator[Outside]:
    """Run Radicale by our own command, with a CRM laid by our own set-up, twice: it must be safe to repeat."""
    port, metrics_port = free_port(), free_port()
    crm_url = urlunsplit(urlsplit(postgres)._replace(path=f"/crm_{secrets.token_hex(4)}"))
    there = Outside(state_dir, crm_url, f"http://127.0.0.1:{port}/")
    environment = there.environment() | {"PORT": str(port), "METRICS_PORT": str(metrics_port)}
    with process([*COMMAND, "radicale"], environment) as server:
        wait_until_ready(server, metrics_port)
        for _ in range(2):
            subprocess.run([*COMMAND, "setup"], env=environment, check=True, timeout=60)
        yield there


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and end it as a supervisor would: SIGTERM, and 5 s to follow it."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as running:
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(5)
            except subprocess.TimeoutExpired:
                running.kill()
                raise


@pytest.fixture(scope="module")
def outside(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """The two systems that the tests of one module share."""
    with running_outside(postgres, tmp_path_factory.mktemp("connector state")) as there:
        yield there


@pytest.fixture(scope="module")
def strangers() -> Iterator[Person]:
    """People no test of this module has touched yet."""
    return iter(everybody())


@pytest.fixture
def person(strangers: Iterator[Person]) -> Person:
    """Somebody no other test has to do with: twelve appointments, eight in the calendar and four in the CRM."""
    return next(strangers)


@pytest.fixture
async def connector(outside: Outside, person: Person, tmp_path: Path) -> AsyncIterator[Connector]:
    """The connector of `person`, with an empty memory."""
    memory = Memory(tmp_path / "memory")
    pool = await open_crm(outside.crm_url, role_name="connector test", max_size=2)
    try:
        async with (
            aiohttp.TCPConnector() as http,
            hands(outside.state_dir, outside.crm_url, outside.caldav_url) as outer,
        ):
            yield Connector(person, outside, outer, memory, pool, http)
    finally:
        await pool.close()
        memory.close()


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until /ready says so."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, "the process ended"
        try:
            with urlopen(f"http://127.0.0.1:{port}/ready", timeout=1) as answer:
                assert answer.status == 200
                return
        except (HTTPError, URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise AssertionError("the process did not become ready")
