"""Everything running, from a real connector to the panel, and the sessions that the connector made."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer

from deploy.local.ports import any_free
from schemas.events import IssueEvent, LogEvent, LogLine, SessionData, SessionEvent, decode
from services.common.kafka import client_options
from services.ingest.agent.http import HttpTransport
from services.ingest.connectors.caldav_crm.agent import opened_agent
from services.ingest.connectors.caldav_crm.hands import hands
from services.ingest.connectors.caldav_crm.once import INTERVAL_S
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, Person
from tests.rig.databases import Database
from tests.rig.outside import COMMAND, Outside, process, running_outside, wait_until_ready

SESSIONS: Final = 24
PATIENCE_S: Final = 120.0
_UNSETTLED: Final = """
SELECT count(*) FILTER (WHERE s.ended_at IS NULL OR s.issues_arrived < s.issues_sent OR s.log_chunks_sent > (
         SELECT count(*) FROM log_chunk l WHERE (l.started_at, l.session_id) = (s.started_at, s.session_id)))
       + abs(count(*) - $1) + (
         SELECT count(*) FROM organization o JOIN (
           SELECT organization_id,
                  (count(*) FILTER (WHERE status IN ('errors', 'timed_out')))::integer AS errors,
                  (array_agg(ended_at ORDER BY started_at DESC, session_id DESC))[1] AS newest
             FROM sync_session GROUP BY 1) own USING (organization_id)
          WHERE (o.errors_24h, o.last_session_at) IS DISTINCT FROM (own.errors, own.newest))
  FROM sync_session s"""
_SWITCHED_OFF: Final = """
SELECT EXISTS (SELECT FROM user_status WHERE (organization_id, user_id) = ($1, $2) AND status = 'disabled')
   AND EXISTS (SELECT FROM organization WHERE organization_id = $1 AND disabled = 1)"""


@dataclass(frozen=True, slots=True)
class Published:
    """What stands in Kafka: the newest state of each session, what was last said of each issue, all lines of a log."""

    sessions: dict[UUID, SessionData]
    issues: dict[tuple[UUID, UUID | None], int]
    lines: dict[UUID, list[LogLine]]


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything running: the panel's address, the database behind it, what was published and what was reported.

    `outside`, the `gateway` and the folder of `tokens` are what the connector works with.
    """

    base: str
    database: Database
    operator: Operator
    truth: Published
    report: dict[str, Any]
    outside: Outside
    gateway: str
    tokens: Path

    async def switch_off(self, person: Person) -> None:
        """Switch one person of an organization off as its administrator does, in the CRM; return once it is applied."""
        there = self.outside
        async with hands(there.state_dir, there.crm_url, there.caldav_url) as outer:
            await outer.switch_seat(person, on=False, reason="manual")
        organization = next(each for each in ORGANIZATIONS if each.organization_id == person.organization_id)
        token = (self.tokens / organization.slug).read_text()
        async with opened_agent(
            organization, HttpTransport(self.gateway, token), agent_id="", state_dir=there.state_dir,
            crm_database_url=there.crm_url, caldav_url=there.caldav_url, interval_s=INTERVAL_S, concurrency=1,
            now=lambda: datetime.now(UTC),
        ) as agent:  # fmt: skip
            await agent.announce()
            assert await agent.reporter.drained(PATIENCE_S)
        until = time.monotonic() + PATIENCE_S
        async with self.database.connect() as connection:
            while not await connection.fetchval(_SWITCHED_OFF, person.organization_id, person.user_id):
                assert time.monotonic() < until, f"{person.email} is not shown as disabled"
                await asyncio.sleep(0.2)


def written(line: LogLine) -> str:
    """Return a line of a log as a file holds it, without its time."""
    text = f"{line.level.value.upper():<7} {line.source:<6} {line.message}\n{line.exception or ''}"
    return "\n    ".join(text.splitlines()) + "\n"


class Operator:
    """Whoever types `syncwatch …`."""

    def __init__(self, database: Database, base: str) -> None:
        self._database = database
        self._base = base

    def panel_urls(self) -> dict[str, str]:
        """Return what the query service signs in with."""
        return {
            "READER_DATABASE_URL": self._database.reader_url,
            "READER_ALL_DATABASE_URL": self._database.reader_all_url,
            "PANEL_DATABASE_URL": self._database.panel_url,
        }

    def run(self, *arguments: str) -> str:
        """Run one command and return what it prints."""
        own = self.panel_urls() | {"DATABASE_URL": self._database.owner_url, "PANEL_URL": self._base}
        command = [sys.executable, "-m", "services.query.commands", *arguments]
        return subprocess.run(
            command, env=os.environ | own, stdout=subprocess.PIPE, text=True, check=True, timeout=120
        ).stdout

    def agent_token(self, agent: str, organization_id: UUID) -> str:
        """Make a token that an agent sends events with."""
        return _found(r"swa_\S+", self.run("agents", "add", agent, "--organization", str(organization_id)))

    def key(self, role: str, organization_id: UUID | None = None) -> str:
        """Make a key of the API."""
        whose = ["--organization", str(organization_id)] if organization_id else []
        return _found(r"swk_\S+", self.run("keys", "add", f"a test's, {role}", "--role", role, *whose))

    def link(self, role: str) -> str:
        """Add a person and return the link that signs it in once."""
        email = f"{role}@syncwatch.example"
        self.run("accounts", "add", email, "--role", role)
        return _found(r"http\S+", self.run("accounts", "link", email))


