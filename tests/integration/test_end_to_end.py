"""From the connector to what people see: gateway, Kafka, aggregator, Postgres, API, CSV and zip, all of them real.

What the connector published is read from Kafka and is the truth here; rows, files and logs must say the same.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from schemas.events import Direction, IssueEvent, LogEvent, LogLine, SessionData, SessionEvent, decode
from services.common.kafka import client_options
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS
from tests.conftest import Topics
from tests.integration.connector.systems import COMMAND, free_port, process, running_outside, wait_until_ready
from tests.rig.databases import Database

SESSIONS: Final = 24
PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything running; `key` reads all organizations, `keys` one each, by slug."""

    topics: Topics
    api: str
    key: str
    keys: dict[str, str]
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Published:
    """What stands in Kafka: the newest state of each session, what was last said of each issue, all lines of a log."""

    sessions: dict[UUID, SessionData]
    issues: dict[tuple[UUID, UUID | None], int]
    lines: dict[UUID, list[LogLine]]


@pytest.fixture
def stack(database: Database, topics: Topics, postgres: str, tmp_path: Path) -> Iterator[Stack]:
    """Start all services and both outside systems, and let the connector make its sessions."""
    operator = _Operator(database)
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    for each in ORGANIZATIONS:
        told = operator.run("agents", "add", f"caldav-crm-{each.slug}", "--organization", str(each.organization_id))
        (tokens / each.slug).write_text(_secret("swa_", told))
    common = {"KAFKA_BOOTSTRAP": topics.bootstrap, "TOPIC_PREFIX": topics.prefix}
    with ExitStack() as running:
        outside = running.enter_context(running_outside(postgres, tmp_path / "connector"))
        gateway = free_port()
        _start(running, "gateway", common | {"DATABASE_URL": database.gateway_url, "PORT": str(gateway)})
        for name in ("aggregator-1", "aggregator-2"):
            own = {"DATABASE_URL": database.writer_url, "WORKER": name, "DATA_DIR": str(tmp_path / name)}
            _start(running, "aggregator", common | own)
        panel = free_port()
        _start(running, "query", operator.panel_urls() | {"PORT": str(panel), "SECRET_KEY": "for this test alone"})
        made = subprocess.run(
            [*COMMAND, "once", "--sessions", str(SESSIONS)],
            env=outside.environment() | {"GATEWAY_URL": f"http://127.0.0.1:{gateway}", "AGENT_TOKEN_DIR": str(tokens)},
            stdout=subprocess.PIPE,
            check=True,
            timeout=120,
        )
        yield Stack(
            topics,
            f"http://127.0.0.1:{panel}/api/v1",
            operator.key("platform_admin"),
            {each.slug: operator.key("organization_admin", each.organization_id) for each in ORGANIZATIONS},
            json.loads(made.stdout),
        )


