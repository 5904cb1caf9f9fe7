"""Where everything is: known before anything is started, from the settings and the ports that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.folder import Folder
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import OWNER
from deploy.local.settings import Settings
from deploy.local.urls import with_database, with_role
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS

DATABASE: Final = "syncwatch"
CRM_DATABASE: Final = "crm"
ROLES: Final = ("writer", "gateway", "reader", "reader_all", "panel")
AGGREGATORS: Final = ("aggregator-1", "aggregator-2")
AGENTS: Final = {f"agent-{organization.slug}": organization.slug for organization in ORGANIZATIONS}
"""The connector has an agent for each organization: process → slug."""

USUAL_PORTS: Final = {
    "panel": 8080, "gateway": 8081, "caldav": 5232, "prometheus": 9090, "alertmanager": 9093,
    "kafka": 19092, "kafka controller": 19093, "postgres": 15432,
}  # fmt: skip
FIRST_METRICS_PORT: Final = 9101
MEASURED: Final = ("gateway", *AGGREGATORS, "query", "radicale", *AGENTS, "life")
"""The processes that serve metrics, each on a port of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the children need to know of each other."""

    settings: Settings
    folder: Folder
    ports: Mapping[str, int]

    @property
    def bootstrap(self) -> str:
        return self.settings.kafka_bootstrap or f"{HOST}:{self.ports['kafka']}"

    @property
    def owner_url(self) -> str:
        """Return the database's URL for its owner, who migrates; no service gets it."""
        return self.settings.database_url or self._own(DATABASE)

    @property
    def crm_url(self) -> str:
        """Return where the CRM is: a database of its own, but in a Postgres that the user lends us only a schema."""
        return self.settings.database_url or self._own(CRM_DATABASE)

    @property
    def panel_url(self) -> str:
        return self.url("panel")

    @property
    def connector_folder(self) -> Path:
        return self.folder.path / "connector"

    def url(self, service: str) -> str:
        """Return where a service answers over HTTP."""
        return f"http://{HOST}:{self.ports[service]}"

    def metrics_port(self, process: str) -> int:
        """Return the port of one of MEASURED."""
        return self.ports[f"metrics {process}"]

    def role_url(self, role: str) -> str:
        """Return the database's URL for one of ROLES."""
        return with_role(self.owner_url, f"syncwatch_{role}", self.folder.secret(f"role {role}"))

    def operators(self) -> dict[str, str]:
        """Return the variables of the operator's commands."""
        return {
            "DATABASE_URL": self.owner_url, "KAFKA_BOOTSTRAP": self.bootstrap, "TOPIC_PREFIX": "",
            "PANEL_URL": self.panel_url,
        }  # fmt: skip

    def role_passwords(self) -> dict[str, str]:
        """Return the password of every role that a service signs in with."""
        return {f"syncwatch_{role}": self.folder.secret(f"role {role}") for role in ROLES}

    def _own(self, database: str) -> str:
        server = f"postgresql://{HOST}:{self.ports['postgres']}/postgres"
        return with_database(with_role(server, OWNER, self.folder.secret("postgres")), database)


def plan(settings: Settings, folder: Folder) -> World:
    """Choose every port. Raises BadInput where the user named one that is taken."""
    ports = Ports(folder.path / "ports.json")
    taken = {"panel": ports.take("panel", USUAL_PORTS["panel"], settings.port)}
    taken |= {name: ports.take(name, usual) for name, usual in USUAL_PORTS.items() if name != "panel"}
    measured = enumerate(MEASURED, start=FIRST_METRICS_PORT)
    taken |= {f"metrics {name}": ports.take(f"metrics {name}", usual) for usual, name in measured}
    return World(settings=settings, folder=folder, ports=taken)
