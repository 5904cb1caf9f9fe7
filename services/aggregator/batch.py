"""A batch: records in the order of their partitions, what they came to, and the positions they move. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from uuid import UUID

from schemas.events import Event, IssueEvent, LogEvent, SessionEvent, TickEvent
from schemas.keys import Key
from services.aggregator.fold import Fold
from services.aggregator.rows import moment
from services.aggregator.sift import Record, Reject, Sift

REFUSED_BY_DATABASE: Final = "refused_by_database"
SAMPLED: Final = 50
"""The age of one record in so many is looked at: plenty for a percentile."""
DEAF_MS: Final = 60_000
"""Ticks come every 2 s: after so long without a record nobody could write, and we heard nothing."""

Partition = tuple[str, int]
Place = tuple[str, int, int]
"""A record's place in the log: topic, partition, offset."""


class Held(NamedTuple):
    """What a worker knows of a partition it owns, at the point up to which it has read."""

    epoch: int
    next_offset: int
    last_hash: int | None = None
    applied_ms: int | None = None

    def after(self, record: Record) -> "Held":
        """Return what is known behind a record."""
        return self._replace(next_offset=record.offset + 1, last_hash=hash_of(record), applied_ms=record.timestamp)


class Span(NamedTuple):
    """How a batch moves one position."""

    topic: str
    partition: int
    epoch: int
    low: int
    high: int
    last_hash: int
    applied_to: datetime
    resumed_at: datetime | None
    halted: str | None


def hash_of(record: Record) -> int:
    """Return the signed 64-bit number by which a record is known again, should its log be cut or made anew."""
    state = blake2b(digest_size=8)
    state.update(record.timestamp.to_bytes(8, "big", signed=True))
    state.update(record.key or b"")
    state.update(b"\0")
    state.update(record.value or b"")
    return int.from_bytes(state.digest(), "big", signed=True)


@dataclass(slots=True)
class Part:
    """The records of one partition, gapless.

    Their events are not kept: most are superseded within the batch, and what is freed at once is cheaper. Where they
    are looked at again, which is rare, `sift` gives the same ones again.
    """

    topic: str
    partition: int
    held: Held
    """Before the first of these records."""
    keeps_position: bool
    sift: Sift
    records: list[Record] = field(default_factory=list)

    def slice(self, start: int, stop: int) -> "Part":
        """Return the same partition with some of the records."""
        held = self.held.after(self.records[start - 1]) if start else self.held
        return replace(self, held=held, records=self.records[start:stop])


@dataclass(slots=True)
class Sifted:
    """What the records of a part came to, beside what is in the fold."""

    aside: list[tuple[int, Reject]] = field(default_factory=list)
    """(index of the record, why it is rejected), in rising order."""
    applied: Counter[str] = field(default_factory=Counter)
    """The other records, by type of event."""
    sample: list[tuple[int, datetime | None]] = field(default_factory=list)
    """Of one in so many of those: (append time in ms, when its agent emitted it or None: it is of no agent)."""


@dataclass(slots=True)
class Work:
    """What one transaction does: a fold, rejects, and positions. `Batch.work` makes it."""

    parts: Sequence[Part]
    fold: Fold
    rejects: list[tuple[Reject, Part]]
    """With the part each is from."""
    spans: list[Span]
    sifted: list[Sifted]
    """Of each part."""
    session_rows: list[tuple[Any, ...]] = field(default_factory=list)
    """The rows of the sessions, where they could be made beforehand: no sightings came with them."""

    def places_of(self, keys: Iterable[tuple[Key, UUID]], *kinds: type) -> list[Place]:
        """Return where the events of a user's sessions are, each named by its key and the user."""
        wanted = {(started_at, session_id, user_id) for (started_at, session_id), user_id in keys}
        return [
            (part.topic, part.partition, record.offset)
            for part in self.parts
            for record, event in zip(part.records, part.sift(part.records), strict=True)
            if isinstance(event, kinds)
            and isinstance(event, SessionEvent | IssueEvent | LogEvent)
            and (event.data.started_at, event.data.session_id, event.data.user_id) in wanted
        ]

    @property
    def records(self) -> int:
        return sum(len(part.records) for part in self.parts)


