"""The agent of one organization: announces its directory, and synchronizes everybody in it again and again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg

from schemas.events import DirectoryKind
from services.common.health import Health
from services.ingest.agent.reporter import Reporter
from services.ingest.agent.transport import Transport
from services.ingest.connectors.caldav_crm import accounts
from services.ingest.connectors.caldav_crm.calendar import calendar_of
from services.ingest.connectors.caldav_crm.crm import CrmStorage, open_crm
from services.ingest.connectors.caldav_crm.directory import Directory, Seat, Told, read_directory
from services.ingest.connectors.caldav_crm.failures import NoCredentials, PassFailed, Side, classify, explain
from services.ingest.connectors.caldav_crm.memory import Memory
from services.ingest.connectors.caldav_crm.metrics import PASS_SECONDS, PASSES
from services.ingest.connectors.caldav_crm.passes import sync_person
from services.ingest.connectors.caldav_crm.sessionlog import logged_to
from services.ingest.connectors.caldav_crm.stopping import pause
from services.ingest.connectors.caldav_crm.turns import Turns
from services.ingest.connectors.caldav_crm.world import CRM_SYSTEM, MAIL_SYSTEM, Organization, Person

log = logging.getLogger(__name__)

VERSION: Final = f"caldav-crm {version('syncwatch')}"
PASS_DEADLINE: Final = timedelta(minutes=5)
LOOK_EVERY_S: Final = 2.0
IDLE_S: Final = 0.1
GRACE_S: Final = 1.5
_CRM_AWAY: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Agent:
    """One organization's connector. `crm` and `http` stay the caller's to close; `now` dates the deadlines."""

    def __init__(
        self,
        organization: Organization,
        reporter: Reporter,
        crm: asyncpg.Pool,
        http: aiohttp.BaseConnector,
        memory: Memory,
        *,
        state_dir: Path,
        caldav_url: str,
        interval_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self.organization = organization
        self.reporter = reporter
        self._crm = crm
        self._http = http
        self._memory = memory
        self._state_dir = state_dir
        self._caldav_url = caldav_url
        self._interval_s = interval_s
        self._now = now
        self._told = Told()

    async def announce(self) -> Directory:
        """Read the directory and tell what has changed in it since it was told last; all of it once a day."""
        directory = await read_directory(self._crm, self.organization.organization_id)
        self._told.tell_all_if_due(time.monotonic())
        if self._told.is_news(directory.organization_id, directory.flag):
            await self._announce_organization(directory)
        for seat in directory.seats:
            if self._told.is_news(seat.person.user_id, seat.flag):
                await self._announce_seat(seat)
        return directory

    async def _announce_organization(self, directory: Directory) -> None:
        flag = directory.flag
        await self.reporter.directory(
            kind=DirectoryKind.ORGANIZATION,
            revision=flag.revision,
            name=directory.name,
            mail_system=MAIL_SYSTEM,
            crm_system=CRM_SYSTEM,
            sync_enabled=flag.sync_enabled,
            disabled_reason=flag.disabled_reason,
            actor=flag.actor,
            interval_s=round(self._interval_s),
        )
        self._told.revisions[directory.organization_id] = flag.revision

    async def _announce_seat(self, seat: Seat) -> None:
        person, flag = seat.person, seat.flag
        await self.reporter.directory(
            kind=DirectoryKind.USER,
            user_id=person.user_id,
            revision=flag.revision,
            email=person.email,
            display_name=person.display_name,
            external_id=person.external_id,
            mail_system=MAIL_SYSTEM,
            crm_system=CRM_SYSTEM,
            sync_enabled=flag.sync_enabled,
            disabled_reason=flag.disabled_reason,
            actor=flag.actor,
            interval_s=round(self._interval_s),
        )
        self._told.revisions[person.user_id] = flag.revision

    async def run_pass(self, person: Person) -> str:
        """Synchronize one person in a session of their own; returns how it ended.

        Whatever happens is in the session, a bug of ours too: the next person's pass must not suffer from it.
        """
        begun = time.perf_counter()
        outcome = "errors"
        try:
            outcome = await self._run_session(person)
        except PassFailed as failed:
            log.info("Given up: %s: %s", person.email, failed, extra={"action": "pass_failed"})
        except Exception:
            log.exception("A bug ended a pass: %s", person.email, extra={"action": "pass_crashed"})
        PASSES.labels(outcome).inc()
        PASS_SECONDS.observe(time.perf_counter() - begun)
        return outcome

    async def serve(self, concurrency: int, health: Health, stop: asyncio.Event) -> None:
        """Announce and synchronize until `stop`, at most `concurrency` people at once.

        A pass that is not over soon after `stop` is cancelled, and its session says so.
        """
        turns = Turns(self._interval_s, time.monotonic)
        stopped = asyncio.create_task(stop.wait())
        jobs = [asyncio.create_task(self._watch_directory(turns, health, stop))]
        jobs += [asyncio.create_task(self._work(turns, stop)) for _ in range(concurrency)]
        try:
            await asyncio.wait([stopped, *jobs], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(jobs, timeout=GRACE_S if stop.is_set() else 0)
        finally:
            for job in (stopped, *jobs):
                job.cancel()
            results = await asyncio.gather(*jobs, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _watch_directory(self, turns: Turns, health: Health, stop: asyncio.Event) -> None:
        """Keep the turns up to date. While the CRM is away, those of before go on."""
        while not stop.is_set():
            try:
                turns.are_of((await self.announce()).to_synchronize)
                health.set("crm", None)
            except _CRM_AWAY as error:
                log.warning("The directory cannot be read: %s", error, extra={"action": "directory_unread"})
                health.set("crm", str(error) or type(error).__name__)
            health.set("gateway", self.reporter.figures().trouble)
            await pause(stop, LOOK_EVERY_S)

    async def _work(self, turns: Turns, stop: asyncio.Event) -> None:
        while not stop.is_set():
            person = turns.take()
            if person is None:
                await pause(stop, IDLE_S)
                continue
            try:
                await self.run_pass(person)
            finally:
                turns.give_back(person)

    async def _run_session(self, person: Person) -> str:
        now = self._now()
        is_first = not self._memory.knows(person.user_id)
        async with self.reporter.session(
            person.user_id,
            interval_s=round(self._interval_s),
            deadline=now + PASS_DEADLINE,
            trigger="initial" if is_first else "schedule",
            mode="full" if is_first else "incremental",
            mail_system=MAIL_SYSTEM,
            crm_system=CRM_SYSTEM,
        ) as session:
            with logged_to(session):
                log.info("Pass of %s begins", person.email)
                calendar = calendar_of(self._http, self._caldav_url, person.login, self._password(person))
                crm = CrmStorage(self._crm, person.user_id)
                books = await sync_person(person, calendar, crm, self._memory, session)
                log.info("Pass of %s is done", person.email)
        return "finished_with_issues" if books.troubles else "finished"

    def _password(self, person: Person) -> str:
        try:
            return accounts.read_known(self._state_dir)[person.login]
        except KeyError:
            missing = NoCredentials(f"No password is known for the calendar account {person.login}.")
            log.error("Given up: %s", missing)
            raise PassFailed(explain(missing, Side.ENGINE)) from missing


@asynccontextmanager
async def opened_agent(
    organization: Organization,
    transport: Transport,
    *,
    agent_id: str,
    state_dir: Path,
    crm_database_url: str,
    caldav_url: str,
    interval_s: float,
    concurrency: int,
    now: Callable[[], datetime],
) -> AsyncIterator[Agent]:
    """Open all that an agent needs, in a folder of its own below `state_dir`, and close it again."""
    name = agent_id or f"caldav-crm-{organization.slug}"
    folder = state_dir / "agents" / organization.slug
    memory = Memory(folder)
    try:
        async with (
            await open_crm(crm_database_url, role_name=name, max_size=concurrency + 1) as crm,
            aiohttp.TCPConnector() as http,
            Reporter(
                transport,
                agent_id=name,
                organization_id=organization.organization_id,
                spool_path=folder / "spool.sqlite",
                version=VERSION,
                classify=classify,
            ) as reporter,
        ):
            yield Agent(
                organization,
                reporter,
                crm,
                http,
                memory,
                state_dir=state_dir,
                caldav_url=caldav_url,
                interval_s=interval_s,
                now=now,
            )
    finally:
        memory.close()
