"""The monitor: for the partitions that a worker owns, what time alone changes - late, stuck, given up.

Time is `applied_to` of the partition. It moves with ticks while nobody syncs, and stands still while we hear nothing.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from msgspec.structs import replace

from schemas.recent import Recent, RecentSession, session_of
from schemas.sql import named_queries
from schemas.status import GONE_AFTER
from services.aggregator.judge import ChangedUser, Lateness, go_by_loops, judge
from services.aggregator.silence import Heard, late_not_before, silent_agents

LOG: Final = logging.getLogger(__name__)
_SQL: Final = named_queries("monitor")
_CLOSE: Final = named_queries("sessions")["close_sessions"]

USERS_A_TRANSACTION: Final = 1_000
_TRANSACTIONS_A_RUN: Final = 20
"""Per partition; whoever is left is judged at the next run, so that batches are not kept waiting."""


_FORGOTTEN_EVERY: Final = 100


class Held(Protocol):
    """What this worker believes of a partition it owns."""

    @property
    def epoch(self) -> int: ...
    @property
    def next_offset(self) -> int: ...


class Closed(NamedTuple):
    """A session that was given up."""

    status: str
    error_source: str | None
    error_category: str | None
    mail_system: str | None


@dataclass(frozen=True, slots=True)
class Monitor:
    """Judges the users of the partitions owned; `lock` is the one held around each batch transaction."""

    pool: Any
    topic: str
    owned: Callable[[], Mapping[int, Held]]
    lock: asyncio.Lock

    async def run_once(self) -> list[Closed]:
        """Judge whoever is due in any partition owned, a thousand users a transaction; return what was given up."""
        closed: list[Closed] = []
        owned = list(self.owned())
        if not owned:
            return closed
        async with self.pool.acquire() as connection:
            for row in await connection.fetch(_SQL["due_partitions"], self.topic, owned):
                for work in (_judge_queued, _judge_due):
                    await self._work_off(connection, row["partition"], work, closed)
        return closed

    async def close_forgotten(self) -> list[Closed]:
        """Give up sessions that fell out of their user's recent ones while they ran, and return them."""
        closed: list[Closed] = []
        async with self.pool.acquire() as connection:
            for partition in list(self.owned()):
                await self._work_off(connection, partition, _close_forgotten, closed)
        return closed

    async def _work_off(self, connection: Any, partition: int, work: "_Work", closed: list[Closed]) -> None:
        for _ in range(_TRANSACTIONS_A_RUN):
            async with self.lock:
                held = self.owned().get(partition)
                if held is None:
                    return
                async with connection.transaction():
                    turn = await self._fenced(connection, partition, held)
                    if turn is None:
                        return
                    is_done = await work(connection, turn, closed)
            if is_done:
                return

    async def _fenced(self, connection: Any, partition: int, held: Held) -> "_Turn | None":
        row = await connection.fetchrow(_SQL["fence"], self.topic, partition, held.epoch, held.next_offset)
        if row is None:
            return None
        now: datetime = row["applied_to"]
        await go_by_loops(connection)
        agents = [Heard(*agent) for agent in await connection.fetch(_SQL["agents"], now, GONE_AFTER)]
        return _Turn(
            partition, now, Lateness(silent_agents(agents, now), late_not_before(agents, now, row["resumed_at"]))
        )


async def run_monitor(
    pool: Any,
    *,
    topic: str,
    owned: Callable[[], Mapping[int, Held]],
    lock: asyncio.Lock,
    patient: Callable[..., Awaitable[list[Closed]]],
    observe: Callable[[Sequence[Closed]], None] | None = None,
    period_s: float = 5.0,
) -> None:
    """Look every `period_s` seconds for what time has changed, until cancelled; `patient` waits out an outage."""
    monitor = Monitor(pool, topic, owned, lock)
    for number in itertools.count():
        closed = await patient(monitor.run_once if number % _FORGOTTEN_EVERY else monitor.close_forgotten)
        if observe is not None:
            observe(closed)
        if closed:
            LOG.info("gave up %d sessions", len(closed), extra={"action": "sessions_closed"})
        await asyncio.sleep(period_s)


# --- one transaction -----------------------------------------------------------------------------------------------


class _Turn(NamedTuple):
    """A partition, the time in it, and what is known of silence."""

    partition: int
    now: datetime
    lateness: Lateness


_Work = Callable[[Any, _Turn, list[Closed]], Awaitable[bool]]
"""Does one transaction's worth, adds the sessions given up, and tells whether nothing is left."""


async def _judge_due(connection: Any, turn: _Turn, closed: list[Closed]) -> bool:
    users = await connection.fetch(_SQL["due_users"], turn.partition, turn.now, USERS_A_TRANSACTION)
    await _judge(connection, users, turn, closed)
    return len(users) < USERS_A_TRANSACTION


async def _close_forgotten(connection: Any, turn: _Turn, closed: list[Closed]) -> bool:
    rows = await connection.fetch(_SQL["forgotten"], turn.partition, turn.now, USERS_A_TRANSACTION)
    keys = [row["started_at"] for row in rows], [row["session_id"] for row in rows]
    closed += [Closed(*row) for row in await connection.fetch(_CLOSE, turn.now, *keys)] if rows else []
    return len(rows) < USERS_A_TRANSACTION


async def _judge_queued(connection: Any, turn: _Turn, closed: list[Closed]) -> bool:
    """Judge the next users of an organization whose switch was flipped."""
    queued = await connection.fetchrow(_SQL["queued"], turn.partition)
    if queued is None:
        return True
    organization_id, after, requested_at = queued
    users = await connection.fetch(
        _SQL["users_of_organization"], organization_id, turn.partition, after, USERS_A_TRANSACTION
    )
    await _judge(connection, users, turn, closed)
    if len(users) < USERS_A_TRANSACTION:
        await connection.execute(_SQL["leave_queue"], organization_id, turn.partition, requested_at)
    else:
        last = users[-1]["user_id"]
        await connection.execute(_SQL["go_on_in_queue"], organization_id, turn.partition, requested_at, last)
    return False


async def _judge(connection: Any, users: Sequence[Any], turn: _Turn, closed: list[Closed]) -> None:
    if not users:
        return
    sessions = await _running_as_they_stand(connection, users, turn.now, closed)
    changed = [
        ChangedUser(user["organization_id"], user["user_id"], turn.partition, None, sessions=sessions.get(index, []))
        for index, user in enumerate(users)
    ]
    await judge(connection, changed, {turn.partition: turn.now}, lateness=turn.lateness)


async def _running_as_they_stand(
    connection: Any, users: Sequence[Any], now: datetime, closed: list[Closed]
) -> dict[int, list[RecentSession]]:
    """Close what is to be given up, and return the sessions kept as running as they now stand, by index of the user."""
    running = [(index, session) for index, user in enumerate(users) for session in Recent(user["recent"]).running]
    if not running:
        return {}
    keys = [session.started_at for _, session in running], [session.session_id for _, session in running]
    closed += [Closed(*row) for row in await connection.fetch(_CLOSE, now, *keys)]
    found = {row["n"] - 1: session_of(row) for row in await connection.fetch(_SQL["sessions"], *keys)}
    standing: dict[int, list[RecentSession]] = {}
    for at, (index, session) in enumerate(running):
        # One whose day is gone cannot be closed there any more; it must not be taken for running for ever.
        gone = replace(session, status="timed_out", at=now, limit_at=None)
        standing.setdefault(index, []).append(found.get(at, gone))
    return standing
