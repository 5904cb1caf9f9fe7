"""The calendar side of a pass: vdirsyncer's CalDAV storage, with a deadline for every request."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from vdirsyncer.exceptions import NotFoundError
from vdirsyncer.storage.dav import CalDAVStorage, DAVSession

REQUEST_TIMEOUT_S: Final = 20.0
COLLECTION: Final = "calendar"
# vdirsyncer 0.21 says this of every item that it deletes *with* an etag.
_UNTRUE: Final = "Deleting an item with no etag."
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


def _is_true(record: logging.LogRecord) -> bool:
    """A log that says the opposite of what happened helps nobody."""
    return record.msg != _UNTRUE


logging.getLogger(CalDAVStorage.__module__).addFilter(_is_true)


class _Session(DAVSession):  # type: ignore[misc]  # vdirsyncer is untyped
    """A DAV session whose requests end: vdirsyncer's own would wait five minutes and try five times."""

    async def request(self, method: str, path: str, **kwargs: Any) -> aiohttp.ClientResponse:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            response: aiohttp.ClientResponse = await super().request(method, path, **kwargs)
            return response

    @property
    def _session(self) -> aiohttp.ClientSession:
        """Proxies of the environment are meant for the world, not for this machine."""
        is_near = urlsplit(self.url).hostname in _LOOPBACK
        return aiohttp.ClientSession(connector=self.connector, connector_owner=False, trust_env=not is_near)


class CalendarStorage(CalDAVStorage):  # type: ignore[misc]  # vdirsyncer is untyped
    """The one calendar of a CalDAV account."""

    session_class = _Session


def collection_url(base_url: str, login: str) -> str:
    """Where the calendar of an account is."""
    return urljoin(base_url.rstrip("/") + "/", f"{login}/{COLLECTION}/")


def calendar_of(connector: aiohttp.BaseConnector, base_url: str, login: str, password: str) -> CalendarStorage:
    """Open the calendar of an account. Nothing is asked of the server yet; `connector` stays the caller's to close."""
    return CalendarStorage(
        connector=connector,
        url=collection_url(base_url, login),
        username=login,
        password=password,
        instance_name="Calendar",
    )


async def make_calendar(connector: aiohttp.BaseConnector, base_url: str, login: str, password: str) -> None:
    """Make the calendar of an account where there is none."""
    calendar = calendar_of(connector, base_url, login, password)
    try:
        _ = [entry async for entry in calendar.list()]
    except NotFoundError:
        await calendar.session.request("MKCALENDAR", "", headers=calendar.session.get_default_headers())
