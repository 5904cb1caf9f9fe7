"""Lists: filters, orders, pages; the same on list, count and file."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from schemas.columns import CLOSED, LISTS, Type
from schemas.folding import fold
from schemas.vocabulary import SESSION_STATUS
from services.query import counting, picking
from services.query.problems import Busy
from services.query.services import Services, Settings, open_pools
from services.query.statements import Picks
from services.query.view import All, View
from tests.integration.query.conftest import Service
from tests.rig.databases import Database
from tests.rig.relay import relayed
from tests.rig.seed import Plan, insert, organization_id, seed, user_id

ADDRESSES = ("a_b@x.example", "axb@x.example", "50%@x.example", "50x@x.example", "back\\slash@x.example",
             "％@x.example", "o'neil@x.example", '"q"@x.example', "ann+crm@x.example", "Zoë@x.example")  # fmt: skip


@pytest.fixture
async def client(service: Service, now: datetime) -> AsyncIterator[httpx.AsyncClient]:
    """A platform admin's key on a small seeded database."""
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=4, sessions=6))
    async with await service.as_key("platform_admin") as client:
        yield client


async def add_addresses(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        for at, address in enumerate(ADDRESSES):
            whose = {"organization_id": organization_id(0), "user_id": user_id(9, at)}
            names = {"email": address, "email_key": fold(address), "name_key": fold(address)}
            await insert(connection, "sync_user", whose | names | {"first_seen_at": now})
            await insert(connection, "user_status", whose | {"partition": 0})
            started = now - timedelta(minutes=at + 1)
            session = {
                "started_at": started,
                "session_id": user_id(8, at),
                "began": started,
                "first_appended_at": started,
            }
            version = {"attempt": 1, "seq": 1, "digest": 0, "counted_attempt": 1, "counted_seq": 1, "counted_digest": 0}
            rest = {
                "appended_at": started,
                "status": "finished",
                "status_sent": "finished",
                "agent_id": "a",
                "partition": 0,
            }
            await insert(connection, "sync_session", whose | session | version | rest | {"counted_ended": True})


async def emails(client: httpx.AsyncClient, path: str, name: str, text: str) -> list[str]:
    """Return the addresses that a filter finds, after checking that list, count and file agree."""
    query = f"{name}={quote(text, safe='')}"
    answer = await client.get(f"/api/v1{path}?{query}&limit=500")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    found = sorted(row["email"] for row in body["rows"])
    assert (body["total"], body["total_is_exact"]) == (len(found), True)
    file = await client.get(f"/api/v1{path}.csv?{query}&columns=email")
    assert sorted(row["E-mail"] for row in read(file.text)) == found
    assert body["filters"][name]
    return found


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("path", ["/users", "/sessions", f"/organizations/{organization_id(0)}/sessions"])
async def test_c21_percent_and_underscore_are_letters(
    service: Service, client: httpx.AsyncClient, now: datetime, path: str
) -> None:  # fmt: skip
    await add_addresses(service, now)
    for text, found in (
        ("a_b", ["a_b@x.example"]), ("50%", ["50%@x.example"]), ("\\", ["back\\slash@x.example"]),
        ("％", ["％@x.example"]),
        ("*", []), ("'", ["o'neil@x.example"]), ('"', ['"q"@x.example']), ("eq:a_b@x.example", ["a_b@x.example"]),
        ("eq:a_b", []), ("ZOE@", ["Zoë@x.example"]), ("ann+crm", ["ann+crm@x.example"]),
    ):  # fmt: skip
        assert await emails(client, path, "email", text) == found, text
        assert await emails(client, path, "email", text + "x" * 200) == []
    others = await emails(client, path, "email", "not:a_b")
    assert "axb@x.example" in others
    assert "a_b@x.example" not in others


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


async def test_c23_a_plus_is_not_a_space(service: Service, client: httpx.AsyncClient, now: datetime) -> None:
    await add_addresses(service, now)
    assert await emails(client, "/users", "email", "ann+crm@x.example") == ["ann+crm@x.example"]
    by_hand = (await client.get("/api/v1/users?email=ann+crm@x.example")).json()
    assert by_hand["rows"] == []
    assert by_hand["filters"] == {"email": "contains “ann crm@x.example”"}
    answer = await client.get("/api/v1/sessions?started_at=2026-11-01T00:00:00+01:00..")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "started_at"
    assert "%2B" in answer.json()["errors"][0]["detail"]
    first = await client.get("/api/v1/users?email=not:ann%2Bcrm&limit=2")
    assert "email=not:ann%2Bcrm" in first.headers["link"]
    link = first.headers["link"].partition(">")[0].removeprefix("<")
    assert (await client.get(link)).status_code == 200


WRONG = (
    "failures=abc", "failures=5...9", "status=eror", "started_at=2026-13-01..", "emial=x", "sort=-nope", "columns=foo",
    "limit=0", "limit=501", "cursor=garbage", "status=not:", "status=errors&status=errors", "tz=Nowhere", "limit=five",
)  # fmt: skip


@pytest.mark.parametrize("query", WRONG)
async def test_c24_a_filter_not_understood_is_a_400_that_names_what_is_allowed(
    service: Service, client: httpx.AsyncClient, query: str
) -> None:  # fmt: skip
    for path in ("/sessions", f"/organizations/{organization_id(0)}/sessions"):
        answers = [await client.get(f"/api/v1{path}{ending}?{query}") for ending in ("", ".csv")]
        assert [answer.status_code for answer in answers] == [400, 400]
        assert answers[0].json() == answers[1].json()
        assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
        assert "content-disposition" not in answers[1].headers
        assert answers[0].json()["errors"][0]["parameter"] == query.partition("=")[0]
    async with service.database.connect() as connection:
        assert await connection.fetchval("SELECT count(*) FROM export") == 0


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


SAMPLES: dict[Type, tuple[str, ...]] = {
    Type.TEXT: ("a", "eq:a", "not:a", "has:empty", "not:has:empty"),
    Type.OPEN_LIST: ("exch", "eq:exchange", "exchange,gmail", "not:exchange", "has:empty", "brand new"),
    Type.REPORT: ("appointment", "E-Mail", "eq:contact", "E-Mail,contact", "not:contact", "has:empty", "brand new"),
    Type.DIRECTION: ("mail_to_crm", "Exchange to", "not:Gmail", "has:empty"),
    Type.BOOLEAN: ("true", "FALSE", "not:true", "has:empty"),
    Type.NUMBER: ("1", "1..5", "2..", "..2", ">=1", "<3", "not:0", "has:empty", "1.5"),
    Type.SHARE: ("0..50", ">=33.3", "not:0"),
    Type.CODE: ("1", "0..3", "not:1"),
    Type.SECONDS: ("0..30", ">=10.5", "has:empty"),
    Type.TIME: ("2020-01-01..", "..2020-01-01", "today", "7d", "not:24h", "has:empty"),
    Type.PERIOD: ("2020-01-01..", "..2020-01-01", "today", "7d", "not:24h", "has:empty"),
    Type.ID: (str(user_id(0, 0)), f"not:{user_id(0, 0)},{user_id(0, 1)}"),
}


def samples(column: Any) -> tuple[str, ...]:
    if column.type in CLOSED:
        first = next(iter(column.words))
        return first, first[:2], f"not:{first}", ",".join(column.words), "has:empty", "not:has:empty"
    return SAMPLES.get(column.type, ())


@pytest.mark.parametrize("list_name", ["organizations", "users", "sessions", "issues"])
async def test_c24_every_operator_of_every_column_gives_list_and_file_the_same_rows(
    client: httpx.AsyncClient, list_name: str
) -> None:
    view = LISTS[list_name]
    whole = (await client.get(f"/api/v1/{list_name}?limit=500")).json()["total"]
    key = {"organizations": "organization_id", "users": "user_id", "sessions": "session_id", "issues": "issue_id"}[
        list_name
    ]
    title = view.column(key)
    assert title is not None
    for column in view.columns:
        for at, text in enumerate(samples(column)):
            query = f"{column.name}={quote(text, safe='')}&columns={key}"
            answer = await client.get(f"/api/v1/{list_name}?{query}&limit=500")
            assert answer.status_code == 200, (column.name, text, answer.text)
            listed = [row[key] for row in answer.json()["rows"]]
            assert answer.json()["total"] == len(listed), (column.name, text)
            file = read((await client.get(f"/api/v1/{list_name}.csv?{query}")).text)
            assert [row[title.heading] for row in file] == listed, (column.name, text)
            if at == 0 and column.type is not Type.ID:
                negated = await client.get(
                    f"/api/v1/{list_name}?{column.name}={quote('not:' + text, safe='')}&limit=500"
                )
                assert negated.json()["total"] == whole - len(listed), (column.name, text)


async def test_users_are_found_by_a_status_among_their_last_20_sessions(client: httpx.AsyncClient) -> None:
    everybody = (await client.get("/api/v1/users?limit=500&columns=last_20")).json()["rows"]
    having = {status: {row["user_id"] for row in everybody if _has(row, status)} for status in SESSION_STATUS}
    assert having["errors"]
    assert having["finished"] - having["errors"]
    for status, users in having.items():
        found = (await client.get(f"/api/v1/users?limit=500&columns=user&last_20={status}")).json()["rows"]
        assert {row["user_id"] for row in found} == users, status


def _has(row: dict[str, Any], status: str) -> bool:
    return any(session["status"] == status for session in row["last_20"])


async def test_an_empty_form_is_no_filter(client: httpx.AsyncClient) -> None:
    boxes = "&".join(f"{column.name}=" for column in LISTS["sessions"].columns)
    all_rows = (await client.get("/api/v1/sessions?limit=500")).json()["total"]
    assert (await client.get(f"/api/v1/sessions?limit=500&{boxes}")).json()["total"] == all_rows


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
    async with relayed(database.reader_all_url, hushed=hushed) as url, asyncio.timeout(30):
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
