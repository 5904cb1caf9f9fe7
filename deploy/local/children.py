"""The table of what `./run` starts, but for Kafka and Postgres: each child's command line, settings and readiness."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.alertmanager.local import BINARIES, alertmanager_command, lay_out_alertmanager
from deploy.local.ports import HOST
from deploy.local.processes import Command
from deploy.local.supervisor import Child, http_ready
from deploy.local.world import AGENTS, AGGREGATORS, MEASURED, World
from deploy.prometheus.local import (
    lay_out_prometheus,
    prometheus_command,
    prometheus_environment,
    write_targets,
)

RUNBOOK: Final = Path(__file__).parents[1] / "RUNBOOK.md"
CONNECTOR: Final = "services.ingest.connectors.caldav_crm"
WORKER_NICENESS: Final = 10
"""On one machine a page is waited for by a person, a batch by nobody."""


def base_environment() -> dict[str, str]:
    """Return what every child gets. Nothing else of the user's environment: PORT, say, is the panel's alone."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ", "SSL_CERT_FILE") if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def module(name: str, *arguments: str) -> list[str | Path]:
    """Return the command line of a module of ours; the folder we stand in is not searched for it."""
    return [sys.executable, "-P", "-m", name, *arguments]


def gateway(world: World) -> Child:
    return _measured(
        world, "gateway", module("services.ingest.gateway"), where=world.url("gateway"),
        DATABASE_URL=world.role_url("gateway"), KAFKA_BOOTSTRAP=world.bootstrap, PORT=world.ports["gateway"],
    )  # fmt: skip


def aggregators(world: World) -> list[Child]:
    return [_aggregator(world, name) for name in AGGREGATORS]


def _aggregator(world: World, name: str) -> Child:
    data = world.folder.path / name
    data.mkdir(exist_ok=True)
    return _measured(
        world, name, module("services.aggregator"),
        DATABASE_URL=world.role_url("writer"), KAFKA_BOOTSTRAP=world.bootstrap, WORKER=name, DATA_DIR=data,
        NICENESS=WORKER_NICENESS,
    )  # fmt: skip


def query(world: World) -> Child:
    return _measured(
        world, "query", module("services.query"), where=world.panel_url,
        PORT=world.ports["panel"], **query_environment(world),
    )  # fmt: skip


def query_environment(world: World) -> dict[str, str]:
    """Return what the query service signs in with, without the owner's URL that only its commands get."""
    return {
        "READER_DATABASE_URL": world.role_url("reader"),
        "READER_ALL_DATABASE_URL": world.role_url("reader_all"),
        "PANEL_DATABASE_URL": world.role_url("panel"),
        "SECRET_KEY": world.folder.secret("query"),
    }


def radicale(world: World) -> Child:
    return _measured(
        world, "radicale", module(CONNECTOR, "radicale"), where=world.url("caldav"),
        STATE_DIR=world.connector_folder, PORT=world.ports["caldav"],
    )  # fmt: skip


def agents(world: World) -> list[Child]:
    return [
        _measured(
            world, name, module(CONNECTOR, "agent"),
            ORGANIZATION=slug, AGENT_ID=agent_id(slug), AGENT_TOKEN_FILE=token_file(world, slug),
            **connector_environment(world),
        )
        for name, slug in AGENTS.items()
    ]  # fmt: skip


def life(world: World) -> Child:
    return _measured(world, "life", module(CONNECTOR, "life"), **connector_environment(world))


def agent_id(slug: str) -> str:
    """Return what an organization's agent is called: its token is bound to this name."""
    return f"caldav-crm-{slug}"


def token_file(world: World, slug: str) -> Path:
    """Return where the token of an organization's agent is kept."""
    return world.folder.path / "tokens" / slug


def connector_environment(world: World) -> dict[str, str]:
    """Return what all commands of the connector share."""
    return {
        "STATE_DIR": str(world.connector_folder),
        "CRM_DATABASE_URL": world.crm_url,
        "CALDAV_URL": f"{world.url('caldav')}/",
        "GATEWAY_URL": world.url("gateway"),
        "AGENT_TOKEN_DIR": str(token_file(world, "any").parent),
    }


def connector_command(world: World, name: str, *arguments: str) -> Command:
    """Return one of the connector's commands that run to their end."""
    environment = base_environment() | connector_environment(world)
    return Command(name=name, argv=module(CONNECTOR, *arguments), environment=environment)


def watchers(world: World) -> list[Child]:
    """Return Alertmanager and Prometheus, those of them that are on the PATH."""
    found = (_alertmanager(world), _prometheus(world))
    return [child for child in found if child is not None]


def _alertmanager_program() -> str | None:
    return next(filter(None, map(shutil.which, BINARIES)), None)


def _alertmanager(world: World) -> Child | None:
    program = _alertmanager_program()
    if program is None:
        return None
    folder = world.folder.path / "alertmanager"
    lay_out_alertmanager(folder)
    argv = alertmanager_command(program, folder, port=world.ports["alertmanager"])
    return _watcher(world, "alertmanager", argv, {})


def _prometheus(world: World) -> Child | None:
    program = shutil.which("prometheus")
    if program is None:
        return None
    folder = world.folder.path / "prometheus"
    told = f"{HOST}:{world.ports['alertmanager']}" if _alertmanager_program() else None
    lay_out_prometheus(folder, alertmanager=told)
    jobs: dict[str, list[str]] = {}
    for name in MEASURED:
        jobs.setdefault(_job(name), []).append(f"{HOST}:{world.metrics_port(name)}")
    write_targets(folder, jobs)
    links = prometheus_environment(panel=world.panel_url, runbook=RUNBOOK.as_uri())
    return _watcher(world, "prometheus", prometheus_command(program, folder, port=world.ports["prometheus"]), links)


def _job(process: str) -> str:
    """Return the job that the alert rules know a process by."""
    kind = process.partition("-")[0]
    return "connector" if kind in {"agent", "life", "radicale"} else kind


def _watcher(world: World, name: str, argv: list[str], environment: Mapping[str, str]) -> Child:
    command = Command(name=name, argv=argv, environment=base_environment() | dict(environment))
    return Child(command=command, ready=http_ready(f"{world.url(name)}/-/ready"), where=world.url(name))


def _measured(world: World, name: str, argv: list[str | Path], *, where: str = "", **environment: object) -> Child:
    """Return a process of ours: ready when it says so on its metrics port."""
    port = world.metrics_port(name)
    own = {"HOST": HOST, "METRICS_PORT": port} | environment
    command = Command(
        name=name, argv=argv, environment=base_environment() | {key: str(value) for key, value in own.items()}
    )
    return Child(command=command, ready=http_ready(f"http://{HOST}:{port}/ready"), where=where)
