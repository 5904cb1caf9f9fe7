"""What waits to be sent: on disk, and in memory as long as the disk refuses. Never blocks the loop it is called on."""

import asyncio
import contextlib
import json
import logging
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from services.ingest.agent.spool import Dropped, Item, Rank, Spool, keep_private
from services.ingest.agent.transport import Outcome

T = TypeVar("T")
_Waiting = tuple[Item, asyncio.Future[None]]
_LOG: Final = logging.getLogger(__name__)
_MEMORY_BYTES: Final = 16 * 1024 * 1024
_TRY_AGAIN_S: Final = 1.0
_REJECTS_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Queued:
    """How much waits, and since when (seconds; 0.0 when nothing does)."""

    events: int
    oldest_s: float


class Outbox:
    """A spool with a thread of its own, a tail in memory, and the reject file beside it."""

    def __init__(self, path: Path, owner: str, max_bytes: int, on_dropped: Callable[[str, bytes], None]) -> None:
        """`on_dropped` is told kind and value of each event that had to make room."""
        self._on_dropped = on_dropped
        self._spool = Spool(path, owner, max_bytes)
        self._rejects = path.with_name(path.name + ".rejects.jsonl")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._tail: deque[_Waiting] = deque()
        self._writing: frozenset[int] = frozenset()  # by id(item): what of the tail is on its way to the disk
        self._tail_bytes = 0  # of the rest, which has a limit
        self._forgotten: set[int] = set()
        self._deleting: frozenset[int] = frozenset()  # what of these the thread takes off the disk
        self._wake_writer = asyncio.Event()
        self.wake_sender = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Events lost for want of room, by kind."""
        self.set_aside: Counter[str] = Counter()
        """Events the other side can never take, by reason; they are in the reject file."""
        self.trouble: str | None = None
        """What is wrong with the disk."""

    async def open(self) -> None:
        """Open the spool; raises where it cannot be used at all (in use, of another owner, no right)."""
        await self._in_thread(self._spool.open)

    async def close(self, seconds: float = 2.0) -> None:
        """Write what can be written and close the file; waits so long for a disk that hangs."""
        try:
            async with asyncio.timeout(seconds):
                if self._tail:
                    await self._write_some()
                await self._in_thread(self._spool.close)
        except TimeoutError:
            _LOG.error("the disk hangs, the spool is left open", extra={"action": "spool_hangs"})
        self._thread.shutdown(wait=False, cancel_futures=True)

    def put(self, item: Item) -> asyncio.Future[None]:
        """Take an item; the future is done when it is on disk. Never blocks; drops the least important at the limit."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tail.append((item, done))
        self._tail_bytes += len(item.value)
        self._fit_memory()
        self._wake_writer.set()
        return done

    @property
    def pending(self) -> int:
        """Events that wait, on disk and in memory."""
        skipped = len(self._forgotten) - len(self._deleting)  # what is deleted the thread itself counts off
        return max(0, self._spool.events - skipped) + len(self._tail)

    async def keep_writing(self) -> None:
        """Run until cancelled: move the tail to disk, as one commit for all that has come together."""
        self._wake_writer.set()  # what an earlier run left in the tail does not wait for the next put
        while True:
            await self._wake_writer.wait()
            self._wake_writer.clear()
            if self._tail and not await self._write_some():
                self.wake_sender.set()  # what the disk refuses may still be sent from memory
                await asyncio.sleep(_TRY_AGAIN_S)
                self._wake_writer.set()

    async def oldest(self, most_events: int, most_bytes: int) -> list[Item]:
        """Return what is to be sent next: from disk, else, while the disk refuses, from memory."""
        try:
            found = await self._in_thread(self._spool.oldest, most_events, most_bytes, frozenset(self._forgotten))
        except sqlite3.Error as error:
            self._disk_says(error)
            found = []
        if found or self.trouble is None:
            return found
        size = 0
        for item, _ in sorted(self._tail, key=lambda each: each[0].lane):
            size += len(item.value) + 1
            if found and (size > most_bytes or len(found) >= most_events):
                break
            found.append(item)
        return found

    async def forget(self, items: Sequence[Item]) -> None:
        """Let go of items that are dealt with. Where the disk refuses, they are remembered and skipped meanwhile."""
        gone = {id(item) for item in items if item.row is None}
        kept = deque(each for each in self._tail if id(each[0]) not in gone) if gone else self._tail
        for item, done in self._tail if gone else ():
            if id(item) in gone:
                _settle(done)
        self._keep_in_tail(kept)
        self._forgotten |= {item.row for item in items if item.row is not None}
        self._deleting = frozenset(self._forgotten)
        try:
            await self._in_thread(self._spool.forget, self._deleting)
            self._forgotten -= self._deleting
        except sqlite3.Error as error:
            self._disk_says(error)
        finally:
            self._deleting = frozenset()

    async def refuse(self, item: Item, outcome: Outcome) -> None:
        """Set an item aside in the reject file, where a person finds it, and let go of it."""
        self.note_refused(item.kind, outcome)
        line = {
            "at": time.time(),
            "kind": item.kind,
            "status": outcome.status,
            "reason": outcome.reason,
            "pointer": outcome.pointer,
            "detail": outcome.detail,
            "event": item.value.decode(errors="replace"),
        }
        try:
            await self._in_thread(_append_line, self._rejects, json.dumps(line))
        except OSError as error:
            self._disk_says(error)
        await self.forget([item])

    def note_refused(self, kind: str, outcome: Outcome) -> None:
        """Count an event that is set aside, and say so."""
        self.set_aside[outcome.reason or str(outcome.status)] += 1
        _LOG.error(
            "an event was refused for good",
            extra={"action": "event_set_aside", "kind": kind, "status": outcome.status, "reason": outcome.reason,
                   "pointer": outcome.pointer, "detail": outcome.detail},
        )  # fmt: skip

    async def queued(self, now: float) -> Queued:
        """Return how much waits on disk and in memory."""
        events = self.pending
        try:
            oldest = await self._in_thread(self._spool.oldest_at) if events else None
        except sqlite3.Error:
            oldest = None
        if oldest is None and self._tail:
            oldest = self._tail[0][0].added_at
        return Queued(events, max(0.0, now - oldest) if oldest is not None and events else 0.0)

    async def _write_some(self) -> bool:
        """Commit the tail as it is now; False where the disk refuses, and then nothing is lost."""
        batch = list(self._tail)
        try:
            with self._being_written(batch):
                dropped = await self._in_thread(self._spool.add, [item for item, _ in batch])
        except (sqlite3.Error, OSError) as error:
            self._disk_says(error)
            self._fit_memory()
            return False
        self.trouble = None
        self._note_dropped(dropped)
        written = {id(item) for item, _ in batch}
        self._keep_in_tail(deque(each for each in self._tail if id(each[0]) not in written))
        for _, done in batch:
            _settle(done)
        self.wake_sender.set()
        return True

    @contextlib.contextmanager
    def _being_written(self, batch: Sequence[_Waiting]) -> Iterator[None]:
        """Meanwhile nothing of the batch is dropped: it may be on disk already, and sent."""
        self._writing = frozenset(id(item) for item, _ in batch)
        self._keep_in_tail(self._tail)
        try:
            yield
        finally:
            self._writing = frozenset()
            self._keep_in_tail(self._tail)

    def _keep_in_tail(self, tail: deque[_Waiting]) -> None:
        self._tail = tail
        self._tail_bytes = sum(len(item.value) for item, _ in tail if id(item) not in self._writing)

    def _fit_memory(self) -> None:
        while self._tail_bytes > _MEMORY_BYTES:
            self._drop_from_tail()

    def _drop_from_tail(self) -> None:
        waiting = (each for each in self._tail if id(each[0]) not in self._writing)
        item, done = min(waiting, key=lambda each: each[0].rank)  # the first, so the oldest, of the least rank
        self._tail.remove((item, done))
        self._tail_bytes -= len(item.value)
        _settle(done)
        self._note_dropped([(item.kind, item.value)])

    def _note_dropped(self, dropped: Sequence[Dropped]) -> None:
        if not dropped:
            return
        kinds = Counter(kind for kind, _ in dropped)
        self.dropped += kinds
        _LOG.error("events were dropped for want of room", extra={"action": "events_dropped", "dropped": dict(kinds)})
        for kind, value in dropped:
            self._on_dropped(kind, value)

    def _disk_says(self, error: Exception) -> None:
        if self.trouble is None:
            _LOG.error(
                "the disk refuses, events are kept in memory", extra={"action": "disk_refuses", "error": repr(error)}
            )
        self.trouble = f"{type(error).__name__}: {error}"

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def rank_of(kind: str, *, running: bool) -> Rank:
    """Return what an event is worth when there is no room: `running` says a later event of its session will follow."""
    if kind == "log":
        return Rank.LOG
    if kind == "session":
        return Rank.PROGRESS if running else Rank.END
    return Rank.ISSUE


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _append_line(path: Path, line: str) -> None:
    """Add a line to the reject file; a full one is kept once as .old, so it cannot fill the disk."""
    keep_private(path)
    if path.stat().st_size > _REJECTS_BYTES:
        path.replace(path.with_name(path.name + ".old"))
        keep_private(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
