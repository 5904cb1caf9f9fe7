"""Hot statements keep to row addresses and indexes, whatever the planner believes of empty tables."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from schemas.sql import named_queries
from tests.integration.aggregator.conftest import Stored
from tests.rig.stream import NOW

ISSUES = named_queries("issues")
STATUS = named_queries("status")
MONITOR = named_queries("monitor")
LEADER = named_queries("leader")
RELAY = named_queries("relay")


async def plan(connection: Any, statement: str, *arguments: Any) -> str:
    rows = await connection.fetch("EXPLAIN " + statement, *arguments)
    return "\n".join(row[0] for row in rows)


async def test_verdicts_are_stored_by_row_address(stored: Stored) -> None:
    async with stored.pool.acquire() as connection, connection.transaction():
        await connection.execute(STATUS["by_loops"])
        told = await plan(connection, STATUS["store_verdicts"], [NOW], NOW, NOW)
    assert "Tid Scan on user_status us" in told
    assert re.search(r"Seq Scan on (user_status|sync_session)", told) is None
    assert "Index Scan using sync_session" in told


async def test_users_are_read_by_key(stored: Stored) -> None:
    async with stored.pool.acquire() as connection, connection.transaction():
        await connection.execute(STATUS["by_loops"])
        told = await plan(connection, STATUS["read_users"], [UUID(int=1)], [UUID(int=2)], 1800)
    assert "Seq Scan" not in told
    assert "Hash" not in told


async def test_issues_of_a_batch_are_not_looked_through_for_each_of_them(stored: Stored) -> None:
    async with stored.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO batch_sighting (organization_id, issue_id, error_code, state)"
            " SELECT gen_random_uuid(), gen_random_uuid(), 1, 'opened' FROM generate_series(1, 2000)"
        )
        seen = [UUID(int=number) for number in range(2000)]
        told = await plan(connection, ISSUES["merge_issues"], "resolved", seen, seen)
    assert re.search(r"(Merge|Hash)( Right| Left)? Join.*\n +(Merge|Hash) Cond: .*issue_id", told)
    assert re.search(r"Join Filter: .*issue_id", told) is None
    assert "CTE Scan" not in told, "of all for each conflict"


@pytest.mark.parametrize(
    ("statement", "arguments", "index"),
    [
        (MONITOR["due_users"], (1, NOW, 1000), "user_status_due"),
        (MONITOR["users_of_organization"], (UUID(int=1), 1, None, 1000), "user_status_pkey"),
        (MONITOR["forgotten"], (1, NOW, 1000), "status_started_at_session_id_idx|sync_session_unclean_all"),
        (RELAY["unpublished"], (1000,), "status_change_unpublished"),
        (LEADER["failing_by_cause"], (["crm"], ["quota"]), "user_status_failing"),
        (LEADER["drop_rejects"], (NOW, 5000), "rejected_event_by_time"),
        (LEADER["drop_closed_issues"], (NOW, 5000), "sync_issue_closed"),
        (LEADER["drop_status_changes"], (NOW, 5000), "status_change_by_time"),
    ],
)
async def test_an_index_serves_what_is_asked_often(
    stored: Stored, statement: str, arguments: tuple[Any, ...], index: str
) -> None:
    async with stored.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        assert re.search(index, await plan(connection, statement, *arguments))
