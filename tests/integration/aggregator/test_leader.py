"""The leader's duties, each on a real Postgres; one leader at a time."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from schemas.retention import KEPT
from schemas.sql import named_queries
from schemas.topics import TOPICS
from services.aggregator.figures import store_figures, store_last_day
from services.aggregator.gauges import LeaderGauges
from services.aggregator.leader import Reign, run_leader
from services.aggregator.retention import cut_exports, drop_past, fold_hours, is_past, make_days
from services.common.patience import through_outages
from services.common.topics import positions
from tests.integration.aggregator.conftest import Stored
from tests.rig.databases import Database
from tests.rig.scene import Scene
from tests.rig.stream import NOW, session

START = NOW - timedelta(hours=3)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def scene(stored: Stored) -> Scene:
    return Scene(stored)


async def organization(scene: Scene) -> dict[str, Any]:
    return await scene.stored.row("SELECT * FROM organization WHERE organization_id = $1", scene.organization_id)


async def test_figures_and_health_follow_the_users(scene: Scene, stored: Stored) -> None:
    users = [uuid4() for _ in range(5)]
    await scene.tell(START, *(scene.session(user_id, started_at=START, status="finished") for user_id in users))
    async with stored.pool.acquire() as connection:
        assert await store_figures(connection, START) == 1
        row = await organization(scene)
        assert (row["health"], row["users"], row["healthy"], row["touched"]) == ("ok", 5, 5, 0)
        assert row["health_since"] == START
        assert await store_figures(connection, START + MINUTE) == 0, "nothing changed"

        at = START + 2 * MINUTE
        await scene.tell(at, *(scene.session(user_id, started_at=at, status="errors") for user_id in users[:3]))
        assert await store_figures(connection, at) == 1
        row = await organization(scene)
        assert (row["health"], row["health_rank"], row["failing"], row["touched"]) == ("down", 0, 3, 3)
        assert row["health_since"] == at
    told = await stored.rows("SELECT * FROM status_change WHERE user_id IS NULL ORDER BY id")
    assert [(each["was"], each["became"], each["reason"], each["revision"]) for each in told] == [
        (None, "ok", "all_well", 1),
        ("ok", "down", "half_touched", 2),
    ]


async def test_a_first_retryable_failure_is_no_degradation_the_second_is(scene: Scene, stored: Stored) -> None:
    users = [uuid4() for _ in range(4)]
    await scene.tell(START, *(scene.session(user_id, started_at=START, status="finished") for user_id in users))
    error = {"source": "exchange", "category": "timeout", "retryable": True}
    async with stored.pool.acquire() as connection:
        for number, health in ((1, "ok"), (2, "degraded")):
            at = START + number * MINUTE
            await scene.tell(at, scene.session(users[0], started_at=at, status="errors", error=error))
            await store_figures(connection, at)
            row = await organization(scene)
            assert (row["health"], row["failing"]) == (health, 1)


async def test_the_last_day_is_counted_by_whole_hours(scene: Scene, stored: Stored) -> None:
    long_ago = NOW - timedelta(hours=30)
    await scene.tell(long_ago, scene.session(uuid4(), started_at=long_ago, status="errors"))
    ended = START + 4 * MINUTE
    await scene.tell(
        START, scene.session(uuid4(), started_at=START, status="errors", ended_at=ended),
        scene.session(uuid4(), started_at=START - MINUTE, status="finished"),
    )  # fmt: skip
    async with stored.pool.acquire() as connection:
        await store_last_day(connection, NOW)
    row = await organization(scene)
    assert (row["errors_24h"], row["last_session_at"]) == (1, ended)


async def test_when_the_newest_session_ended_is_stored_though_no_count_moves(scene: Scene, stored: Stored) -> None:
    session_id, user_id, began, ended = uuid4(), uuid4(), START + MINUTE, START + 2 * MINUTE
    older = scene.session(uuid4(), started_at=START, status="finished", ended_at=began)
    events = (
        (began, scene.session(user_id, session_id, started_at=began)),
        (ended, scene.session(user_id, session_id, seq=1, started_at=began, status="finished", ended_at=ended)),
    )
    await scene.tell(began, older)
    async with stored.pool.acquire() as connection:
        for at, event in events:
            await scene.tell(at, event)
            await store_last_day(connection, NOW)
            row = await organization(scene)
            assert (row["errors_24h"], row["last_session_at"]) == (0, at)
        await connection.execute("DELETE FROM sync_session")
        await store_last_day(connection, NOW)
    assert (await organization(scene))["last_session_at"] == ended, "known still once its sessions are dropped"


async def test_closed_hours_are_folded_and_sums_stay(scene: Scene, stored: Stored) -> None:
    for partition in range(3):
        for hours in (3, 0):
            at = NOW - timedelta(hours=hours)
            await scene.tell(at, scene.session(uuid4(), started_at=at, status="finished"), partition=partition)
    before = await scene.hours()
    async with stored.pool.acquire() as connection:
        await fold_hours(connection, NOW)
        await fold_hours(connection, NOW)
    assert await scene.hours() == before == {"finished": 6}
    rows = await stored.rows("SELECT shard, sum(sessions)::int AS n FROM session_hour GROUP BY shard ORDER BY shard")
    assert [(row["shard"], row["n"]) for row in rows] == [(-1, 3), (0, 1), (1, 1), (2, 1)]
    at = NOW - timedelta(hours=3)
    await scene.tell(NOW, scene.session(uuid4(), started_at=at, status="errors"), partition=1)
    async with stored.pool.acquire() as connection:
        await fold_hours(connection, NOW)
    assert await scene.hours() == {"finished": 6, "errors": 1}


async def test_days_are_made_ahead(stored: Stored) -> None:
    today = datetime.now(UTC).date()
    days = [row["day"] for row in await stored.rows(named_queries("leader")["days"])]
    assert min(days) < today - KEPT.sessions < today < max(days)
    async with stored.pool.acquire() as connection:
        assert await make_days(connection, today, KEPT) == 14
        assert await make_days(connection, today + timedelta(days=5), KEPT) == 14
        assert await make_days(connection, today + timedelta(days=5), KEPT) == 14


async def test_past_days_are_made_as_far_back_as_they_are_kept(stored: Stored) -> None:
    """After weeks without a leader; what was set aside for its missing day goes in when it is replayed."""
    today = NOW.date()
    for row in await stored.rows(named_queries("leader")["days"]):
        if row["day"] <= today:
            await stored.owner.execute("SELECT drop_day($1, $2)", row["parent"], row["day"])
    oldest = NOW - KEPT.sessions + timedelta(hours=2)
    events = [session(uuid4(), user_id=uuid4(), organization_id=uuid4(), started_at=at) for at in (oldest, NOW)]
    for event in events:
        stored.log.append(event)
    await stored.apply()
    assert await stored.rows("SELECT detail FROM rejected_event") == [{"detail": "SQLSTATE 23514"}] * 2
    async with stored.pool.acquire() as connection:
        assert await make_days(connection, today, KEPT) == 14
        await drop_past(connection, NOW, KEPT)
        assert await connection.fetch(
            named_queries("leader")["missing_days"], today, today - KEPT.sessions, today - KEPT.logs, 14
        ) == []  # fmt: skip
    for event in events:
        stored.log.append(event)
    await stored.apply()
    rows = await stored.rows("SELECT started_at FROM sync_session ORDER BY 1")
    assert [row["started_at"].date() for row in rows] == [oldest.date(), today]


async def test_a_day_that_a_lock_holds_up_is_made_the_next_time(stored: Stored, database: Database) -> None:
    later = NOW.date() + timedelta(days=3)
    async with database.connect() as other, stored.pool.acquire() as connection:
        async with other.transaction():
            await other.execute("LOCK TABLE sync_session IN ACCESS EXCLUSIVE MODE")
            assert await make_days(connection, later, KEPT) == 11
        assert await make_days(connection, later, KEPT) == 14


async def test_s20_days_and_rows_are_dropped_when_they_are_kept_no_longer(scene: Scene, stored: Stored) -> None:
    at = NOW - timedelta(days=20)
    await scene.tell(at, scene.session(uuid4(), started_at=at, status="finished"))
    await stored.owner.execute("UPDATE status_change SET published_at = since, since = since - interval '400 days'")
    async with stored.pool.acquire() as connection:
        await drop_past(connection, NOW, KEPT)
        assert await stored.rows("SELECT status FROM sync_session") == [{"status": "finished"}]
        logs = await stored.owner.fetchval("SELECT min(relname) FROM pg_class WHERE relname ~ '^log_chunk_[0-9]{8}$'")
        assert logs == f"log_chunk_{NOW - timedelta(days=14):%Y%m%d}"
        assert await stored.rows("SELECT * FROM status_change") == []
        await drop_past(connection, NOW + timedelta(days=11), KEPT)
    assert await stored.rows("SELECT status FROM sync_session") == []
    sessions = "SELECT min(relname) FROM pg_class WHERE relname ~ '^sync_session_[0-9]{8}$'"
    assert await stored.owner.fetchval(sessions) == f"sync_session_{NOW - timedelta(days=19):%Y%m%d}"


async def test_s20_exports_and_sign_ins_are_dropped_and_an_export_without_its_process_is_cut(stored: Stored) -> None:
    account_id, day = uuid4(), timedelta(days=1)
    await stored.owner.execute(
        "INSERT INTO account (account_id, email, role, created_at) VALUES ($1, 'ann@example.org', 'support', $2)",
        account_id, NOW,
    )  # fmt: skip
    for name, age in (("old", KEPT.sign_ins + day), ("new", KEPT.sign_ins - day)):
        key, at = name.encode(), NOW - age
        await stored.owner.execute("INSERT INTO web_session VALUES ($1, $2, $3, $3)", key, account_id, at)
        await stored.owner.execute("INSERT INTO sign_in_link VALUES ($1, $2, $3)", key, account_id, at)
    exports = (
        ("dropped", KEPT.audit + day, "complete"), ("kept", KEPT.audit - day, "complete"),
        ("dead", 2 * day, "running"), ("alive", day / 2, "running"),
    )  # fmt: skip
    for actor, age, state in exports:
        await stored.owner.execute(
            "INSERT INTO export (export_id, actor, list, query, started_at, state)"
            " VALUES ($1, $2, 'users', '', $3, $4)",
            uuid4(), actor, NOW - age, state,
        )  # fmt: skip
    async with stored.pool.acquire() as connection:
        await drop_past(connection, NOW, KEPT)
        await cut_exports(connection, NOW)
    assert await stored.rows("SELECT cookie_hash FROM web_session") == [{"cookie_hash": b"new"}]
    assert await stored.rows("SELECT link_hash FROM sign_in_link") == [{"link_hash": b"new"}]
    assert {row["actor"]: row["state"] for row in await stored.rows("SELECT actor, state FROM export")} == {
        "kept": "complete", "dead": "cut", "alive": "running",
    }  # fmt: skip


async def test_s20_a_day_that_somebody_reads_is_dropped_the_next_time(stored: Stored, database: Database) -> None:
    async with database.connect() as reader, stored.pool.acquire() as connection:
        later = NOW + timedelta(days=2)
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM sync_session")
            await drop_past(connection, later, KEPT)
        oldest = "SELECT min(relname) FROM pg_class WHERE relname ~ '^sync_session_[0-9]{8}$'"
        assert await reader.fetchval(oldest) < f"sync_session_{later - timedelta(days=30):%Y%m%d}"
        await drop_past(connection, later, KEPT)
        assert await reader.fetchval(oldest) == f"sync_session_{later - timedelta(days=30):%Y%m%d}"


def test_a_day_is_kept_to_its_end() -> None:
    today = NOW.date()
    assert not is_past("sync_session", today - timedelta(days=30), today, KEPT)
    assert is_past("sync_session", today - timedelta(days=31), today, KEPT)
    assert is_past("log_chunk", today - timedelta(days=15), today, KEPT)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


async def test_gauges_come_from_the_database_and_go_with_the_leader(scene: Scene, stored: Stored) -> None:
    await scene.tell(START, scene.session(uuid4(), started_at=START, status="errors"))
    registry = CollectorRegistry()
    gauges = LeaderGauges(registry)
    async with stored.pool.acquire() as connection:
        reign = Reign(connection=connection, producer=None, gauges=gauges, wall=lambda: NOW)  # type: ignore[arg-type]
        gauges.lead()
        assert value(registry, "syncwatch_day_partitions_ahead") is None
        for duty in (reign.figures, reign.last_day, reign.days, reign.hours, reign.past, reign.show):
            await duty()
    assert value(registry, "syncwatch_leader") == 1
    assert value(registry, "syncwatch_users", status="failing") == 1
    assert value(registry, "syncwatch_users", status="late") == 0
    assert value(registry, "syncwatch_organizations", health="down") == 1
    assert value(registry, "syncwatch_agents", state="silent") == 0
    assert value(registry, "syncwatch_day_partitions_ahead") == 14
    assert value(registry, "syncwatch_organization_errors_24h", organization=str(scene.organization_id)) == 1
    gauges.step_down()
    assert value(registry, "syncwatch_leader") == 0
    assert value(registry, "syncwatch_users", status="failing") is None
    assert value(registry, "syncwatch_day_partitions_ahead") is None


async def test_an_agent_whose_every_token_is_revoked_is_not_silent(scene: Scene, stored: Stored) -> None:
    organization_id, other = scene.organization_id, uuid4()
    for agent_id in ("gone", "renewed", "direct", "namesake"):
        await stored.owner.execute(
            "INSERT INTO agent (agent_id, organization_id, heard_at) VALUES ($1, $2, $3)",
            agent_id, organization_id, NOW - timedelta(minutes=10),
        )  # fmt: skip
    tokens = (
        ("gone", organization_id, NOW), ("gone", organization_id, NOW), ("renewed", organization_id, NOW),
        ("renewed", organization_id, None), ("namesake", other, NOW),
    )  # fmt: skip
    for agent_id, owner, revoked_at in tokens:
        await stored.owner.execute(
            "INSERT INTO agent_token (token_hash, token_id, agent_id, organization_id, created_at, revoked_at)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            uuid4().bytes, uuid4(), agent_id, owner, NOW, revoked_at,
        )  # fmt: skip
    registry = CollectorRegistry()
    async with stored.pool.acquire() as connection:
        gauges = LeaderGauges(registry)
        reign = Reign(connection=connection, producer=None, gauges=gauges, wall=lambda: NOW)  # type: ignore[arg-type]
        for _ in range(2):
            await reign.agents()
            await reign.show()
            assert value(registry, "syncwatch_agents", state="silent") == 3
            assert await stored.rows("SELECT agent_id FROM agent WHERE retired") == [{"agent_id": "gone"}]
        await stored.owner.execute("UPDATE agent_token SET revoked_at = NULL WHERE agent_id = 'gone'")
        await reign.agents()
    assert await stored.rows("SELECT agent_id FROM agent WHERE retired") == []


async def test_lost_records_are_shown_for_a_day_and_at_0_before(stored: Stored) -> None:
    registry, logs = CollectorRegistry(), "some.syncwatch.logs"
    gauges = LeaderGauges(registry)

    async def shown() -> float | None:
        async with stored.pool.acquire() as connection:
            await Reign(
                connection=connection, producer=None, gauges=gauges, wall=lambda: NOW, topic_prefix="some.",  # type: ignore[arg-type]
            ).show()  # fmt: skip
        return value(registry, "syncwatch_lost_records", topic=logs)

    assert await shown() == 0
    await stored.owner.executemany(
        "INSERT INTO position_gap VALUES ($1, $2, 0, $3, $4, $5, $6)",
        [
            (logs, 0, 10, 30, "gap", NOW - timedelta(hours=23)),
            (logs, 1, 50, 50, "log_made_anew", NOW),
            (logs, 2, 0, 1000, "gap", NOW - timedelta(hours=25)),
        ],
    )
    assert await shown() == 21
    gauges.step_down()
    assert value(registry, "syncwatch_lost_records", topic=logs) is None


async def test_c08_c31_failing_users_and_their_organizations_are_counted_by_cause(stored: Stored) -> None:
    """Two categories that are not listed are one `other`, and an organization that fails of both counts once."""
    first, second = Scene(stored), Scene(stored)
    consent = {"source": "office365", "category": "authentication"}
    for scene, users in ((first, 4), (second, 1)):
        await scene.tell(
            START, *(scene.session(uuid4(), started_at=START, status="errors", error=consent) for _ in range(users))
        )
    odd = [{"source": "lotus", "category": category} for category in ("moon", "tide")]
    await first.tell(START, *(first.session(uuid4(), started_at=START, status="errors", error=error) for error in odd))
    await first.tell(START, first.session(uuid4(), started_at=START, status="errors"))
    await second.tell(START, second.session(uuid4(), started_at=START, status="finished"))
    healed, later = uuid4(), START + MINUTE
    await second.tell(START, second.session(healed, started_at=START, status="errors", error=consent))
    registry = CollectorRegistry()
    gauges = LeaderGauges(registry)
    async with stored.pool.acquire() as connection:
        reign = Reign(connection=connection, producer=None, gauges=gauges, wall=lambda: NOW)  # type: ignore[arg-type]
        await reign.failing()
        assert shown(registry) == {
            ("office365", "authentication"): (6, 2),
            ("other", "other"): (2, 1),
            ("unknown", "other"): (1, 1),
        }
        await second.tell(later, second.session(healed, started_at=later, status="finished"))
        await reign.failing()
    assert shown(registry)["office365", "authentication"] == (5, 2)
    assert value(registry, "syncwatch_failing_users", error_source="crm", error_category="quota") == 0
    gauges.step_down()
    assert shown(registry) == {}


def shown(registry: CollectorRegistry) -> dict[tuple[str, str], tuple[int, int]]:
    """Return users and organizations of each cause of which somebody fails."""
    causes = {
        (sample.labels["error_source"], sample.labels["error_category"])
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "syncwatch_failing_users" and sample.value
    }
    names = ("syncwatch_failing_users", "syncwatch_failing_organizations")
    return {
        (source, category): tuple(
            int(value(registry, name, error_source=source, error_category=category) or 0) for name in names
        )
        for source, category in causes
    }  # type: ignore[misc]


class NoKafka:
    """Takes part where nothing is to be published."""


async def test_one_leads_and_another_takes_over(database: Database) -> None:
    async with database.connect() as owner:
        await owner.executemany("INSERT INTO kafka_position (topic, partition) VALUES ($1, $2)", positions(TOPICS))
    registries = [CollectorRegistry(), CollectorRegistry()]
    tasks = [
        asyncio.create_task(
            run_leader(
                NoKafka(),
                url=database.writer_url,
                registry=registry,
                wall=lambda: NOW,  # type: ignore[arg-type]
                patient=through_outages,
            )
        )
        for registry in registries
    ]
    try:
        first = await leader_of(registries)
        assert sum(value(registry, "syncwatch_leader") or 0 for registry in registries) == 1
        async with database.connect() as owner:
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncwatch leader'"
                " AND datname = current_database()"
            )
        await leader_of(registries)
        tasks[first].cancel()
        await asyncio.wait([tasks[first]])
        assert await leader_of(registries, but=first) != first
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, asyncpg.PostgresError):
                await task


async def leader_of(registries: list[CollectorRegistry], but: int | None = None) -> int:
    async with asyncio.timeout(60):
        while True:
            for number, registry in enumerate(registries):
                if number != but and value(registry, "syncwatch_leader") == 1:
                    return number
            await asyncio.sleep(0.05)
