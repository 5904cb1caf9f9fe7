"""A private, migrated database for each test, cloned from a template in a fraction of a second."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.common.migrate import migrate, migrations, set_role_passwords

ROLES: Final = ("writer", "gateway", "reader", "reader_all", "panel")
PASSWORD: Final = "rig"
_TEMPLATE_LOCK: Final = 0x726967


@dataclass(frozen=True, slots=True)
class Database:
    """One test's database and the URL of each role."""

    owner_url: str

    @property
    def name(self) -> str:
        return urlsplit(self.owner_url).path.removeprefix("/")

    def url(self, role: str) -> str:
        """Return the URL of `owner`, or of one of ROLES."""
        return self.owner_url if role == "owner" else _with(self.owner_url, user=f"syncwatch_{role}")

    @property
    def writer_url(self) -> str:
        return self.url("writer")

    @property
    def gateway_url(self) -> str:
        return self.url("gateway")

    @property
    def reader_url(self) -> str:
        return self.url("reader")

    @property
    def reader_all_url(self) -> str:
        return self.url("reader_all")

    @property
    def panel_url(self) -> str:
        return self.url("panel")

    @asynccontextmanager
    async def connect(self, role: str = "owner") -> AsyncIterator[Any]:
        """Lend a connection of that role."""
        connection = await asyncpg.connect(self.url(role))
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def fresh(server_url: str, like: Database | None = None) -> AsyncIterator[Database]:
    """Make a database and drop it at the end, whoever is still connected.

    It is migrated and empty, or a copy of one to which nobody is connected.
    """
    name = f"t_{secrets.token_hex(6)}"
    if like is None:
        await _run(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{await ensure_template(server_url)}"')
    else:  # which may be large: its files are copied
        await _run(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{like.name}" STRATEGY file_copy')
    try:
        yield Database(_with(server_url, database=name))
    finally:
        await _run(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def ensure_template(server_url: str) -> str:
    """Return the name of a database with today's migrations, made once per server, however many runs share it."""
    digest = sha256("".join(migration.sha256 for migration in migrations()).encode()).hexdigest()
    name = f"template_{digest[:16]}"
    connection = await asyncpg.connect(server_url)
    try:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _TEMPLATE_LOCK):
            await asyncio.sleep(0.05)
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            await _make(connection, server_url, name)
    finally:
        await connection.close()
    return name


async def _make(connection: asyncpg.Connection, server_url: str, name: str) -> None:
    draft = f"{name}_draft"
    await connection.execute(f'DROP DATABASE IF EXISTS "{draft}" WITH (FORCE)')
    await connection.execute(f'CREATE DATABASE "{draft}"')
    url = _with(server_url, database=draft)
    await migrate(url)
    await set_role_passwords(url, {f"syncwatch_{role}": PASSWORD for role in ROLES})
    await connection.execute(f'ALTER DATABASE "{draft}" RENAME TO "{name}"')


async def _run(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _with(url: str, *, database: str | None = None, user: str | None = None) -> str:
    """Return the URL with another database, or another role and the rig's password."""
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}"
    sign_in = parts.netloc.rpartition("@")[0] if user is None else f"{user}:{PASSWORD}"
    path = parts.path if database is None else f"/{database}"
    return urlunsplit((parts.scheme, f"{sign_in}@{place}", path, parts.query, ""))
