"""Logs: lines and their gaps, what is kept no longer, archives of a session, a user, an organization."""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas.keys import session_key
from schemas.retention import KEPT
from schemas.sql import named_queries
from services.query import logs
from services.query.principal import Principal
from tests.integration.query.conftest import Service, body, serving
from tests.rig.databases import Database
from tests.rig.seed import Plan, add_log, organization_id, seed, user_id


@pytest.fixture
def plan(now: datetime) -> Plan:
    return Plan(now=now, organizations=3, users=6, sessions=22)


async def test_log_lines_are_paged_searched_and_their_gaps_named(
    service: Service, client: httpx.AsyncClient, now: datetime
) -> None:  # fmt: skip
    row = (await body(client, "/sessions?limit=1"))["rows"][0]
    async with service.database.connect() as connection:
        session = await connection.fetchrow(
            "SELECT * FROM sync_session ORDER BY started_at DESC, session_id DESC LIMIT 1"
        )
        assert session is not None
        await connection.execute(
            "UPDATE log_chunk SET chunk_no = 3, dropped_lines = 4 WHERE session_id = $1 AND chunk_no = 1",
            session["session_id"],
        )
        await connection.execute(
            "UPDATE sync_session SET log_chunks_sent = 6 WHERE session_id = $1", session["session_id"]
        )
    path = f"/sessions/{row['key']}/logs"
    whole = await body(client, path)
    assert [line["position"] for line in whole["lines"]] == [1, 2, 3, 4, 5, 6]
    assert whole["gaps"] == [
        {"attempt": 1, "chunk": 1, "chunks": 2, "before_line": 4},
        {"attempt": 1, "chunk": 4, "chunks": 2, "before_line": None},
    ]
    assert whole["dropped_lines"] == 4
    page = await body(client, f"{path}?limit=4")
    assert page["next"] == 4
    assert [line["position"] for line in (await body(client, f"{path}?limit=4&after=4"))["lines"]] == [5, 6]
    assert [line["position"] for line in (await body(client, f"{path}?tail=2"))["lines"]] == [5, 6]
    assert {line["level"] for line in (await body(client, f"{path}?level=error"))["lines"]} == {"error"}
    assert (await body(client, f"{path}?q=REFUSED"))["matching"] == 2
    assert (await client.get(f"/api/v1{path}?level=loud")).status_code == 400


async def newest_session(service: Service, chunks: Sequence[Sequence[Mapping[str, Any]]] = ()) -> Mapping[str, Any]:
    """Return the newest session; with chunks, they are all of its log."""
    async with service.database.connect() as connection:
        row = await connection.fetchrow("SELECT * FROM sync_session ORDER BY started_at DESC, session_id DESC LIMIT 1")
        assert row is not None
        if chunks:
            await connection.execute("DELETE FROM log_chunk WHERE session_id = $1", row["session_id"])
            await add_log(connection, dict(row), chunks)
    return dict(row)


def chunks_of(*sizes: int) -> list[list[dict[str, Any]]]:
    """Return chunks of so many lines each."""
    at, numbers = "2026-11-24T10:00:00Z", itertools.count(1)
    return [[{"at": at, "level": "info", "message": f"said {next(numbers)}"} for _ in range(size)] for size in sizes]


async def test_the_end_of_a_log_is_as_in_the_whole_and_reads_no_more_than_it_needs(
    service: Service, client: httpx.AsyncClient
) -> None:  # fmt: skip
    session = await newest_session(service, chunks_of(5, 3, 0, 4, 2, 6))
    address = session["started_at"], session["session_id"]
    key = session_key(*address)
    async with service.database.connect() as connection:
        for chunk, attempt, first in (
            (1, 1, 20),
            (3, 2, 1),
            (4, 2, 5),
            (5, 2, 90),
        ):  # a part is lost; counted anew; lost again
            await connection.execute(
                "UPDATE log_chunk SET attempt = $3, first_line = $4 WHERE session_id = $1 AND chunk_no = $2",
                session["session_id"], chunk, attempt, first,
            )  # fmt: skip
        tail = named_queries("details")["log_tail"]
        read = {count: len(await connection.fetch(tail, *address, count)) for count in (1, 6, 7, 8, 9, 50)}
    assert read == {1: 1, 6: 1, 7: 2, 8: 2, 9: 3, 50: 5}
    whole = (await body(client, f"/sessions/{key}/logs"))["lines"]
    assert [line["position"] for line in whole] == [*range(1, 6), *range(20, 29), *range(90, 96)]
    principal = Principal(actor="key", role="platform_admin")
    for count in range(1, 22):
        assert await logs.log_tail(service.services, principal, key, count) == whole[-count:]
    async with await service.as_person("support") as person:
        job = (await person.get(f"/sessions/{key}")).text
    assert "last 8 of 20 lines" in job
    assert re.findall(r'id="line-(\d+)"', job) == ["27", "28", *map(str, range(90, 96))]


