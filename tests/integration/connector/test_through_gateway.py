"""The connector's commands as processes, through a real gateway into a real Kafka."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.local.ports import any_free
from schemas.credentials import new_token
from schemas.events import DirectoryEvent, Event, IssueEvent, LogEvent, SessionEvent, TickEvent, decode
from services.common.kafka import client_options
from services.ingest.connectors.caldav_crm.life import journal_of
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS
from tests.conftest import Topics
from tests.rig.databases import Database
from tests.rig.outside import (
    COMMAND,
    PATIENCE_S,
    Outside,
    process,
    wait_until_ready,
)

STOPPED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway, and a folder with a token per organization."""

    url: str
    token_dir: Path
    topics: Topics


@pytest.fixture
async def token_dir(database: Database, tmp_path: Path) -> Path:
    """A token for each organization's agent, as `syncwatch agents add` makes them."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    async with database.connect() as connection:
        for organization in ORGANIZATIONS:
            text, token_hash = new_token()
            await connection.execute(
                "INSERT INTO agent_token (token_hash, token_id, agent_id, organization_id, created_at)"
                " VALUES ($1, $2, $3, $4, now())",
                token_hash,
                uuid4(),
                f"caldav-crm-{organization.slug}",
                organization.organization_id,
            )
            (folder / organization.slug).write_text(text)
    return folder


@pytest.fixture
def gateway(database: Database, topics: Topics, token_dir: Path) -> Iterator[Gateway]:
    """The real gateway as a process of its own."""
    port, metrics_port = any_free(), any_free()
    environment = os.environ | {
        "DATABASE_URL": database.gateway_url,
        "KAFKA_BOOTSTRAP": topics.bootstrap,
        "TOPIC_PREFIX": topics.prefix,
        "PORT": str(port),
        "METRICS_PORT": str(metrics_port),
    }
    with process([sys.executable, "-m", "services.ingest.gateway"], environment) as running:
        wait_until_ready(running, metrics_port)
        yield Gateway(f"http://127.0.0.1:{port}", token_dir, topics)


async def events_of(topics: Topics, enough: Callable[[list[Event]], bool]) -> list[Event]:
    """Read the input topics until there is enough, or fail."""
    consumer = AIOKafkaConsumer(
        topics.name("syncwatch.events"),
        topics.name("syncwatch.logs"),
        **client_options(topics.bootstrap),
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        found: list[Event] = []
        until = time.monotonic() + PATIENCE_S
        while not enough(found):
            assert time.monotonic() < until, f"only {Counter(event.type for event in found)}"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                events = [decode(record.value) for record in records]
                found += [event for event in events if not isinstance(event, TickEvent)]
        return found
    finally:
        await consumer.stop()


def run_once(outside: Outside, gateway: Gateway, sessions: int) -> dict[str, Any]:
    """Run `once`, and return what it printed."""
    done = subprocess.run(
        [*COMMAND, "once", "--sessions", str(sessions)],
        env=outside.environment() | {"GATEWAY_URL": gateway.url, "AGENT_TOKEN_DIR": str(gateway.token_dir)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


async def test_a_counted_run_makes_exactly_so_many_sessions_and_counts_what_kafka_holds(
    outside: Outside, gateway: Gateway
) -> None:
    report = run_once(outside, gateway, 20)
    events = await events_of(gateway.topics, lambda found: len(found) >= report["events"])
    assert len(events) == report["events"]
    assert Counter(event.type for event in events) == report["by_type"]
    assert report["refused"] == 0

    sessions = [event.data for event in events if isinstance(event, SessionEvent)]
    newest = {}
    for data in sorted(sessions, key=lambda data: data.seq):
        newest[data.session_id] = data
    assert len(newest) == report["sessions"] == 20
    assert {data.organization_id for data in newest.values()} == {each.organization_id for each in ORGANIZATIONS}
    statuses = Counter(data.status.value for data in newest.values())
    assert statuses == report["by_status"]
    assert set(statuses) == {"finished", "finished_with_issues", "errors"}
    assert all(data.ended_at is not None for data in newest.values())
    assert {(data.mail_system, data.crm_system) for data in newest.values()} == {("caldav", "postgres_crm")}

    causes = {(data.error.source, data.error.category) for data in newest.values() if data.error is not None}
    assert causes == {
        ("calendar", "authentication"),
        ("calendar", "connectivity"),
        ("connector", "conflict"),
        ("crm", "locked"),
    }
    issues = [event.data for event in events if isinstance(event, IssueEvent)]
    assert len({(data.session_id, data.issue_id) for data in issues}) == report["issues"]
    assert {data.error_code for data in issues} == {0, 1, 2, 3}
    opened = {data.issue_id for data in issues if data.error_code}
    assert {data.issue_id for data in issues if not data.error_code} <= opened

    chunks = [event.data for event in events if isinstance(event, LogEvent)]
    assert len({(data.session_id, data.chunk_no) for data in chunks}) == report["log_chunks"]
    assert {data.session_id for data in chunks} == set(newest)
    assert {line.source for data in chunks for line in data.lines} >= {"agent", "engine"}

    flags = [event.data for event in events if isinstance(event, DirectoryEvent)]
    assert {data.disabled_reason for data in flags if not data.sync_enabled} >= {"manual"}
    assert len({data.user_id for data in flags if data.user_id}) == 20


async def test_an_agent_announces_its_directory_synchronizes_everybody_and_stops_when_told(
    outside: Outside, gateway: Gateway
) -> None:
    organization = ORGANIZATIONS[0]
    metrics_port = any_free()
    environment = outside.environment() | {
        "ORGANIZATION": organization.slug,
        "GATEWAY_URL": gateway.url,
        "AGENT_TOKEN_FILE": str(gateway.token_dir / organization.slug),
        "INTERVAL_S": "2",
        "METRICS_PORT": str(metrics_port),
    }

    def everybody_twice(events: list[Event]) -> bool:
        ended = Counter(event.data.user_id for event in events if isinstance(event, SessionEvent) and event.data.seq)
        return len(ended) == len(organization.people) and min(ended.values()) >= 2

    with process([*COMMAND, "agent"], environment) as running:
        wait_until_ready(running, metrics_port)
        events = await events_of(gateway.topics, everybody_twice)
    assert running.returncode == 0
    flags = [event.data for event in events if isinstance(event, DirectoryEvent)]
    assert len(flags) == 1 + len(organization.people)
    assert {flag.email for flag in flags} == {None} | {person.email for person in organization.people}
    assert all(flag.interval_s == 2 for flag in flags)
    assert {event.data.organization_id for event in events} == {organization.organization_id}


def test_an_agent_stops_within_five_seconds_though_the_gateway_never_answers(outside: Outside, tmp_path: Path) -> None:
    metrics_port = any_free()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes connections, nobody reads them
        environment = outside.environment() | {
            "STATE_DIR": str(shutil.copytree(outside.state_dir, tmp_path / "state")),
            "ORGANIZATION": ORGANIZATIONS[1].slug,
            "GATEWAY_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AGENT_TOKEN": "swa_nobody-checks-it",
            "INTERVAL_S": "1",
            "METRICS_PORT": str(metrics_port),
        }
        with process([*COMMAND, "agent"], environment) as running:
            wait_until_ready(running, metrics_port)
            silent.settimeout(PATIENCE_S)
            with silent.accept()[0]:  # something is being sent
                running.terminate()
                assert running.wait(STOPPED_WITHIN_S) == 0


def test_a_life_goes_on_by_itself_and_leaves_both_systems_mended(outside: Outside) -> None:
    metrics_port = any_free()
    environment = outside.environment() | {"LIFE_PERIOD_S": "0.2", "METRICS_PORT": str(metrics_port)}
    journal = outside.state_dir / "life" / "journal.json"
    with process([*COMMAND, "life"], environment) as running:
        wait_until_ready(running, metrics_port)
        until = time.monotonic() + PATIENCE_S
        while len(journal_of(outside.state_dir).begun) < 3:
            assert time.monotonic() < until
            time.sleep(0.1)
    assert running.returncode == 0
    assert json.loads(journal.read_text()) == []


@pytest.mark.parametrize("command", ["radicale", "setup", "agent", "life", "once"])
def test_settings_that_are_missing_are_named_one_a_line_with_code_2(command: str) -> None:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    arguments = [*COMMAND, command, *(["--sessions", "1"] if command == "once" else [])]
    done = subprocess.run(arguments, env=bare, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    problems = done.stderr.splitlines()
    assert any(line.startswith("STATE_DIR is not set: ") for line in problems)
    assert all(" is not set: " in line for line in problems)


def test_the_organizations_are_printed_for_who_sets_the_stack_up() -> None:
    done = subprocess.run([*COMMAND, "organizations"], capture_output=True, check=True, timeout=60)
    assert [each["slug"] for each in json.loads(done.stdout)] == ["northwind", "harbour"]
