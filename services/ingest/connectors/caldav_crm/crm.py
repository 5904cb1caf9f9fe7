"""The CRM side of a pass: a vdirsyncer storage over the table `crm.event`, with its version column as the etag."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

import asyncpg
from vdirsyncer.exceptions import AlreadyExistingError, NotFoundError, WrongEtagError
from vdirsyncer.storage.base import Storage
from vdirsyncer.vobject import Item

from services.common.pool import create_pool
from services.ingest.connectors.caldav_crm.appointments import Appointment, overlay, parse, write

LOCK_TIMEOUT_MS: Final = 1500
STATEMENT_TIMEOUT_MS: Final = 10_000


def statements(name: str) -> Mapping[str, str]:
    """Return the named statements of a .sql file beside this module."""
    text = (files(__package__) / name).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


SQL: Final = statements("crm.sql")


async def open_crm(url: str, *, role_name: str, max_size: int = 4) -> asyncpg.Pool:
    """Connect to the CRM; a row that somebody else holds is waited for a moment, not for ever."""
    settings = {"lock_timeout": str(LOCK_TIMEOUT_MS), "statement_timeout": str(STATEMENT_TIMEOUT_MS)}
    return await create_pool(url, role_name=role_name, max_size=max_size, server_settings=settings)


class CrmStorage(Storage):  # type: ignore[misc]  # vdirsyncer is untyped
    """The appointments of one owner. An href is the row's id, an etag its version."""

    storage_name = "crm"
    fileext = ".ics"

    def __init__(self, pool: asyncpg.Pool, owner_id: UUID) -> None:
        super().__init__(instance_name="CRM")
        self._pool = pool
        self._owner_id = owner_id

    async def list(self) -> AsyncIterator[tuple[str, str]]:
        for row in await self._pool.fetch(SQL["list_events"], self._owner_id):
            yield row["href"], row["etag"]

    async def get(self, href: str) -> tuple[Item, str]:
        async for _, item, etag in self.get_multi([href]):
            return item, etag
        raise NotFoundError(f"There is no event {href}.")

    async def get_multi(self, hrefs: Iterable[str]) -> AsyncIterator[tuple[str, Item, str]]:
        wanted = list(dict.fromkeys(hrefs))
        rows = {row["href"]: row for row in await self._pool.fetch(SQL["read_events"], self._owner_id, wanted)}
        for href in wanted:
            if href not in rows:
                raise NotFoundError(f"There is no event {href} any more.")
            yield href, Item(_text(rows[href])), rows[href]["etag"]

    async def upload(self, item: Item) -> tuple[str, str]:
        fields = _fields(item)
        try:
            row = await self._pool.fetchrow(SQL["insert_event"], self._owner_id, item.ident, *fields)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == "event_uid":
                raise AlreadyExistingError(f"There is an event with the UID {item.ident} already.") from error
            raise
        assert row is not None
        return row["href"], row["etag"]

    async def update(self, href: str, item: Item, etag: str) -> str:
        changed = await self._pool.fetchval(SQL["update_event"], self._owner_id, UUID(href), int(etag), *_fields(item))
        return str(changed) if changed is not None else await self._raise_moved_on(href, etag)

    async def delete(self, href: str, etag: str) -> None:
        if await self._pool.fetchval(SQL["delete_event"], self._owner_id, UUID(href), int(etag)) is None:
            await self._raise_moved_on(href, etag)

    async def _raise_moved_on(self, href: str, etag: str) -> str:
        """Tell why a change found no row: raises, never returns."""
        now = await self._pool.fetchval(SQL["event_etag"], self._owner_id, UUID(href))
        if now is None:
            raise NotFoundError(f"The event {href} is already removed from the CRM.")
        raise WrongEtagError(f"The event {href} is at version {now}; the change was made to version {etag}.")


def _fields(item: Item) -> tuple[Any, ...]:
    """The columns that come from an item, in the order of the statements. Raises Unreadable."""
    found = parse(item.raw)
    return (
        found.subject, found.location, found.description, found.starts_at, found.ends_at, found.all_day, item.raw,
    )  # fmt: skip


def _text(row: asyncpg.Record) -> str:
    """The iCalendar text of a row: the calendar's own with our columns put in, or a new one for a row of the CRM."""
    appointment = Appointment(
        uid=row["uid"],
        subject=row["subject"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        all_day=row["all_day"],
        location=row["location"],
        description=row["description"],
    )
    return overlay(row["ical"], appointment) if row["ical"] is not None else write(appointment, row["changed_at"])
