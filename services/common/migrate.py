"""Migrations: plain SQL files, forward only, applied once each and never changed afterwards."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Final

import asyncpg

from schemas.sql import named_queries

LOCK: Final = 0x73796E63  # "sync"; any number that nobody else in this database uses
NO_TRANSACTION: Final = "-- no-transaction"
MIN_SERVER: Final = 18

_SQL: Final = named_queries("deploy")


class CannotMigrate(Exception):
    """The database and the files do not fit together; the text says how, in one sentence."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `name` without .sql, its text."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return sha256(self.sql.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """False where the file's first line says so: CREATE INDEX CONCURRENTLY refuses a transaction."""
        return not self.sql.startswith(NO_TRANSACTION)


def migrations() -> list[Migration]:
    """Return the migrations that ship with this version, in their order."""
    folder = files("schemas.sql") / "migrations"
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".sql")), key=lambda path: path.name)
    return [Migration(path.name.removesuffix(".sql"), path.read_text(encoding="utf-8")) for path in paths]


def still_to_apply(ours: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """Return what `applied` (name → sha256) lacks, or raise CannotMigrate.

    A file changed after it was applied, or a database that knows more than we do, is refused: going on would
    leave a schema that no version describes.
    """
    known = {migration.name: migration.sha256 for migration in ours}
    if newer := sorted(applied.keys() - known.keys()):
        raise CannotMigrate(f"The database was migrated by a newer version of Syncwatch ({newer[-1]}): use that one.")
    if changed := sorted(name for name, digest in applied.items() if known[name] != digest):
        raise CannotMigrate(f"The migration {changed[0]} was changed after it was applied to this database.")
    return [migration for migration in ours if migration.name not in applied]


async def pending(url: str) -> list[str]:
    """Return the names of the migrations that the database at `url` lacks; raises CannotMigrate as `migrate` does."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [migration.name for migration in await _pending(connection)]
    finally:
        await connection.close()


async def migrate(url: str) -> list[str]:
    """Bring the database at `url` up to date and return the names of what was applied.

    Safe to run from several places at once. Raises CannotMigrate, or what asyncpg raises for a file that fails;
    each file is one transaction, so what came before a failure stays and what failed leaves nothing.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        _check_version(connection)
        async with _alone(connection):
            await connection.execute(_SQL["make_bookkeeping"])
            todo = await _pending(connection)
            for migration in todo:
                await _apply(connection, migration)
            return [migration.name for migration in todo]
    finally:
        await connection.close()


async def set_role_passwords(url: str, passwords: Mapping[str, str]) -> None:
    """Let each role of `passwords` log in with its password. The roles exist once the database is migrated."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        async with _alone(connection):  # two at once on one role end in "tuple concurrently updated"
            for role, password in passwords.items():
                await connection.execute(await connection.fetchval(_SQL["password_statement"], role, password))
    finally:
        await connection.close()


def _check_version(connection: asyncpg.Connection) -> None:
    version = connection.get_server_version()
    if version.major < MIN_SERVER:
        raise CannotMigrate(
            f"Postgres {version.major}.{version.minor} is too old: Syncwatch needs version {MIN_SERVER} or newer."
        )


@asynccontextmanager
async def _alone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Hold the migration lock. By asking again and again: a waiter inside the server keeps a snapshot open, for
    which CREATE INDEX CONCURRENTLY waits, which is a deadlock."""
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        await asyncio.sleep(0.1)
    try:
        yield
    finally:
        await connection.fetchval("SELECT pg_advisory_unlock($1)", LOCK)


async def _pending(connection: asyncpg.Connection) -> list[Migration]:
    applied = await connection.fetch(_SQL["list_applied"]) if await connection.fetchval(_SQL["has_bookkeeping"]) else []
    return still_to_apply(migrations(), {row["name"]: row["sha256"] for row in applied})


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    if migration.in_transaction:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(_SQL["note_applied"], migration.name, migration.sha256)
        return
    for statement in _statements(migration.sql):
        await connection.execute(statement)
    await connection.execute(_SQL["note_applied"], migration.name, migration.sha256)


def _statements(sql: str) -> list[str]:
    """Split a file without a transaction at line ends that follow a semicolon: sent as one message it would be one."""
    return [part for part in re.split(r";[ \t]*\n", sql + "\n") if re.sub(r"--[^\n]*", "", part).strip()]
