"""Searches by what has no index: span by span, ended in time, gone on with, and nothing left out or told twice."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.query import deadlines, reading, sizes
from services.query.views import search
from services.query.views.statements import Statement
from tests.integration.query.conftest import Service
from tests.rig.seed import Plan, organization_id, seed


@pytest.fixture
async def client(
    service: Service, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:  # fmt: skip
    """A platform admin's key; no organization is small, and no page has the time for more than its first look."""
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=4, sessions=6))
        await connection.execute("UPDATE sync_issue SET first_seen_at = began")
    service.services.settings = replace(service.services.settings, search_s=0)
    monkeypatch.setattr(deadlines, "_OVERTIME_S", 60)
    monkeypatch.setattr(sizes, "SMALL", -1)
    # A page is one look here, and thousands of looks would find nothing: rows are hours apart.
    monkeypatch.setattr(search, "FIRST_LOOK", timedelta(hours=2))
    monkeypatch.setattr(search, "FIRST_LOOK_OF_ONE", timedelta(days=1))
    async with await service.as_key("platform_admin") as client:
        yield client


async def walk(
    client: httpx.AsyncClient, path: str, way: str, cursor: str | None = None
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the answers of all pages that follow one another."""
    answers: list[dict[str, Any]] = []
    while True:
        answer = await client.get(path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        answers.append(answer.json())
        if answers[-1][way] is None:
            return answers
        cursor = answers[-1][way]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/sessions?agent=agent", "key"),
        ("/sessions?sort=run&objects=>=0", "key"),
        ("/sessions?sort=status&agent=agent&run=3d", "key"),
        ("/sessions?sort=-status&agent=agent&run=3d", "key"),
        (f"/organizations/{organization_id(0)}/sessions?objects=>=0", "key"),
        ("/issues?times=>=0", "issue_id"),
    ],
)
async def test_a_search_that_is_ended_again_and_again_finds_each_row_once(
    service: Service, client: httpx.AsyncClient, path: str, key: str
) -> None:
    answers = await walk(client, f"/api/v1{path}&limit=3", "next")
    rows = [row[key] for answer in answers for row in answer["rows"]]
    assert len(rows) == len(set(rows))
    service.services.settings = replace(service.services.settings, search_s=60)
    whole = (await client.get(f"/api/v1{path}&limit=500")).json()
    assert whole["searched_to"] is None
    assert [row[key] for row in whole["rows"]] == rows


async def test_a_search_back_to_the_first_page_finds_each_row_once(client: httpx.AsyncClient) -> None:
    path = "/api/v1/sessions?agent=agent&limit=3"
    answers = await walk(client, path, "next")
    ahead = [row["key"] for answer in answers for row in answer["rows"]]
    filled = [answer for answer in answers if answer["rows"]][-1]
    behind = await walk(client, path, "previous", filled["previous"])
    found = [row["key"] for answer in behind[::-1] for row in answer["rows"]]
    assert found == ahead[: len(found)]
    assert len(found) == len(ahead) - len(filled["rows"])


async def test_what_a_search_did_not_look_at_is_said(client: httpx.AsyncClient, now: datetime) -> None:
    body = (await client.get("/api/v1/sessions?agent=nobody")).json()
    assert body["rows"] == []
    assert body["total_is_exact"] is False
    assert now - timedelta(days=1) < datetime.fromisoformat(body["searched_to"]) < now
    answers = await walk(client, "/api/v1/sessions?agent=nobody", "next")
    assert answers[-1]["searched_to"] is None
    assert [answer["rows"] for answer in answers] == [[]] * len(answers)


@pytest.mark.parametrize("text", ["not:errors", "not:fin", "not:has:empty"])
async def test_not_some_statuses_is_read_as_the_others_are(client: httpx.AsyncClient, text: str) -> None:
    path = f"/api/v1/organizations/{organization_id(0)}/sessions?limit=500"
    everything = (await client.get(path)).json()["rows"]
    for sort in ("status", "-run"):
        body = (await client.get(f"{path}&sort={sort}&status={text}")).json()
        assert (body["searched_to"], body["next"]) == (None, None)
        left = {"not:errors": {"errors"}, "not:fin": {"finished", "finished_with_issues"}}.get(text, set())
        rows = [row["key"] for row in body["rows"]]
        assert set(rows) == {row["key"] for row in everything if row["status"] not in left}
        assert body["total"] == len(rows) < len(everything) + (not left)


async def test_the_panel_presses_the_statuses_that_not_leaves(service: Service, client: httpx.AsyncClient) -> None:
    async with await service.as_person("platform_admin") as person:
        asked = "status=not:errors,finished_with_issues,finished&tz=UTC"
        page = (await person.get(f"/organizations/{organization_id(0)}/statistics?{asked}")).text
    pressed = set(re.findall(r'name="toggle" value="(\w+)" aria-pressed="true"', page))
    assert pressed == {"timed_out", "running", "cancelled"}
    assert 'value="not:errors, finished with issues, finished"' in page
    assert "not errors, finished with issues, finished" in page


@pytest.mark.parametrize("sort", ["status", "-status", "-run"])
async def test_what_a_search_says_it_looked_at_is_what_it_found_so_far(
    client: httpx.AsyncClient, now: datetime, sort: str
) -> None:
    everything = (await client.get("/api/v1/sessions?limit=500")).json()["rows"]
    seen: set[str] = set()
    answers = await walk(client, f"/api/v1/sessions?agent=agent&run=3d&sort={sort}", "next")
    for answer in answers[:-1]:
        seen |= {row["key"] for row in answer["rows"]}
        to = datetime.fromisoformat(answer["searched_to"])
        assert to < now
        near = {row["key"]: row["status"] for row in everything if datetime.fromisoformat(row["run"]) >= to}
        if sort == "-run":
            assert (answer["searched_in"], answer["searched_whole"]) == ([], [])
            assert seen == near.keys()
        else:
            whole = {row["key"] for row in everything if row["status"] in answer["searched_whole"]}
            assert seen == whole | {key for key, status in near.items() if status in answer["searched_in"]}
    assert answers[-1]["searched_to"] is None
    assert seen | {row["key"] for row in answers[-1]["rows"]} == {row["key"] for row in everything}


async def test_the_panel_says_which_statuses_a_search_looked_through(
    service: Service, client: httpx.AsyncClient
) -> None:
    path = "/sessions?agent=nobody&run=2d&sort=status&tz=UTC"
    answers = await walk(client, f"/api/v1{path}", "next")
    at = next(number for number, answer in enumerate(answers) if "finished_with_issues" in answer["searched_in"])
    async with await service.as_person("platform_admin") as person:
        for number, said in (
            (0, "Looked through errors and timed out up to"),
            (at, "Looked through all of errors and timed out, of finished with issues up to"),
        ):
            cursor = f"&cursor={answers[number - 1]['next']}" if number else ""
            page = (await person.get(path + cursor)).text
            assert said in page
            assert "An organization makes it quick." in page
        page = (await person.get(f"{path}&cursor={answers[-2]['next']}")).text
        assert "No more sessions found" in page
        assert "First page" in page
        of_one = (await person.get(f"/organizations/{organization_id(0)}/statistics?agent=nobody&tz=UTC")).text
        assert "A time makes it quick." in of_one
        assert "or an organization" not in of_one


async def test_the_panel_leads_on_from_where_a_search_ended(service: Service, client: httpx.AsyncClient) -> None:
    async with await service.as_person("platform_admin") as person:
        page = (await person.get("/sessions?agent=nobody")).text
        assert "No sessions found so far" in page
        assert "Looked through up to" in page
        assert "Look further" in page


async def test_a_file_holds_every_row_that_a_search_would_find(client: httpx.AsyncClient) -> None:
    answers = await walk(client, "/api/v1/sessions?agent=agent&limit=3", "next")
    file = await client.get("/api/v1/sessions.csv?agent=agent&columns=session_id")
    assert len(file.text.splitlines()) - 1 == sum(len(answer["rows"]) for answer in answers)


async def test_a_filter_of_another_list_that_takes_too_long_is_refused(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "_OVERTIME_S", 0)
    monkeypatch.setattr(reading, "page", lambda *_: Statement("SELECT pg_sleep(60)"))
    answer = await client.get("/api/v1/users?objects=>=0")
    assert answer.status_code == 504
    assert answer.json()["type"] == "urn:syncwatch:problem:too_wide"
    assert "Add an organization" in answer.json()["detail"]
