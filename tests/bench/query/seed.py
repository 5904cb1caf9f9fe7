"""Fills the benchmark's database: ten million sessions in a few minutes.

Postgres makes the rows in one connection and takes them in another, by COPY; indexes are made when the rows are in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from schemas.recent import RecentSession, pack
from tests.bench.load import partition_of
from tests.rig.databases import Database

SLICE = 250_000
AT_ONCE = 2
_TEXT = Path(__file__).with_name("seed.sql").read_text(encoding="utf-8")
SQL = {part.partition("\n")[0].strip(): part.partition("\n")[2].strip(" ;\n") for part in _TEXT.split("-- name: ")[1:]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is to read."""

    sessions: int
    users: int
    organizations: int


class Steps:
    """Tells each step of the filling and how long it took."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def done(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:5.0f} s  {what}", flush=True)


async def seed(own: Database, size: Size) -> None:
    """Fill an empty database; what is there already is left alone."""
    async with own.connect() as owner:
        if await owner.fetchval("SELECT EXISTS (SELECT FROM organization)"):
            return
        steps = Steps()
        await owner.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        await _directory(owner, size)
        steps.done(f"{size.organizations:,} organizations, {size.users:,} users and their statuses")
        indexes = await owner.fetch(SQL["indexes"])
        for each in indexes:
            await owner.execute(f"DROP INDEX {each['name']}")
        now = datetime.now(UTC)
        slices = [
            (low, min(low + SLICE, size.sessions), size.sessions, size.users, now)
            for low in range(0, size.sessions, SLICE)
        ]
        await _copy(own, "sync_session", SQL["sessions"], slices)
        steps.done(f"{size.sessions:,} sessions")
        days = [(now - timedelta(days=back), now - timedelta(days=back - 1)) for back in range(30, 0, -1)]
        await _copy(own, "session_text", SQL["texts"], days)
        steps.done("the texts of their errors")
        for each in indexes:
            await owner.execute(each["definition"].replace(" ON ONLY ", " ON "))
        steps.done(f"{len(indexes)} indexes")
        for name in ("issues", "count_users", "buckets", "hours", "hours_all", "positions"):
            await owner.execute(SQL[name])
        steps.done("issues, counts and hours")
        await owner.execute("VACUUM ANALYZE")
        await owner.execute("CHECKPOINT")
        steps.done("vacuumed and analyzed")


async def _directory(owner: Any, size: Size) -> None:
    await owner.execute(SQL["organizations"], size.organizations)
    await owner.execute(SQL["users"], size.users, size.organizations)
    users = [row["user_id"] for row in await owner.fetch("SELECT user_id FROM sync_user")]
    await owner.execute(SQL["statuses"], pack(_strip()), users, [partition_of(str(user).encode()) for user in users])
    await owner.execute(SQL["number_users"])


def _strip() -> list[RecentSession]:
    now = datetime.now(UTC)
    statuses = ("finished", "finished_with_issues", "errors", "finished")
    times = [now - timedelta(minutes=30 * back) for back in range(20)]
    return [RecentSession(uuid4(), at, at, 1, 4, statuses[n % 4], at) for n, at in enumerate(times)]


async def _copy(own: Database, table: str, statement: str, slices: Sequence[tuple[object, ...]]) -> None:
    """Copy what `statement` gives for each slice into `table`, a few slices at once."""
    waiting = list(reversed(slices))

    async def work() -> None:
        async with own.connect() as making, own.connect() as taking:
            await taking.execute("SET synchronous_commit = off")
            while waiting:
                await _copy_slice(making, taking, table, statement, waiting.pop())

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def _copy_slice(
    making: asyncpg.Connection, taking: asyncpg.Connection, table: str, statement: str, bound: Sequence[object]
) -> None:
    prepared = await making.prepare(statement)
    columns = [attribute.name for attribute in prepared.get_attributes()]
    pieces: asyncio.Queue[bytes] = asyncio.Queue(64)

    async def make() -> None:
        await making.copy_from_query(statement, *bound, output=pieces.put, format="binary")
        await pieces.put(b"")

    async def made() -> AsyncIterator[bytes]:
        while piece := await pieces.get():
            yield piece

    async with asyncio.TaskGroup() as both:
        both.create_task(make())
        both.create_task(taking.copy_to_table(table, source=made(), columns=columns, format="binary"))
