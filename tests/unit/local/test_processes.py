import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.processes import Command, born, last_lines, start, stop_leftovers

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def command(code: str, patience_s: float = 10.0) -> Command:
    argv = [sys.executable, "-c", code]
    return Command(name="child", argv=argv, environment=dict(os.environ), patience_s=patience_s)


async def until(holds: Callable[[], object], within_s: float = 60.0) -> None:
    limit = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < limit, "it never came true"
        await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether a process runs: one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_stopping_a_child_ends_its_grandchildren_too(tmp_path: Path) -> None:
    process = start(command(FAMILY), tmp_path, tmp_path)
    await until(lambda: process.log.read_text().strip())
    grandchild = int(process.log.read_text())
    assert runs(grandchild)
    await process.stop()
    await until(lambda: not runs(grandchild))
    assert process.exit_code() is not None
    assert list(tmp_path.glob("*.json")) == []


async def test_a_child_that_does_not_listen_is_killed_when_patience_ends(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    process = start(command(deaf, patience_s=0.2), tmp_path, tmp_path)
    await until(lambda: "deaf" in process.log.read_text())
    await process.stop()
    assert process.exit_code() == -9


async def test_what_a_killed_supervisor_left_is_stopped_by_the_next(tmp_path: Path) -> None:
    process = start(command("import time; time.sleep(600)"), tmp_path, tmp_path)
    assert await asyncio.to_thread(stop_leftovers, tmp_path, 0.5) == ["child"]
    assert await process.ended(5)


async def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        (tmp_path / "child.json").write_text(json.dumps({"pid": stranger.pid, "born": "another time"}))
        assert stop_leftovers(tmp_path) == []
        assert stranger.poll() is None
        stranger.kill()
    assert not (tmp_path / "child.json").exists()


def test_a_process_is_known_by_when_it_was_born() -> None:
    assert born(os.getpid()) == born(os.getpid()) is not None
    assert born(2**22 + 1) is None


def test_the_last_lines_of_a_log_skip_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\n\ntwo\n\nthree\n")
    assert last_lines(tmp_path / "log", 2) == ["two", "three"]
    assert last_lines(tmp_path / "none") == []


@pytest.mark.parametrize("code", [0, 3])
async def test_an_end_is_noticed_with_its_code(tmp_path: Path, code: int) -> None:
    process = start(command(f"raise SystemExit({code})"), tmp_path, tmp_path)
    assert await process.ended(10)
    assert process.exit_code() == code
    process.sweep()
