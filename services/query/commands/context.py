"""Where commands act, from the settings."""

from __future__ import annotations

import re
from dataclasses import make_dataclass
from urllib.parse import urlsplit

from services.common.settings import BadSettings, read, setting


class Context:
    """Where commands act: the owner's database, Kafka, the panel's address."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ

    def setting(self, name: str, why: str) -> str:
        """Return a setting that a command needs, or raise BadSettings."""
        return _one(self.environ, name, why)

    @property
    def database_url(self) -> str:
        url = self.setting("database_url", "Postgres as the owner of the tables, as a URL")
        scheme, _, rest = url.partition("://")
        hosts = re.split("[/?]", rest, maxsplit=1)[0].rpartition("@")[2].split(",")  # there may be several
        try:
            is_address = scheme in ("postgresql", "postgres") and all(urlsplit(f"//{each}").port != 0 for each in hosts)
        except ValueError:
            is_address = False
        if not is_address:
            raise BadSettings(
                ["DATABASE_URL is no address of a Postgres: postgresql://user:password@host:port/database"]
            )
        return url

    @property
    def panel_url(self) -> str:
        return (self.environ.get("PANEL_URL") or "http://127.0.0.1:8080").rstrip("/")

    @property
    def prefix(self) -> str:
        return self.environ.get("TOPIC_PREFIX", "")


def _one(environ: dict[str, str], name: str, why: str) -> str:
    shape = make_dataclass("Needed", [(name, str, setting(why))], frozen=True, kw_only=True)
    value: str = getattr(read(shape, environ, ""), name)
    return value
