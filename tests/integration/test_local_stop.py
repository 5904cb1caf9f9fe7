"""Stopping `./run`: by a signal, in the middle of its start, and after it was killed itself."""

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

import pytest

from deploy.local.processes import born


@contextmanager
def launcher(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `./run` with a state folder of its own; whatever happens, it has ended afterwards."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy.local", "up"],
        env=os.environ | {"STATE_DIR": str(state)},
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
                process.communicate(timeout=90)


def read_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Return the lines up to the one that holds `words`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"{words!r} was never said in:\n{''.join(lines)}")


def children(state: Path) -> dict[str, tuple[int, str]]:
    """Return pid and birth mark of the children that the state folder names."""
    kept = {path.stem: json.loads(path.read_text()) for path in (state / "pids").glob("*.json")}
    return {name: (each["pid"], each["born"]) for name, each in kept.items()}


def still_there(found: dict[str, tuple[int, str]]) -> list[str]:
    """Return which of them still run, after giving those that were killed a moment."""
    limit = time.monotonic() + 10
    while left := [name for name, (pid, mark) in found.items() if born(pid) == mark]:
        if time.monotonic() > limit:
            return left
        time.sleep(0.1)
    return []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_the_start_stops_all_and_leaves_no_process(tmp_path: Path, number: int) -> None:
    state = tmp_path / "a state"
    with launcher(state) as process:
        read_until(process, "postgres is ready")
        found = children(state)
        assert "postgres" in found
        process.send_signal(number)
        said, _ = process.communicate(timeout=90)
    assert "postgres is stopped" in said
    assert "Traceback" not in said
    assert still_there(found) == []
    assert children(state) == {}


def test_what_a_killed_launcher_left_is_stopped_by_the_next_start(tmp_path: Path) -> None:
    state = tmp_path / "a state"
    with launcher(state) as process:
        read_until(process, "postgres is ready")
        process.kill()
        process.communicate(timeout=30)
    left = children(state)
    pid, mark = left["postgres"]
    assert born(pid) == mark
    with launcher(state) as process:
        said = "".join(read_until(process, "postgres is ready"))
        assert "postgres was left over from an earlier start and is stopped" in said
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
    assert still_there(left) == []
