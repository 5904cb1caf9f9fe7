"""The CalDAV server breaks, and the error-spike alert fires in a real Alertmanager, by the real connector's sessions.

The rules are those of deploy/, made quick as `tests.rig.watching` says: only the waits are cut.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.alertmanager.local import BINARIES
from schemas.credentials import new_token
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS
from tests.conftest import Topics
from tests.integration.connector.conftest import (
    COMMAND,
    Outside,
    free_port,
    process,
    running_outside,
    wait_until_ready,
)
from tests.rig.databases import Database
from tests.rig.watching import PANEL, RUNBOOK, Alertmanager, Prometheus, alertmanager, prometheus, until


@dataclass(frozen=True, slots=True)
class Stack:
    """Gateway, a worker and two agents on the CalDAV server, watched by Prometheus, which tells Alertmanager."""

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
    port = free_port()
    with process([sys.executable, "-m", module], os.environ | settings | {"METRICS_PORT": str(port)}) as running:
        wait_until_ready(running, port)
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def stack(
    postgres: str, database: Database, topics: Topics, program: Callable[..., Path], tmp_path: Path
) -> AsyncIterator[Stack]:
    """The whole way from two calendars to Alertmanager."""
    programs = program("prometheus"), program(*BINARIES)
    kafka = {"KAFKA_BOOTSTRAP": topics.bootstrap, "TOPIC_PREFIX": topics.prefix}
    (tmp_path / "worker").mkdir()
    gateway_port, notices_port = free_port(), free_port()
    with ExitStack() as parts:
        run = parts.enter_context
        outside = run(running_outside(postgres, tmp_path / "connector"))
        gateway = run(
            ours("services.ingest.gateway", **kafka, DATABASE_URL=database.gateway_url, PORT=str(gateway_port))
        )
        worker = run(
            ours(
                "services.aggregator",
                **kafka,
                DATABASE_URL=database.writer_url,
                WORKER=f"{topics.prefix}worker",
                DATA_DIR=str(tmp_path / "worker"),
            )
        )
        for slug, file in (await tokens(database, tmp_path)).items():
            settings = {
                "ORGANIZATION": slug,
                "AGENT_TOKEN_FILE": str(file),
                "GATEWAY_URL": f"http://127.0.0.1:{gateway_port}",
                "INTERVAL_S": "5",
            }
            run(process([*COMMAND, "agent"], outside.environment() | settings))
        told = run(alertmanager(programs[1], tmp_path / "alertmanager", port=notices_port))
        targets = {"gateway": [gateway], "aggregator": [worker]}
        asked = run(prometheus(programs[0], tmp_path / "prometheus", targets, f"127.0.0.1:{notices_port}"))
        yield Stack(outside, asked, told)


async def test_l3_c29_a_broken_calendar_server_fires_the_error_spike_in_alertmanager(stack: Stack) -> None:
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
