"""A store on a private database, with its position rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.topics import TOPICS
from services.aggregator.apply import Brakes, apply
from services.aggregator.batch import Work
from services.aggregator.store import PostgresStore, prepare
from services.aggregator.transaction import Saved
from services.common.pool import create_pool
from services.common.topics import positions
from tests.rig.databases import Database
from tests.rig.stream import EVENTS, FakeLog


@dataclass
class Stored:
    """A store and a log in memory; `apply` applies what was appended since it was last called."""

    store: PostgresStore
    pool: Any
    owner: Any
    log: FakeLog
    since: dict[tuple[str, int], int]
    brakes: Brakes = field(default_factory=dict)

    async def apply(self, **options: Any) -> list[Saved]:
        work = self.log.work(self.since, **options)
        saved = await self.apply_work(work)
        self.since = self.log.ends
        return saved

    async def apply_work(self, work: Work) -> list[Saved]:
        done: list[Saved] = []
        await apply(work, self.store, self.brakes, lambda _, saved: done.append(saved))
        return done

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.owner.fetch(query, *arguments)]

    async def row(self, query: str, *arguments: Any) -> dict[str, Any]:
        (row,) = await self.rows(query, *arguments)
        return row


@pytest.fixture
async def stored(database: Database) -> AsyncIterator[Stored]:
    """A store as the writer role, and the owner's connection to look at what it did."""
    pool = await create_pool(database.writer_url, role_name="test", min_size=1, max_size=2, init=prepare)
    async with database.connect() as owner:
        await owner.executemany("INSERT INTO kafka_position (topic, partition) VALUES ($1, $2)", positions(TOPICS))
        yield Stored(PostgresStore(pool, events_topic=EVENTS), pool, owner, FakeLog(), {})
    await pool.close()
