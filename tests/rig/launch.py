"""`./run` as a test starts it: with a state folder of its own, and gone afterwards whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.ports import any_free
from deploy.local.processes import born
from deploy.local.world import MEASURED, USUAL_PORTS

SET_BY_USERS = ("KAFKA_BOOTSTRAP", "DATABASE_URL", "PORT", "STATE_DIR")
Children = dict[str, tuple[int, str]]


@contextmanager
def launcher(state: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `./run` and stop it at the end of the block if it still runs."""
    _choose_ports(state)
    kept = {name: value for name, value in os.environ.items() if name not in SET_BY_USERS}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy.local", "up", *arguments],
        env=kept | {"STATE_DIR": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=120)


def _choose_ports(state: Path) -> None:
    """Give a new state folder ports that are no other run's: the usual ones may be a developer's own at any moment."""
    path = state / "ports.json"
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        names = [*USUAL_PORTS, *(f"metrics {name}" for name in MEASURED)]
        path.write_text(json.dumps({name: any_free() for name in names}))


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what it says up to the line that holds `words`."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"{words!r} was never said in:\n{said}")


def children(state: Path) -> Children:
    """Return pid and birth mark of the children that the state folder names."""
    kept = {path.stem: json.loads(path.read_text()) for path in (state / "pids").glob("*.json")}
    return {name: (each["pid"], each["born"]) for name, each in kept.items()}


def still_there(found: Children) -> list[str]:
    """Return which of them still run, after giving those that were killed a moment."""
    limit = time.monotonic() + 60
    while left := [name for name, (pid, mark) in found.items() if born(pid) == mark]:
        if time.monotonic() > limit:
            return left
        time.sleep(0.1)
    return []