class _Operator:
    """Whoever types `syncwatch …`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def panel_urls(self) -> dict[str, str]:
        """What the query service signs in with."""
        return {
            "READER_DATABASE_URL": self._database.reader_url,
            "READER_ALL_DATABASE_URL": self._database.reader_all_url,
            "PANEL_DATABASE_URL": self._database.panel_url,
        }

    def run(self, *arguments: str) -> str:
        """Run one command and return what it prints."""
        environment = os.environ | self.panel_urls() | {"DATABASE_URL": self._database.owner_url}
        command = [sys.executable, "-m", "services.query.commands", *arguments]
        return subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=60
        ).stdout

    def key(self, role: str, organization_id: UUID | None = None) -> str:
        """Make a key of the API."""
        whose = ["--organization", str(organization_id)] if organization_id else []
        return _secret("swk_", self.run("keys", "add", f"end to end, {role}", "--role", role, *whose))


def _secret(prefix: str, told: str) -> str:
    found = re.search(rf"{prefix}\S+", told)
    assert found is not None, told
    return found[0]


def _start(running: ExitStack, service: str, environment: dict[str, str]) -> None:
    module = f"services.ingest.{service}" if service == "gateway" else f"services.{service}"
    metrics_port = free_port()
    child = running.enter_context(
        process([sys.executable, "-m", module], os.environ | environment | {"METRICS_PORT": str(metrics_port)})
    )
    wait_until_ready(child, metrics_port)


async def published(topics: Topics, count: int) -> Published:
    """Read what the connector sent from Kafka, `count` events."""
    found = Published({}, {}, {})
    seen = set()
    consumer = AIOKafkaConsumer(
        topics.name("syncwatch.events"),
        topics.name("syncwatch.logs"),
        **client_options(topics.bootstrap),
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        until = time.monotonic() + PATIENCE_S
        while len(seen) < count:
            assert time.monotonic() < until, f"{len(seen)} of {count} events"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    event = decode(record.value)
                    if event.type != "syncwatch.tick.v1":
                        seen.add(event.id)
                        _take(found, event)
    finally:
        await consumer.stop()
    return found


def _take(found: Published, event: Any) -> None:
    match event:
        case SessionEvent(data=data):
            kept = found.sessions.get(data.session_id)
            if kept is None or data.seq > kept.seq:
                found.sessions[data.session_id] = data
        case IssueEvent(data=data):
            found.issues[data.session_id, data.issue_id] = data.error_code
        case LogEvent(data=data):
            found.lines.setdefault(data.session_id, []).extend(data.lines)


async def applied(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return all session rows, once every session has ended and no issue is missing any more."""
    columns = "session_id,organization_id,user_id,status,objects,changes,failures,conflicts,total_changes,issues"
    query = f"/sessions?limit=500&columns={columns},error_source,error_category,report,report_complete"
    until = time.monotonic() + PATIENCE_S
    while True:
        rows: list[dict[str, Any]] = (await api.get(query)).raise_for_status().json()["rows"]
        unfinished = [row for row in rows if row["status"] == "running" or not row["report_complete"]]
        if len(rows) >= SESSIONS and not unfinished:
            return rows
        assert time.monotonic() < until, f"{len(rows)} rows, {len(unfinished)} unfinished: {unfinished[:1]}"
        await asyncio.sleep(0.2)


def client(stack: Stack, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stack.api, headers={"Authorization": f"Bearer {key}"}, timeout=30)


async def test_what_the_connector_did_is_what_lists_files_and_logs_say(stack: Stack) -> None:
    truth = await published(stack.topics, stack.report["events"])
    async with client(stack, stack.key) as api:
        rows = await applied(api)
        _sessions_are_the_published_ones(rows, truth, stack.report)
        await _organizations_and_users_are_those_of_the_directory(api)
        await _issues_are_the_published_ones(api, truth)
        for organization in ORGANIZATIONS:
            own = [row for row in rows if row["organization_id"] == str(organization.organization_id)]
            await _the_export_holds_the_same_rows(api, organization.organization_id, own)
            await _the_zip_holds_every_line(api, organization.organization_id, own, truth)
    await _nobody_sees_another_organization(stack, rows)


def _sessions_are_the_published_ones(rows: list[dict[str, Any]], truth: Published, report: dict[str, Any]) -> None:
    assert len(rows) == len(truth.sessions) == report["sessions"] == SESSIONS
    assert Counter(row["status"] for row in rows) == report["by_status"]
    assert set(report["by_status"]) == {"finished", "finished_with_issues", "errors"}
    sightings = Counter(session_id for (session_id, _), code in truth.issues.items() if code)
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
    rows = (await api.get("/issues?limit=500&columns=issue_id,type,direction,operation,error_code,state")).json()[
        "rows"
    ]
    assert {UUID(row["issue_id"]) for row in rows} == {issue_id for _, issue_id in truth.issues}
    assert {row["type"] for row in rows} == {"appointment"}
    still_open = [row for row in rows if row["state"] != "resolved"]
    assert {row["error_code"] for row in still_open} <= {1, 2, 3}
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
        assert all(line.message in text for line in lines)
        assert {line.source for line in lines} >= {"agent"}


async def _nobody_sees_another_organization(stack: Stack, rows: list[dict[str, Any]]) -> None:
    for mine, other in (ORGANIZATIONS, ORGANIZATIONS[::-1]):
        async with client(stack, stack.keys[mine.slug]) as api:
            seen = (await api.get("/sessions?limit=500&columns=session_id")).raise_for_status().json()["rows"]
            own = {row["session_id"] for row in rows if row["organization_id"] == str(mine.organization_id)}
            assert {row["session_id"] for row in seen} == own
            assert (await api.get(f"/organizations/{other.organization_id}/sessions")).status_code == 404
            assert (await api.get(f"/organizations/{other.organization_id}/logs.zip")).status_code == 404
