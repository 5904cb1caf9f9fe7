"""Stopping `./run`: by a signal, in the middle of its start, and after it was killed itself."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from deploy.local.processes import born
from tests.rig.launch import children, launcher, read_until, still_there


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
        process.communicate(timeout=90)
    left = children(state)
    pid, mark = left["postgres"]
    assert born(pid) == mark
    with launcher(state) as process:
        said = read_until(process, "postgres is ready")
        assert "postgres was left over from an earlier start and is stopped" in said
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
    assert still_there(left) == []
