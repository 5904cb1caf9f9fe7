"""From the connector to what people see: gateway, Kafka, aggregator, Postgres, API, CSV and zip, all of them real.

What the connector published is read from Kafka and is the truth here; rows, files and logs must say the same.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import httpx

from schemas.events import Direction
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS
from tests.rig.stack import SESSIONS, Published, Stack, written

COLUMNS: Final = (
    "session_id,organization_id,user_id,status,objects,changes,failures,conflicts,total_changes,issues,"
    "error_source,error_category,report,report_complete"
)


def client(stack: Stack, role: str, organization_id: UUID | None = None) -> httpx.AsyncClient:
    key = stack.operator.key(role, organization_id)
    return httpx.AsyncClient(base_url=f"{stack.base}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60)


async def test_what_the_connector_did_is_what_lists_files_and_logs_say(stack: Stack) -> None:
    async with client(stack, "platform_admin") as api:
        rows = (await api.get(f"/sessions?limit=500&columns={COLUMNS}")).raise_for_status().json()["rows"]
        _sessions_are_the_published_ones(rows, stack.truth, stack.report)
        await _organizations_and_users_are_those_of_the_directory(api)
        await _issues_are_the_published_ones(api, stack.truth)
        for organization in ORGANIZATIONS:
            own = [row for row in rows if row["organization_id"] == str(organization.organization_id)]
            await _the_export_holds_the_same_rows(api, organization.organization_id, own)
            await _the_zip_holds_every_line(api, organization.organization_id, own, stack.truth)
    await _nobody_sees_another_organization(stack, rows)


def _sessions_are_the_published_ones(rows: list[dict[str, Any]], truth: Published, report: dict[str, Any]) -> None:
    assert len(rows) == len(truth.sessions) == report["sessions"] == SESSIONS
    assert Counter(row["status"] for row in rows) == report["by_status"]
    assert set(report["by_status"]) == {"finished", "finished_with_issues", "errors"}
    sightings = Counter(session_id for (session_id, _), code in truth.issues.items() if code)
    assert all(row["report_complete"] for row in rows)
    for row in rows:
        data = truth.sessions[UUID(row["session_id"])]
        lines = data.objects
        changes = sum(line.created + line.updated + line.deleted for line in lines)
        failures, conflicts = sum(line.failed for line in lines), sum(line.conflicts for line in lines)
        told = {
            "user_id": str(data.user_id),
            "status": data.status.value,
            "objects": sum(line.fetched for line in lines),
            "changes": changes,
            "failures": failures,
            "conflicts": conflicts,
            "total_changes": changes + failures + conflicts + sum(line.skipped for line in lines),
            "issues": sightings[data.session_id],
            "error_source": data.error and data.error.source,
            "error_category": data.error and data.error.category,
        }
        assert {name: row[name] for name in told} == told
        assert _by_direction(row["report"]) == {each.direction: each.created for each in data.objects}


def _by_direction(report: Iterable[dict[str, Any]]) -> dict[Direction, int]:
    return {Direction(line["direction"]): line.get("created", 0) for line in report or ()}


async def _organizations_and_users_are_those_of_the_directory(api: httpx.AsyncClient) -> None:
    organizations = (await api.get("/organizations")).raise_for_status().json()["rows"]
    assert {row["name"] for row in organizations} == {each.name for each in ORGANIZATIONS}
    assert {row["synchronization_status"] for row in organizations} == {"enabled"}
    for each in ORGANIZATIONS:
        users = (await api.get(f"/organizations/{each.organization_id}/users")).raise_for_status().json()["rows"]
        assert {row["user"] for row in users} == {person.display_name for person in each.people}
        assert not any(row["synchronization_disabled"] for row in users)


async def _issues_are_the_published_ones(api: httpx.AsyncClient, truth: Published) -> None:
    columns = "issue_id,type,direction,operation,error_code,error_text,error_category,times,state"
    rows = (await api.get(f"/issues?limit=500&columns={columns}")).raise_for_status().json()["rows"]
    assert {UUID(row["issue_id"]) for row in rows} == {issue_id for _, issue_id in truth.issues}
    assert {row["type"] for row in rows} == {"appointment"}
    assert {row["error_code"] for row in rows} <= {1, 2, 3}
    assert all(row["error_text"] and row["error_category"] for row in rows), "also of what is resolved"
    opened = Counter(issue_id for (_, issue_id), code in truth.issues.items() if code)
    assert {UUID(row["issue_id"]): row["times"] for row in rows} == opened
    still_open = [row for row in rows if row["state"] != "resolved"]
    assert still_open
    assert len(still_open) < len(rows)


async def _the_export_holds_the_same_rows(
    api: httpx.AsyncClient, organization_id: UUID, rows: list[dict[str, Any]]
) -> None:
    columns = "session_id,status,objects,failures,error_category"
    answer = await api.get(f"/organizations/{organization_id}/sessions.csv?raw=1&columns={columns}")
    table = list(csv.reader(io.StringIO(answer.raise_for_status().content.decode("utf-8-sig"), newline="")))
    assert len(table) == 1 + len(rows)
    expected = {tuple(_cell(row[name]) for name in columns.split(",")) for row in rows}
    assert {tuple(line) for line in table[1:]} == expected

    failed = [row for row in rows if row["status"] == "errors"]
    filtered = (await api.get(f"/organizations/{organization_id}/sessions.csv?status=errors")).content
    assert len(list(csv.reader(io.StringIO(filtered.decode("utf-8-sig"), newline="")))) == 1 + len(failed)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


async def _the_zip_holds_every_line(
    api: httpx.AsyncClient, organization_id: UUID, rows: list[dict[str, Any]], truth: Published
) -> None:
    answer = (await api.get(f"/organizations/{organization_id}/logs.zip")).raise_for_status()
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["complete"] is True
    entries = {each["session_id"]: each["entry"] for each in manifest["logs"]}
    assert set(entries) == {row["session_id"] for row in rows}
    for session_id, entry in entries.items():
        text = archive.read(entry).decode()
        lines = truth.lines[UUID(session_id)]
        assert all(written(line) in text for line in lines)
        assert {line.source for line in lines} >= {"agent"}


async def _nobody_sees_another_organization(stack: Stack, rows: list[dict[str, Any]]) -> None:
    for mine, other in (ORGANIZATIONS, ORGANIZATIONS[::-1]):
        async with client(stack, "organization_admin", mine.organization_id) as api:
            seen = (await api.get("/sessions?limit=500&columns=session_id")).raise_for_status().json()["rows"]
            own = {row["session_id"] for row in rows if row["organization_id"] == str(mine.organization_id)}
            assert {row["session_id"] for row in seen} == own
            assert (await api.get(f"/organizations/{other.organization_id}/sessions")).status_code == 404
            assert (await api.get(f"/organizations/{other.organization_id}/logs.zip")).status_code == 404
