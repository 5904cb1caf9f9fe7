"""Settings of each command of the connector; `__main__` reads them from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.common.settings import setting
from services.ingest.connectors.caldav_crm.world import Organization, organization

PREFIX = "connector"


def port_number(text: str) -> int:
    """Read a port number; 0 means none."""
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError("expected a number from 0 to 65535")
    return number


def at_least_one(text: str) -> int:
    """Read a number of 1 or more."""
    number = int(text)
    if number < 1:
        raise ValueError("expected 1 or more")
    return number


def seconds(text: str) -> float:
    """Read a time in seconds, more than none."""
    number = float(text)
    if not 0 < number < 1e6:
        raise ValueError("expected seconds, more than 0")
    return number


_STATE_DIR = "the folder that the connector's commands share, kept over restarts"
_CRM = "where the CRM's Postgres is, as a URL; everything is in its schema crm"
_CALDAV = "where the CalDAV server is, as a URL"
_METRICS = "port of /metrics, /alive and /ready on loopback; 0 for none"
_GATEWAY = "where the gateway is, as a URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Of `radicale`."""

    state_dir: Path = setting(_STATE_DIR, parse=Path)
    port: int = setting("port of the CalDAV server", parse=port_number)
    host: str = setting("address the CalDAV server listens on", default="127.0.0.1")
    metrics_port: int = setting(_METRICS, parse=port_number, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUpSettings:
    """Of `setup`."""

    state_dir: Path = setting(_STATE_DIR, parse=Path)
    crm_database_url: str = setting(_CRM, secret=True)
    caldav_url: str = setting(_CALDAV)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Of `agent`."""

    organization: Organization = setting("slug of the organization to synchronize", parse=organization)
    state_dir: Path = setting(_STATE_DIR, parse=Path)
    crm_database_url: str = setting(_CRM, secret=True)
    caldav_url: str = setting(_CALDAV)
    gateway_url: str = setting(_GATEWAY)
    agent_token: str = setting("the agent's token for the gateway", secret=True)
    agent_id: str = setting("name of this agent; caldav-crm-<slug> when not set", default="")
    interval_s: float = setting("a user is synchronized again after so many seconds", parse=seconds, default=20.0)
    concurrency: int = setting("how many users at once", parse=at_least_one, default=3)
    metrics_port: int = setting(_METRICS, parse=port_number, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeSettings:
    """Of `life`."""

    state_dir: Path = setting(_STATE_DIR, parse=Path)
    crm_database_url: str = setting(_CRM, secret=True)
    caldav_url: str = setting(_CALDAV)
    life_seed: int = setting("the same seed makes the same life", parse=int, default=1)
    life_period_s: float = setting("something happens every so many seconds", parse=seconds, default=4.0)
    metrics_port: int = setting(_METRICS, parse=port_number, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceSettings:
    """Of `once`."""

    state_dir: Path = setting(_STATE_DIR, parse=Path)
    crm_database_url: str = setting(_CRM, secret=True)
    caldav_url: str = setting(_CALDAV)
    gateway_url: str = setting(_GATEWAY)
    agent_token_dir: Path = setting(
        "a folder with a token per organization, each in a file named by its slug", parse=Path
    )
    life_seed: int = setting("the same seed makes the same life", parse=int, default=1)
