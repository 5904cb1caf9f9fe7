"""The table of what `./run` starts, but for Kafka and Postgres: each child's command line, settings and readiness."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.alertmanager.local import BINARIES, alertmanager_command, lay_out_alertmanager
from deploy.local.folder import Folder
from deploy.local.ports import HOST, Ports
from deploy.local.processes import Command
from deploy.local.supervisor import Child, http_ready
from deploy.local.urls import with_role
from deploy.prometheus.local import (
    lay_out_prometheus,
    prometheus_command,
    prometheus_environment,
    write_targets,
)
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS

ROLES: Final = ("writer", "gateway", "reader", "reader_all", "panel")
SLUGS: Final = tuple(organization.slug for organization in ORGANIZATIONS)
"""The connector has an agent for each organization."""
WORKERS: Final = 2
RUNBOOK: Final = Path(__file__).parents[1] / "RUNBOOK.md"

_METRICS: Final = (
    "gateway", *(f"aggregator-{number}" for number in range(1, WORKERS + 1)), "query", "radicale",
    *(f"agent-{slug}" for slug in SLUGS), "life",
)  # fmt: skip
FIRST_METRICS_PORT: Final = 9101


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the children need to know of each other."""

    folder: Folder
    bootstrap: str
    owner_url: str
    crm_url: str
    panel: int
    gateway: int
    caldav: int
    prometheus: int
    alertmanager: int
    metrics: Mapping[str, int]

    @property
    def panel_url(self) -> str:
        return f"http://{HOST}:{self.panel}"

    @property
    def connector_folder(self) -> Path:
        return self.folder.path / "connector"

    def role_url(self, role: str) -> str:
        """Return the database's URL for one of ROLES."""
        return with_role(self.owner_url, f"syncwatch_{role}", self.folder.secret(f"role {role}"))

    def role_passwords(self) -> dict[str, str]:
        """Return the password of every role that a service signs in with."""
        return {f"syncwatch_{role}": self.folder.secret(f"role {role}") for role in ROLES}


def take_ports(ports: Ports, named_panel: int | None) -> dict[str, int]:
    """Return the port of every service by its name."""
    taken = {
        "panel": ports.take("panel", 8080, named_panel),
        "gateway": ports.take("gateway", 8081),
        "caldav": ports.take("caldav", 5232),
        "prometheus": ports.take("prometheus", 9090),
        "alertmanager": ports.take("alertmanager", 9093),
    }
    metrics = enumerate(_METRICS, start=FIRST_METRICS_PORT)
    return taken | {f"metrics {name}": ports.take(f"metrics {name}", usual) for usual, name in metrics}


def metrics_ports(taken: Mapping[str, int]) -> dict[str, int]:
    """Return the metrics port of every process, of what `take_ports` gave."""
    return {name: taken[f"metrics {name}"] for name in _METRICS}


def base_environment() -> dict[str, str]:
    """Return what every child gets. Nothing else of the user's environment: PORT, say, is the panel's alone."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ", "SSL_CERT_FILE") if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def gateway_url(world: World) -> str:
    return f"http://{HOST}:{world.gateway}"


def gateway(world: World) -> Child:
    return _service(
        world, "gateway", "services.ingest.gateway",
        where=gateway_url(world),
        DATABASE_URL=world.role_url("gateway"), KAFKA_BOOTSTRAP=world.bootstrap, PORT=world.gateway,
    )  # fmt: skip


def aggregators(world: World) -> list[Child]:
    return [_aggregator(world, f"aggregator-{number}") for number in range(1, WORKERS + 1)]


def _aggregator(world: World, name: str) -> Child:
    data = world.folder.path / name
    data.mkdir(exist_ok=True)
    return _service(
        world, name, "services.aggregator",
        DATABASE_URL=world.role_url("writer"), KAFKA_BOOTSTRAP=world.bootstrap, WORKER=name, DATA_DIR=data,
    )  # fmt: skip


def query(world: World) -> Child:
    return _service(
        world, "query", "services.query", where=world.panel_url, PORT=world.panel, **query_environment(world)
    )


def query_environment(world: World) -> dict[str, str]:
    """Return what the query service signs in with, without the owner's URL that only its commands get."""
    return {
        "READER_DATABASE_URL": world.role_url("reader"),
        "READER_ALL_DATABASE_URL": world.role_url("reader_all"),
        "PANEL_DATABASE_URL": world.role_url("panel"),
        "SECRET_KEY": world.folder.secret("query"),
    }


