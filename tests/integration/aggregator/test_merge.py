"""The merge in SQL: equal to the pure one, exact in its counters, deaf to repeats (P5)."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.events import Event, Failure, encode
from services.aggregator.fold import Fold
from tests.faults.oracle import differences, expected, fingerprint
from tests.integration.aggregator.conftest import Stored
from tests.rig.stream import EVENTS, NOW, counts, issue, session

TABLES = (
    "sync_session", "session_text", "issue_sighting", "sync_issue", "session_hour", "session_hour_all", "user_status",
    "organization_status", "status_change", "organization", "sync_user", "rejected_event",
)  # fmt: skip


def history(chance: random.Random, user_id: UUID, organization_id: UUID, session_id: UUID) -> list[Event]:
    """Return the events of one session as an agent makes them: up to three attempts, each with its end last."""
    events = []
    for attempt in range(1, chance.randint(1, 3) + 1):
        words = chance.randint(0, 3)
        for seq in range(words + 1):
            is_end = seq == words and chance.random() < 0.8
            status = chance.choice(["finished", "errors", "cancelled", "finished_with_issues"]) if is_end else "running"
            error = Failure(source=chance.choice(["exchange", "gmail"]), category="timeout", message="slow")
            events.append(
                session(
                    session_id,
                    user_id=user_id,
                    organization_id=organization_id,
                    attempt=attempt,
                    seq=seq,
                    status=status,
                    objects=counts(created=chance.randint(0, 9), failed=chance.choice([0, 0, 1])),
                    error=error if status == "errors" else None,
                )
            )
    return events


async def test_p5_sql_merges_as_the_fold_does(stored: Stored) -> None:
    chance = random.Random(7)
    organizations = [uuid4() for _ in range(3)]
    events: list[Event] = []
    for _ in range(60):
        user_id = uuid4()
        for _ in range(chance.randint(1, 2)):
            events += history(chance, user_id, chance.choice(organizations), uuid4())
    delivered = [*events, *chance.sample(events, len(events) // 3)]
    chance.shuffle(delivered)
    for start in range(0, len(delivered), 40):
        for event in delivered[start : start + 40]:
            stored.log.append(event, partition=chance.randrange(3))
        await stored.apply()

    fold = Fold()
    for event in events:
        assert fold.add(event, 0, 0) is None
    rows = {row["session_id"]: row for row in await stored.rows("SELECT * FROM sync_session")}
    assert len(rows) == len(fold.sessions)
    for kept in fold.sessions.values():
        row, data, counted = rows[kept.event.data.session_id], kept.event.data, kept.counts.data
        assert (row["attempt"], row["seq"], row["digest"]) == (data.attempt, data.seq, kept.digest)
        assert (row["counted_attempt"], row["counted_seq"]) == (counted.attempt, counted.seq)
        assert row["changes"] == counted.objects[0].created
    records = [(each.timestamp, each.value) for log in stored.log.records.values() for each in log if each.value]
    assert await differences(stored.owner, expected(records)) == []


def troubles(chance: random.Random, organization_id: UUID, user_id: UUID) -> list[Event]:
    """Return what some sessions of a user tell of one issue: opened, resolved, none; in any order, with ties."""
    about: dict[str, Any] = {"organization_id": organization_id, "user_id": user_id}
    issue_id = uuid4()
    events: list[Event] = []
    for number in range(chance.randint(1, 3)):
        session_id = uuid4()
        ahead = timedelta(hours=5) if chance.random() < 0.3 else timedelta(0)  # a clock
        about["started_at"] = NOW - timedelta(minutes=10 + number) + ahead
        if chance.random() < 0.7:
            events.append(session(session_id, status="finished", attempt=2, objects=counts(), **about))
        for _ in range(chance.randint(1, 5)):
            state, error_code = chance.choice(
                [("opened", 1), ("opened", 2), ("resolved", 0), ("resolved", 3), ("opened", 0)]
            )
            category, code = chance.choice(["locked", "quota"]), chance.choice(["", "UNABLE_TO_LOCK_ROW", "429"])
            error = Failure(source="salesforce", category=category, code=code, retryable=True)
            resolution = "synced" if state == "resolved" else None
            events.append(
                issue(
                    session_id, issue_id=issue_id, attempt=chance.randint(1, 2), seq=chance.randint(0, 2), state=state,
                    error_code=error_code, error_text=chance.choice(["", "locked", "busy"]),
                    object_name=chance.choice("ab"), resolution=resolution,
                    error=error if chance.random() < 0.5 else None, **about,
                )
            )  # fmt: skip
    return events


@pytest.mark.parametrize("seed", range(6))
async def test_p5_issues_are_those_of_a_recount(stored: Stored, seed: int) -> None:
    """Whatever order the log has, wherever batches are cut, and as often as it is read."""
    chance = random.Random(seed)
    events = [event for _ in range(80) for event in troubles(chance, uuid4(), uuid4())]
    delivered = [*events, *chance.sample(events, len(events) // 3)]
    chance.shuffle(delivered)
    while delivered:
        size = chance.choice([1, 5, 40, 200])
        for event in delivered[:size]:
            stored.log.append(event)
        del delivered[:size]
        await stored.apply()
    records = [(each.timestamp, each.value) for log in stored.log.records.values() for each in log if each.value]
    assert await differences(stored.owner, expected(records)) == []

    before = [fingerprint(await stored.owner.fetch(f"SELECT * FROM {table}")) for table in TABLES]
    await stored.owner.execute("UPDATE kafka_position SET next_offset = 0, last_hash = NULL")
    stored.since = {}
    await stored.apply()
    assert before == [fingerprint(await stored.owner.fetch(f"SELECT * FROM {table}")) for table in TABLES]


@pytest.mark.parametrize("has_session", [False, True])
async def test_two_users_who_tell_of_one_issue_of_one_session_stop_nobody(stored: Stored, has_session: bool) -> None:
    organization_id, ann, bob, session_id, issue_id = (uuid4() for _ in range(5))
    if has_session:
        stored.log.append(session(session_id, user_id=ann, organization_id=organization_id, status="finished"))
        await stored.apply()
    for user_id in (ann, bob):
        stored.log.append(issue(session_id, user_id=user_id, organization_id=organization_id, issue_id=issue_id))
    stored.log.append(session(uuid4(), user_id=bob, organization_id=organization_id, status="finished"))
    await stored.apply()
    assert [row["user_id"] for row in await stored.rows("SELECT user_id FROM issue_sighting")] == [ann]
    assert [row["user_id"] for row in await stored.rows("SELECT user_id FROM sync_issue")] == [ann]
    assert len(await stored.rows("SELECT FROM sync_session WHERE user_id = $1", bob)) == 1, "the rest is stored"


async def test_p5_everything_a_second_time_changes_nothing(stored: Stored) -> None:
    chance = random.Random(3)
    organization_id = uuid4()
    for _ in range(20):
        user_id, session_id = uuid4(), uuid4()
        for event in history(chance, user_id, organization_id, session_id):
            stored.log.append(event)
        stored.log.append(issue(session_id, user_id=user_id, organization_id=organization_id, object_name=str(user_id)))
    stored.log.append(b"no event")
    await stored.apply()
    before = [fingerprint(await stored.owner.fetch(f"SELECT * FROM {table}")) for table in TABLES]

    await stored.owner.execute("UPDATE kafka_position SET next_offset = 0, last_hash = NULL")
    stored.since = {}
    await stored.apply()
    assert before == [fingerprint(await stored.owner.fetch(f"SELECT * FROM {table}")) for table in TABLES]
    assert (
        await stored.owner.fetchval("SELECT next_offset FROM kafka_position WHERE topic = $1 AND partition = 0", EVENTS)
        > 0
    )


async def test_a_session_that_started_in_the_future_is_ordered_by_when_it_was_heard_of(stored: Stored) -> None:
    session_id = uuid4()
    stored.log.append(
        session(session_id, user_id=uuid4(), organization_id=uuid4(), started_at=NOW + timedelta(hours=2))
    )
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert row["began"] == row["first_appended_at"] < row["started_at"]


def test_the_oracle_reads_bytes() -> None:
    """The oracle shares no decoder with the services, so it is shown once that both read the same."""
    session_id = uuid4()
    event = session(session_id, user_id=uuid4(), organization_id=uuid4(), status="finished", objects=counts(created=3))
    ((key, row),) = expected([(1, encode(event))]).sessions.items()
    assert (key[1], row["changes"], row["status"]) == (str(session_id), 3, "finished")
