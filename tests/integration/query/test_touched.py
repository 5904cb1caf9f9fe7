"""Whom the errors of a day touched, in lists."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from services.common.migrate import migrations
from services.query.picking import pick
from services.query.views.view import All, View, parse
from tests.integration.query.conftest import Service, body, read
from tests.rig.databases import Database
from tests.rig.seed import Plan, insert, organization_id, seed, user_id

THROTTLED, REFUSED = ("office365", "throttling"), ("exchange", "authentication")
THROTTLED_WORDS = "Office 365 caused by throttling"
REFUSED_WORDS = "Microsoft Exchange caused by authentication issues"
NOTHING_SAID_WORDS, WOBBLY_WORDS = "Unknown caused by another cause", "Unknown wobbly"
REMOVED = "UPDATE organization SET state = 'removed' WHERE organization_id = $1"
REMOVED_USERS = (
    "UPDATE user_status SET status = 'disabled', status_rank = 6, reason = 'removed' WHERE user_id = ANY($1)"
)
FAILING = (
    "UPDATE user_status SET status = 'failing', status_rank = 0, last_status = 'errors', error_category = 'wobbly' "
    "WHERE user_id = $1"
)


async def add(connection: Any, whose: tuple[int, int], at: datetime, status: str, kind: Any = (None, None)) -> None:
    """Insert a session of a user."""
    await insert(
        connection, "sync_session",
        {
            "organization_id": organization_id(whose[0]), "user_id": user_id(*whose), "session_id": uuid4(),
            "started_at": at, "began": at, "first_appended_at": at, "appended_at": at, "ended_at": at,
            "attempt": 1, "seq": 1, "digest": 0, "partition": 0, "status": status, "status_sent": status,
            "counted_ended": True, "counted_attempt": 1, "counted_seq": 1, "counted_digest": 0, "agent_id": "a",
            "error_source": kind[0], "error_category": kind[1],
        },
    )  # fmt: skip


@pytest.fixture
async def filled(service: Service, now: datetime) -> Service:
    """Return a service with two organizations of five users, of which the fifth is disabled, and one that is gone."""
    first = now - timedelta(hours=23)
    async with service.database.connect() as connection:
        for whose, at, status, kind in (
            ((0, 0), now - timedelta(hours=9), "errors", THROTTLED),
            ((0, 0), now - timedelta(hours=8), "errors", THROTTLED),
            ((0, 0), now - timedelta(hours=2), "errors", REFUSED),  # for one kind, later for another
            ((0, 1), now - timedelta(hours=3), "errors", THROTTLED),
            ((0, 1), now - timedelta(hours=1), "finished", (None, None)),  # well again
            ((0, 2), first - timedelta(seconds=1), "errors", THROTTLED),  # an hour too old
            ((0, 3), now - timedelta(hours=25), "errors", THROTTLED),
            ((0, 4), first, "errors", THROTTLED),  # disabled since
            ((1, 0), now - timedelta(hours=5), "timed_out", (None, None)),
            ((1, 1), now - timedelta(hours=5), "errors", (None, "wobbly")),
            ((1, 2), now - timedelta(hours=5), "finished_with_issues", THROTTLED),  # did not fail
            ((1, 3), now - timedelta(hours=5), "errors", REFUSED),  # removed since
            ((2, 0), now - timedelta(hours=5), "errors", REFUSED),  # with all of its organization
        ):
            await add(connection, whose, at, status, kind)
        await seed(connection, Plan(now=now, organizations=3, users=5, sessions=0))
        await connection.execute(REMOVED_USERS, [user_id(1, 3), *(user_id(2, number) for number in range(5))])
        await connection.execute(REMOVED, organization_id(2))
        await connection.execute(FAILING, user_id(1, 1))
    return service


@pytest.mark.parametrize(
    ("text", "users", "organizations"),
    [
        ("throttling", "00 01 04", "0"), (f"eq:{REFUSED_WORDS}", "00", "0 1"), (f"eq:{WOBBLY_WORDS}", "11", "1"),
        (f"eq:{THROTTLED_WORDS}; {REFUSED_WORDS}", "", ""), ("OFFICE", "00 01 04", "0"),
        ("not:has:empty", "00 01 04 10 11", "0 1"), ("has:empty", "02 03 12 14", ""),
        ("not:throttling", "02 03 10 11 12 14", "1"), (f"eq:{NOTHING_SAID_WORDS}", "10", "1"), ("gmail", "", ""),
    ],
)  # fmt: skip
async def test_users_and_organizations_are_found_by_what_they_failed_for(
    filled: Service, text: str, users: str, organizations: str
) -> None:
    numbers = {user_id(each, number): f"{each}{number}" for each in range(3) for number in range(5)}
    owns = {organization_id(number): str(number) for number in range(3)}
    query = f"failed_for={quote(text)}"
    async with await filled.as_key("support") as client:
        for path, wanted, named in (("users", users, numbers), ("organizations", organizations, owns)):
            told = await body(client, f"/{path}?{query}")
            file = read((await client.get(f"/api/v1/{path}.csv?{query}&columns={path[:-1]}_id,failed_for")).text)
            ids = [row["user_id" if path == "users" else "organization_id"] for row in told["rows"]]
            assert sorted(named[UUID(each)] for each in ids) == wanted.split()
            assert told["total"] == len(file) == len(ids)


async def test_what_somebody_failed_for_is_told_in_words_once_each(filled: Service) -> None:
    async with await filled.as_key("support") as client:
        rows = (await body(client, "/users?columns=failed_for"))["rows"]
        owns = (await body(client, "/organizations?columns=failed_for&sort=name"))["rows"]
    told = {row["user_id"]: row["failed_for"] for row in rows}
    assert told[str(user_id(0, 0))] == f"{REFUSED_WORDS}; {THROTTLED_WORDS}"
    assert (told[str(user_id(0, 1))], told[str(user_id(0, 2))]) == (THROTTLED_WORDS, None)
    assert {row["organization_id"]: row["failed_for"] for row in owns} == {
        str(organization_id(0)): f"{REFUSED_WORDS}; {THROTTLED_WORDS}",
        str(organization_id(1)): f"{REFUSED_WORDS}; {NOTHING_SAID_WORDS}; {WOBBLY_WORDS}",
    }


async def test_those_of_two_look_ups_are_those_of_both(filled: Service, now: datetime) -> None:
    async with await filled.as_key("support") as client:
        told = await body(client, "/users?failed_for=throttling&synchronization_disabled=true")
        nobody = await body(client, "/users?failed_for=wobbly&synchronization_disabled=true")
    assert [row["user_id"] for row in told["rows"]] == [str(user_id(0, 4))]
    assert (told["total"], nobody["rows"], nobody["total"]) == (1, [], 0)


async def picked(service: Service, view: View) -> Any:
    """Return whom the look-ups of a view find."""
    async with service.services.reading(view.scope) as connection:
        return await pick(connection, view)


async def test_more_than_can_be_picked_are_found_one_after_the_other(
    filled: Service, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = parse("users", [("failed_for", "throttling")], scope=All(), now=now, secret=b"")
    few = await picked(filled, view)
    assert (len(few.users[1]), few.answers) == (3, {"failed_for"})
    monkeypatch.setattr("services.query.views.probes.ROWS_LIMIT", 2)
    many = await picked(filled, view)
    assert (many.users, many.answers) == (None, frozenset())
    async with await filled.as_key("support") as client:
        for text, found in (("throttling", 3), ("not:has:empty", 5)):
            assert (await body(client, f"/users?failed_for={text}"))["total"] == found


async def ways_of(connection: Any, now: datetime) -> str:
    """Return how Postgres reads the failed sessions of an hour."""
    until = now + timedelta(hours=1)
    await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    rows = await connection.fetch(
        "EXPLAIN SELECT organization_id, user_id, error_source, error_category FROM sync_session "
        f"WHERE status IN ('errors', 'timed_out') AND started_at >= '{now}' AND started_at < '{until}'"
    )
    return "\n".join(row[0] for row in rows)


async def test_failed_sessions_are_read_by_an_index_that_only_days_without_rows_were_given(
    database: Database, now: datetime
) -> None:
    tomorrow, new = now + timedelta(days=1), now + timedelta(days=90)
    (migration,) = [each for each in migrations() if each.name.endswith("_failed_sessions")]
    async with database.connect() as connection:
        assert "Index Only Scan using sync_session_" in await ways_of(connection, now)
        await connection.execute("DROP INDEX sync_session_failed")
        await add(connection, (0, 0), now, "errors")
        await connection.execute(f"BEGIN; {migration.sql}; COMMIT")
        await connection.execute("SELECT create_day($1)", new.date())
        for day, has in ((now, False), (tomorrow, True), (new, True)):
            plan = await ways_of(connection, day)
            assert ("Index Only Scan" in plan) is has, plan
            assert f"{day:%Y%m%d}" in plan
