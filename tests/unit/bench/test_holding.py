"""Processes held to a share of a processor."""

import asyncio
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.bench.holding import held


@pytest.fixture
def busy() -> Iterator[psutil.Popen]:
    """Give a process that never waits."""
    child = psutil.Popen([sys.executable, "-c", "while True: pass"])
    yield child
    if child.is_running():
        child.kill()
        child.wait()


async def _seen(process: psutil.Popen) -> set[str]:
    """Return in which states a process is seen within a while."""
    found = set()
    for _ in range(200):
        await asyncio.sleep(0.002)
        found.add(process.status())
    return found


async def test_a_held_process_runs_and_stops_by_turns_and_goes_on_behind_it(busy: psutil.Popen) -> None:
    async with held([busy.pid], 0.5):
        assert {psutil.STATUS_STOPPED, psutil.STATUS_RUNNING} <= await _seen(busy)
    assert psutil.STATUS_STOPPED not in await _seen(busy)


async def test_without_a_share_nobody_is_held(busy: psutil.Popen) -> None:
    async with held([busy.pid], None):
        assert psutil.STATUS_STOPPED not in await _seen(busy)


async def test_a_process_that_ends_meanwhile_does_no_harm(busy: psutil.Popen) -> None:
    async with held([busy.pid], 0.5):
        busy.kill()
        await asyncio.to_thread(busy.wait)
        await asyncio.sleep(0.1)
