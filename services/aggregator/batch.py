"""A batch: records in the order of their partitions, what they came to, and the positions they move. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from uuid import UUID

from schemas.events import Event, IssueEvent, LogEvent, SessionEvent
from services.aggregator.brake import Brake
from services.aggregator.fold import Fold
from services.aggregator.rows import Key, moment
from services.aggregator.sift import Bounds, Decode, Record, Reject, sift

REFUSED_BY_DATABASE: Final = "refused_by_database"
TOO_MANY_REJECTS: Final = "too_many_rejects"
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
    brake: Brake = Brake()  # it never changes


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
    """The records of one partition, gapless, and what each came to."""

    topic: str
    partition: int
    held: Held
    """Before the first of these records."""
    keeps_position: bool
    records: list[Record] = field(default_factory=list)
    sifted: list[Event | Reject] = field(default_factory=list)

    def slice(self, start: int, stop: int) -> "Part":
        """Return the same partition with some of the records."""
        part = Part(self.topic, self.partition, self.held, self.keeps_position)
        part.records, part.sifted = self.records[start:stop], self.sifted[start:stop]
        return part


@dataclass(slots=True)
class Work:
    """What one transaction does: a fold, rejects, and positions. `Batch.work` makes it."""

    parts: Sequence[Part]
    fold: Fold
    rejects: list[tuple[Reject, Part]]
    """With the part each is from."""
    brakes: dict[Partition, Brake]
    spans: list[Span]
    session_rows: list[tuple[Any, ...]] = field(default_factory=list)
    """The rows of the sessions, where they could be made beforehand: no sightings came with them."""

    def places_of(self, keys: Iterable[tuple[Key, UUID]], *kinds: type) -> list[Place]:
        """Return where the events of a user's sessions are, each named by its key and the user."""
        wanted = {(started_at, session_id, user_id) for (started_at, session_id), user_id in keys}
        return [
            (part.topic, part.partition, record.offset)
            for part in self.parts
            for record, event in zip(part.records, part.sifted, strict=True)
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
    set_aside: dict[Partition, list[tuple[int, Reject]]] = field(default_factory=dict)
    """Of each partition: (index of the record, why it is rejected), in rising order."""
    is_whole: bool = True
    """Whether the fold holds what the parts hold, and nothing else."""

    def part(self, topic: str, partition: int, held: Held, *, keeps_position: bool) -> Part:
        """Return the part of a partition, made where this batch has none yet."""
        part = self.parts.get((topic, partition))
        if part is None:
            part = self.parts[topic, partition] = Part(topic, partition, held, keeps_position)
        return part

    def take(self, part: Part, records: Sequence[Record], decode: Decode, bounds: Bounds) -> None:
        """Take further records of a partition in, decoded and folded."""
        start = len(part.records)
        part.records.extend(records)
        part.sifted.extend(sift(records, decode, bounds))
        aside = self.set_aside.setdefault((part.topic, part.partition), [])
        aside.extend(_fold_part(part, self.fold, {}, start))
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
        if self.is_whole:
            work = _assembled(parts, self.fold, self.set_aside)
            if isinstance(work, Work):
                return work
        return work_of(parts, {})


def work_of(parts: Sequence[Part], refused: Mapping[Place, tuple[str, str]]) -> Work:
    """Fold parts; `refused` names records that turned out not to go in, with reason and detail.

    Where the brake is pulled, a partition ends with the record that pulled it, and is halted.
    """
    while True:
        fold = Fold()
        aside = {(part.topic, part.partition): list(_fold_part(part, fold, refused)) for part in parts}
        work = _assembled(parts, fold, aside)
        if isinstance(work, Work):
            return work
        parts = work


def _assembled(
    parts: Sequence[Part], fold: Fold, aside: Mapping[Partition, Sequence[tuple[int, Reject]]]
) -> Work | list[Part]:
    """Return the work; or shorter parts, to be folded anew, where a brake was pulled before the end of one."""
    rejects: list[tuple[Reject, Part]] = []
    brakes: dict[Partition, Brake] = {}
    spans: list[Span] = []
    shortened: list[Part] = []
    for part in parts:
        of_part = aside[part.topic, part.partition]
        brake, pulled = part.held.brake.after(
            len(part.records), [(index, reject.organization_id) for index, reject in of_part]
        )
        halted = part.keeps_position and pulled is not None
        shortened.append(part.slice(0, pulled + 1) if halted and pulled is not None else part)
        rejects += [(reject, part) for _, reject in of_part]
        brakes[part.topic, part.partition] = brake
        if part.keeps_position:
            spans.append(_span(part, TOO_MANY_REJECTS if halted else None))
    if any(len(new.records) < len(old.records) for new, old in zip(shortened, parts, strict=True)):
        return shortened
    spans.sort(key=lambda span: (span.topic, span.partition))
    return Work(parts, fold, rejects, brakes, spans)


def _fold_part(
    part: Part, fold: Fold, refused: Mapping[Place, tuple[str, str]], start: int = 0
) -> Iterable[tuple[int, Reject]]:
    """Fold the events of a part from `start` on; give those that cannot go in."""
    partition, add = part.partition, fold.add
    fresh = zip(part.sifted[start:], part.records[start:], strict=True)
    for index, (event, record) in enumerate(fresh, start):
        if isinstance(event, Reject):
            yield index, event
        elif refused and (why := refused.get((part.topic, partition, record.offset))):
            yield index, _reject(record, event, *why)
        elif reason := add(event, record.timestamp, partition):
            yield index, _reject(record, event, reason, "")


def _reject(record: Record, event: Event, reason: str, detail: str) -> Reject:
    return Reject(record, reason, detail, getattr(event.data, "organization_id", None))


def _span(part: Part, halted: str | None) -> Span:
    last = part.records[-1]
    newest_ms = max(record.timestamp for record in (part.records[0], last))
    return Span(
        part.topic, part.partition, part.held.epoch, part.records[0].offset, last.offset + 1, hash_of(last),
        moment(newest_ms), _resumed_at(part), halted,
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
