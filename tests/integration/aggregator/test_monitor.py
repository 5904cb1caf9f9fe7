"""What time alone changes, by applied append time; nothing here waits."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from schemas.events import HeartbeatData
from services.aggregator.batch import Held
from services.aggregator.monitor import Monitor, run_monitor
from services.common.patience import through_outages
from tests.integration.aggregator.conftest import Stored
from tests.rig.scene import Scene
from tests.rig.stream import EVENTS, HEARTBEATS, NOW, through_the_wire

START = NOW - timedelta(hours=12)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def scene(stored: Stored) -> Scene:
    return Scene(stored)


async def heartbeat(scene: Scene, agent_id: str, at: datetime, organization: int | None = None) -> None:
    data = HeartbeatData(
        agent_id=agent_id, sent_at=at, organization_id=scene.organization_id if organization is None else None
    )
    scene.log.append(through_the_wire(data, agent_id), topic=HEARTBEATS, at=at)
    await scene.stored.apply()


async def test_c14_stuck_then_given_up_then_heard_of_after_all(scene: Scene) -> None:
    user_id, session_id = uuid4(), uuid4()
    told: dict[str, Any] = {
        "user_id": user_id, "session_id": session_id, "started_at": START, "deadline_at": START + 40 * MINUTE,
    }  # fmt: skip
    await scene.tell(START, scene.session(**told, seq=11))
    await scene.tick(START + 41 * MINUTE)
    assert [closed.status for closed in await scene.look()] == ["timed_out"]
    user = await scene.user(user_id)
    assert (user["status"], user["reason"], user["last_status"]) == ("failing", "session_timed_out", "timed_out")
    assert await scene.hours() == {"timed_out": 1}

    ended = START + 38 * MINUTE
    await scene.tell(START + 52 * MINUTE, scene.session(**told, seq=12, status="finished", ended_at=ended))
    user = await scene.user(user_id)
    assert (user["status"], user["last_ended_at"], user["in_a_row"]) == ("healthy", ended, 0)
    assert await scene.hours() == {"finished": 1}
    assert await scene.changes(user_id) == [(None, "new"), ("new", "failing"), ("failing", "healthy")]
    (row,) = await scene.stored.rows("SELECT timed_out_at, status FROM sync_session")
    assert row == {"timed_out_at": START + 41 * MINUTE, "status": "finished"}, "the page still tells of the closing"


async def test_c14_heard_of_lately_is_stuck_and_not_given_up(scene: Scene) -> None:
    user_id, session_id = uuid4(), uuid4()
    told: dict[str, Any] = {
        "user_id": user_id, "session_id": session_id, "started_at": START, "deadline_at": START + 40 * MINUTE,
    }  # fmt: skip
    await scene.tell(START, scene.session(**told))
    await scene.tick(START + 34 * MINUTE)
    await scene.tell(START + 35 * MINUTE, scene.session(**told, seq=1))  # not written: no news but that it lives
    await scene.tick(START + 41 * MINUTE)
    assert await scene.look() == []
    user = await scene.user(user_id)
    assert (user["status"], user["since"], user["limit_at"]) == ("stuck", *[START + 40 * MINUTE] * 2)
    await scene.tick(START + 64 * MINUTE)
    assert await scene.look() == []
    await scene.tick(START + 65 * MINUTE)
    assert len(await scene.look()) == 1, "half an hour after the last word"


async def test_c14_given_up_then_running_again(scene: Scene) -> None:
    user_id = uuid4()
    told: dict[str, Any] = {"user_id": user_id, "session_id": uuid4(), "started_at": START}
    await scene.tell(START, scene.session(**told, seq=3))
    await scene.tick(START + 31 * MINUTE)
    assert len(await scene.look()) == 1
    await scene.tell(START + 40 * MINUTE, scene.session(**told, seq=13, deadline_at=START + 110 * MINUTE))
    assert (await scene.user(user_id))["status"] == "new"
    assert await scene.hours() == {"running": 1}
    await scene.tell(START + 80 * MINUTE, scene.session(**told, seq=14, status="errors"))
    assert (await scene.user(user_id))["reason"] == "session_errors"
    assert await scene.hours() == {"errors": 1}
    assert await scene.changes(user_id) == [(None, "new"), ("new", "failing"), ("failing", "new"), ("new", "failing")]


async def test_c16_the_quiet_partition(scene: Scene) -> None:
    users = [uuid4() for _ in range(40)]
    await scene.tell(START, *(scene.session(user_id, started_at=START, status="finished") for user_id in users))
    await heartbeat(scene, "agent", START)
    await heartbeat(scene, "other", START + 61 * MINUTE, organization=2)
    await scene.tick(START + 60 * MINUTE)
    await scene.look()
    assert await scene.counted() == {"healthy": 40}
    await scene.tick(START + 60 * MINUTE + timedelta(seconds=2))
    await scene.look()
    assert await scene.counted() == {"late": 40}
    user = await scene.user(users[0])
    assert (user["reason"], user["since"]) == ("agent_silent", START + 60 * MINUTE)


async def test_c16_without_ticks_nobody_becomes_late(scene: Scene) -> None:
    user_id = uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="finished"))
    await scene.tick(START + 700 * MINUTE, partition=1)  # others are busy; this one hears nothing
    await scene.look()
    assert (await scene.user(user_id))["status"] == "healthy"


async def test_c17_after_an_outage_of_ours_nobody_flips(scene: Scene) -> None:
    """Two hours nothing could reach Kafka. What the agents kept comes within minutes; only one really missed a run."""
    healthy, failing, missed = [uuid4() for _ in range(20)], [uuid4() for _ in range(5)], uuid4()
    at = START
    for minutes, users in ((0, [*healthy, missed]), (30, healthy)):
        at = START + minutes * MINUTE
        await scene.tick(at)
        await scene.tell(
            at, *(scene.session(user_id, started_at=at, status="finished") for user_id in users),
            *(scene.session(user_id, started_at=at, status="errors") for user_id in failing),
        )  # fmt: skip
    before = {user_id: await scene.user(user_id) for user_id in failing}
    back = at + 120 * MINUTE
    await scene.deaf_until(back)
    await scene.look()
    assert await scene.counted() == {"healthy": 21, "failing": 5}
    spooled = back + timedelta(seconds=20)
    for number in range(1, 4):
        started = at + 30 * number * MINUTE
        await scene.tell(
            spooled, *(scene.session(user_id, started_at=started, status="finished") for user_id in healthy),
            *(scene.session(user_id, started_at=started, status="errors") for user_id in failing),
        )  # fmt: skip
    for minutes in (4, 5, 6):
        await scene.tick(back + minutes * MINUTE)
        await scene.look()
    assert await scene.counted() == {"healthy": 20, "failing": 5, "late": 1}
    assert (await scene.user(missed))["since"] == START + 60 * MINUTE
    for user_id in failing:
        user = await scene.user(user_id)
        assert (user["revision"], user["since"]) == (before[user_id]["revision"], before[user_id]["since"])
        assert user["failing_since"] == START
        assert user["in_a_row"] == 5
    assert [await scene.changes(user_id) for user_id in healthy] == [[(None, "healthy")]] * len(healthy)

    everything = await scene.stored.rows("SELECT * FROM user_status ORDER BY user_id")
    for _ in range(3):  # restarts: nothing but time would change anything
        assert await scene.look() == []
    assert await scene.stored.rows("SELECT * FROM user_status ORDER BY user_id") == everything


async def test_c17_most_agents_silent_at_once_holds_lateness(scene: Scene) -> None:
    user_id = uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="finished"))
    for number, agent in enumerate(("agent", "b", "c", "d")):
        await heartbeat(scene, agent, START + timedelta(seconds=10 * number), organization=number or None)
    await scene.tick(START + 61 * MINUTE)
    await scene.look()
    user = await scene.user(user_id)
    assert user["status"] == "healthy"
    for agent in ("b", "c", "d"):
        await heartbeat(scene, agent, START + 62 * MINUTE, organization=2)
    await scene.tick(START + 63 * MINUTE)
    await scene.look()
    user = await scene.user(user_id)
    assert (user["status"], user["reason"]) == ("late", "agent_silent")


async def test_c17_agents_out_of_use_are_no_silence_of_ours(scene: Scene) -> None:
    user_id = uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="finished"))
    for number, agent in enumerate(("agent", "b", "c", "d")):
        await heartbeat(scene, agent, START + timedelta(seconds=10 * number), organization=number or None)
    await scene.stored.owner.execute("UPDATE agent SET retired = true WHERE agent_id IN ('b', 'c', 'd')")
    await scene.tick(START + 61 * MINUTE)
    await scene.look()
    user = await scene.user(user_id)
    assert (user["status"], user["reason"]) == ("late", "agent_silent")


async def test_a_position_that_moved_on_without_us_is_left_alone(scene: Scene) -> None:
    user_id = uuid4()
    await scene.tell(START, scene.session(user_id, started_at=START, status="finished"))
    await scene.tick(START + 61 * MINUTE)
    zombie = Monitor(scene.stored.pool, EVENTS, lambda: {0: Held(0, 1, None, None)}, asyncio.Lock())
    await zombie.run_once()
    assert (await scene.user(user_id))["status"] == "healthy"
    await scene.stored.owner.execute("UPDATE kafka_position SET halted = 'gap' WHERE partition = 0")
    await scene.look()
    assert (await scene.user(user_id))["status"] == "healthy"


async def test_sessions_that_fell_out_of_the_window_are_given_up_too(scene: Scene) -> None:
    user_id, session_id = uuid4(), uuid4()
    early = NOW - timedelta(days=2)
    await scene.tell(
        early, scene.session(user_id, session_id, started_at=early, deadline_at=early + timedelta(hours=20))
    )
    for number in range(1, 22):
        at = early + number * MINUTE
        await scene.tell(at, scene.session(user_id, started_at=at, status="finished"))
    await scene.deaf_until(NOW)
    await scene.look()
    assert await scene.hours() == {"running": 1, "finished": 21}
    assert len(await Monitor(scene.stored.pool, EVENTS, scene.owned, asyncio.Lock()).close_forgotten()) == 1
    assert await scene.hours() == {"timed_out": 1, "finished": 21}


async def test_the_monitor_runs_until_it_is_cancelled(scene: Scene) -> None:
    runs: list[object] = []
    enough = asyncio.Event()

    def observe(run: object) -> None:
        runs.append(run)
        if len(runs) == 3:
            enough.set()

    task = asyncio.create_task(
        run_monitor(
            scene.stored.pool,
            topic=EVENTS,
            owned=scene.owned,
            lock=asyncio.Lock(),
            patient=through_outages,
            observe=observe,
            period_s=0.01,
        )
    )
    await asyncio.wait_for(enough.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
