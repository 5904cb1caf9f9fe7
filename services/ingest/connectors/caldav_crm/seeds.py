"""Set-up, safe to repeat: the CRM's database and tables, everybody's account and calendar, the first appointments."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg
from vdirsyncer.exceptions import AlreadyExistingError, PreconditionFailed
from vdirsyncer.vobject import Item

from services.common.patience import through_outages
from services.ingest.connectors.caldav_crm import accounts, stories
from services.ingest.connectors.caldav_crm.appointments import write
from services.ingest.connectors.caldav_crm.calendar import calendar_of, make_calendar
from services.ingest.connectors.caldav_crm.crm import statements
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, Organization, Person, everybody

SQL: Final = statements("seed.sql")
IN_CALENDAR: Final = range(8)
IN_CRM: Final = range(8, 12)


async def lay_crm(url: str, now: datetime) -> None:
    """Make the database if it is missing, the CRM's tables, and the rows of both organizations."""
    connection = await _connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('crm set-up'))")
            await connection.execute((files(__package__) / "crm_schema.sql").read_text(encoding="utf-8"))
            for organization in ORGANIZATIONS:
                await _lay_organization(connection, organization, now)
    finally:
        await connection.close()


async def lay_calendars(state_dir: Path, base_url: str, now: datetime) -> None:
    """Give everybody a calendar with appointments. Who was given some once gets none again, whatever became of them."""
    known = accounts.lay(state_dir, tuple(person.login for person in everybody()))
    async with aiohttp.TCPConnector() as connector:
        for person in everybody():
            mark = state_dir / "seeded" / str(person.user_id)
            if not mark.exists():
                await _lay_calendar(connector, base_url, person, known[person.login], now)
                mark.parent.mkdir(exist_ok=True)
                mark.touch()


async def _connect(url: str) -> asyncpg.Connection:
    """Connect, waiting for a Postgres that is still starting; a database that does not exist is made."""

    async def connect() -> asyncpg.Connection:
        try:
            return await asyncpg.connect(url, timeout=10)
        except asyncpg.InvalidCatalogNameError:
            await _make_database(url)
            return await asyncpg.connect(url, timeout=10)

    return await through_outages(connect)


async def _make_database(url: str) -> None:
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    connection = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")), timeout=10)
    try:
        await connection.execute(f'CREATE DATABASE "{name.replace(chr(34), chr(34) * 2)}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass  # somebody else was faster
    finally:
        await connection.close()


async def _lay_organization(connection: asyncpg.Connection, organization: Organization, now: datetime) -> None:
    await connection.execute(
        SQL["add_organization"], organization.organization_id, organization.slug, organization.name
    )
    for customer, people in stories.CUSTOMERS.items():
        await connection.execute(SQL["add_account"], organization.organization_id, customer)
        for name in people:
            email = f"{name.lower().replace(' ', '.')}@{organization.slug}.customers.example"
            await connection.execute(SQL["add_contact"], organization.organization_id, customer, name, email)
    for person in organization.people:
        await connection.execute(
            SQL["add_seat"],
            person.user_id,
            person.organization_id,
            person.email,
            person.display_name,
            person.external_id,
        )
        await _lay_events(connection, person, now)


async def _lay_events(connection: asyncpg.Connection, person: Person, now: datetime) -> None:
    if await connection.fetchval(SQL["has_events"], person.user_id):
        return
    rng = Random(f"crm {person.email}")
    for slot in IN_CRM:
        made = stories.appointment(person, slot, now, rng)
        await connection.execute(
            SQL["add_event"], person.user_id, made.uid, made.subject, made.location, made.starts_at, made.ends_at
        )


async def _lay_calendar(
    connector: aiohttp.BaseConnector, base_url: str, person: Person, password: str, now: datetime
) -> None:
    await make_calendar(connector, base_url, person.login, password)
    calendar = calendar_of(connector, base_url, person.login, password)
    rng = Random(f"calendar {person.email}")
    for slot in IN_CALENDAR:
        try:
            await calendar.upload(Item(write(stories.appointment(person, slot, now, rng), now)))
        except (AlreadyExistingError, PreconditionFailed):
            continue  # an earlier set-up came this far
