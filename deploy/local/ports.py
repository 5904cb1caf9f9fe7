"""Ports on loopback: the usual one, a free one where that is taken, and then always the same."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from deploy.local.refusals import BadInput

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def any_free() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Ports:
    """The ports of one state folder, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        self._given: set[int] = set()

    def kept(self) -> dict[str, int]:
        """Return the ports taken at the last start, by name."""
        return dict(self._kept)

    def take(self, name: str, usual: int, named: int | None = None, variable: str = "PORT") -> int:
        """Return the port of `name` and keep it.

        A port that the user named is used or refused; else the one kept from an earlier start, the usual one, or
        any free one, the first that nobody uses.
        """
        if named is not None:
            if not is_free(named):
                raise BadInput(f"{variable}={named} cannot be used: something else listens on {HOST}:{named}.")
            return self._give(name, named, keep=False)
        for port in (self._kept.get(name), usual):
            if port is not None and port not in self._given and is_free(port):
                return self._give(name, port)
        return self._give(name, any_free())

    def _give(self, name: str, port: int, *, keep: bool = True) -> int:
        self._given.add(port)
        if keep and self._kept.get(name) != port:
            self._kept[name] = port
            self._path.write_text(json.dumps(self._kept, indent=1) + "\n")
        return port
