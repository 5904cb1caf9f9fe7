"""`./run --once`: real sessions through the whole flow, counted at both ends."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from tests.rig.launch import children, launcher, read_until, still_there

LINE = re.compile(r"^(\w+) +published +(\d+) = applied +(\d+)$", re.MULTILINE)


def test_as_many_events_are_applied_as_were_published_though_a_worker_is_killed(tmp_path: Path) -> None:
    state = tmp_path / "a state"
    with launcher(state, "--once", "60") as process:
        read_until(process, "sessions to run:")
        time.sleep(3)  # not for anything to become true: to strike in the middle
        found = children(state)
        os.kill(found["aggregator-1"][0], signal.SIGKILL)
        said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    counted = {kind: (int(published), int(applied)) for kind, published, applied in LINE.findall(said)}
    assert counted.keys() == {"sessions", "issues", "log_chunks", "records"}
    assert counted["sessions"] == (60, 60)
    assert all(published == applied > 0 for published, applied in counted.values())
    assert "aggregator-1 was killed by signal 9" in said
    outcomes = next(line for line in said.splitlines() if line.startswith("outcomes"))
    assert all(status in outcomes for status in ("finished", "finished_with_issues", "errors"))
    assert still_there(found) == []
