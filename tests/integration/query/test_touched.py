"""Whom the errors of a day touched: the Overview counts them, and one click lists them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
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
REFUSED_EXACT, WOBBLY_EXACT = "eq:exchange: authentication", "eq:unknown: wobbly"
NOTHING_SAID_WORDS, WOBBLY_WORDS = "Unknown caused by another cause", "Unknown wobbly"
NAIVE = (
    "SELECT count(DISTINCT s.user_id) AS users, count(DISTINCT s.organization_id) AS organizations, count(*) AS errors "
    "FROM sync_session s JOIN user_status us USING (organization_id, user_id) "
    "WHERE us.reason <> 'removed' AND s.status IN ('errors', 'timed_out') AND s.started_at >= $1 "
    "AND ($2::uuid IS NULL OR s.organization_id = $2) "
    "AND ($3::text IS NULL OR (coalesce(s.error_source, 'unknown'), coalesce(s.error_category, 'other')) = ($3, $4))"
)

REMOVED = "UPDATE organization SET state = 'removed' WHERE organization_id = $1"
REMOVED_USERS = (
    "UPDATE user_status SET status = 'disabled', status_rank = 6, reason = 'removed' WHERE user_id = ANY($1)"
)
FAILING = (
    "UPDATE user_status SET status = 'failing', status_rank = 0, last_status = 'errors', error_category = 'wobbly' "
    "WHERE user_id = $1"
)
LINK = re.compile(r'<a class="plain" href="(\S+)">([\d,]+)( organizations?| failing for it now)?</a>')


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


KINDS = {
    THROTTLED: {"errors": 4, "users": 3, "organizations": 1, "failing": 0},
    REFUSED: {"errors": 3, "users": 1, "organizations": 2, "failing": 0},
    ("unknown", "other"): {"errors": 1, "users": 1, "organizations": 1, "failing": 0},
    ("unknown", "wobbly"): {"errors": 1, "users": 1, "organizations": 1, "failing": 1},
}


def kinds_of(told: Any) -> dict[Any, Any]:
    """Return the figures of each kind."""
    names = ("errors", "users", "organizations", "failing")
    return {(kind["source"], kind["category"]): {name: kind[name] for name in names} for kind in told["kinds"]}


async def test_a_user_counts_for_each_kind_that_it_failed_for_and_once_in_all(filled: Service, now: datetime) -> None:
    first = now - timedelta(hours=23)
    async with await filled.as_key("support") as client:
        for path in ("/overview", "/error-kinds"):
            told = await body(client, path)
            assert kinds_of(told) == KINDS
            users = [kind["users"] for kind in told["kinds"]]
            assert users == sorted(users, reverse=True), "where none has grown"
            assert told["touched"] == {"users": 5, "organizations": 2}, "of six that it is told of by kind"
    async with filled.database.connect() as connection:
        assert (await connection.fetchrow(NAIVE, first, None, None, None))["users"] == 5
        for (source, category), figures in KINDS.items():
            naive = await connection.fetchrow(NAIVE, first, None, source, category)
            assert naive["users"] == figures["users"]


async def test_the_admin_of_an_organization_is_told_of_its_own_alone(filled: Service, now: datetime) -> None:
    first = now - timedelta(hours=23)
    for number, whose in ((0, {THROTTLED, REFUSED}), (1, {REFUSED, ("unknown", "other"), ("unknown", "wobbly")})):
        own = organization_id(number)
        async with await filled.as_key("organization_admin", own) as client:
            told = await body(client, "/overview")
            listed = await body(client, f"/users?failed_for={quote(REFUSED_EXACT)}")
            anybody = await body(client, "/users?failed_for=not:has:empty")
        async with filled.database.connect() as connection:
            naive = await connection.fetchrow(NAIVE, first, own, None, None)
        assert kinds_of(told).keys() == whose
        assert told["touched"] == {"users": naive["users"], "organizations": 1}
        assert listed["total"] == kinds_of(told)[REFUSED]["users"] == (1 if number == 0 else 0)
        assert anybody["total"] == naive["users"]


async def test_of_more_than_a_day_nobody_is_counted_whom_no_list_shows(filled: Service) -> None:
    async with await filled.as_key("support") as client:
        told = await body(client, "/error-kinds?hours=48")
        hour = await body(client, "/error-kinds?hours=3")
    assert told["touched"] == {"users": None, "organizations": None}
    assert {(kind["users"], kind["organizations"]) for kind in told["kinds"]} == {(None, None)}
    assert kinds_of(told)[THROTTLED]["errors"] == 6
    assert hour["touched"] == {"users": 1, "organizations": 1}, "errors of this hour and the two before"


async def test_every_number_of_a_card_opens_the_list_that_has_as_many(filled: Service) -> None:
    async with await filled.as_person("support") as person, await filled.as_key("support") as client:
        page = (await person.get("/?tz=Asia/Kolkata")).text
        cards = page[page.index('id="cards"') :].partition("</ul>")[0].split("<li>")[1:]
        assert len(cards) == len(KINDS)
        for card in cards:
            numbers = LINK.findall(card)
            assert len(numbers) == (4 if "wobbly" in card else 3)
            for href, number, _ in numbers:
                listed = await body(client, unescape(href))
                assert (listed["total"], listed["total_is_exact"]) == (int(number), True), href
        assert page.count("nobody fails for it now") == 3
        line = page[page.index('id="kinds-sum"') :].partition("</span>")[0]
        sessions, users = re.findall(r'href="(\S+)">(\d+) (?:session|user)s<', line)
        assert (sessions[1], users[1]) == ("9", "5")
        for href, number in (sessions, users):
            assert (await body(client, unescape(href)))["total"] == int(number)


ALIKE = (
    ("gmail", "quota"), ("Gmail", "quota"), ("gmail", "caused by an exhausted quota"), ("a,b", "quota"),
    ("a", "b,quota"), (" gmail", "quota"), ("Microsoft Exchange", "eq:x"), ("exchange", "eq:x"),
    ("not:gmail", "\u0301"),
)  # fmt: skip
"""Kinds of errors that read alike, or like a filter."""


async def test_numbers_of_kinds_that_read_alike_open_lists_of_their_own(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        for number, kind in enumerate(ALIKE):
            for user in range(number + 1):
                await add(connection, (0, user), now - timedelta(hours=2), "errors", kind)
        await seed(connection, Plan(now=now, organizations=1, users=len(ALIKE), sessions=0))
        for number, kind in enumerate(ALIKE):
            await connection.execute(FAILING, user_id(0, number))
            error = "UPDATE user_status SET error_source = $2, error_category = $3 WHERE user_id = $1"
            await connection.execute(error, user_id(0, number), *kind)
    async with await service.as_person("support") as person, await service.as_key("support") as client:
        page = (await person.get("/?tz=UTC&kinds=all")).text
        cards = page[page.index('id="cards"') :].partition("</ul>")[0].split("<li>")[1:]
        assert len(cards) == len(ALIKE)
        seen = []
        for card in cards:
            numbers = LINK.findall(card)
            assert len(numbers) == 4
            seen.append(int(numbers[0][1]))
            for href, number, _ in numbers:
                listed = await body(client, unescape(href))
                assert (listed["total"], listed["total_is_exact"]) == (int(number), True), href
                shown = await person.get(unescape(href))
                assert f'<span class="matches"><b>{number}</b>' in shown.text, (href, shown.status_code)
        assert sorted(seen) == list(range(1, len(ALIKE) + 1))
        each = [f"eq:{source}: {category}" for source, category in ALIKE]
        organizations = [(await body(client, f"/organizations?failing_for={quote(text)}"))["total"] for text in each]
        assert organizations == [1] * len(ALIKE)


@pytest.mark.parametrize(
    ("text", "users", "organizations"),
    [
        ("throttling", "00 01 04", "0"), (REFUSED_EXACT, "00", "0 1"), (WOBBLY_EXACT, "11", "1"),
        (f"eq:{THROTTLED_WORDS}; {REFUSED_WORDS}", "", ""), ("OFFICE", "00 01 04", "0"),
        ("not:has:empty", "00 01 04 10 11", "0 1"), ("has:empty", "02 03 12 14", ""),
        ("not:throttling", "02 03 10 11 12 14", "1"), ("eq:unknown: other", "10", "1"), ("gmail", "", ""),
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
