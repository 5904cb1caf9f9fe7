"""What a connector remembers between passes: the engine's status of each user, and the issues still open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from vdirsyncer.sync.status import SqliteStatus

from schemas.events import Direction, Operation
from services.ingest.connectors.caldav_crm.books import Change, Trouble

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS open_issue (
    user_id TEXT NOT NULL, ident TEXT NOT NULL, direction TEXT NOT NULL, operation TEXT NOT NULL,
    name TEXT NOT NULL, counterpart_id TEXT, attempts INTEGER NOT NULL,
    PRIMARY KEY (user_id, ident, direction, operation)) WITHOUT ROWID
"""
_OPEN: Final = """
INSERT INTO open_issue (user_id, ident, direction, operation, name, counterpart_id, attempts)
VALUES (?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (user_id, ident, direction, operation) DO UPDATE
   SET attempts = attempts + 1, name = excluded.name, counterpart_id = excluded.counterpart_id
RETURNING attempts
"""
_OPEN_OF: Final = """
SELECT ident, direction, operation, name, counterpart_id FROM open_issue WHERE user_id = ?
 ORDER BY ident, direction, operation
"""
_CLOSE: Final = "DELETE FROM open_issue WHERE (user_id, ident, direction, operation) = (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Closed:
    """An issue that is over. `resolution` is synced, removed or ignored."""

    change: Change
    resolution: str


class Memory:
    """The memory of one agent, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._database = sqlite3.connect(folder / "issues.sqlite", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def knows(self, user_id: UUID) -> bool:
        """Whether an earlier pass has brought anything of this user together."""
        with self.status_of(user_id) as status:
            return next(status.iter_old(), None) is not None

    @contextmanager
    def status_of(self, user_id: UUID) -> Iterator[SqliteStatus]:
        """Open what the engine knows of one user's earlier passes."""
        status = SqliteStatus(str(self._status_file(user_id)))
        try:
            yield status
        finally:
            status.close()

    def _status_file(self, user_id: UUID) -> Path:
        return self._folder / f"{user_id}.status"

    def opened(self, user_id: UUID, trouble: Trouble) -> int:
        """Remember an issue; return how many passes in a row have met it."""
        change = trouble.change
        (attempts,) = self._database.execute(
            _OPEN, (*_key(user_id, change), change.name, change.counterpart_id)
        ).fetchone()
        return int(attempts)

    def over(self, user_id: UUID, seen: list[Trouble], skipped: set[str], both: set[str]) -> list[Closed]:
        """Return the issues that a whole pass did not meet again; `forget` each once it is told.

        The engine tries every refused change anew in each pass, so one not met again is over: `both` holds the
        objects that now stand on both sides, `skipped` those left out on purpose; any other is gone.
        """
        still = {_key(user_id, trouble.change) for trouble in seen}
        closed = []
        for ident, direction, operation, name, counterpart_id in self._database.execute(_OPEN_OF, (str(user_id),)):
            change = Change(ident, Direction(direction), Operation(operation), name, counterpart_id)
            if _key(user_id, change) not in still:
                closed.append(Closed(change, _resolution(ident, skipped, both)))
        return closed

    def forget(self, user_id: UUID, change: Change) -> None:
        """Let an issue go that is over."""
        self._database.execute(_CLOSE, _key(user_id, change))


def _key(user_id: UUID, change: Change) -> tuple[str, str, str, str]:
    return str(user_id), change.ident, change.direction.value, change.operation.value


def _resolution(ident: str, skipped: set[str], both: set[str]) -> str:
    if ident in skipped:
        return "ignored"
    return "synced" if ident in both else "removed"
