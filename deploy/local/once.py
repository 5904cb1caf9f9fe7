"""`./run --once N`: run N sessions and compare what was published with what is stored."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local import children
from deploy.local.oneshots import output_of
from deploy.local.supervisor import Say, Supervisor
from deploy.local.world import World
from schemas.sql import named_queries
from services.common.kafka import client_options
from services.common.patience import through_outages

STILL_S: Final = 60.0
"""As long as something was applied within this time, we go on waiting."""

KINDS: Final = ("sessions", "issues", "log_chunks")
"""What the connector counts, under the names that `count_stored` uses too."""

_SQL: Final = named_queries("deploy")

Positions = dict[tuple[str, int], int]


async def run(world: World, supervisor: Supervisor, sessions: int, say: Say) -> bool:
    """Run that many sessions, wait until all is applied, print the counts, and say whether they are equal."""
    await _wait_for(world, await _end_offsets(world), say)  # what an earlier run may have left in Kafka
    before = await _stored(world)
    published = await _run_connector(world, sessions, say)
    await supervisor.stop_one("gateway")  # its ticks would move the end of the log for ever
    ends = await _end_offsets(world)
    say(f"sessions run: {published['sessions']}; waiting until every event is applied")
    positions = await _wait_for(world, ends, say)
    after = await _stored(world)
    counts = [Count(kind, int(published[kind]), after[kind] - before[kind]) for kind in KINDS]
    counts.append(Count("records", sum(ends.values()), sum(positions.get(key, 0) for key in ends)))
    rejected = after["rejected"] - before["rejected"]
    print("", *report(counts, rejected=rejected, by_status=published.get("by_status", {})), sep="\n", flush=True)
    return all(count.equal for count in counts)


async def _run_connector(world: World, sessions: int, say: Say) -> dict[str, Any]:
    """Run the connector's sessions, its progress in its log, and return what it says that it published."""
    command = children.connector_command(world, "once", "once", "--sessions", str(sessions))
    say(f"sessions to run: {sessions}; their log is {world.folder.logs / 'once.log'}")
    output = await output_of(command, world.folder.logs)
    published: dict[str, Any] = json.loads(output.splitlines()[-1])
    return published


async def _stored(world: World) -> dict[str, int]:
    (row,) = await _fetch(world, _SQL["count_stored"])
    return dict(row)


async def _positions(world: World) -> Positions:
    rows = await _fetch(world, _SQL["list_positions"])
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def _fetch(world: World, statement: str) -> list[asyncpg.Record]:
    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(world.owner_url, timeout=10)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    return await through_outages(fetch)


async def _end_offsets(world: World) -> Positions:
    """Return where the log of every partition with a position ends."""
    wanted = [TopicPartition(topic, partition) for topic, partition in await _positions(world)]
    consumer = AIOKafkaConsumer(**client_options(world.bootstrap))
    await consumer.start()
    try:
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(wanted)
    finally:
        await consumer.stop()
    return {(partition.topic, partition.partition): end for partition, end in ends.items()}


async def _wait_for(world: World, ends: Positions, say: Say) -> Positions:
    """Wait until every position is at the end of its log, or nothing moves any more; return the positions."""
    positions = await _positions(world)
    moved = time.monotonic()
    while any(positions.get(key, 0) < end for key, end in ends.items()):
        if time.monotonic() - moved > STILL_S:
            say(f"nothing was applied for {STILL_S:.0f} s")
            break
        await asyncio.sleep(0.2)
        now = await _positions(world)
        if now != positions:
            positions, moved = now, time.monotonic()
    return positions


@dataclass(frozen=True, slots=True)
class Count:
    """How often something was published, and how often it stands applied."""

    kind: str
    published: int
    applied: int

    @property
    def equal(self) -> bool:
        return self.published == self.applied

    def __str__(self) -> str:
        sign = "=" if self.equal else "≠"
        return f"{self.kind:<12} published {self.published:>8} {sign} applied {self.applied:>8}"


def report(counts: Sequence[Count], *, rejected: int, by_status: Mapping[str, int]) -> list[str]:
    """Return the lines that tell how the run went; the last one is the verdict."""
    outcomes = ", ".join(f"{count} {status}" for status, count in sorted(by_status.items()))
    return [
        *map(str, counts),
        *([f"{'outcomes':<12} {outcomes}"] if outcomes else []),
        *([f"{'rejected':<12} {rejected} (see: syncwatch rejects list)"] if rejected else []),
        f"published {'=' if all(count.equal for count in counts) else '≠'} applied",
    ]
