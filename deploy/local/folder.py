"""Where state and downloads live, and what the launcher keeps there."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.local.refusals import BadInput, CannotRun

VERSION: Final = 1
"""Of the layout of the state folder. Raise it when an older launcher could not use a newer folder."""

NEEDED_BYTES: Final = 500 * 1024 * 1024


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return where state lives: STATE_DIR, else the user's state folder; root has the system's."""
    if named := environ.get("STATE_DIR"):
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/syncwatch")
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "syncwatch"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return where downloads live that every state folder shares."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "syncwatch"


class Folder:
    """An opened state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.pids = path / "pids"

    def secret(self, name: str) -> str:
        """Return the secret of that name, made at random when first asked for; only this user may read the file."""
        path = self.path / "secrets.json"
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if name not in kept:
            kept[name] = secrets.token_urlsafe(32)
            draft = path.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(kept, indent=1) + "\n")
            draft.replace(path)
        return kept[name]


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Make or check the folder and hold its lock until the block is left.

    Raises BadInput where another launcher holds it, CannotRun where it is of a newer version or the disk is full.
    """
    folder = Folder(path)
    for each in (path, folder.logs, folder.pids):
        each.mkdir(parents=True, exist_ok=True)
    with (path / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BadInput(
                f"Syncwatch already runs from {path} (process {lock.read().strip() or 'unknown'}): "
                "stop it, or name another folder with STATE_DIR."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        _check_version(path)
        _check_room(path)
        yield folder


def _check_version(path: Path) -> None:
    mark = path / "version"
    if mark.exists():
        found = mark.read_text().strip()
        if not found.isdecimal() or int(found) > VERSION:
            raise CannotRun(
                f"{path} was written by a newer version of Syncwatch (layout {found}, we know {VERSION}): "
                "use that version, or name another folder with STATE_DIR."
            )
    mark.write_text(f"{VERSION}\n")


def _check_room(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < NEEDED_BYTES:
        raise CannotRun(
            f"The disk of {path} is full: {free // 1024**2} MB are free, {NEEDED_BYTES // 1024**2} MB are needed; "
            "make room, or name another folder with STATE_DIR."
        )
