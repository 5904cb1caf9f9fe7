"""What people do to the two systems from the outside: through CalDAV, plain SQL, the password file and the switch.

Nothing here knows Syncwatch or the connector: whatever a pass makes of it, it has to find out by itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg
from vdirsyncer.vobject import Item

from services.ingest.connectors.caldav_crm import accounts
from services.ingest.connectors.caldav_crm.appointments import Appointment, overlay, parse, write
from services.ingest.connectors.caldav_crm.calendar import CalendarStorage, calendar_of
from services.ingest.connectors.caldav_crm.seeds import SQL
from services.ingest.connectors.caldav_crm.server import switch_file
from services.ingest.connectors.caldav_crm.world import Person

LOOK_EVERY_S: Final = 0.05
FOREVER_S: Final = 3600.0
PATIENCE_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """An appointment as it stands in a calendar."""

    href: str
    etag: str
    text: str
    appointment: Appointment


class Hands:
    """Everybody's hands on the calendars and on the CRM. Open it with `hands`."""

    def __init__(self, connector: aiohttp.BaseConnector, crm: asyncpg.Pool, state_dir: Path, caldav_url: str) -> None:
        self.crm = crm
        self.state_dir = state_dir
        self._connector = connector
        self._caldav_url = caldav_url
        self._changed_passwords: dict[str, str] = {}
        self._held: dict[str, asyncio.Task[None]] = {}

    def calendar(self, person: Person) -> CalendarStorage:
        """A person's own calendar, opened with the password that is right at present."""
        login = person.login
        password = self._changed_passwords.get(login) or accounts.read_known(self.state_dir)[login]
        return calendar_of(self._connector, self._caldav_url, login, password)

    async def entries(self, person: Person) -> list[Entry]:
        """Return what stands in a calendar, ordered by uid."""
        calendar = self.calendar(person)
        hrefs = [href async for href, _ in calendar.list()]
        found = [Entry(href, etag, item.raw, parse(item.raw)) async for href, item, etag in calendar.get_multi(hrefs)]
        return sorted(found, key=lambda entry: entry.appointment.uid)

    async def entry(self, person: Person, uid: str) -> Entry | None:
        """Return one entry of a calendar."""
        return next((each for each in await self.entries(person) if each.appointment.uid == uid), None)

    async def write_down(self, person: Person, appointment: Appointment, now: datetime) -> None:
        """Make a new entry in a calendar."""
        text = write(appointment, now)
        if appointment.private:
            text = text.replace("BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\nCLASS:PRIVATE\r\n", 1)
        await self.calendar(person).upload(Item(text))

    async def edit(self, person: Person, entry: Entry, **fields: Any) -> None:
        """Change fields of an entry in a calendar."""
        text = overlay(entry.text, dataclasses.replace(entry.appointment, **fields))
        await self.calendar(person).update(entry.href, Item(text), entry.etag)

    async def strike(self, person: Person, entry: Entry) -> None:
        """Delete an entry from a calendar."""
        await self.calendar(person).delete(entry.href, entry.etag)

    def change_password(self, person: Person, password: str) -> None:
        """Change a password on the CalDAV server; the connector is not told."""
        accounts.change_on_server(self.state_dir, person.login, password)
        self._changed_passwords[person.login] = password

    def take_password_back(self, person: Person) -> None:
        """Make the password the connector knows the right one again."""
        accounts.change_on_server(self.state_dir, person.login, accounts.read_known(self.state_dir)[person.login])
        self._changed_passwords.pop(person.login, None)

    def stop_calendar_server(self) -> None:
        """Have the CalDAV server stopped."""
        switch_file(self.state_dir).touch()

    def start_calendar_server(self) -> None:
        """Have the CalDAV server started again."""
        switch_file(self.state_dir).unlink(missing_ok=True)

    async def wait_for_calendar_server(self, person: Person, is_up: bool) -> None:
        """Wait until the CalDAV server answers, or until it is gone."""
        async with asyncio.timeout(15):
            while await self._answers(person) is not is_up:
                await asyncio.sleep(LOOK_EVERY_S)

    async def _answers(self, person: Person) -> bool:
        try:
            _ = [entry async for entry in self.calendar(person).list()]
        except (aiohttp.ClientConnectionError, OSError):
            return False
        return True

    async def events(self, person: Person) -> list[asyncpg.Record]:
        """Return a person's appointments in the CRM, ordered by uid."""
        found: list[asyncpg.Record] = await self.crm.fetch(SQL["some_events"], person.user_id)
        return found

    async def add_event(self, person: Person, new: Appointment) -> None:
        """Make a new appointment in the CRM."""
        await self.crm.execute(
            SQL["add_event"], person.user_id, new.uid, new.subject, new.location, new.starts_at, new.ends_at
        )

    async def relocate_event(self, event_id: UUID, location: str) -> None:
        """Change the place of an appointment in the CRM."""
        await self.crm.execute(SQL["change_location"], event_id, location)

    async def recycle_event(self, event_id: UUID) -> None:
        """Delete an appointment from the CRM."""
        await self.crm.execute(SQL["recycle_event"], event_id)

    async def recycle_all(self, person: Person) -> list[UUID]:
        """Delete all of a person's appointments from the CRM; returns what to restore."""
        return [row["event_id"] for row in await self.crm.fetch(SQL["recycle_all"], person.user_id)]

    async def restore(self, event_ids: list[UUID]) -> None:
        """Take appointments out of the CRM's recycle bin."""
        await self.crm.execute(SQL["restore_events"], event_ids)

    async def event_of(self, person: Person, uid: str) -> asyncpg.Record | None:
        """Return one appointment in the CRM."""
        return await self.crm.fetchrow(SQL["event_of_uid"], person.user_id, uid)

    async def switch_seat(self, person: Person, *, on: bool, reason: str | None = None, by: str = "admin") -> None:
        """Switch the synchronization of a person on or off in the CRM."""
        await self.crm.execute(SQL["switch_seat"], person.user_id, on, reason, by)

    async def switch_organization(self, organization_id: UUID, *, on: bool, reason: str | None = None) -> None:
        """Switch the synchronization of an organization on or off in the CRM."""
        await self.crm.execute(SQL["switch_organization"], organization_id, on, reason, "admin")

    @asynccontextmanager
    async def open_form(self, person: Person, uid: str) -> AsyncIterator[Any]:
        """Hold the row of one appointment in a transaction that is committed at the end, as a careless form does."""
        async with self.crm.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock_event"], person.user_id, uid)
            yield connection

    async def open_form_for_long(self, person: Person, uid: str, event_id: UUID, statement: str | None) -> None:
        """Open a form and leave it open until `close_forms`.

        With a `statement` it is saved at the moment somebody else waits for the row: what they are about to change
        is then no longer what they saw.
        """
        opened = asyncio.Event()

        async def keep_open() -> None:
            async with self.open_form(person, uid) as form:
                if statement is not None:
                    await form.execute(SQL[statement], event_id)
                opened.set()
                await (is_awaited(form, FOREVER_S, time.monotonic) if statement else asyncio.sleep(FOREVER_S))

        await self._keep(f"form {person.login}", keep_open(), opened)

    async def close_forms(self, person: Person) -> None:
        """Close the form left open; what was not saved by then is lost."""
        await self._release(f"form {person.login}")

    @asynccontextmanager
    async def maintenance(self) -> AsyncIterator[None]:
        """Keep everybody out of the CRM's appointments, as a careless migration does."""
        async with self.crm.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock_events"])
            yield

    async def begin_maintenance(self) -> None:
        """Keep everybody out until `end_maintenance`."""
        begun = asyncio.Event()

        async def keep_out() -> None:
            async with self.maintenance():
                begun.set()
                await asyncio.sleep(FOREVER_S)

        await self._keep("maintenance", keep_out(), begun)

    async def end_maintenance(self) -> None:
        """Let everybody in again."""
        await self._release("maintenance")

    async def release_all(self) -> None:
        """Let go of everything that is held."""
        for name in list(self._held):
            await self._release(name)

    async def _keep(self, name: str, holding: Coroutine[Any, Any, None], begun: asyncio.Event) -> None:
        """Hold something in a task of its own until `_release`, and return once it is held."""
        await self._release(name)
        task = self._held[name] = asyncio.create_task(holding, name=name)
        beginning = asyncio.create_task(begun.wait())
        await asyncio.wait({task, beginning}, return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        if task.done():
            self._held.pop(name, None)
            task.result()

    async def _release(self, name: str) -> None:
        task = self._held.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def hands(state_dir: Path, crm_database_url: str, caldav_url: str) -> AsyncIterator[Hands]:
    """Open both systems. People wait a moment for a row that somebody else has open, then they do something else."""
    settings = {"application_name": "crm users", "lock_timeout": str(PATIENCE_MS)}
    pool = await asyncpg.create_pool(crm_database_url, min_size=0, max_size=8, server_settings=settings, timeout=10)
    try:
        async with aiohttp.TCPConnector() as connector:
            opened = Hands(connector, pool, state_dir, caldav_url)
            try:
                yield opened
            finally:
                await opened.release_all()
    finally:
        await pool.close()


async def is_awaited(connection: asyncpg.Connection, for_s: float, clock: Callable[[], float]) -> bool:
    """Wait until somebody stands in line behind this connection's locks; False when nobody came within `for_s`."""
    until = clock() + for_s
    while clock() < until:
        if await connection.fetchval(SQL["is_awaited"]):
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False
