"""Holding processes to a share of a processor, so that what they wait for is each other and not the machine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

PERIOD_S = 0.03


@asynccontextmanager
async def held(pids: Iterable[int], share: float | None) -> AsyncIterator[None]:
    """Let each process run for a share of every period and stop for the rest, out of step with others.

    `share`: above 0, at most 1; None: nobody is held. Signals do it, which needs no rights.
    """
    pids = list(pids) if share is not None else []
    holders = [
        asyncio.create_task(_hold(pid, share or 1.0, PERIOD_S * number / len(pids))) for number, pid in enumerate(pids)
    ]
    try:
        yield
    finally:
        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)


async def _hold(pid: int, share: float, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    with suppress(ProcessLookupError):
        try:
            while True:
                os.kill(pid, signal.SIGCONT)
                await asyncio.sleep(PERIOD_S * share)
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(PERIOD_S * (1 - share))
        finally:
            os.kill(pid, signal.SIGCONT)
