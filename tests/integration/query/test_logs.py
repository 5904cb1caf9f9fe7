"""Logs: lines and their gaps, what is kept no longer, archives of a session, a user, an organization."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import datetime, timedelta

import httpx
import pytest

from schemas.retention import KEPT
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
    row = (await body(client, "/sessions?limit=1"))["rows"][0]
    async with service.database.connect() as connection:
        session = dict(
            await connection.fetchrow("SELECT * FROM sync_session ORDER BY started_at DESC, session_id DESC LIMIT 1")
            or {}
        )
        await connection.execute("DELETE FROM log_chunk WHERE session_id = $1", session["session_id"])
        chunks = [
            [{"at": "2026-11-24T10:00:00Z", "level": "info", "message": f"line {part}.{n}"} for n in range(500)]
            for part in range(40)
        ]
        await add_log(connection, session, chunks)
    opened = await archive(client, f"/sessions/{row['key']}/logs.zip")
    name = next(each for each in opened.namelist() if each.endswith(".log"))
    lines = [line for line in opened.read(name).decode().splitlines() if not line.startswith("====")]
    assert [line.rpartition(" ")[2] for line in lines] == [f"{part}.{n}" for part in range(40) for n in range(500)]
