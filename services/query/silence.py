"""Three kinds of silence told apart: users that are overdue, agents that are silent, and our own monitoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.sql import named_queries
from schemas.status import GONE_AFTER, SILENT_AFTER
from schemas.topics import EVENTS
from services.query.freshness import STILL, Freshness, freshness_of
from services.query.principal import Principal
from services.query.problems import TooSlow
from services.query.scope import scope_of
from services.query.services import Services

_SQL: Final = named_queries("silence")
BEHIND: Final = timedelta(seconds=10)
MOST_AGENTS: Final = 500


async def silence_of(connection: Any, as_of: datetime | None, now: datetime) -> dict[str, Any]:
    """Return whose silence it is, and how many of a status are new:

    late {users, agent_silent, due_at and organization of the longest}, incomplete (users that need somebody and
    whose last report is),
    agents {known, silent, longest: {agent_id, heard_at} or None}, partitions of events, by which users are judged
    {all, behind, halted, applied_to: that of the furthest behind}, other_partitions (likewise, of logs), fresh
    {status: users for less than an hour}. Agents are judged as of, never by the wall clock: while we hear nothing,
    their silence is ours.
    """
    at = as_of or now
    overdue = await connection.fetchrow(_SQL["overdue"])
    fresh = dict(map(tuple, await connection.fetch(_SQL["fresh"], at)))
    longest = await connection.fetchrow(_SQL["longest_late"])
    agents = await connection.fetchrow(_SQL["count_agents"], at, SILENT_AFTER, GONE_AFTER)
    partitions = await connection.fetch(_SQL["partitions"])
    first = await connection.fetch(_SQL["agents"], at, SILENT_AFTER, GONE_AFTER, 1) if agents["silent"] else []
    return {
        "late": {
            "users": overdue["late"],
            "agent_silent": overdue["agent_silent"],
            "due_at": None if longest is None else longest["due_at"],
            "organization": None if longest is None else longest["organization"],
        },
        "incomplete": await connection.fetchval(_SQL["incomplete_reports"]),
        "agents": {**agents, "longest": {name: first[0][name] for name in ("agent_id", "heard_at")} if first else None},
        "partitions": state_of([row for row in partitions if EVENTS.is_called(row["topic"])], now),
        "other_partitions": state_of([row for row in partitions if not EVENTS.is_called(row["topic"])], now),
        "fresh": {status: fresh.get(status, 0) for status in ("failing", "stuck", "late", "partial")},
    }


def state_of(partitions: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """Return how many partitions there are, are behind and are halted, and how far the furthest behind is applied."""
    going = [row for row in partitions if row["halted"] is None]
    behind = [row for row in going if is_behind(row, now)]
    known = [row["applied_to"] for row in behind if row["applied_to"] is not None]
    return {
        "all": len(partitions),
        "behind": len(behind),
        "halted": len(partitions) - len(going),
        "applied_to": min(known, default=None),
    }


def is_behind(partition: Mapping[str, Any], now: datetime) -> bool:
    """Whether a partition is applied too little for its users to be called late."""
    return partition["applied_to"] is None or now - partition["applied_to"] >= BEHIND


def is_still(partition: Mapping[str, Any], now: datetime) -> bool:
    """Whether nobody moves a partition: what reads it is down or hangs, or nothing reaches it."""
    return partition["heard_at"] is None or now - partition["heard_at"] >= STILL


async def last_heard(services: Services, principal: Principal, organization_id: UUID) -> tuple[str, datetime] | None:
    """Return the agent of an organization that was heard last, and when; None where none ever was."""
    async with services.reading(scope_of(principal, organization_id)) as connection:
        row = await connection.fetchrow(_SQL["last_heard"], organization_id)
    return None if row is None else (row["agent_id"], row["heard_at"])


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What monitors the syncs, as of one moment: `agents` and `partitions` are rows as the functions below return them.

    `stopped`: how many {users, organizations} have events that are not applied any more; None: not counted in time.
    """

    freshness: Freshness
    agents: list[dict[str, Any]]
    partitions: list[dict[str, Any]]
    stopped: dict[str, int] | None = None


async def monitoring(services: Services, principal: Principal) -> Monitoring:
    """Return the agents, the partitions and whose data stands still, of what this principal may see."""
    now = services.now()
    found = None
    try:
        async with services.reading(scope_of(principal)) as connection:
            fresh = await freshness_of(connection, now)
            found = Monitoring(fresh, await _agents(connection, fresh, now), await _partitions(connection))
            return replace(found, stopped=await _stopped(connection, found.partitions))
    except TooSlow:
        if found is None:
            raise
        return found


async def agents(services: Services, principal: Principal) -> dict[str, Any]:
    """Return the agents in use, heard within a day, that this principal may see, the longest silent first, at most 500:

    {"agents": [{agent_id, organization_id, organization, version, heard_at, silent, late, sessions_running, queued,
    oldest_queued_s, clock_error_s}], as_of, lag_s, halted}. `late`: users whom the agent reported last.
    """
    now = services.now()
    async with services.reading(scope_of(principal)) as connection:
        fresh = await freshness_of(connection, now)
        return {"agents": await _agents(connection, fresh, now), **_age(fresh)}


async def partitions(services: Services, principal: Principal) -> dict[str, Any]:
    """Return how far each partition is applied, when it last moved, and what halted it:

    {"partitions": [{topic, partition, applied_to, heard_at, halted, halted_at}], as_of, lag_s, halted}.
    """
    async with services.reading(scope_of(principal)) as connection:
        fresh = await freshness_of(connection, services.now())
        return {"partitions": await _partitions(connection), **_age(fresh)}


def _age(fresh: Freshness) -> dict[str, Any]:
    return {"as_of": fresh.as_of, "lag_s": fresh.lag_s, "halted": fresh.halted}


async def _agents(connection: Any, fresh: Freshness, now: datetime) -> list[dict[str, Any]]:
    rows = await connection.fetch(_SQL["agents"], fresh.as_of or now, SILENT_AFTER, GONE_AFTER, MOST_AGENTS)
    return [dict(row) for row in rows]


async def _partitions(connection: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(_SQL["partitions"])]


async def _stopped(connection: Any, known: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    halted = [row["partition"] for row in known if EVENTS.is_called(row["topic"]) and row["halted"]]
    if not halted:
        return {"users": 0, "organizations": 0}
    return dict(await connection.fetchrow(_SQL["stopped"], halted))
