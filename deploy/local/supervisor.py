"""Keeping children alive: start, wait until ready, restart what crashes, stop all in reverse order."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.processes import Command, Process, last_lines, start
from deploy.local.refusals import CannotRun

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
LONGEST_LINE: Final = 300
SETTLED_S: Final = 60.0
"""A child that ran this long starts again at once: its crash is no loop."""

Say = Callable[[str], None]
Ready = Callable[[Process], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One line of the table of what runs: how to run it, when it is ready, what to tell of it."""

    command: Command
    ready: Ready
    where: str = ""

    @property
    def name(self) -> str:
        return self.command.name


@dataclass(slots=True)
class _Watched:
    child: Child
    process: Process
    started: float
    ready: bool = False
    wait: float = FIRST_WAIT_S
    restart_at: float | None = None


class Supervisor:
    """The children that run, in the order of their start."""

    def __init__(self, logs: Path, pids: Path, say: Say) -> None:
        self._logs, self._pids, self._say = logs, pids, say
        self._watched: list[_Watched] = []

    async def start(self, child: Child) -> None:
        """Start a child, tell when it is ready, and watch it from then on. Raises CannotRun if it never is."""
        began = time.monotonic()
        watched = _Watched(child, start(child.command, self._logs, self._pids), began)
        self._watched.append(watched)
        await child.ready(watched.process)
        watched.ready = True  # before, an end is told by whoever waits for it
        self._say(f"{child.name} is ready{f' at {child.where}' if child.where else ''}")

    async def watch(self) -> None:
        """Restart what ends by itself, for ever: at once, then after longer and longer waits."""
        while True:
            for watched in [each for each in self._watched if each.ready]:
                self._look_after(watched)
            await asyncio.sleep(0.2)

    async def stop_one(self, name: str) -> None:
        """Stop one child for good."""
        watched = next(each for each in self._watched if each.child.name == name)
        self._watched.remove(watched)
        await watched.process.stop()

    async def stop(self) -> None:
        """Stop all, the last started first, each with whatever it started itself."""
        while self._watched:
            watched = self._watched.pop()
            await watched.process.stop()
            self._say(f"{watched.child.name} is stopped")

    def _look_after(self, watched: _Watched) -> None:
        now = time.monotonic()
        if watched.restart_at is not None:
            if now >= watched.restart_at:
                watched.process = start(watched.child.command, self._logs, self._pids)
                watched.started, watched.restart_at = now, None
                self._say(f"{watched.child.name} is started again")
            return
        code = watched.process.exit_code()
        if code is not None:
            watched.process.sweep()
            watched.wait = FIRST_WAIT_S if now - watched.started > SETTLED_S else watched.wait
            watched.restart_at = now + watched.wait
            self._report(watched, code)
            watched.wait = min(watched.wait * 2, LONGEST_WAIT_S)

    def _report(self, watched: _Watched, code: int) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        lines = "".join(f"\n      {line[:LONGEST_LINE]}" for line in last_lines(watched.process.log, 6))
        self._say(f"{watched.child.name} {how}; it starts again in {watched.wait:.0f} s. Its last log lines:{lines}")


def http_ready(url: str, within_s: float = 60.0) -> Ready:
    """Return a wait for `url` to answer 200."""

    async def ready(process: Process) -> None:
        limit = time.monotonic() + within_s
        while (problem := await asyncio.to_thread(_problem, url)) is not None:
            code = process.exit_code()
            if code is not None:
                raise CannotRun(
                    "\n  ".join([f"{process.command.name} ended with code {code}:", *last_lines(process.log)])
                )
            if time.monotonic() > limit:
                raise CannotRun(
                    f"{process.command.name} is not ready after {within_s:.0f} s ({problem}): see {process.log}."
                )
            await asyncio.sleep(0.1)

    return ready


def _problem(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return error.read(300).decode(errors="replace") or str(error)
    except OSError as error:
        return str(error)