@dataclass(slots=True)
class Batch:
    """Whole fetches, folded as they come, gathered until they are worth a transaction."""

    parts: dict[Partition, Part] = field(default_factory=dict)
    events: int = 0
    fold: Fold = field(default_factory=Fold)
    sifted: dict[Partition, Sifted] = field(default_factory=dict)
    is_whole: bool = True
    """Whether the fold holds what the parts hold, and nothing else."""

    def part(self, topic: str, partition: int, held: Held, *, keeps_position: bool, sift: Sift) -> Part:
        """Return the part of a partition, made where this batch has none yet."""
        part = self.parts.get((topic, partition))
        if part is None:
            part = self.parts[topic, partition] = Part(topic, partition, held, keeps_position, sift)
            self.sifted[topic, partition] = Sifted()
        return part

    def take(self, part: Part, records: Sequence[Record]) -> None:
        """Take further records of a partition in, decoded and folded."""
        _fold_records(part, records, self.fold, self.sifted[part.topic, part.partition], len(part.records), {})
        part.records.extend(records)
        self.events += len(records)

    def drop(self, partition: Partition) -> None:
        """Leave out a partition."""
        part = self.parts.pop(partition, None)
        if part is not None:
            self.events -= len(part.records)
            self.is_whole = False

    def work(self) -> Work:
        """Return all of it as one transaction."""
        parts = [part for part in self.parts.values() if part.records]
        return _assembled(parts, self.fold, self.sifted) if self.is_whole else work_of(parts, {})


def work_of(parts: Sequence[Part], refused: Mapping[Place, tuple[str, str]]) -> Work:
    """Fold parts; `refused` names records that turned out not to go in, with reason and detail."""
    fold = Fold()
    sifted = {(part.topic, part.partition): Sifted() for part in parts}
    for part in parts:
        _fold_records(part, part.records, fold, sifted[part.topic, part.partition], 0, refused)
    return _assembled(parts, fold, sifted)


def _assembled(parts: Sequence[Part], fold: Fold, sifted: Mapping[Partition, Sifted]) -> Work:
    of_parts = [sifted[part.topic, part.partition] for part in parts]
    rejects = [(reject, part) for part, of_part in zip(parts, of_parts, strict=True) for _, reject in of_part.aside]
    spans = sorted(
        (_span(part) for part in parts if part.keeps_position), key=lambda span: (span.topic, span.partition)
    )
    return Work(parts, fold, rejects, spans, of_parts)


def _fold_records(
    part: Part, records: Sequence[Record], fold: Fold, sifted: Sifted, start: int,
    refused: Mapping[Place, tuple[str, str]],
) -> None:  # fmt: skip
    """Fold the events of records of a part, the first of which is its record number `start`; note what came of them."""
    partition, add, applied = part.partition, fold.add, sifted.applied
    for index, (record, event) in enumerate(zip(records, part.sift(records), strict=True), start):
        if isinstance(event, Reject):
            sifted.aside.append((index, event))
        elif refused and (why := refused.get((part.topic, partition, record.offset))):
            sifted.aside.append((index, _reject(record, event, *why)))
        elif reason := add(event, record.timestamp, partition):
            sifted.aside.append((index, _reject(record, event, reason, "")))
        else:
            applied[event.type] += 1
            if not index % SAMPLED:
                sifted.sample.append((record.timestamp, None if isinstance(event, TickEvent) else event.time))


def _reject(record: Record, event: Event, reason: str, detail: str) -> Reject:
    return Reject(record, reason, detail, getattr(event.data, "organization_id", None))


def _span(part: Part) -> Span:
    last = part.records[-1]
    newest_ms = max(record.timestamp for record in (part.records[0], last))
    return Span(
        part.topic, part.partition, part.held.epoch, part.records[0].offset, last.offset + 1, hash_of(last),
        moment(newest_ms), _resumed_at(part), None,
    )  # fmt: skip


def _resumed_at(part: Part) -> datetime | None:
    """Return the append time of the last record that came after more than a minute without any."""
    before, resumed = part.held.applied_ms, None
    for record in part.records:
        if before is not None and record.timestamp - before > DEAF_MS:
            resumed = record.timestamp
        before = record.timestamp
    return None if resumed is None else moment(resumed)


def halves(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """Split what the database refuses: the first half of the records and the rest, each gapless."""
    left = sum(len(part.records) for part in parts) // 2
    first: list[Part] = []
    rest: list[Part] = []
    for part in parts:
        count = min(left, len(part.records))
        left -= count
        if count:
            first.append(part.slice(0, count))
        if count < len(part.records):
            rest.append(part.slice(count, len(part.records)))
    return first, rest
