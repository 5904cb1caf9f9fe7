"""The spool: what was accepted and not yet acknowledged, on disk in SQLite (WAL), bounded; survives any kill.

Not thread-safe and blocking: `outbox` runs it in one thread of its own.
"""

import contextlib
import enum
import logging
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOG: Final = logging.getLogger(__name__)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS outbox (
  row INTEGER PRIMARY KEY AUTOINCREMENT, rank INTEGER NOT NULL, lane INTEGER NOT NULL, kind TEXT NOT NULL,
  added_at REAL NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS outbox_by_lane ON outbox (lane, row);
CREATE INDEX IF NOT EXISTS outbox_by_rank ON outbox (rank, row);
CREATE TABLE IF NOT EXISTS owner (name TEXT PRIMARY KEY);
"""


class Rank(enum.IntEnum):
    """What is dropped first when there is no room: logs, then what a later event says again, sessions' ends last."""

    LOG = 0
    PROGRESS = 1
    ISSUE = 2
    END = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One encoded event. `row` is its place on disk, None while it is only in memory."""

    kind: str
    rank: Rank
    value: bytes
    added_at: float
    row: int | None = None

    @property
    def lane(self) -> int:
        """0 goes before 1: logs never hold up sessions and issues."""
        return 1 if self.rank is Rank.LOG else 0


Dropped = tuple[str, bytes]
"""Kind and value of an event that had to make room."""


class WrongOwner(Exception):
    """The spool holds events of another agent or organization: one spool belongs to one of them."""


class Spool:
    """Events on disk, oldest first. Every method may raise sqlite3.Error, and then has changed nothing."""

    def __init__(self, path: Path, owner: str, max_bytes: int) -> None:
        self._path = path
        self._owner = owner
        self._max_bytes = max_bytes
        self._db: sqlite3.Connection | None = None
        self.events = 0
        self.bytes = 0

    def open(self) -> None:
        """Open the file; a damaged one is set aside under another name and a new one begun."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # in use, no room, no right: the file itself may be whole
            self._set_aside(error)
            self._open()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def add(self, items: Sequence[Item]) -> list[Dropped]:
        """Keep the items, durably; return what had to be dropped for want of room."""
        db = self._opened()
        size = sum(len(item.value) for item in items)
        with _transaction(db):
            dropped = self._make_room(db, size)
            db.executemany(
                "INSERT INTO outbox (rank, lane, kind, added_at, value) VALUES (?, ?, ?, ?, ?)",
                [(int(item.rank), item.lane, item.kind, item.added_at, item.value) for item in items],
            )
        self.events += len(items) - len(dropped)
        self.bytes += size - sum(len(value) for _, value in dropped)
        return dropped

    def oldest(self, most_events: int, most_bytes: int, skip: Collection[int] = ()) -> list[Item]:
        """Return the items to be sent next, at least one if there is any that is not among `skip`."""
        rows = self._opened().execute(
            "SELECT kind, rank, value, added_at, row FROM outbox ORDER BY lane, row LIMIT ?", (most_events + len(skip),)
        )
        found: list[Item] = []
        size = 0
        for kind, rank, value, added_at, row in rows:
            if row in skip:
                continue
            size += len(value) + 1
            if found and (size > most_bytes or len(found) >= most_events):
                break
            found.append(Item(kind, Rank(rank), value, added_at, row))
        return found

    def forget(self, rows: Iterable[int]) -> None:
        """Delete items that were acknowledged or set aside; those that are gone already are fine."""
        db = self._opened()
        freed: list[int] = []
        with _transaction(db):
            for row in rows:
                freed += [
                    size for (size,) in db.execute("DELETE FROM outbox WHERE row = ? RETURNING length(value)", (row,))
                ]
        self.events -= len(freed)
        self.bytes -= sum(freed)

    def oldest_at(self) -> float | None:
        """Return when the oldest item was added."""
        found: float | None = self._opened().execute("SELECT min(added_at) FROM outbox").fetchone()[0]
        return found

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self.open()
        assert self._db is not None
        return self._db

    def _open(self) -> None:
        keep_private(self._path)
        for suffix in ("-wal", "-shm"):  # left by a kill; new ones get the mode of the file itself
            keep_private(Path(f"{self._path}{suffix}"), make=False)
        db = sqlite3.connect(self._path, isolation_level=None, timeout=1.0, check_same_thread=False)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")  # a second process must not send the same events
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_autocheckpoint = 1000")
            db.executescript(_SCHEMA)
            [(verdict,)] = db.execute("PRAGMA quick_check(1)").fetchall()
            if verdict != "ok":
                raise sqlite3.DatabaseError(f"the spool is damaged: {verdict}")
            self._own(db)
            self.events, self.bytes = db.execute(
                "SELECT count(*), coalesce(sum(length(value)), 0) FROM outbox"
            ).fetchone()
        except BaseException:
            db.close()
            raise
        self._db = db

    def _own(self, db: sqlite3.Connection) -> None:
        found = db.execute("SELECT name FROM owner").fetchone()
        if found is None:
            db.execute("INSERT INTO owner (name) VALUES (?)", (self._owner,))
        elif found[0] != self._owner:
            raise WrongOwner(f"{self._path} belongs to {found[0]}, not to {self._owner}")

    def _set_aside(self, error: Exception) -> None:
        """Move a damaged file out of the way: rows may be missing without an error, so none of it is trusted."""
        aside = self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{suffix}").rename(f"{aside}{suffix}")
        _LOG.error(
            "the spool was damaged and is set aside",
            extra={"action": "spool_damaged", "file": str(aside), "error": repr(error)},
        )

    def _make_room(self, db: sqlite3.Connection, size: int) -> list[Dropped]:
        """Delete the least important, oldest first, until `size` more bytes fit."""
        dropped: list[Dropped] = []
        excess = self.bytes + size - self._max_bytes
        while excess > 0:
            gone = db.execute(
                "DELETE FROM outbox WHERE row = (SELECT row FROM outbox ORDER BY rank, row LIMIT 1)"
                " RETURNING kind, value"
            ).fetchall()
            if not gone:
                break
            dropped += gone
            excess -= sum(len(value) for _, value in gone)
        return dropped


def keep_private(path: Path, *, make: bool = True) -> None:
    """Let only its owner read and write a file, and make it where there is none: it holds names and texts of logs.

    It is not opened where it exists: closing it again would let go of SQLite's locks. What fails is left to be told by
    whoever opens the file.
    """
    with contextlib.suppress(OSError):
        if make and not path.exists():
            path.touch(0o600, exist_ok=False)
        path.chmod(0o600)


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself where the disk is full
            db.execute("ROLLBACK")
        raise
