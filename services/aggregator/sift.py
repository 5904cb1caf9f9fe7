"""Sifting: each record becomes an event, or is set aside with a reason. Pure: `decode` and times are arguments."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import msgspec

from schemas.events import Event, IssueEvent, LogEvent, Refused, SessionEvent
from services.aggregator.rows import moment

TOO_OLD: Final = "too_old"
IN_FUTURE: Final = "in_future"
AHEAD: Final = timedelta(days=1)


class Record(Protocol):
    """A record as the consumer hands it over, beside the partition it is of."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


Decode = Callable[[bytes | None], Event]
Sift = Callable[[Iterable["Record"]], Iterator["Event | Reject"]]
"""What comes of records, one by one."""


class Reject(NamedTuple):
    """A record that can never be applied. `detail` holds no text of the payload."""

    record: Record
    reason: str
    detail: str
    organization_id: UUID | None


class Bounds(NamedTuple):
    """Which days there are rows for: what started earlier would bring back a day that is already gone."""

    now: datetime
    sessions: timedelta
    logs: timedelta
    sessions_from: datetime

    @classmethod
    def at(cls, now: datetime, sessions: timedelta, logs: timedelta) -> "Bounds":
        """Return the bounds at `now` of what is kept for so long."""
        return cls(now, sessions, logs, now - sessions)


def sift(records: Iterable[Record], decode: Decode, bounds: Bounds) -> Iterator[Event | Reject]:
    """Give the event in each record, or the record set aside. The same records always give the same."""
    sessions_from, now = bounds.sessions_from, bounds.now
    for record in records:  # nearly all are sessions of these days, and pass without a further call
        try:
            event = decode(record.value)
        except Refused as refused:
            why = f"{refused.pointer} {refused.detail}".strip()
            yield Reject(record, refused.reason, why, peek(record.value))
            continue
        if type(event) is SessionEvent:
            is_fine = sessions_from <= event.data.started_at <= moment(record.timestamp) <= now
            yield event if is_fine else _within_days(event, record, bounds)
        elif isinstance(event, IssueEvent | LogEvent):
            yield _within_days(event, record, bounds)
        else:
            yield event


def _within_days(
    event: SessionEvent | IssueEvent | LogEvent, record: Record, bounds: Bounds
) -> SessionEvent | IssueEvent | LogEvent | Reject:
    started_at = event.data.started_at
    appended = moment(record.timestamp)
    if started_at > appended + AHEAD:
        detail = "/data/started_at more than a day after the record was appended"
        return Reject(record, IN_FUTURE, detail, event.data.organization_id)
    kept = bounds.logs if type(event) is LogEvent else bounds.sessions
    if started_at < max(appended, bounds.now) - kept:
        return Reject(record, TOO_OLD, f"/data/started_at more than {kept.days} days ago", event.data.organization_id)
    return event


class _PeekData(msgspec.Struct):
    organization_id: UUID | None = None


class _Peek(msgspec.Struct):
    data: _PeekData | None = None


_PEEK: Final = msgspec.json.Decoder(_Peek)


def peek(value: bytes | None) -> UUID | None:
    """Return whose a refused record claims to be, where that much can be read."""
    try:
        read = _PEEK.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if read.data is None else read.data.organization_id


def packed_headers(headers: Sequence[tuple[str, bytes]] | Mapping[str, bytes]) -> bytes:
    """Return the headers of a record as they are kept: msgpack, a list of (name, value)."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return msgspec.msgpack.encode([(name, value) for name, value in pairs])
