"""The intake: whole fetches come in, are judged by their offsets, and go out as transactions, in order.

What is read is compared with the positions in Postgres, never with what Kafka remembers of the group. Whatever does not
fit - a repeat, a hole, a log that was cut - makes the partition be looked at again; what still does not fit the third
time is a gap, and the topic says what to do.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from schemas.retention import Kept
from schemas.topics import OnGap
from services.aggregator.apply import Store, apply
from services.aggregator.batch import Batch, Held, Part, Partition, Work
from services.aggregator.brake import Brake
from services.aggregator.fitting import Odd, Unknown, fitting
from services.aggregator.positions import (
    GAP,
    LOG_MADE_ANEW,
    NO_POSITION,
    Position,
    Positions,
    Start,
    Trouble,
    where_to_read,
)
from services.aggregator.reading import Consumer, Halt, Limits, Reading, Watcher
from services.aggregator.rows import session_row
from services.aggregator.sift import Bounds, Decode, Record, sift
from services.aggregator.transaction import Fenced, Saved

LOG: Final = logging.getLogger(__name__)

SLICE: Final = 200
"""Records decoded at a stretch; then the loop may see to Postgres' answers."""
ODD_AT_MOST: Final = 3
LATEST: Final = 500
"""Heartbeats read again after an assignment: more than come while a worker restarts."""


