"""Child processes: each in a session of its own, with a log and a pid file, and gone when we say so."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LARGEST_LOG: Final = 20 * 1024 * 1024
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run. `environment` replaces ours as a whole; `user` is a numeric id to drop to, as root only."""

    name: str
    argv: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: int | None = None
    stop_signal: int = signal.SIGTERM
    patience_s: float = 10.0


class Process:
    """A running child. Its whole process group ends with it."""

    def __init__(self, command: Command, popen: subprocess.Popen[bytes], log: Path, pid_file: Path) -> None:
        self.command = command
        self.log = log
        self._popen = popen
        self._pid_file = pid_file

    @property
    def pid(self) -> int:
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Return None while it runs, else its exit code (negative: the signal that ended it)."""
        return self._popen.poll()

    async def stop(self) -> None:
        """Ask it to stop, insist after `patience_s`, and sweep up what it left in its group."""
        if self.exit_code() is None:
            self._popen.send_signal(self.command.stop_signal)
            await self.ended(self.command.patience_s)
        self.sweep()
        while self.exit_code() is None:
            await asyncio.sleep(POLL_S)

    async def ended(self, within_s: float) -> bool:
        """Wait up to `within_s` for its end and say whether it came."""
        limit = time.monotonic() + within_s
        while self.exit_code() is None and time.monotonic() < limit:
            await asyncio.sleep(POLL_S)
        return self.exit_code() is not None

    def sweep(self) -> None:
        """Kill whatever is left of its group, and forget its pid file."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)


def start(command: Command, logs: Path, pids: Path) -> Process:
    """Start `command`; its output is added to logs/NAME.log, its pid stands in pids/NAME.json."""
    log = logs / f"{command.name}.log"
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [str(part) for part in command.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(command.environment),
            cwd=command.folder,
            start_new_session=True,
            user=command.user,
            group=command.user,
            extra_groups=None if command.user is None else [],
        )
    pid_file = pids / f"{command.name}.json"
    pid_file.write_text(json.dumps({"pid": popen.pid, "born": born(popen.pid)}))
    return Process(command, popen, log, pid_file)


def born(pid: int) -> str | None:
    """Return a mark of when the process `pid` started, None where there is none: a pid alone may be used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return told.stdout.strip() or None


def stop_leftovers(pids: Path, patience_s: float = 10.0) -> list[str]:
    """End what an earlier supervisor left behind, the newest first, and return the names."""
    found = []
    for path in sorted(pids.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        with suppress(ValueError):  # a half-written file names nobody
            kept = json.loads(path.read_text())
            if kept["born"] is not None and born(kept["pid"]) == kept["born"]:
                found.append(path.stem)
                _end(kept["pid"], kept["born"], patience_s)
        path.unlink(missing_ok=True)
    return found


def _end(pid: int, mark: str, patience_s: float) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + patience_s
    while born(pid) == mark and time.monotonic() < limit:
        time.sleep(POLL_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def last_lines(log: Path, count: int = 12) -> list[str]:
    """Return the last lines of a log, for a report of what went wrong."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return list(deque((line for line in text.splitlines() if line.strip()), maxlen=count))
