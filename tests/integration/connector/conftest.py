"""A real CalDAV server and a real CRM for all tests of the connector, and somebody new for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

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
from tests.rig.outside import Outside, running_outside


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
