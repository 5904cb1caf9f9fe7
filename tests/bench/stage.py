"""The stage of the benchmark: servers of its own, databases as an installation in use has them, and processes."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from schemas.recent import WINDOW, RecentSession, pack
from services.common.topics import create_topics
from tests.bench.load import Load, identifier, partition_of
from tests.rig import databases
from tests.rig.databases import Database
from tests.rig.servers import make_kafka, make_postgres, running

ADD_ORGANIZATIONS = """
INSERT INTO organization (organization_id, name, name_key, first_seen_at) SELECT id, id::text, id::text, now()
  FROM unnest($1::uuid[]) AS id
"""
ADD_USERS = """
INSERT INTO sync_user (organization_id, user_id, first_seen_at)
SELECT o, u, now() - interval '1 day' FROM unnest($1::uuid[], $2::uuid[]) AS t (o, u)
"""
# To be looked at in half an hour, as whoever ran half an hour ago: an end that comes now leaves that as it is.
ADD_STATUSES = """
INSERT INTO user_status (organization_id, user_id, partition, status, status_rank, bucket, reason, since, revision,
  recent, due_at, check_at, agent_id, last_started_at, last_status)
SELECT o, u, p, 'healthy', 5, 'healthy', 'session_finished', now() - interval '10 hours', 1, recent,
  now() + interval '5 minutes', now() + interval '30 minutes', 'agent-1', now() - interval '5 hours', 'finished'
  FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::bytea[]) AS t (o, u, p, recent)
"""
COUNT_STATUSES = """
INSERT INTO organization_status (organization_id, bucket, shard, users)
SELECT organization_id, bucket, partition, count(*) FROM user_status GROUP BY 1, 2, 3
"""
# One slice of old sessions: $1 ≤ number < $2, spread over the seven days before today, of the same users as the load.
ADD_SESSIONS = """
INSERT INTO sync_session (started_at, session_id, organization_id, user_id, partition, attempt, seq, digest, began,
  first_appended_at, appended_at, status, status_sent, ended_at, interval_s, counted_ended, counted_attempt,
  counted_seq, counted_digest, objects, changes, failures, total_changes, issues_sent, trigger, mode, mail_system,
  crm_system, agent_id, report)
SELECT at, gen_random_uuid(), ($3::uuid[])[n % $5 % cardinality($3) + 1], ($4::uuid[])[n % $5 + 1], n % 12, 1, 4, n,
  at, at, at,
  CASE WHEN n % 100 < 80 THEN 'finished' WHEN n % 100 < 94 THEN 'finished_with_issues' ELSE 'errors' END, 'finished',
  at + interval '2 minutes', 1800, true, 1, 4, n, 160, 24, n % 8 / 7, 25, 0, 'schedule', 'incremental', 'office365',
  'salesforce', 'agent-1', '[{"type": "contact", "direction": "mail_to_crm", "fetched": 160, "created": 12}]'
  FROM (SELECT n, date_trunc('day', now()) - interval '7 days' * ((n + 1.0) / $6) AS at
          FROM generate_series($1::bigint, $2::bigint - 1) AS n) AS each
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the servers are."""

    bootstrap: str
    server_url: str
    folder: Path

    async def make_topics(self, prefix: str) -> None:
        async with databases.fresh(self.server_url) as database:
            await create_topics(self.bootstrap, database.owner_url, prefix)

    @asynccontextmanager
    async def known(self, load: Load, *, stored: int = 0) -> AsyncIterator[Database]:
        """Make a database whose organizations and users are known, with `stored` sessions of earlier days in it."""
        async with databases.fresh(self.server_url) as database:
            async with database.connect() as owner:
                await _add_users(owner, load)
            if stored:
                await _add_sessions(database, load, stored)
            async with database.connect() as owner:
                await owner.execute("VACUUM ANALYZE")
            yield database

    @asynccontextmanager
    async def database(self, prefix: str, known: Database) -> AsyncIterator[Database]:
        """Lend a copy of a known database, with positions of topics."""
        async with databases.fresh(self.server_url, known) as database:
            await create_topics(self.bootstrap, database.owner_url, prefix)
            async with database.connect() as owner:
                await owner.execute("CHECKPOINT")
            yield database


async def _add_users(owner: Any, load: Load) -> None:
    organizations = [identifier(1, number) for number in range(load.organizations)]
    users = [identifier(2, number) for number in range(load.users)]
    of = [organizations[number % load.organizations] for number in range(load.users)]
    await owner.execute(ADD_ORGANIZATIONS, organizations)
    await owner.execute(ADD_USERS, of, users)
    partitions = [partition_of(str(user).encode()) for user in users]
    await owner.execute(ADD_STATUSES, of, users, partitions, [_recent(number) for number in range(load.users)])
    await owner.execute(COUNT_STATUSES)


def _recent(user: int) -> bytes:
    """Return what is kept of the last twenty sessions of a user whose syncs have always gone well."""
    newest = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    sessions = []
    for number in range(WINDOW):
        started_at = newest - number * timedelta(minutes=30)
        ended_at = started_at + timedelta(minutes=2)
        session_id = identifier(4, user * WINDOW + number)
        sessions.append(RecentSession(session_id, started_at, started_at, 1, 4, "finished", ended_at, None, 1800))
    return pack(sessions)


async def _add_sessions(database: Database, load: Load, stored: int) -> None:
    organizations = [identifier(1, number) for number in range(load.organizations)]
    users = [identifier(2, number) for number in range(load.users)]
    slices = asyncio.Queue[tuple[int, int]]()
    for start in range(0, stored, 50_000):
        slices.put_nowait((start, min(start + 50_000, stored)))

    async def fill() -> None:
        connection = await asyncpg.connect(database.owner_url)
        while not slices.empty():
            start, stop = slices.get_nowait()
            await connection.execute(ADD_SESSIONS, start, stop, organizations, users, load.users, float(stored))
        await connection.close()

    await asyncio.gather(fill(), fill())


@contextmanager
def servers(folder: Path) -> Iterator[Stage]:
    """Run a Kafka and a Postgres that keeps its promises: every commit is on disk."""
    with ExitStack() as stack:
        postgres = dataclasses.replace(make_postgres(folder), throwaway=False)
        kafka = make_kafka(folder)
        stack.enter_context(running(postgres, folder))
        stack.enter_context(running(kafka, folder))
        yield Stage(kafka.bootstrap, postgres.url("postgres"), folder)


def environment(**more: str) -> dict[str, str]:
    """Return what a process of ours is told, and nothing of the developer's."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(Path.cwd()), **more}


def started(module: str, *arguments: str, log: Path, **told: str) -> subprocess.Popen[str]:
    """Start one of our programs, in a session of its own, as `./run` does: processors are shared among sessions."""
    with log.open("ab") as target:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env=environment(**told), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=target, text=True, start_new_session=True,
        )  # fmt: skip


def new_prefix(name: str) -> str:
    return f"{name}-{secrets.token_hex(3)}-"