@pytest.mark.parametrize("bound", ["MOST_LINES", "MOST_PACKED", "MOST_BYTES"])
async def test_a_log_that_is_too_long_is_refused_with_the_way_to_all_of_it(
    service: Service, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:  # fmt: skip
    session = await newest_session(service, chunks_of(10, 10))
    key = session_key(session["started_at"], session["session_id"])
    async with await service.as_person("support") as person:
        page = (await person.get(f"/sessions/{key}/log")).text
        assert 'id="line-20"' in page
        monkeypatch.setattr(logs, bound, 15)
        for query in ("", "?tail=3", "?q=said"):
            answer = await client.get(f"/api/v1/sessions/{key}/logs{query}")
            assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
            assert answer.json()["type"] == "urn:syncwatch:problem:log_too_long"
            assert "the download (logs.zip) has all of it" in answer.json()["detail"]
        page = await person.get(f"/sessions/{key}/log")
        assert page.status_code == 200
        assert "This log is too long to be read here" in page.text
        assert page.text.count(f'href="/api/v1/sessions/{key}/logs.zip"') == 2
        assert "<dt>Lines</dt><dd>20</dd>" in page.text
        assert "log-lines" not in page.text
        job = (await person.get(f"/sessions/{key}")).text
        assert "last 8 of 20 lines" in job
    (name,) = [each for each in (await archive(client, f"/sessions/{key}/logs.zip")).namelist() if ".log" in each]
    assert name


async def test_a_live_log_page_is_refreshed_without_its_lines(
    service: Service, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    session = await newest_session(service, chunks_of(10, 10))
    path = f"/sessions/{session_key(session['started_at'], session['session_id'])}/log"
    monkeypatch.setattr(logs, "read_log", None)
    monkeypatch.setattr("services.query.panel.log_page.read_log", None)
    async with await service.as_person("support") as person:
        answer = await person.get(path, headers={"Syncwatch-Part": "live"})
    assert "syncwatch-part" in answer.headers["vary"].lower()
    assert "<dt>Lines</dt><dd>20</dd>" in answer.text


async def test_how_fresh_a_page_is_now_is_a_small_answer_to_everybody(service: Service) -> None:
    whose = {
        "support": (),
        "organization_admin": (organization_id(0),),
        "end_user": (organization_id(0), user_id(0, 1)),
    }
    for role, ids in whose.items():
        async with await service.as_person(role, *ids) as person:
            answer = await person.get("/fresh?tz=UTC")
            assert (answer.status_code, 'id="fresh"' in answer.text, 'id="banner"' in answer.text) == (200, True, True)
            assert ('data-names="masked"' in answer.text) is (role == "support")
            assert len(answer.content) < 1500
            assert (await person.get("/fresh?x=1")).status_code == 400


async def archive(client: httpx.AsyncClient, path: str) -> zipfile.ZipFile:
    answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


async def test_a_log_that_is_kept_no_longer_is_not_called_lost(database: Database, now: datetime) -> None:
    async with database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        await connection.execute("DELETE FROM log_chunk")
        await connection.execute("UPDATE sync_session SET log_chunks_sent = 3")
    said = {}
    for after in (timedelta(0), KEPT.logs):
        async with serving(database, lambda after=after: now + after) as service:  # type: ignore[misc]
            client, person = await service.as_key("support"), await service.as_person("support")
            key = (await body(client, "/sessions?limit=1"))["rows"][0]["key"]
            pages = [await person.get(f"/sessions/{key}{path}") for path in ("", "/log", "/log?after=7")]
            assert [page.status_code for page in pages] == [200, 200, 200]
            manifest = json.loads((await archive(client, f"/sessions/{key}/logs.zip")).read("manifest.json"))
            (log,) = manifest["logs"]
            assert (manifest["organization_id"], manifest["user_id"]) == (str(organization_id(0)), log["user_id"])
            whole = await body(client, f"/sessions/{key}/logs")
            told = (log["past"], log["missing_chunks"], log["complete"], manifest["complete"], whole["past"])
            said[after] = ([page.text for page in pages], told, len(whole["gaps"]))
    (job, log_page, _), told, gaps = said[timedelta(0)]
    assert (told, gaps) == ((False, 3, False, False, False), 1)
    assert "3 of 3 parts did not arrive" in job
    assert "Parts 1 to 3 of the log did not arrive." in log_page
    (job, log_page, behind), told, gaps = said[KEPT.logs]
    assert (told, gaps) == ((True, 0, False, False, True), 0)
    assert "The log was kept until " in job
    for page in (job, log_page, behind):
        assert "did not arrive" not in page
    assert "The log is kept no longer" in log_page


async def test_r27_a_zip_of_an_organization_holds_each_log_and_a_manifest(
    service: Service, client: httpx.AsyncClient, now: datetime
) -> None:  # fmt: skip
    async with service.database.connect() as connection:
        session = dict(await connection.fetchrow(
            "SELECT * FROM sync_session WHERE organization_id = $1 ORDER BY started_at DESC LIMIT 1", organization_id(0)
        ) or {})  # fmt: skip
        await connection.execute("DELETE FROM log_chunk WHERE session_id = $1 AND chunk_no = 0", session["session_id"])
        await connection.execute("UPDATE log_chunk SET redactions = 2 WHERE session_id = $1", session["session_id"])
    since = (now - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")
    opened = await archive(client, f"/organizations/{organization_id(0)}/logs.zip?from={since}")
    assert opened.testzip() is None
    manifest = json.loads(opened.read("manifest.json"))
    listed = await body(client, f"/organizations/{organization_id(0)}/sessions?run={since}..&limit=500")
    assert {each["key"] for each in manifest["logs"]} == {row["key"] for row in listed["rows"]}
    assert {each["entry"] for each in manifest["logs"]} | {"manifest.json"} == set(opened.namelist())
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,120}", name) for name in opened.namelist())
    broken = next(each for each in manifest["logs"] if each["session_id"] == str(session["session_id"]))
    assert (broken["complete"], broken["missing_chunks"], broken["redactions"]) == (False, 1, 2)
    assert broken["gaps"] == [{"attempt": 1, "chunk": 0, "chunks": 1, "before_line": 4}]
    text = opened.read(broken["entry"]).decode()
    assert "1 part of the log did not arrive" in text
    assert "ERROR   crm    a record was refused" in text
    assert manifest["complete"] is False
    assert manifest["totals"]["missing_chunks"] == 1


async def test_r27_logs_of_user_and_organization_are_offered_with_their_range(
    service: Service, client: httpx.AsyncClient, now: datetime
) -> None:  # fmt: skip
    row = (await body(client, f"/users/{organization_id(0)}/{user_id(0, 1)}/sessions?limit=1"))["rows"][0]
    user, organization = f"/users/{organization_id(0)}/{user_id(0, 1)}", f"/organizations/{organization_id(0)}"
    async with await service.as_person("support") as person:
        job = (await person.get(f"/sessions/{row['key']}")).text
        for path, said, since in (
            (user, "last 7 days", timedelta(days=7)),
            (organization, "last 24 h", timedelta(days=1)),
        ):
            assert f'<a href="{path}/logs">' in job
            page = (await person.get(f"{path}/logs")).text
            assert f'href="/api/v1{path}/logs.zip"' in page
            assert f"Download logs, {said}</a>" in page
            manifest = json.loads((await archive(client, f"{path}/logs.zip")).read("manifest.json"))
            assert datetime.fromisoformat(manifest["until"]) - datetime.fromisoformat(manifest["since"]) == since
    async with await service.as_person("end_user", organization_id(0), user_id(0, 1)) as person:
        job = (await person.get(f"/sessions/{row['key']}")).text
        assert f'<a href="{user}/logs">' in job
        assert f"{organization}/logs" not in job


async def test_zips_of_a_session_and_of_a_user_in_a_range(client: httpx.AsyncClient, now: datetime) -> None:
    row = (await body(client, f"/users/{organization_id(0)}/{user_id(0, 1)}/sessions?limit=1"))["rows"][0]
    one = json.loads((await archive(client, f"/sessions/{row['key']}/logs.zip")).read("manifest.json"))
    assert [each["key"] for each in one["logs"]] == [row["key"]]
    path = f"/users/{organization_id(0)}/{user_id(0, 1)}/logs.zip"
    whole = json.loads((await archive(client, path)).read("manifest.json"))
    assert len(whole["logs"]) == 22
    assert {each["user_id"] for each in whole["logs"]} == {str(user_id(0, 1))}
    for query in ("from=soon", "from=2026-11-02&to=2026-11-01", "fro=2026-11-02"):
        assert (await client.get(f"/api/v1{path}?{query}")).status_code == 400


async def test_a_large_log_is_streamed_as_it_was(service: Service, client: httpx.AsyncClient, now: datetime) -> None:
    chunks = [
        [{"at": "2026-11-24T10:00:00Z", "level": "info", "message": f"line {part}.{n}"} for n in range(500)]
        for part in range(40)
    ]
    session = await newest_session(service, chunks)
    key = session_key(session["started_at"], session["session_id"])
    opened = await archive(client, f"/sessions/{key}/logs.zip")
    name = next(each for each in opened.namelist() if each.endswith(".log"))
    lines = [line for line in opened.read(name).decode().splitlines() if not line.startswith("====")]
    assert [line.rpartition(" ")[2] for line in lines] == [f"{part}.{n}" for part in range(40) for n in range(500)]


async def test_a_browser_led_to_a_file_that_is_refused_gets_a_page_and_a_program_the_problem(service: Service) -> None:
    wrong = f"/api/v1/organizations/{organization_id(0)}/logs.zip?from=2026-12-05&to=2026-12-02"
    async with await service.as_person("support") as person:
        page = await person.get(wrong, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
        assert "is not before the end of the range" in page.text
        assert "Accept" in page.headers["vary"]
        problem = await person.get(wrong, headers={"Accept": "*/*"})
        assert (problem.status_code, problem.headers["content-type"]) == (400, "application/problem+json")
        rows = await person.get("/api/v1/users?status=broken", headers={"Accept": "text/html"})
        assert rows.headers["content-type"] == "application/problem+json", "only files are opened by people"
