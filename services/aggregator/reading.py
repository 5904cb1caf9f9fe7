"""What the intake reads from and tells, when a batch is worth a transaction, and a partition as it is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from schemas.topics import OnGap
from services.aggregator.batch import Held, Partition, Work
from services.aggregator.transaction import Saved


class Consumer(Protocol):
    """What reads the log."""

    def assigned(self) -> Collection[Partition]: ...
    async def seek_to(self, offsets: Mapping[Partition, int]) -> None: ...
    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, tuple[int, int]]: ...
    def pause(self, partition: Partition) -> None: ...
    def resume(self, partition: Partition) -> None: ...


class Watcher(Protocol):
    """Who is told what happens; the metrics."""

    def saved(self, work: Work, saved: Saved, seconds: float) -> None: ...
    def fenced(self) -> None: ...
    def halted(self, partition: Partition, *, is_halted: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a batch is worth a transaction."""

    rows: int = 4_000
    events: int = 20_000
    seconds: float = 0.2


class Halt(NamedTuple):
    """Why a partition is not read, and where reading would go on."""

    reason: str
    next_offset: int


@dataclass(slots=True)
class Reading:
    """One partition as it is read; ahead of what is stored."""

    held: Held
    on_gap: OnGap
    verify: bool
    """The next record must be the last one applied, or the log is not the one we know."""
