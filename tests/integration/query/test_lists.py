"""Lists: orders, pages and counts, and what a page says where something takes too long."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from schemas.columns import LISTS
from schemas.vocabulary import SESSION_STATUS
from services.query import counting, picking
from services.query.problems import Busy
from services.query.services import Services, Settings, open_pools
from services.query.views.statements import Picks
from services.query.views.view import All, One, View, parse
from tests.integration.query.conftest import Service, read
from tests.rig.databases import Database
from tests.rig.relay import relayed
from tests.rig.seed import Plan, organization_id, seed, user_id


async def walk(client: httpx.AsyncClient, path: str, limit: int, key: str) -> tuple[list[Any], list[Any]]:
    """Follow `next` to the end and `previous` back; return the keys seen on either way, in reading order."""
    ahead, behind = [], []
    answer = await client.get(f"{path}&limit={limit}")
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        ahead += [row[key] for row in body["rows"]]
        if body["next"] is None:
            break
        answer = await client.get(f"{path}&limit={limit}&cursor={body['next']}")
    pages = [[row[key] for row in body["rows"]]]
    while body["previous"] is not None:
        body = (await client.get(f"{path}&limit={limit}&cursor={body['previous']}")).json()
        pages.append([row[key] for row in body["rows"]])
    for each in reversed(pages):
        behind += each
    return ahead, behind


SORTS = ("run", "-run", "status", "-status", "ended_at", "-ended_at", "error_category", "-failures", "failures",
         "duration",
         "user", "-user,run", "objects")  # fmt: skip


@pytest.mark.parametrize("sort", SORTS)
async def test_c22_each_session_comes_exactly_once_in_both_directions(
    service: Service, client: httpx.AsyncClient, sort: str
) -> None:
    async with service.database.connect() as connection:
        await connection.execute("UPDATE sync_session SET ended_at = NULL WHERE session_id::text < '5'")
        everything = await connection.fetchval(
            "SELECT count(*) FROM sync_session WHERE organization_id = $1", organization_id(0)
        )
    for path in ("/api/v1/sessions", f"/api/v1/organizations/{organization_id(0)}/sessions"):
        ahead, behind = await walk(client, f"{path}?sort={sort}", 2 if "organizations" in path else 9, "key")
        assert len(ahead) == len(set(ahead))
        assert behind == ahead
        if "organizations" in path:
            assert len(ahead) == everything
    columns = LISTS["sessions"].column(sort.strip("-").partition(",")[0])
    assert columns is not None
    listed = (await client.get(f"/api/v1/sessions?sort={sort}&limit=500&columns=session_id,{columns.name}")).json()[
        "rows"
    ]
    file = read((await client.get(f"/api/v1/sessions.csv?sort={sort}&columns=session_id")).text)
    assert [row["Session id"] for row in file] == [row["session_id"] for row in listed]
    values = [row[columns.name] for row in listed]
    assert values == sorted(values, key=lambda value: value is None), "nulls come last" if None in values else ""


@pytest.mark.parametrize(
    ("path", "sorts", "key"),
    [
        ("/api/v1/users", ("status", "-status", "user", "-user", "next_due", "-issues", "organization"), "user_id"),
        (
            "/api/v1/organizations",
            ("health", "-health", "name", "-failing", "last_session", "failing_share"),
            "organization_id",
        ),
        ("/api/v1/issues", ("-first_seen", "first_seen", "type", "-times", "closed_at"), "issue_id"),
    ],
)
async def test_c22_each_row_of_the_other_lists_comes_exactly_once(
    client: httpx.AsyncClient, path: str, sorts: Sequence[str], key: str
) -> None:
    whole = {row[key] for row in (await client.get(f"{path}?limit=500")).json()["rows"]}
    title = LISTS[path.rpartition("/")[2]].column(key)
    assert title is not None
    for sort in sorts:
        ahead, behind = await walk(client, f"{path}?sort={sort}", 2, key)
        assert sorted(ahead) == sorted(whole), sort
        assert behind == ahead, sort
        file = read((await client.get(f"{path}.csv?sort={sort}&columns={key}")).text)
        assert [row[title.heading] for row in file] == ahead, sort


async def test_c22_many_equal_values_and_rows_that_end_while_paging(
    service: Service, client: httpx.AsyncClient
) -> None:
    async with service.database.connect() as connection:
        keep = await connection.fetchval("SELECT count(*) FROM sync_session")
        await connection.execute("UPDATE sync_session SET failures = 3, ended_at = NULL, status = 'running'")
        seen = []
        body = (await client.get("/api/v1/sessions?sort=-run&limit=5")).json()
        while True:
            seen += [row["key"] for row in body["rows"]]
            await connection.execute(
                "UPDATE sync_session SET ended_at = started_at + interval '9 s', status = 'finished'"
                " WHERE session_id = (SELECT session_id FROM sync_session WHERE status = 'running' LIMIT 1)"
            )
            if body["next"] is None:
                break
            body = (await client.get(f"/api/v1/sessions?sort=-run&limit=5&cursor={body['next']}")).json()
    assert len(seen) == len(set(seen)) == keep


async def test_r20_statistics_come_by_status_and_the_newest_first_in_each(client: httpx.AsyncClient) -> None:
    rows = (await client.get(f"/api/v1/organizations/{organization_id(0)}/sessions?limit=500")).json()["rows"]
    rank = {"errors": 0, "timed_out": 0, "finished_with_issues": 1, "running": 2, "cancelled": 3, "finished": 4}
    order = [(rank[row["status"]], -datetime.fromisoformat(row["run"]).timestamp()) for row in rows]
    assert order == sorted(order)
    assert len({status for status, _ in order}) > 2


async def test_statistics_look_up_once_whom_a_name_means_and_count_each_status_of_theirs(
    service: Service, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[View] = []

    async def pick(connection: Any, view: View) -> Picks:
        looked_up.append(view)
        return await picking.pick(connection, view)

    monkeypatch.setattr(counting, "pick", pick)
    path = f"/organizations/{organization_id(0)}"
    rows = (await client.get(f"/api/v1{path}/users?limit=1")).json()["rows"]
    name = quote(f"eq:{rows[0]['email']}")
    async with await service.as_person("support") as person:
        page = (await person.get(f"{path}/statistics?email={name}&status=errors")).text
    told = dict(re.findall(r'name="toggle" value="(\w+)" aria-pressed.*?<b>([\d,]+)</b>', page))
    counts = {
        status: str((await client.get(f"/api/v1{path}/sessions?email={name}&status={status}")).json()["total"])
        for status in told
    }
    assert told == counts
    assert len(told) == len(SESSION_STATUS)
    assert set(told.values()) > {"0"}
    assert len(looked_up) == 1


async def test_a_status_that_sums_say_to_have_many_sessions_is_not_counted(
    service: Service, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=4, sessions=6))
        rows = await connection.fetch("SELECT status, count(*) AS n FROM sync_session GROUP BY 1")
    stored = dict.fromkeys(SESSION_STATUS, 0) | {row["status"]: row["n"] for row in rows}
    few = [status for status in SESSION_STATUS if stored[status] <= 1]
    asked: list[str] = []

    async def counted(services: Services, connection: Any, view: View, *more: Any) -> tuple[int, bool]:
        asked.append(view.filters[-1].text)
        return await counting_itself(services, connection, view, *more)

    counting_itself = counting.counted
    monkeypatch.setattr(counting, "counted", counted)
    monkeypatch.setattr(counting, "COUNT_LIMIT", 1)
    scope = One(organization_id(0))
    whole, filtered = (
        parse("statistics", query, scope=scope, now=now, secret=b"") for query in ([], [("objects", ">=0")])
    )
    told = await counting.status_counts(service.services, whole)
    assert told == {status: (stored[status], True) if status in few else (1, False) for status in SESSION_STATUS}
    assert asked == few
    assert 0 < len(few) < len(SESSION_STATUS)

    asked.clear()
    await counting.status_counts(service.services, filtered)
    assert asked == [*SESSION_STATUS], "no sum is of a filter"


@pytest.mark.parametrize("query", ["status=", "status=errors,timed_out", "status=not:finished"])
async def test_the_matches_of_statistics_are_as_many_as_the_list_counts(
    service: Service, client: httpx.AsyncClient, query: str
) -> None:
    path = f"/organizations/{organization_id(0)}"
    async with await service.as_person("support") as person:
        page = (await person.get(f"{path}/statistics?{query}&limit=1")).text
    total = (await client.get(f"/api/v1{path}/sessions?{query}&limit=1")).json()["total"]
    assert total > 1
    assert f'<span class="matches"><b>{total:,}</b>' in page


async def test_c24_a_cursor_of_another_organization_or_filter_is_refused(
    service: Service, client: httpx.AsyncClient
) -> None:
    path = f"/api/v1/organizations/{organization_id(0)}/sessions"
    cursor = (await client.get(f"{path}?limit=2&sort=-run")).json()["next"]
    assert (await client.get(f"{path}?limit=2&sort=-run&cursor={cursor}")).status_code == 200
    for other in (
        f"/api/v1/organizations/{organization_id(1)}/sessions?sort=-run",
        f"{path}?sort=-run&status=finished",
        f"{path}?sort=run",
        "/api/v1/sessions?sort=-run",
    ):
        assert (await client.get(f"{other}&cursor={cursor}")).status_code == 400
    async with await service.as_key("organization_admin", organization_id(1)) as foreign:
        assert (await foreign.get(f"/api/v1/sessions?sort=-run&cursor={cursor}")).status_code == 400


async def test_a_view_that_is_too_wide_to_sort_says_how_to_narrow_it(
    service: Service, client: httpx.AsyncClient
) -> None:
    async with service.database.connect() as connection:
        await connection.execute(
            "INSERT INTO sync_user (organization_id, user_id, email_key, name_key, first_seen_at)"
            " SELECT $1, gen_random_uuid(), 'u' || n, 'u' || n, now() FROM generate_series(1, 10100) n",
            organization_id(1),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO user_status (organization_id, user_id, partition)"
            " SELECT organization_id, user_id, 0 FROM sync_user ON CONFLICT DO NOTHING"
        )
    for ending in ("", ".csv"):
        answer = await client.get(f"/api/v1/users{ending}?sort=-issues")
        assert answer.status_code == 400
        assert answer.json()["type"] == "urn:syncwatch:problem:too_wide_to_sort"
        assert "Narrow" in answer.json()["detail"]
    assert (await client.get(f"/api/v1/organizations/{organization_id(0)}/users?sort=-issues")).status_code == 200
    assert (await client.get("/api/v1/users?sort=status")).json()["total_is_exact"] is False


async def test_as_of_is_the_slowest_partition_that_is_not_halted(
    service: Service, client: httpx.AsyncClient, now: datetime
) -> None:
    async with service.database.connect() as connection:
        await connection.execute(
            "UPDATE kafka_position SET applied_to = $1 WHERE partition = 4", now - timedelta(seconds=90)
        )
        await connection.execute(
            "UPDATE kafka_position SET applied_to = $1, halted = 'gap' WHERE partition = 5", now - timedelta(hours=9)
        )
    body = (await client.get("/api/v1/users")).json()
    assert datetime.fromisoformat(body["as_of"]) == now - timedelta(seconds=90)
    assert body["lag_s"] == 90
    assert body["halted"] == ["syncwatch.events/5"]


async def test_a_count_that_takes_too_long_is_given_up_and_the_rows_still_come(
    service: Service, client: httpx.AsyncClient
) -> None:
    service.services.settings = replace(service.services.settings, count_timeout_s=0.001)
    body = (await client.get("/api/v1/sessions?limit=3")).json()
    assert len(body["rows"]) == 3
    assert body["total_is_exact"] is False or body["total"] > 3
    file = await client.get("/api/v1/sessions.csv?sort=objects&columns=session_id")
    assert file.status_code in (200, 400)


async def test_whoever_was_removed_stands_in_no_list_and_in_no_count(
    service: Service, client: httpx.AsyncClient
) -> None:
    before = (await client.get("/api/v1/users")).json()["total"]
    async with service.database.connect() as connection:
        gone = "organization_id = $1 AND user_id = $2"
        whose = organization_id(0), user_id(0, 0)
        await connection.execute(f"UPDATE sync_user SET state = 'removed' WHERE {gone}", *whose)
        rank = "status = 'disabled', status_rank = 6, reason = 'removed'"
        await connection.execute(f"UPDATE user_status SET {rank} WHERE {gone}", *whose)
    for query in ("", "?status=disabled", "?user=amara", "?sort=user", "?limit=1"):
        body = (await client.get(f"/api/v1/users{query}")).json()
        assert str(user_id(0, 0)) not in {row["user_id"] for row in body["rows"]}
    assert (await client.get("/api/v1/users?limit=1")).json()["total"] == before - 1
    assert len(read((await client.get("/api/v1/users.csv")).text)) == before - 1


async def test_a_page_that_took_too_long_leads_to_the_last_24_hours(service: Service, now: datetime) -> None:
    async with service.database.connect() as owner, await service.as_person("support") as person:
        await seed(owner, Plan(now=now, organizations=1, users=2, sessions=3))
        async with owner.transaction():
            await owner.execute("LOCK TABLE sync_session, sync_user IN ACCESS EXCLUSIVE MODE")
            sessions, users = await person.get("/sessions?status=errors&tz=UTC"), await person.get("/users?tz=UTC")
        assert (sessions.status_code, users.status_code) == (503, 503)
        assert "This list took too long and was stopped" in sessions.text
        way_on = '/sessions?status=errors&amp;run=24h&amp;tz=UTC">Last 24 hours only'
        assert way_on in sessions.text
        assert "Last 24 hours" not in users.text
        assert (await person.get("/sessions?status=errors&run=24h&tz=UTC")).status_code == 200


async def test_a_database_that_vanishes_without_a_word_is_busy_and_comes_back(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.query.services.OVERDUE_S", 0.2)
    hushed = asyncio.Event()
    async with relayed(database.reader_all_url, hushed=hushed) as url, asyncio.timeout(60):
        settings = Settings(
            reader_database_url=database.reader_url, reader_all_database_url=url,
            panel_database_url=database.panel_url, secret_key="for tests", list_timeout_s=0.5,
        )  # fmt: skip
        services = Services(settings, await open_pools(settings), lambda: now, b"")

        async def read() -> int:
            async with services.reading(All()) as connection:
                return int(await connection.fetchval("SELECT 1"))

        assert await read() == 1
        hushed.set()
        with pytest.raises(Busy):
            await read()
        hushed.clear()
        assert await read() == 1
        await services.pools.close()
