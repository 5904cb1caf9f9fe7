"""Positions in Postgres: reading them, halting, skipping what is lost, and the decision where to read on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from schemas.sql import named_queries
from services.aggregator.batch import Partition

_SQL: Final = named_queries("positions")

GAP: Final = "gap"
LOG_CUT: Final = "log_cut"
LOG_MADE_ANEW: Final = "log_made_anew"
NO_POSITION: Final = "no_position"
"""There is no row that says where to read on; making the row lifts it."""


class Position(NamedTuple):
    """One row of `kafka_position`."""

    epoch: int
    next_offset: int
    last_hash: int | None
    applied_to: datetime | None
    halted: str | None


class Start(NamedTuple):
    """Where to seek. `verify`: the record there is the last one applied, and must be the one we know."""

    offset: int
    verify: bool


class Trouble(NamedTuple):
    """The log does not hold what the position wants."""

    reason: str
    found: int


def where_to_read(position: Position, beginning: int, end: int) -> Start | Trouble:
    """Decide from the log's ends. Where nothing is left before the position, there is nothing to compare."""
    wanted = position.next_offset
    if end < wanted:
        return Trouble(LOG_CUT, end)
    if beginning > wanted:
        return Trouble(GAP, beginning)
    if wanted > beginning and position.last_hash is not None:
        return Start(wanted - 1, verify=True)
    return Start(wanted, verify=False)


class Positions:
    """The rows of `kafka_position`, as far as a worker may change them outside of a batch."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, partitions: Collection[Partition]) -> Mapping[Partition, Position]:
        """Return positions once the last transaction of whoever owned them before has ended."""
        if not partitions:
            return {}
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_SQL["read_positions"], *_arrays(partitions))
        return {
            (row["topic"], row["partition"]): Position(
                row["epoch"], row["next_offset"], row["last_hash"], row["applied_to"], row["halted"]
            )
            for row in rows
        }

    async def look(self, partitions: Collection[Partition]) -> Mapping[Partition, Position]:
        """Return positions as they are, waiting for nobody; without what only an owner needs."""
        rows = await self._pool.fetch(_SQL["look_at_positions"], *_arrays(partitions))
        return {
            (row["topic"], row["partition"]): Position(row["epoch"], row["next_offset"], None, None, row["halted"])
            for row in rows
        }

    async def halt(self, partition: Partition, position: Position, trouble: Trouble) -> bool:
        """Halt a partition that still stands where we saw it; tell whether it did."""
        halted = await self._pool.fetchval(
            _SQL["halt"], *partition, position.epoch, position.next_offset, trouble.reason, trouble.found
        )
        return halted is not None

    async def skip(self, partition: Partition, position: Position, trouble: Trouble, beginning: int) -> None:
        """Note the lost range and go on behind it; a log made anew is read from its beginning, under the next epoch."""
        is_gap = trouble.reason == GAP
        epoch = position.epoch if is_gap else position.epoch + 1
        lost_to = max(position.next_offset, trouble.found)
        await self._pool.fetchval(
            _SQL["skip_gap"], *partition, position.epoch, position.next_offset, beginning if not is_gap else lost_to,
            epoch, lost_to, trouble.reason,
        )  # fmt: skip


def _arrays(partitions: Collection[Partition]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in partitions], [partition for _, partition in partitions]
