"""Emptying the outbox: one batch at a time, waiting when told to, giving up on nothing that can still be taken."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from typing import Final

from services.ingest.agent.outbox import Outbox
from services.ingest.agent.spool import Item
from services.ingest.agent.transport import Fate, NotNow, Outcome, Stopped, TooMuch, Transport

MOST_EVENTS: Final = 1000
MOST_BYTES: Final = 1_000_000
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 60.0
_LOG: Final = logging.getLogger(__name__)


class Sender:
    """Sends what the outbox holds. `stopped` says why it may not send any more; what waits is kept."""

    def __init__(self, outbox: Outbox, transport: Transport, spread_s: float) -> None:
        """`spread_s`: after a Retry-After, agents come back spread over this many seconds."""
        self._outbox = outbox
        self._transport = transport
        self._spread_s = spread_s
        self._most_events = MOST_EVENTS
        self._failures = 0
        self.acknowledged: Counter[str] = Counter()
        """Events that were stored, by kind."""
        self.stopped: str | None = None
        self.trouble: str | None = None
        """Why nothing leaves at the moment."""
        self.idle = asyncio.Event()
        """Set while nothing waits to be sent."""

    async def run(self) -> None:
        """Run until cancelled, or until the other side says that we may not send."""
        while self.stopped is None:
            self._outbox.wake_sender.clear()
            items = await self._outbox.oldest(self._most_events, MOST_BYTES)
            if items:
                self.idle.clear()
                await self._send(items)
            else:
                self.idle.set()
                await self._outbox.wake_sender.wait()

    async def _send(self, items: Sequence[Item]) -> None:
        try:
            outcomes = await self._transport.send([item.value for item in items])
        except TooMuch as refused:
            await self._less(items, refused.outcome)
        except NotNow as not_now:
            await self._wait(str(not_now), not_now.after_s)
        except Stopped as stopped:
            self.stopped = self.trouble = str(stopped)
            _LOG.error("sending has stopped, events are kept", extra={"action": "sending_stopped", "why": self.stopped})
        else:
            await self._settle(items, outcomes)

    async def _settle(self, items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
        stored = [item for item, outcome in zip(items, outcomes, strict=True) if outcome.fate is Fate.STORED]
        self.acknowledged.update(item.kind for item in stored)
        await self._outbox.forget(stored)
        for item, outcome in zip(items, outcomes, strict=True):
            if outcome.fate is Fate.REFUSED:
                await self._outbox.refuse(item, outcome)
        if any(outcome.fate is Fate.AGAIN for outcome in outcomes):
            await self._wait("not every event was taken", None)
        else:
            self._failures, self.trouble = 0, None
            self._most_events = min(MOST_EVENTS, self._most_events * 2)

    async def _less(self, items: Sequence[Item], outcome: Outcome) -> None:
        """Halve the batch until the event that is at fault stands alone, and set that one aside."""
        if len(items) == 1:
            await self._outbox.refuse(items[0], outcome)
        else:
            self._most_events = max(1, len(items) // 2)

    async def _wait(self, why: str, after_s: float | None) -> None:
        self._failures += 1
        self.trouble = why
        if after_s is not None:
            seconds = after_s + random.uniform(0, self._spread_s)
        else:
            seconds = random.uniform(0.5, 1.0) * min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self._failures - 1, 10))
        _LOG.warning("sending waits", extra={"action": "sending_waits", "why": why, "seconds": round(seconds, 1)})
        await asyncio.sleep(seconds)
