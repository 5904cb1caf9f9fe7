"""Events and records for tests of the aggregator: a log in memory, with offsets and append times as Kafka has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from schemas.events import Event, IssueData, ObjectCounts, SessionData, decode, encode, make
from schemas.retention import KEPT
from services.aggregator.batch import Batch, Held, Work
from services.aggregator.sift import Bounds, sift

NOW = datetime.now(UTC).replace(microsecond=0)
EVENTS = "syncwatch.events"
LOGS = "syncwatch.logs"
HEARTBEATS = "syncwatch.heartbeats"
BOUNDS = Bounds.at(NOW + timedelta(hours=1), KEPT.sessions, KEPT.logs)


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """A record as the consumer hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class FakeLog:
    """Topics in memory: `append` gives offsets, and append times a millisecond apart."""

    at: datetime = NOW
    records: dict[tuple[str, int], list[FakeRecord]] = field(default_factory=dict)

    def append(
        self, value: bytes | Event | None, *, topic: str = EVENTS, partition: int = 0, at: datetime | None = None,
        key: bytes | None = b"key",
    ) -> FakeRecord:  # fmt: skip
        self.at = at or self.at + timedelta(milliseconds=1)
        log = self.records.setdefault((topic, partition), [])
        raw = value if isinstance(value, bytes) or value is None else encode(value)
        log.append(FakeRecord(len(log), int(self.at.timestamp() * 1000), key, raw))
        return log[-1]

    def work(self, since: Mapping[tuple[str, int], int] | None = None, *, decode: Any = decode) -> Work:
        """Return all records from the offsets `since` on as the work of one transaction."""
        batch = Batch()
        for place, log in self.records.items():
            start = (since or {}).get(place, 0)
            if records := log[start:]:
                before = log[start - 1].timestamp if start else None
                keeps = not place[0].endswith(HEARTBEATS)
                how = partial(sift, decode=decode, bounds=BOUNDS)
                part = batch.part(*place, Held(0, start, None, before), keeps_position=keeps, sift=how)
                batch.take(part, records)
        return batch.work()

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        return {place: len(log) for place, log in self.records.items()}


def session(
    session_id: UUID, *, user_id: UUID, organization_id: UUID, seq: int = 0, attempt: int = 1, status: str = "running",
    started_at: datetime | None = None, agent_id: str = "agent", **more: Any,
) -> Event:  # fmt: skip
    """Return a session event; `more` are further members of its data."""
    data = SessionData(
        organization_id=organization_id, user_id=user_id, session_id=session_id, attempt=attempt, seq=seq,
        started_at=started_at or NOW - timedelta(minutes=10), status=status, **more,
    )  # fmt: skip
    return through_the_wire(data, agent_id)


def issue(session_id: UUID, *, user_id: UUID, organization_id: UUID, seq: int = 0, **more: Any) -> Event:
    """Return an issue event: a contact that could not be updated, unless `more` says otherwise."""
    members: dict[str, Any] = {
        "state": "opened", "object_type": "contact", "object_name": "Ann", "direction": "mail_to_crm",
        "operation": "update", "error_code": 1, "error_text": "locked", "attempt": 1,
        "started_at": NOW - timedelta(minutes=10), **more,
    }  # fmt: skip
    data = IssueData(organization_id=organization_id, user_id=user_id, session_id=session_id, seq=seq, **members)
    return through_the_wire(data)


def counts(**figures: int) -> tuple[ObjectCounts, ...]:
    """Return a report of one line."""
    return (ObjectCounts(type="contact", direction="mail_to_crm", **figures),)  # type: ignore[arg-type]


def through_the_wire(data: Any, agent_id: str = "agent") -> Event:
    """Return data in its envelope, encoded and decoded: enums and times as `decode` makes them."""
    event = make(data, id=str(uuid4()), agent_id=agent_id, time=NOW)
    return decode(encode(event))


def as_values(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of the database as plain dicts, to compare."""
    return [dict(row) for row in rows]