class Intake:
    """Takes fetches and applies them. `reassigned`, `take` and `run` are called from one loop."""

    def __init__(
        self, store: Store[Saved], positions: Positions, *, on_gap: Mapping[str, OnGap], decode: Decode,
        watcher: Watcher, limits: Limits, kept: Kept, patient: Callable[..., Any], wall: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self.lock: Final = asyncio.Lock()
        """Held around each transaction and what it moves in memory."""
        self.consumer: Consumer | None = None
        self._store = store
        self._positions = positions
        self._on_gap = on_gap
        self._decode = decode
        self._watcher = watcher
        self._limits = limits
        self._kept = kept
        self._patient = patient
        self._wall = wall
        self._readings: dict[Partition, Reading] = {}
        self._stored: dict[Partition, Held] = {}
        self._brakes: dict[Partition, Brake] = {}
        self._halted: dict[Partition, Halt] = {}
        self._tries: dict[tuple[Partition, int], tuple[int, int]] = {}
        """Of a place in the log: how often something else came, and what."""
        self._wanted: set[Partition] = set()
        self._look = asyncio.Event()
        self._looked = asyncio.Event()
        self._batch = Batch()
        self._batch_began = 0.0
        self._worth = limits.rows
        """Events that make a transaction of the rows wanted, by how the last one folded."""
        self._generation = 0
        """Rises with everything forgotten: what was made ready before is not stored any more."""
        self._storing: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()
        self._unknown: dict[Partition, int] = {}
        """Where the record before the position is another than the one applied: the log is not the one we know."""

    # --- what others see ------------------------------------------------------------------------------------------

    def stored(self) -> Mapping[Partition, Held]:
        """Return the partitions this worker owns and reads, each as far as it is stored."""
        return self._stored

    def halted(self) -> Mapping[Partition, Halt]:
        """Return the partitions this worker owns and does not read until somebody lifts that."""
        return self._halted

    @property
    def is_settled(self) -> bool:
        """Whether the positions of everything assigned are known."""
        return not self._wanted

    # --- assignment -----------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Forget everything read and not stored. Whoever owns the partitions now has their positions from Postgres."""
        self._generation += 1
        self._readings.clear()
        self._stored.clear()
        self._brakes.clear()
        self._unknown.clear()
        self._batch = Batch()
        self._taken.set()

    def revoked(self) -> None:
        """A rebalance begins: nothing is ours until positions are read again."""
        self.forget()
        self._wanted.clear()

    async def reassigned(self, wait_s: float = 3.0) -> None:
        """Read the positions of what is assigned now; comes back at once where Postgres does not answer in time."""
        self.forget()
        self._halted.clear()
        self._request(self._consumer.assigned())
        try:
            await asyncio.wait_for(self._looked.wait(), wait_s)
        except TimeoutError:
            LOG.warning("positions are not read yet", extra={"action": "positions_awaited"})

    def _request(self, partitions: Collection[Partition]) -> None:
        self._wanted.update(partitions)
        for partition in partitions:
            self._readings.pop(partition, None)
            self._stored.pop(partition, None)
        self._looked.clear()
        self._look.set()

    async def look(self) -> None:
        """Read positions whenever asked for, for ever."""
        while True:
            await self._look.wait()
            self._look.clear()
            wanted = set(self._wanted)
            if wanted:
                await self._examine(wanted)
            if not self._wanted:
                self._looked.set()

    async def _examine(self, wanted: set[Partition]) -> None:
        assigned = wanted & set(self._consumer.assigned())
        with_position = sorted(partition for partition in assigned if self._on_gap[partition[0]] != "latest")
        async with self.lock:  # whatever is being stored of them is stored, or not, before we look
            found = await self._patient(lambda: self._positions.read(with_position))
            # Only now: whoever owned them before applied what was appended while we waited for its last transaction.
            ends = await self._patient(lambda: self._consumer.ends(sorted(assigned)))
            for partition in sorted(self._wanted & assigned & set(ends)):
                await self._begin(partition, found.get(partition), ends[partition])
                self._wanted.discard(partition)
        self._wanted -= wanted - set(self._consumer.assigned())
        if self._wanted:
            await asyncio.sleep(0.2)
            self._look.set()

    async def _begin(self, partition: Partition, position: Position | None, ends: tuple[int, int]) -> None:
        beginning, end = ends
        unknown = self._unknown.pop(partition, None)  # of the position as it is now, not as somebody accepts it later
        if self._on_gap[partition[0]] == "latest":
            offset = max(beginning, end - LATEST)
            await self._read_from(partition, Position(0, offset, None, None, None), Start(offset, verify=False))
        elif position is None:
            self._set_halted(partition, Halt(NO_POSITION, beginning))
        elif position.halted is not None:
            self._set_halted(partition, Halt(position.halted, position.next_offset))
        else:
            start = self._start(partition, position, ends, unknown)
            if isinstance(start, Trouble):
                await self._trouble(partition, position, start, beginning)
            else:
                await self._read_from(partition, position, start)

    def _start(
        self, partition: Partition, position: Position, ends: tuple[int, int], unknown: int | None
    ) -> Start | Trouble:
        if unknown is not None:
            return Trouble(LOG_MADE_ANEW, unknown)
        tries, found = self._tries.get((partition, position.next_offset), (0, 0))
        return where_to_read(position, *ends) if tries < ODD_AT_MOST else Trouble(GAP, found)

    async def _read_from(self, partition: Partition, position: Position, start: Start) -> None:
        applied_ms = None if position.applied_to is None else int(position.applied_to.timestamp() * 1000)
        held = Held(position.epoch, position.next_offset, position.last_hash, applied_ms)
        await self._consumer.seek_to({partition: start.offset})
        self._readings[partition] = Reading(held, self._on_gap[partition[0]], start.verify)
        self._stored[partition] = held
        self._brakes[partition] = Brake()
        self._halted.pop(partition, None)
        self._watcher.halted(partition, is_halted=False)
        self._consumer.resume(partition)

    # --- trouble --------------------------------------------------------------------------------------------------

    def _set_halted(self, partition: Partition, halt: Halt) -> None:
        if partition not in self._halted:
            LOG.error(
                "partition %s-%d is halted: %s", *partition, halt.reason,
                extra={"action": "partition_halted", "reason": halt.reason},
            )  # fmt: skip
        self._halted[partition] = halt
        self._readings.pop(partition, None)
        self._stored.pop(partition, None)
        self._batch.drop(partition)
        self._watcher.halted(partition, is_halted=True)
        self._consumer.pause(partition)

    async def _trouble(self, partition: Partition, position: Position, trouble: Trouble, beginning: int) -> None:
        """Halt the partition, or note what is lost and go on, as its topic says."""
        if self._on_gap[partition[0]] == "halt":
            if await self._patient(lambda: self._positions.halt(partition, position, trouble)):
                LOG.error(
                    "%s-%d: expected %d, found %d", *partition, position.next_offset, trouble.found,
                    extra={"action": "gap_found", "reason": trouble.reason},
                )  # fmt: skip
        else:
            LOG.warning(
                "%s-%d: lost from %d to %d", *partition, position.next_offset, beginning,
                extra={"action": "gap_noted", "reason": trouble.reason},
            )  # fmt: skip
            await self._patient(lambda: self._positions.skip(partition, position, trouble, beginning))
        self._tries.pop((partition, position.next_offset), None)
        again = (await self._patient(lambda: self._positions.read([partition]))).get(partition)
        if again is not None and again.halted is None:
            await self._read_from(partition, again, Start(again.next_offset, verify=False))
        elif again is not None:
            self._set_halted(partition, Halt(again.halted or "", again.next_offset))

    async def watch_halted(self, every_s: float = 2.0) -> None:
        """Go on with what an operator has accepted, for ever."""
        while True:
            await asyncio.sleep(every_s)
            if not self._halted:
                continue
            halted = sorted(self._halted)
            found = await self._patient(lambda halted=halted: self._positions.look(halted))
            lifted = [partition for partition in halted if partition in found and found[partition].halted is None]
            if lifted:
                self._request(lifted)

    # --- records in -----------------------------------------------------------------------------------------------

    async def take(self, fetch: Mapping[Partition, Sequence[Record]]) -> None:
        """Take whole fetches in; waits while more is in hand than one transaction takes."""
        for partition, records in fetch.items():
            while self._batch.events >= self._worth:
                self._taken.clear()
                await self._taken.wait()
            await self._take(partition, records)

    async def _take(self, partition: Partition, records: Sequence[Record]) -> None:
        reading = self._readings.get(partition)
        fitting = self._fit(partition, reading, records) if reading is not None else ()
        for start in range(0, len(fitting), SLICE):
            if self._readings.get(partition) is not reading or reading is None:
                return  # forgotten meanwhile
            some = fitting[start : start + SLICE]
            if not self._batch.events:
                self._batch_began = time.monotonic()
            self._batch.take(self._part(partition, reading), some)
            reading.held = reading.held.after(some[-1])
            self._filled.set()
            await asyncio.sleep(0)

    def _part(self, partition: Partition, reading: Reading) -> Part:
        bounds = Bounds.at(self._wall(), self._kept.sessions, self._kept.logs)
        return self._batch.part(
            *partition, reading.held, keeps_position=reading.on_gap != "latest",
            sift=functools.partial(sift, decode=self._decode, bounds=bounds),
        )  # fmt: skip

    def _fit(self, partition: Partition, reading: Reading, records: Sequence[Record]) -> Sequence[Record]:
        """Return the records that follow what is read; ask to look again where they do not."""
        if reading.on_gap == "latest":
            return records
        found = fitting(reading.held, records, verify=reading.verify)
        if isinstance(found, Odd):
            self._odd(partition, found.found)
            return ()
        if isinstance(found, Unknown):
            self._suspect(partition, found.found)
            return ()
        reading.verify = False
        return found

    def _odd(self, partition: Partition, found: int) -> None:
        """Something else came than what follows: read the position again, and from there."""
        place = partition, self._stored[partition].next_offset
        self._tries[place] = self._tries.get(place, (0, 0))[0] + 1, found
        self._batch.drop(partition)
        self._request([partition])

    def _suspect(self, partition: Partition, found: int) -> None:
        """The record before the position is not the one we applied: what to do is found when it is looked at again."""
        self._unknown[partition] = found
        self._request([partition])

    # --- transactions out -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Apply what comes in, for ever. Whatever is no outage and no fence escapes: it is a bug.

        While one transaction runs, the next is made ready as soon as it is full.
        """
        try:
            while True:
                await self._wait_for_work()
                generation = self._generation
                work = await self._next_work()
                await self._finish()
                if work is not None and generation == self._generation:
                    self._storing = asyncio.create_task(self._apply(work))
        finally:
            if self._storing is not None:
                self._storing.cancel()

    async def _wait_for_work(self) -> None:
        """Wait until there is something to do: a full batch, or an old one and nothing being stored."""
        while True:
            if self._storing is not None and self._storing.done():
                await self._finish()
            is_full = self._batch.events >= self._worth
            waited = time.monotonic() - self._batch_began
            if self._batch.events and (is_full or (self._storing is None and waited >= self._limits.seconds)):
                return
            self._filled.clear()
            left = self._limits.seconds - waited if self._batch.events and self._storing is None else None
            filled = asyncio.create_task(self._filled.wait())
            awaited = {filled} if self._storing is None else {filled, self._storing}
            await asyncio.wait(awaited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            filled.cancel()

    async def _next_work(self) -> Work | None:
        batch, self._batch = self._batch, Batch()
        self._taken.set()
        if not batch.events:
            return None
        work = batch.work()
        self._worth = self._worth_of(work)
        if not work.fold.sightings:
            sessions = list(work.fold.sessions.values())
            for start in range(0, len(sessions), SLICE):
                work.session_rows += [session_row(each, {}) for each in sessions[start : start + SLICE]]
                await asyncio.sleep(0)
        return work

    async def _finish(self) -> None:
        """Wait for the transaction; after a fence, forget everything and ask for the positions again."""
        storing, self._storing = self._storing, None
        if storing is None:
            return
        try:
            await storing
        except Fenced as fenced:
            LOG.warning("fenced at %s", fenced, extra={"action": "fenced"})
            self._watcher.fenced()
            self.forget()
            await asyncio.sleep(1)
            self._request(self._consumer.assigned())

    def _worth_of(self, work: Work) -> int:
        if not work.fold.rows:
            return self._worth
        of_a_row = work.records / work.fold.rows
        return int(min(max(self._limits.rows * of_a_row, self._limits.rows), self._limits.events))

    async def _apply(self, work: Work) -> None:
        async with self.lock:
            started = time.monotonic()

            def done(part: Work, saved: Saved) -> None:
                nonlocal started
                now = time.monotonic()
                self._watcher.saved(part, saved, now - started)
                started = now
                self._move(part)

            await apply(work, self._store, self._brakes, done)

    def _move(self, work: Work) -> None:
        for span in work.spans:
            partition = span.topic, span.partition
            held = self._stored.get(partition)
            if span.halted is not None:
                self._set_halted(partition, Halt(span.halted, span.high))
            elif held is not None and held.epoch == span.epoch:
                self._stored[partition] = held._replace(next_offset=span.high, last_hash=span.last_hash)
            self._tries.pop((partition, span.low), None)

    @property
    def _consumer(self) -> Consumer:
        assert self.consumer is not None, "the transport hands its consumer over before anything is assigned"
        return self.consumer
