import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import supervisor as module
from deploy.local.processes import Command, Process
from deploy.local.refusals import CannotRun
from deploy.local.supervisor import Child, Supervisor, http_ready


async def ready_at_once(process: Process) -> None:
    """Ready means running."""


def child(name: str, code: str, *arguments: str) -> Child:
    command = Command(name=name, argv=[sys.executable, "-c", code, *arguments], environment=dict(os.environ))
    return Child(command=command, ready=ready_at_once)


async def until(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    limit = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < limit, "it never came true"
        await asyncio.sleep(0.02)


async def test_a_crash_is_told_by_name_with_the_last_log_lines_and_the_child_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.0)
    said: list[str] = []
    supervisor = Supervisor(tmp_path, tmp_path, said.append)
    await supervisor.start(child("worker", "print('out of luck'); raise SystemExit(4)"))
    watching = asyncio.create_task(supervisor.watch())
    await until(lambda: any("is started again" in line for line in said))
    watching.cancel()
    await supervisor.stop()
    told = next(line for line in said if "ended with code 4" in line)
    assert told.startswith("worker ended with code 4; it starts again in")
    assert "out of luck" in told


async def test_a_child_that_crashes_again_and_again_waits_longer_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.05)
    said: list[str] = []
    supervisor = Supervisor(tmp_path, tmp_path, said.append)
    await supervisor.start(child("worker", "raise SystemExit(1)"))
    watching = asyncio.create_task(supervisor.watch())
    await until(lambda: sum("ended with code" in line for line in said) >= 3)
    watching.cancel()
    waits = [each.wait for each in supervisor._watched]
    await supervisor.stop()
    assert waits[0] >= 0.4


async def test_children_are_stopped_in_reverse_order(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(tmp_path, tmp_path, said.append)
    for name in ("first", "second", "third"):
        await supervisor.start(child(name, "import time; time.sleep(600)"))
    await supervisor.stop()
    assert [line.split()[0] for line in said if "is stopped" in line] == ["third", "second", "first"]


async def test_a_child_that_ends_before_it_is_ready_is_one_refusal_with_its_log(tmp_path: Path) -> None:
    command = child("gateway", "print('DATABASE_URL is not set'); raise SystemExit(2)").command
    supervisor = Supervisor(tmp_path, tmp_path, lambda _: None)
    with pytest.raises(CannotRun, match=r"gateway ended with code 2:\n  DATABASE_URL is not set"):
        await supervisor.start(Child(command=command, ready=http_ready("http://127.0.0.1:1/ready")))
    await supervisor.stop()