def radicale(world: World) -> Child:
    return _connector(world, "radicale", "radicale", where=f"http://{HOST}:{world.caldav}", PORT=world.caldav)


def agents(world: World) -> list[Child]:
    return [
        _connector(
            world, f"agent-{slug}", "agent",
            ORGANIZATION=slug, AGENT_ID=agent_id(slug), AGENT_TOKEN_FILE=token_file(world, slug),
            **connector_environment(world),
        )
        for slug in SLUGS
    ]  # fmt: skip


def agent_id(slug: str) -> str:
    """Return what an organization's agent is called: its token is bound to this name."""
    return f"caldav-crm-{slug}"


def life(world: World) -> Child:
    return _connector(world, "life", "life", **connector_environment(world))


def token_file(world: World, slug: str) -> Path:
    """Return where the token of an organization's agent is kept."""
    return world.folder.path / "tokens" / slug


def connector_environment(world: World) -> dict[str, str]:
    """Return what all commands of the connector share."""
    return {
        "STATE_DIR": str(world.connector_folder),
        "CRM_DATABASE_URL": world.crm_url,
        "CALDAV_URL": f"http://{HOST}:{world.caldav}/",
        "GATEWAY_URL": gateway_url(world),
        "AGENT_TOKEN_DIR": str(world.folder.path / "tokens"),
    }


def connector_command(name: str, *arguments: str, environment: Mapping[str, str]) -> Command:
    """Return one of the connector's commands."""
    argv = [sys.executable, "-P", "-m", "services.ingest.connectors.caldav_crm", *arguments]
    return Command(name=name, argv=argv, environment=base_environment() | dict(environment))


def watchers(world: World) -> list[Child]:
    """Return Alertmanager and Prometheus, those of them that are on the PATH."""
    found = (_alertmanager(world), _prometheus(world))
    return [child for child in found if child is not None]


def _alertmanager(world: World) -> Child | None:
    binary = next(filter(None, map(shutil.which, BINARIES)), None)
    if binary is None:
        return None
    folder = world.folder.path / "alertmanager"
    lay_out_alertmanager(folder)
    return _watcher("alertmanager", alertmanager_command(binary, folder, port=world.alertmanager), world.alertmanager)


def _prometheus(world: World) -> Child | None:
    binary = shutil.which("prometheus")
    if binary is None:
        return None
    folder = world.folder.path / "prometheus"
    told = any(map(shutil.which, BINARIES))
    lay_out_prometheus(folder, alertmanager=f"{HOST}:{world.alertmanager}" if told else None)
    jobs: dict[str, list[str]] = {}
    for name, port in world.metrics.items():
        jobs.setdefault(_job(name), []).append(f"{HOST}:{port}")
    write_targets(folder, jobs)
    links = prometheus_environment(panel=world.panel_url, runbook=RUNBOOK.as_uri())
    return _watcher("prometheus", prometheus_command(binary, folder, port=world.prometheus), world.prometheus, links)


def _job(name: str) -> str:
    """Return the job that the alert rules know a process by."""
    kind = name.partition("-")[0]
    return "connector" if kind in {"agent", "life", "radicale"} else kind


def _watcher(name: str, argv: list[str], port: int, environment: Mapping[str, str] | None = None) -> Child:
    command = Command(name=name, argv=argv, environment=base_environment() | dict(environment or {}))
    url = f"http://{HOST}:{port}"
    return Child(command=command, ready=http_ready(f"{url}/-/ready"), where=url)


def _service(world: World, name: str, module: str, *, where: str = "", **environment: object) -> Child:
    own = {"HOST": HOST, "METRICS_PORT": world.metrics[name]} | environment
    return Child(
        command=Command(
            name=name,
            argv=[sys.executable, "-P", "-m", module],
            environment=base_environment() | {key: str(value) for key, value in own.items()},
        ),
        ready=http_ready(f"http://{HOST}:{world.metrics[name]}/ready"),
        where=where,
    )


def _connector(world: World, name: str, command: str, *, where: str = "", **environment: object) -> Child:
    own = {"HOST": HOST, "METRICS_PORT": world.metrics[name], "STATE_DIR": world.connector_folder} | environment
    return Child(
        command=connector_command(name, command, environment={key: str(value) for key, value in own.items()}),
        ready=http_ready(f"http://{HOST}:{world.metrics[name]}/ready"),
        where=where,
    )
