"""A scene for tests of status: events at chosen append times, ticks, and the monitor of one worker that owns all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.events import Event, TickData
from services.aggregator.batch import Held
from services.aggregator.monitor import Closed, Monitor
from tests.rig.stream import EVENTS, FakeLog, session, through_the_wire


@dataclass
class Scene:
    """Events go in by the real store; time passes by ticks; `look` is one run of the monitor."""

    stored: Any
    organization_id: UUID = field(default_factory=uuid4)

    @property
    def log(self) -> FakeLog:
        log: FakeLog = self.stored.log
        return log

    async def tell(self, at: datetime, *events: Event, partition: int = 0) -> None:
        """Append events at `at`, and apply them as one batch."""
        for event in events:
            self.log.append(event, partition=partition, at=at)
        await self.stored.apply()

    async def tick(self, until: datetime, *, partition: int = 0) -> None:
        """Let time pass in a partition where nothing happens but ticks."""
        records = self.log.records.get((EVENTS, partition))
        at = datetime.fromtimestamp(records[-1].timestamp / 1000, UTC) if records else until
        while (at := min(at + timedelta(seconds=50), until)) < until:
            self.log.append(_tick(at), partition=partition, at=at)
        await self.tell(until, _tick(until), partition=partition)

    async def deaf_until(self, at: datetime, *, partition: int = 0) -> None:
        """Hear nothing at all until one tick at `at`."""
        await self.tell(at, _tick(at), partition=partition)

    def session(self, user_id: UUID, session_id: UUID | None = None, **more: Any) -> Event:
        """Return a session event of a user of the scene's organization."""
        return session(session_id or uuid4(), user_id=user_id, organization_id=self.organization_id, **more)

    def owned(self) -> Mapping[int, Held]:
        """Return the positions this worker believes in."""
        return {
            partition: Held(0, end, None, None)
            for (topic, partition), end in self.stored.since.items()
            if topic == EVENTS
        }  # fmt: skip

    async def look(self) -> list[Closed]:
        """Run the monitor once; return the sessions it gave up."""
        return await Monitor(self.stored.pool, EVENTS, self.owned, asyncio.Lock()).run_once()

    async def queued(self) -> list[dict[str, Any]]:
        """Return what is still to be judged again in the partitions owned."""
        rows: list[dict[str, Any]] = await self.stored.rows(
            "SELECT * FROM recompute_queue WHERE partition = ANY ($1)", list(self.owned())
        )
        return rows

    async def user(self, user_id: UUID) -> dict[str, Any]:
        """Return a user's row of `user_status`."""
        row: dict[str, Any] = await self.stored.row("SELECT * FROM user_status WHERE user_id = $1", user_id)
        return row

    async def changes(self, user_id: UUID) -> list[tuple[str | None, str]]:
        """Return the changes told of a user, in order; their revisions rise by one."""
        rows = await self.stored.rows("SELECT * FROM status_change WHERE user_id = $1 ORDER BY id", user_id)
        assert [row["revision"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["was"] for row in rows[1:]] == [row["became"] for row in rows[:-1]]
        return [(row["was"], row["became"]) for row in rows]

    async def hours(self) -> dict[str, int]:
        """Return the sessions counted by status, over both roll-ups, which must agree."""
        counted = []
        for table in ("session_hour", "session_hour_all"):
            rows = await self.stored.rows(f"SELECT status, sum(sessions)::int AS n FROM {table} GROUP BY status")
            counted.append({row["status"]: row["n"] for row in rows if row["n"]})
        assert counted[0] == counted[1]
        return counted[0]

    async def counted(self) -> dict[str, int]:
        """Return the users of the organization by bucket."""
        rows = await self.stored.rows(
            "SELECT bucket, sum(users)::int AS n FROM organization_status WHERE organization_id = $1 GROUP BY bucket",
            self.organization_id,
        )
        return {row["bucket"]: row["n"] for row in rows if row["n"]}


def _tick(at: datetime) -> Event:
    return through_the_wire(TickData(gateway="gateway", sent_at=at))
