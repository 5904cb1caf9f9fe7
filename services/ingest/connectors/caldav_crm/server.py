"""The CalDAV server as a process of its own (Radicale), held while a switch file says that it is stopped."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import sys
from pathlib import Path
from typing import Final

from services.common.health import Health
from services.ingest.connectors.caldav_crm import accounts
from services.ingest.connectors.caldav_crm.stopping import pause

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.2
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG

_CONFIG: Final = """\
[server]
hosts = {host}:{port}
max_connections = 64
timeout = 15

[auth]
type = htpasswd
htpasswd_filename = {users}
htpasswd_encryption = sha256
delay = 0

[rights]
type = owner_only

[storage]
filesystem_folder = {collections}

[web]
type = none

[logging]
level = warning
"""


class ServerFailed(Exception):
    """The CalDAV server ended by itself."""


def switch_file(state_dir: Path) -> Path:
    """While this file is there, the CalDAV server is stopped."""
    return state_dir / "calendar-stopped"


async def serve(state_dir: Path, host: str, port: int, health: Health, stop: asyncio.Event) -> None:
    """Run Radicale until `stop`, with its calendars in `state_dir`, and stop it while the switch file is there.

    `health` tells whether it answers. Raises ServerFailed when it ends without being asked.
    """
    config = _configure(state_dir, host, port)
    server: asyncio.subprocess.Process | None = None
    try:
        while not stop.is_set():
            server = await _as_the_switch_says(server, switch_file(state_dir).exists(), config)
            if server is None or health.problems():
                health.set("calendar server", await _problem(server, host, port))
            await pause(stop, LOOK_EVERY_S)
    finally:
        if server is not None:
            await _end(server)


def _configure(state_dir: Path, host: str, port: int) -> Path:
    folder = state_dir / "radicale"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "config"
    config.write_text(
        _CONFIG.format(host=host, port=port, users=accounts.server_file(state_dir), collections=folder / "collections"),
        encoding="utf-8",
    )
    return config


async def _as_the_switch_says(
    server: asyncio.subprocess.Process | None, is_stopped: bool, config: Path
) -> asyncio.subprocess.Process | None:
    if server is not None and server.returncode is not None:
        raise ServerFailed(f"The CalDAV server ended by itself with code {server.returncode}.")
    if is_stopped and server is not None:
        log.info("The CalDAV server is switched off.", extra={"action": "calendar_stopped"})
        await _end(server)
        return None
    if not is_stopped and server is None:
        log.info("The CalDAV server is switched on.", extra={"action": "calendar_started"})
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "radicale", "--config", str(config), preexec_fn=_die_with_parent
        )
    return server


async def _problem(server: asyncio.subprocess.Process | None, host: str, port: int) -> str | None:
    """Whether somebody listens: a bare connection, for a request would be logged by the server each time."""
    if server is None:
        return "switched off"
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
    except (OSError, TimeoutError) as error:
        return f"does not answer: {error}"
    writer.close()
    return None


async def _end(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        await asyncio.wait_for(server.wait(), 3)
    except TimeoutError:
        server.kill()
        await server.wait()


def _die_with_parent() -> None:
    """On Linux: the server goes when we go, even when we are killed. Elsewhere the process group has to do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)
