"""The CalDAV server breaks, and the error-spike alert fires in a real Alertmanager, by the real connector's sessions.

The rules are those of deploy/, made quick as `tests.rig.watching` says: only the waits are cut.
"""

import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.alertmanager.local import BINARIES
from deploy.grafana.boards import Board
from deploy.grafana.generate import BOARDS
from deploy.local.ports import any_free
from schemas.credentials import new_token
from services.common.topics import create_topics
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS
from tests.conftest import KafkaRig
from tests.rig import databases, parts
from tests.rig.databases import Database
from tests.rig.outside import (
    COMMAND,
    Outside,
    process,
    running_outside,
    wait_until_ready,
)
from tests.rig.watching import PANEL, RUNBOOK, Alertmanager, Prometheus, alertmanager, prometheus, until

REACH: Final = r" [1-9]\d* users? of [1-9]\d* organizations? fails? of it now\.$"


@dataclass(frozen=True, slots=True)
class Stack:
    """Every service and two agents on the CalDAV server, watched by Prometheus, which tells Alertmanager."""

    outside: Outside
    prometheus: Prometheus
    alertmanager: Alertmanager


async def tokens(database: Database, folder: Path) -> Mapping[str, Path]:
    """Return a file with a token for each organization's agent, as `syncwatch agents add` makes them."""
    files = {}
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
            files[organization.slug] = folder / f"token-{organization.slug}"
            files[organization.slug].write_text(text)
    return files


@contextmanager
def ours(module: str, **settings: str) -> Iterator[str]:
    """Run one of our processes until the block is left; yields where its metrics are."""
    port = any_free()
    with process([sys.executable, "-m", module], os.environ | settings | {"METRICS_PORT": str(port)}) as running:
        wait_until_ready(running, port)
        yield f"127.0.0.1:{port}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(postgres: str, kafka: KafkaRig, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The whole way from two calendars to Alertmanager, for all tests here."""
    programs = parts.program("prometheus"), parts.program(*BINARIES)
    folder = tmp_path_factory.mktemp("watched")
    prefix = f"t{secrets.token_hex(4)}-"
    async with databases.fresh(postgres) as database:
        await create_topics(kafka.bootstrap, database.owner_url, prefix)
        files = await tokens(database, folder)
        with ExitStack() as running:
            yield start(running.enter_context, kafka.bootstrap, prefix, postgres, database, files, programs, folder)


def start(
    run: Callable[..., Any],
    bootstrap: str,
    prefix: str,
    postgres: str,
    database: Database,
    files: Mapping[str, Path],
    programs: tuple[Path, Path],
    folder: Path,
) -> Stack:
    """Start one part after the other by `run`, which stops them in reverse."""
    topics = {"KAFKA_BOOTSTRAP": bootstrap, "TOPIC_PREFIX": prefix}
    gateway_port, notices_port = any_free(), any_free()
    (folder / "worker").mkdir()
    outside = run(running_outside(postgres, folder / "connector"))
    targets = {
        "gateway": [
            run(ours("services.ingest.gateway", **topics, DATABASE_URL=database.gateway_url, PORT=str(gateway_port)))
        ],
        "aggregator": [
            run(
                ours(
                    "services.aggregator",
                    **topics,
                    DATABASE_URL=database.writer_url,
                    WORKER=f"{prefix}worker",
                    DATA_DIR=str(folder / "worker"),
                )
            )
        ],
        "query": [
            run(
                ours(
                    "services.query",
                    READER_DATABASE_URL=database.reader_url,
                    READER_ALL_DATABASE_URL=database.reader_all_url,
                    PANEL_DATABASE_URL=database.panel_url,
                    SECRET_KEY=secrets.token_hex(32),
                    PORT=str(any_free()),
                )
            )
        ],
    }
    for slug, file in files.items():
        settings = {
            "ORGANIZATION": slug,
            "AGENT_TOKEN_FILE": str(file),
            "GATEWAY_URL": f"http://127.0.0.1:{gateway_port}",
            "INTERVAL_S": "5",
        }
        run(process([*COMMAND, "agent"], outside.environment() | settings))
    told = run(alertmanager(programs[1], folder / "alertmanager", port=notices_port))
    asked = run(prometheus(programs[0], folder / "prometheus", targets, f"127.0.0.1:{notices_port}", every_s=3))
    return Stack(outside, asked, told)


def test_l3_c29_a_broken_calendar_server_fires_the_error_spike_in_alertmanager(stack: Stack) -> None:
    figures, notices = stack.prometheus, stack.alertmanager
    until(lambda: figures.query('sum(syncwatch_sessions_ended_total{status="finished"}) > 10'), "sessions that finish")
    assert notices.alerts("ErrorSpike") == []

    (stack.outside.state_dir / "calendar-stopped").touch()
    (alert,) = until(lambda: notices.alerts("ErrorSpike"), "the error spike in Alertmanager")

    assert alert["status"]["state"] == "active"
    assert alert["labels"] == {
        "alertname": "ErrorSpike",
        "severity": "critical",
        "owner": "operators",
        "error_source": "calendar",
        "error_category": "connectivity",
    }
    query = "status=errors,timed_out&error_source=calendar&error_category=connectivity"
    assert alert["annotations"]["panel"] == f"{PANEL}/sessions?{query}"
    assert alert["annotations"]["runbook_url"] == f"{RUNBOOK}#errorspike"
    until(
        lambda: re.search(REACH, notices.alerts("ErrorSpike")[0]["annotations"]["description"]),
        "the users and organizations that fail, as the leader counts them",
    )


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_query_of_the_dashboards_returns_series(stack: Stack, board: Board) -> None:
    """After sessions of both kinds, as on any running installation."""
    for row in board.rows:
        for chart in row.charts:
            for query in chart.queries:
                filled = query.expr.replace("$__rate_interval", "1m").replace("$mail_system", ".*")
                until(partial(stack.prometheus.query, filled), f"{board.title}, {chart.title}: {filled}")