@asynccontextmanager
async def running_stack(
    postgres: str, bootstrap: str, prefix: str, database: Database, folder: Path
) -> AsyncIterator[Stack]:
    """Start all services and both outside systems, let the connector make its sessions, wait until all are applied.

    `postgres` is the server that gets the CRM, `prefix` names the topics, which are there with their positions.
    """
    panel = any_free()
    operator = Operator(database, f"http://127.0.0.1:{panel}")
    with _services(bootstrap, prefix, database, operator, panel, folder) as gateway, ExitStack() as running:
        outside = running.enter_context(running_outside(postgres, folder / "connector"))
        tokens = _tokens(operator, folder)
        made = subprocess.run(
            [*COMMAND, "once", "--sessions", str(SESSIONS)],
            env=outside.environment() | {"GATEWAY_URL": gateway, "AGENT_TOKEN_DIR": str(tokens)},
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        )
        report = json.loads(made.stdout)
        truth = await _published(bootstrap, prefix, report["events"])
        await _settled(database)
        yield Stack(f"http://127.0.0.1:{panel}", database, operator, truth, report, outside, gateway, tokens)


def _tokens(operator: Operator, folder: Path) -> Path:
    """Make the agents' tokens, one file each."""
    tokens = folder / "tokens"
    tokens.mkdir()
    for each in ORGANIZATIONS:
        operator.run("organizations", "add", each.name, "--id", str(each.organization_id))
        (tokens / each.slug).write_text(operator.agent_token(f"caldav-crm-{each.slug}", each.organization_id))
    return tokens


@contextmanager
def _services(
    bootstrap: str, prefix: str, database: Database, operator: Operator, panel: int, folder: Path
) -> Iterator[str]:
    """Run a gateway, two workers and the query service on the port `panel`; return the gateway's address."""
    common = {"KAFKA_BOOTSTRAP": bootstrap, "TOPIC_PREFIX": prefix}
    gateway = any_free()
    with ExitStack() as running:
        _start(running, "ingest.gateway", common | {"DATABASE_URL": database.gateway_url, "PORT": str(gateway)})
        for name in ("aggregator-1", "aggregator-2"):
            own = {"DATABASE_URL": database.writer_url, "WORKER": name, "DATA_DIR": str(folder / name)}
            _start(running, "aggregator", common | own)
        patience = {"LIST_TIMEOUT_S": "60", "COUNT_TIMEOUT_S": "60", "SEARCH_S": "60"}  # no test of it measures
        own = {"PORT": str(panel), "SECRET_KEY": "for this test alone"} | patience
        _start(running, "query", operator.panel_urls() | own)
        yield f"http://127.0.0.1:{gateway}"


def _start(running: ExitStack, service: str, environment: dict[str, str]) -> None:
    metrics_port = any_free()
    command = [sys.executable, "-m", f"services.{service}"]
    child = running.enter_context(process(command, os.environ | environment | {"METRICS_PORT": str(metrics_port)}))
    wait_until_ready(child, metrics_port)


def _found(pattern: str, told: str) -> str:
    found = re.search(pattern, told)
    assert found is not None, told
    return found[0]


async def _published(bootstrap: str, prefix: str, count: int) -> Published:
    """Read what the connector sent from Kafka, `count` events."""
    found = Published({}, {}, {})
    seen = set()
    topics = [f"{prefix}syncwatch.{name}" for name in ("events", "logs")]
    consumer = AIOKafkaConsumer(*topics, **client_options(bootstrap), auto_offset_reset="earliest")
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


async def _settled(database: Database) -> None:
    """Wait until each session has ended, no issue and no part of a log is missing, and organizations' sums hold all."""
    until = time.monotonic() + PATIENCE_S
    async with database.connect() as connection:
        while missing := await connection.fetchval(_UNSETTLED, SESSIONS):
            assert time.monotonic() < until, f"{missing} of {SESSIONS} sessions, or sums of them, are not whole"
            await asyncio.sleep(0.2)
