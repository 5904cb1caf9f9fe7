"""Who goes first where several processes share a machine."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

AUTOGROUP: Final = Path("/proc/self/autogroup")
ATTEMPTS: Final = 20
PAUSE_S: Final = 0.15


def step_back(niceness: int) -> None:
    """Let others go first, by 0 to 19 as in nice(1).

    Linux with autogroups (sched(7)) shares the processors among sessions, and compares niceness only within one. So a
    process that leads its session, as one started by `./run` does, says it for the session too. In a container neither
    counts against others: there the container's CPU weight does.
    """
    os.nice(niceness)
    if niceness and os.getsid(0) == os.getpid():
        with suppress(OSError):  # no Linux, or one without autogroups
            _say_for_session(niceness)


def _say_for_session(niceness: int) -> None:
    for _ in range(ATTEMPTS):
        try:
            AUTOGROUP.write_text(str(niceness), encoding="ascii")
            return
        except BlockingIOError:  # Linux takes one of these every 0.1 s, from whomever it comes
            time.sleep(PAUSE_S)
