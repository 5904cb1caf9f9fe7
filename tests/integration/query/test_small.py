"""Filters within a small organization: whole and exact, whatever time a search has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from services.query import reading, sizes
from services.query.views.search import WHOLE
from services.query.views.statements import Picks, Statement, page
from services.query.views.view import All, One, Scope, View, parse
from tests.integration.query.conftest import Service, body, read
from tests.rig.seed import Plan, organization_id, seed

ONE = f"/organizations/{organization_id(0)}"


@pytest.fixture
async def client(service: Service, now: datetime) -> AsyncIterator[httpx.AsyncClient]:
    """A platform admin's key; no search has any time."""
    async with service.database.connect() as connection:
        plan = Plan(now=now, organizations=3, users=5, sessions=8, every=timedelta(hours=71))
        await seed(connection, plan)
        await connection.execute("UPDATE sync_session SET status = 'running' WHERE session_id::text < '3'")
        await connection.execute("UPDATE sync_session SET issues_sent = 9 WHERE session_id::text > 'c'")
        await connection.execute("UPDATE sync_issue SET first_seen_at = began")
    service.services.settings = replace(service.services.settings, search_s=0)
    async with await service.as_key("platform_admin") as client:
        yield client


FILTERS = (
    "objects=>=0", "agent=nobody", "status=not:errors&agent=agent", "error_source=sales", "report_complete=false",
    "report=appointment", "user=ing&objects=>=0", "user=not:zoe&run=20d", "status=run,fin&exception=has:empty",
)  # fmt: skip
SORTS = ("status", "-status", "-run", "run", "-failures", "duration")


@pytest.mark.parametrize("sort", SORTS)
async def test_every_row_is_found_at_once_in_the_order_of_the_file(client: httpx.AsyncClient, sort: str) -> None:
    found = set()
    for query in FILTERS:
        listed = await body(client, f"{ONE}/sessions?{query}&sort={sort}&limit=500&columns=session_id")
        file = read((await client.get(f"/api/v1{ONE}/sessions.csv?{query}&sort={sort}&columns=session_id")).text)
        assert [row["session_id"] for row in listed["rows"]] == [row["Session id"] for row in file], query
        assert (listed["searched_to"], listed["next"]) == (None, None)
        assert (listed["total"], listed["total_is_exact"]) == (len(file), True)
        found.add(len(file))
    assert len(found) > 4


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("sizes_of_pages", [(10_000,), (10_000, -1), (-1, 10_000)])
async def test_pages_join_both_ways_also_where_an_organization_grows_or_shrinks_between_them(
    service: Service,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    sort: str,
    sizes_of_pages: tuple[int, ...],
) -> None:
    service.services.settings = replace(service.services.settings, search_s=60)  # of the pages that are not whole
    path, small = f"{ONE}/sessions?agent=agent&sort={sort}&columns=session_id", cycle(sizes_of_pages)
    whole = [row["session_id"] for row in (await body(client, f"{path}&limit=500"))["rows"]]

    async def pages(way: str, answer: Any) -> list[Any]:
        answers = [answer]
        while (cursor := answers[-1][way]) is not None:
            monkeypatch.setattr(sizes, "SMALL", next(small))
            answers.append(await body(client, f"{path}&limit=7&cursor={cursor}"))
        return answers

    ahead = await pages("next", await body(client, f"{path}&limit=7"))
    behind = (await pages("previous", ahead[-1]))[::-1]
    for answers in (ahead, behind):
        assert [row["session_id"] for answer in answers for row in answer["rows"]] == whole
    assert len(ahead) == 6


@pytest.mark.parametrize(
    ("path", "key"), [(f"{ONE}/issues?times=>=0", "issue_id"), (f"{ONE}/users?objects=>=0", "user_id")]
)
async def test_issues_and_users_are_found_as_well(client: httpx.AsyncClient, path: str, key: str) -> None:
    everything = await body(client, path.partition("?")[0])
    found = await body(client, path)
    assert [row[key] for row in found["rows"]] == [row[key] for row in everything["rows"]]
    assert found["total"] == len(found["rows"]) > 2
    assert found["total_is_exact"] is True


async def test_an_organization_named_by_a_filter_is_looked_through_whole_too(client: httpx.AsyncClient) -> None:
    found = await body(client, "/sessions?organization=northwind&objects=>=0&limit=500")
    assert len(found["rows"]) == 40
    assert found["searched_to"] is None


async def test_nothing_found_says_so_and_what_would_be_found(service: Service, client: httpx.AsyncClient) -> None:
    async with await service.as_person("platform_admin") as person:
        page = (await person.get(f"{ONE}/statistics?status=&error_source=gmail&tz=UTC")).text
    assert "No sessions match these filters" in page
    assert "40 sessions match without Error Source" in page, "of every status, as the address asks"
    assert "so far" not in page


async def test_what_takes_too_long_to_read_whole_is_searched_for(
    service: Service, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(view: View, number: int | None, limit: int, picks: Picks, span: Any = WHOLE) -> Statement:
        return Statement("SELECT pg_sleep(60)") if span is WHOLE else page(view, number, limit, picks, span)

    monkeypatch.setattr(reading, "page", slow)
    monkeypatch.setattr(reading, "WHOLE_S", 0.05)
    path = f"{ONE}/sessions?agent=nobody&sort=-run&run=1d"
    answer = await body(client, path)
    assert answer["searched_to"] is not None
    service.services.settings = replace(service.services.settings, search_s=60)
    assert (await body(client, path))["searched_to"] is None


async def test_an_organization_is_small_by_what_it_has_now(
    service: Service, client: httpx.AsyncClient, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service.database.connect() as connection:
        later = "UPDATE session_hour SET hour = hour - interval '40 days' WHERE organization_id = $1"
        await connection.execute(later, organization_id(1))
        issues = "SELECT count(*) FROM sync_issue WHERE organization_id = $1"
        number_of = {"statistics": 40, "organization_users": 5}
        number_of["organization_issues"] = await connection.fetchval(issues, organization_id(0))

    async def small(name: str, scope: Scope, most: int, picks: Picks | None = None, query: str = "") -> bool:
        monkeypatch.setattr(sizes, "SMALL", most)
        view = parse(name, parse_qsl(query), scope=scope, now=now, secret=b"")
        async with service.services.reading(scope) as connection:
            return await sizes.is_small(connection, view, picks or Picks())

    for name, number in number_of.items():
        assert await small(name, One(organization_id(0)), number), name
        assert not await small(name, One(organization_id(0)), number - 1), name
    assert await small("statistics", One(organization_id(1)), 0), "what is kept no longer does not count"
    assert not await small("sessions", All(), 10_000)
    assert await small("sessions", All(), 40, Picks(organizations=[organization_id(0)]))
    assert not await small("sessions", All(), 39, Picks(organizations=[organization_id(0)]))
    assert not await small("sessions", All(), 10_000, Picks(organizations=[organization_id(0), organization_id(1)]))
    assert await small("organizations", One(organization_id(0)), 0), "it is one row"
