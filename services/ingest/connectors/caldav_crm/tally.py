"""What the other side has acknowledged, counted on the way: each thing once, however often it was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.events import HeartbeatEvent, IssueEvent, LogEvent, SessionEvent, decode
from services.ingest.agent.transport import Fate, Outcome, Transport


@dataclass(slots=True)
class Tally:
    """Acknowledged so far. Sessions, sightings and chunks are counted by their identity, events by their id."""

    events: dict[str, str] = field(default_factory=dict)
    sessions: dict[object, str] = field(default_factory=dict)
    sightings: set[object] = field(default_factory=set)
    chunks: set[object] = field(default_factory=set)
    refused: int = 0

    def take(self, value: bytes) -> None:
        """Count one acknowledged event."""
        event = decode(value)
        if isinstance(event, HeartbeatEvent):
            return
        self.events[event.id] = event.type
        if isinstance(event, SessionEvent):
            self.sessions[event.data.session_id] = event.data.status.value
        elif isinstance(event, IssueEvent):
            self.sightings.add((event.data.session_id, _issue(event)))
        elif isinstance(event, LogEvent):
            self.chunks.add((event.data.session_id, event.data.attempt, event.data.chunk_no))

    def report(self) -> dict[str, Any]:
        """Return the figures to compare with what was applied."""
        return {
            "sessions": len(self.sessions),
            "issues": len(self.sightings),
            "log_chunks": len(self.chunks),
            "events": len(self.events),
            "refused": self.refused,
            "by_type": dict(sorted(Counter(self.events.values()).items())),
            "by_status": dict(sorted(Counter(self.sessions.values()).items())),
        }


class CountingTransport:
    """Sends by `inner`, and tells the tally what was stored."""

    def __init__(self, inner: Transport, tally: Tally) -> None:
        self._inner = inner
        self._tally = tally

    async def start(self) -> None:
        """See `Transport.start`."""
        await self._inner.start()

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        """See `Transport.send`."""
        outcomes = await self._inner.send(values)
        for value, outcome in zip(values, outcomes, strict=True):
            if outcome.fate is Fate.STORED:
                self._tally.take(value)
            elif outcome.fate is Fate.REFUSED:
                self._tally.refused += 1
        return outcomes

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._inner.close()


def _issue(event: IssueEvent) -> object:
    data = event.data
    return data.issue_id or (data.object_type, data.object_id, data.object_name, data.direction, data.operation)
