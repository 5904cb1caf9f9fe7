"""Users are judged in the transaction that stores their events: cases from the field, on a real Postgres."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import zstandard

from schemas.events import DirectoryData, Event, Failure
from schemas.recent import unpack
from schemas.sql import named_queries
from schemas.status import facts_of, status_of
from services.aggregator import monitor
from services.aggregator.judge import ChangedUser, Overtaken, judge
from services.aggregator.transaction import Transaction
from tests.integration.aggregator.conftest import Stored
from tests.rig.scene import Scene
from tests.rig.stream import EVENTS, NOW, counts, issue, through_the_wire

FACTS = named_queries("status")["facts_of_user"]
START = NOW - timedelta(hours=10)
MINUTE = timedelta(minutes=1)
THROTTLED = Failure(source="office365", category="throttling", code="ApplicationThrottled", retryable=True)


@pytest.fixture
def scene(stored: Stored) -> Scene:
    return Scene(stored)


async def test_c10_throttled_half_way(scene: Scene) -> None:
    user_id, session_id = uuid4(), uuid4()
    told: dict[str, Any] = {"user_id": user_id, "session_id": session_id, "started_at": START}
    await scene.tell(START, scene.session(**told))
    halted = scene.session(**told, seq=1, status="errors", objects=counts(created=1200), error=THROTTLED)
    await scene.tell(START + MINUTE, halted)
    user = await scene.user(user_id)
    assert (user["status"], user["bucket"], user["reason"]) == ("failing", "failing_once", "session_errors")
    assert (user["changes"], user["error_category"], user["error_retryable"]) == (1200, "throttling", True)
    assert user["last_status"] == "errors"
    assert await scene.hours() == {"errors": 1}

    await scene.tell(START + 10 * MINUTE, scene.session(**told, attempt=2))
    done = scene.session(**told, attempt=2, seq=1, status="finished", objects=counts(created=5000))
    await scene.tell(START + 12 * MINUTE, done)
    user = await scene.user(user_id)
    assert (user["status"], user["changes"], user["error_source"], user["in_a_row"]) == ("healthy", 5000, None, 0)
    assert await scene.hours() == {"finished": 1}
    assert await scene.counted() == {"healthy": 1}


async def test_c12_the_end_overtakes_the_start(scene: Scene) -> None:
    user_id, session_id = uuid4(), uuid4()
    told: dict[str, Any] = {"user_id": user_id, "session_id": session_id, "started_at": START}
    end = scene.session(**told, seq=9, status="finished", objects=counts(created=3))
    await scene.tell(START + MINUTE, end)
    before = await scene.user(user_id)
    assert before["status"] == "healthy"
    await scene.tell(START + 11 * MINUTE, scene.session(**told, seq=0), scene.session(**told, seq=4))
    await scene.tell(START + 12 * MINUTE, end)
    assert await scene.user(user_id) == before
    assert await scene.changes(user_id) == [(None, "healthy")]
    assert await scene.hours() == {"finished": 1}


@pytest.mark.parametrize(
    ("member", "status"),
    [
        ({"objects": counts(created=1, failed=4)}, "partial"),
        ({"objects": counts(created=1, conflicts=2)}, "partial"),
        ({"error": THROTTLED}, "partial"),
        ({"objects": ()}, "healthy"),
    ],
    ids=["a failed", "e conflicts", "d error", "c nothing to do"],
)
async def test_c15_finished_is_not_green_by_itself(scene: Scene, member: dict[str, Any], status: str) -> None:
    user_id = uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="finished", **member))
    assert (await scene.user(user_id))["status"] == status


async def test_c15_b_a_report_is_incomplete_until_all_issues_came(scene: Scene) -> None:
    user_id, session_id = uuid4(), uuid4()
    about: dict[str, Any] = {"user_id": user_id, "organization_id": scene.organization_id, "started_at": START}
    resolved = [
        issue(session_id, **about, state="resolved", error_code=0, object_name=name, issue_id=uuid4())
        for name in ("one", "two", "three")
    ]
    end = scene.session(user_id, session_id, started_at=START, status="finished", issues_sent=3)
    await scene.tell(START, end, resolved[0])
    assert (await scene.user(user_id))["status"] == "healthy", "the report is arriving"
    await scene.tick(START + MINUTE)
    await scene.look()
    user = await scene.user(user_id)
    assert (user["status"], user["reason"], user["since"]) == ("partial", "issues_missing", START + MINUTE)
    await scene.tell(START + 2 * MINUTE, *resolved[1:])
    assert (await scene.user(user_id))["status"] == "healthy"
    assert await scene.changes(user_id) == [(None, "healthy"), ("healthy", "partial"), ("partial", "healthy")]


async def test_c15_errors_keep_what_worked_visible(scene: Scene) -> None:
    user_id = uuid4()
    failed = scene.session(
        user_id, started_at=START, status="errors", objects=counts(created=900, failed=1), error=THROTTLED
    )
    await scene.tell(START, failed)
    user = await scene.user(user_id)
    assert (user["status"], user["changes"], user["failures"], user["total_changes"]) == ("failing", 900, 1, 901)


def flag(scene: Scene, kind: str, revision: int, *, user_id: UUID | None = None, **more: Any) -> Event:
    data = DirectoryData(organization_id=scene.organization_id, user_id=user_id, kind=kind, revision=revision, **more)  # type: ignore[arg-type]
    return through_the_wire(data)


async def test_a_user_switched_off_and_on(scene: Scene) -> None:
    user_id = uuid4()
    await scene.tell(START, flag(scene, "user", 1, user_id=user_id, email="ann@example.org"))
    assert (await scene.user(user_id))["status"] == "new"
    off = flag(scene, "user", 2, user_id=user_id, sync_enabled=False, disabled_reason="authorization")
    await scene.tell(START + MINUTE, off)
    user = await scene.user(user_id)
    assert (user["status"], user["reason"], user["bucket"]) == ("disabled", "off_authorization", "disabled_error")
    assert (user["since"], user["due_at"], user["check_at"]) == (START + MINUTE, None, None)
    await scene.tell(START + 300 * MINUTE, flag(scene, "user", 3, user_id=user_id))
    user = await scene.user(user_id)
    assert (user["status"], user["due_at"]) == ("new", START + 330 * MINUTE), "due counts from being switched on"
    await scene.tell(START + 301 * MINUTE, flag(scene, "user", 4, user_id=user_id, state="removed"))
    assert await scene.counted() == {"removed": 1}


async def test_an_organization_switched_off_is_worked_off_by_the_owners(scene: Scene) -> None:
    users = [uuid4() for _ in range(5)]
    await scene.tell(START, *(scene.session(user_id, started_at=START, status="finished") for user_id in users[:3]))
    later = (scene.session(user_id, started_at=START, status="errors") for user_id in users[3:])
    await scene.tell(START, *later, partition=1)
    off = flag(scene, "organization", 1, sync_enabled=False, disabled_reason="manual")
    await scene.tell(START + MINUTE, off, partition=2)
    await scene.look()
    assert await scene.counted() == {"disabled_organization": 5}
    assert await scene.queued() == []
    assert all([(await scene.user(user_id))["reason"] == "organization_off" for user_id in users])
    await scene.tell(START + 2 * MINUTE, flag(scene, "organization", 2), partition=2)
    await scene.look()
    assert await scene.counted() == {"healthy": 3, "failing": 2}


async def test_who_is_first_seen_while_the_organization_is_switched_off_is_disabled_too(
    scene: Scene, stored: Stored
) -> None:
    await scene.tell(START, flag(scene, "organization", 1), partition=2)
    user_id = uuid4()
    stored.log.append(scene.session(user_id, started_at=START, status="errors"), partition=1, at=START)
    work, stored.since = stored.log.work(stored.since), stored.log.ends
    async with stored.pool.acquire() as connection, connection.transaction():
        await Transaction(connection, work, EVENTS, zstandard.ZstdCompressor()).run()
        await scene.tell(START + MINUTE, flag(scene, "organization", 2, sync_enabled=False), partition=2)
    assert (await scene.user(user_id))["status"] == "failing", "neither transaction saw the other"
    await scene.look()
    assert (await scene.user(user_id))["reason"] == "organization_off"
    assert await scene.counted() == {"disabled_organization": 1}


async def test_a_large_organization_is_worked_off_in_many_transactions(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "USERS_A_TRANSACTION", 2)
    users = [uuid4() for _ in range(7)]
    await scene.tell(START, *(scene.session(user_id, started_at=START, status="finished") for user_id in users))
    await scene.tell(START + MINUTE, flag(scene, "organization", 1, sync_enabled=False))
    await scene.look()
    assert await scene.counted() == {"disabled_organization": 7}
    assert await scene.queued() == []


async def test_p5_the_order_of_events_changes_no_verdict(scene: Scene, stored: Stored) -> None:
    """The same events in another order and in other batches, each with the append time it has: the same rows."""
    chance = random.Random(11)
    told: list[tuple[int, Event, Event]] = []
    twin = Scene(stored)
    pairs = [(uuid4(), uuid4()) for _ in range(4)]
    for minute in range(60):
        one, other = chance.choice(pairs)
        started = START + minute * MINUTE
        about: dict[str, Any] = {"started_at": started, "status": chance.choice(["finished", "errors", "cancelled"])}
        told.append((minute, scene.session(one, **about), twin.session(other, **about)))
    for minute, event, _ in told:
        await scene.tell(START + minute * MINUTE, event)
    last = START + 60 * MINUTE
    mixed = chance.sample(told, len(told))
    for at in range(0, 60, 7):
        await twin.tell(last, *(event for _, _, event in mixed[at : at + 7]), partition=1)
    for one, other in pairs:
        first, second = await scene.user(one), await scene.user(other)
        names = ("status", "bucket", "reason", "in_a_row", "last_started_at", "last_status")
        assert [first[name] for name in names] == [second[name] for name in names]
        assert [each.status for each in unpack(first["recent"])] == [each.status for each in unpack(second["recent"])]
    assert await scene.counted() == await twin.counted()


async def test_counters_follow_every_verdict(scene: Scene) -> None:
    chance = random.Random(5)
    users = [uuid4() for _ in range(30)]
    for minute in range(12):
        at = START + minute * MINUTE
        seen = chance.sample(users, 20)
        await scene.tell(
            at, *(
                scene.session(user_id, started_at=at, status=chance.choice(["finished", "errors", "running"]))
                for user_id in seen
            ), partition=minute % 3,
        )  # fmt: skip
        rows = await scene.stored.rows("SELECT bucket, count(*)::int AS n FROM user_status GROUP BY bucket")
        assert await scene.counted() == {row["bucket"]: row["n"] for row in rows}
    for user_id in users:
        row = await scene.stored.row(FACTS, scene.organization_id, user_id, 1800)
        assert row["status"] == status_of(facts_of(row), START + 12 * MINUTE), "the stored one is the function's"


async def test_what_was_seen_before_is_not_written_again(scene: Scene) -> None:
    user_id = uuid4()
    told: dict[str, Any] = {"user_id": user_id, "session_id": uuid4(), "started_at": START}
    deadline = {"deadline_at": START + 60 * MINUTE}
    await scene.tell(START, scene.session(**told, **deadline))
    before = await scene.user(user_id)
    await scene.tell(START + MINUTE, scene.session(**told, **deadline, seq=1, objects=counts(created=7)))
    assert await scene.user(user_id) == before, "a further word of a running session with a deadline"


async def test_p2_a_row_written_meanwhile_is_noticed(scene: Scene, stored: Stored) -> None:
    """Where partitions are added two writers may meet at one user: nothing is lost, the transaction starts again."""
    user_id = uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="finished"))
    users = [ChangedUser(scene.organization_id, user_id, 1, "agent")]

    class Meddled:
        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        async def copy_records_to_table(self, *arguments: Any, **options: Any) -> Any:
            await stored.owner.execute("UPDATE user_status SET agent_id = 'other' WHERE user_id = $1", user_id)
            return await self._connection.copy_records_to_table(*arguments, **options)

    async with stored.pool.acquire() as connection:
        with pytest.raises(Overtaken):
            async with connection.transaction():
                await judge(Meddled(connection), users, {1: START + MINUTE})
        async with connection.transaction():
            await judge(connection, users, {1: START + MINUTE})
    user = await scene.user(user_id)
    assert (user["partition"], user["agent_id"], user["status"]) == (1, "agent", "healthy")


async def test_a_reopened_session_gives_way_to_the_one_before(scene: Scene) -> None:
    user_id, session_id = uuid4(), uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="finished", objects=counts(created=4)))
    told: dict[str, Any] = {"user_id": user_id, "session_id": session_id, "started_at": START + MINUTE}
    await scene.tell(START + 2 * MINUTE, scene.session(**told, status="errors", error=THROTTLED))
    await scene.tell(START + 3 * MINUTE, scene.session(**told, attempt=2))
    user = await scene.user(user_id)
    assert (user["status"], user["changes"], user["error_source"]) == ("healthy", 4, None)
