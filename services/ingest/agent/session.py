"""One session as its connector sees it: counts, issues and log lines in, versioned events out.

Every method is a plain call on the reporter's event loop and never blocks. Texts of any size and content are taken, cut
and mended; only words outside a closed list (direction, operation, level, side) raise.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas.events import (
    Direction,
    Durations,
    Failure,
    IssueData,
    IssueState,
    LogData,
    LogLevel,
    LogLine,
    ObjectCounts,
    Operation,
    SessionData,
    SessionStatus,
    issue_id_of,
)
from services.ingest.agent import texts
from services.ingest.agent.chunks import Chunks
from services.ingest.agent.traces import trace_of

Emit = Callable[[Any], object]
_LINE_BYTES: Final = 16 * 1024
_LINE_EXCEPTION_BYTES: Final = 48 * 1024
_SIDES: Final = ("mail", "crm", "engine")


class Session:
    """A running session; `async with reporter.session(user_id) as session` makes one."""

    def __init__(self, about: SessionData, emit: Emit, now: Callable[[], datetime]) -> None:
        """`about` is the state at the start; `emit` takes the data of an event and does not block."""
        self._about = about
        self._emit = emit
        self._now = now
        self._seq = about.seq
        self._objects: dict[tuple[str, Direction], Counter[str]] = {}
        self._seconds: Counter[str] = Counter()
        self._issue_seq: Counter[UUID] = Counter()
        self._open_issues: set[UUID] = set()
        self._chunks = Chunks()
        self._chunks_dropped = 0
        self._lines_dropped = 0
        self._error: Failure | None = None
        self._detail: str | None = None
        self._next_run_at: datetime | None = None
        self._ended = False

    @property
    def session_id(self) -> UUID:
        """The id under which it is found in Syncwatch."""
        return self._about.session_id

    @property
    def started_at(self) -> datetime:
        """When it began, by this agent's clock; with `session_id` it identifies the session."""
        return self._about.started_at

    def count(
        self, object_type: str, direction: Direction | str, *, fetched: int = 0, created: int = 0, updated: int = 0,
        deleted: int = 0, skipped: int = 0, failed: int = 0, conflicts: int = 0,
    ) -> None:  # fmt: skip
        """Add to the report: what was found and done with objects of a type in a direction."""
        line = self._objects.setdefault((texts.slug(object_type), Direction(direction)), Counter())
        line.update(
            fetched=fetched, created=created, updated=updated, deleted=deleted, skipped=skipped, failed=failed,
            conflicts=conflicts,
        )  # fmt: skip

    def issue(
        self, *, object_type: str, direction: Direction | str, operation: Operation | str, error_code: int,
        error_text: str = "", object_name: str = "", object_id: str | None = None, counterpart_id: str | None = None,
        error: Failure | None = None, attempts: int = 1, issue_id: UUID | None = None,
    ) -> None:  # fmt: skip
        """Report that one object could not be created, updated or deleted. Codes: `schemas.vocabulary.ERROR_CODE`."""
        self._sight(
            IssueState.OPENED, object_type=object_type, direction=direction, operation=operation,
            error_code=error_code, error_text=error_text, object_name=object_name, object_id=object_id,
            counterpart_id=counterpart_id, error=error, attempts=attempts, issue_id=issue_id,
        )  # fmt: skip

    def resolved(
        self, *, object_type: str, direction: Direction | str, operation: Operation | str, resolution: str = "synced",
        object_name: str = "", object_id: str | None = None, counterpart_id: str | None = None,
        issue_id: UUID | None = None,
    ) -> None:  # fmt: skip
        """Report that the trouble with one object is over; name the object as when it was opened."""
        self._sight(
            IssueState.RESOLVED, object_type=object_type, direction=direction, operation=operation, error_code=0,
            object_name=object_name, object_id=object_id, counterpart_id=counterpart_id, issue_id=issue_id,
            resolution=texts.slug(resolution),
        )  # fmt: skip

    def log(
        self, level: LogLevel | str, source: str, message: str, exception: str | None = None, *,
        names: Iterable[str] = (),
    ) -> None:  # fmt: skip
        """Add a line to the session's log; source is mail, crm, engine or agent.

        `names`: names of objects that the message or the exception holds, to be masked for whoever may not read them.
        """
        told, untold = texts.names(names)
        message = texts.without(message, untold)
        exception = None if exception is None else texts.without(exception, untold)
        line = LogLine(
            at=self._now(),
            level=LogLevel(level),
            source=texts.slug(source),
            message=texts.line(message, _LINE_BYTES),
            exception=None if exception is None else texts.exception(exception, _LINE_EXCEPTION_BYTES),
            names=told,
        )
        self._send_chunk(self._chunks.add(line))

    def fail(self, error: Failure) -> None:
        """Say that the session has failed as a whole; the first failure said is the one reported."""
        if self._error is None:
            self._error = texts.failure(error)

    def detail(self, text: str) -> None:
        """Set the words beside the status."""
        self._detail = texts.detail(text)

    def spent(self, side: str, seconds: float) -> None:
        """Add to the time spent on a side: mail, crm or engine."""
        assert side in _SIDES, f"side is one of {', '.join(_SIDES)}"
        self._seconds[side] += max(0.0, seconds)  # type: ignore[assignment]  # a counter of seconds

    def next_run(self, at: datetime) -> None:
        """Say when a further run is planned, beyond the usual interval."""
        self._next_run_at = at

    # --- for the reporter ---

    def start(self) -> object:
        """Send the first event; return what `emit` returns."""
        return self._emit(self._state(SessionStatus.RUNNING))

    def progress(self) -> None:
        """Send the state so far."""
        if not self._ended:
            self._seq += 1
            self._emit(self._state(SessionStatus.RUNNING))

    def flush_log(self, *, final: bool = False) -> None:
        """Send the log lines that wait."""
        self._send_chunk(self._chunks.take(), final=final)

    def end(self, error: BaseException | None, classify: Callable[[BaseException], Failure] | None) -> object:
        """Send the last event, for whatever outcome; return what `emit` returns."""
        status = self._outcome(error, classify)
        self.flush_log(final=True)
        if self._lines_dropped:  # the last chunk itself pushed one out
            self.flush_log(final=True)
        self._ended = True
        self._seq += 1
        return self._emit(self._state(status, ended_at=self._now()))

    def chunk_dropped(self, lines: int) -> None:
        """Count a log chunk that was lost here for want of room; the next chunk says how many lines it cost."""
        self._chunks_dropped += 1
        self._lines_dropped += lines

    def _outcome(
        self, error: BaseException | None, classify: Callable[[BaseException], Failure] | None
    ) -> SessionStatus:
        if error is not None and not isinstance(error, Exception):
            return SessionStatus.CANCELLED  # cancelled, interrupted, the process is ending: nobody's fault
        if error is not None:
            self.fail(_classified(error, classify))
        if self._error is not None:
            return SessionStatus.ERRORS
        unclean = any(line["failed"] or line["conflicts"] for line in self._objects.values())
        return SessionStatus.FINISHED_WITH_ISSUES if unclean or self._open_issues else SessionStatus.FINISHED

    def _sight(self, state: IssueState, *, object_name: str, error: Failure | None = None, **members: Any) -> None:
        about = self._about
        for member in ("object_id", "counterpart_id"):
            if members[member] is not None:
                members[member] = texts.name(members[member])
        members |= {
            "object_type": texts.slug(members["object_type"]),
            "direction": Direction(members["direction"]),
            "operation": Operation(members["operation"]),
            "error_text": texts.message(members.get("error_text", "")),
        }
        sighting = IssueData(
            organization_id=about.organization_id, user_id=about.user_id, session_id=about.session_id,
            started_at=about.started_at, attempt=about.attempt, state=state, seq=0, object_name=texts.name(object_name),
            error=None if error is None else texts.failure(error), **members,
        )  # fmt: skip
        issue_id = issue_id_of(sighting)
        sequenced = {"seq": self._issue_seq[issue_id], "issue_id": issue_id}
        self._issue_seq[issue_id] += 1
        if state is IssueState.OPENED and sighting.error_code:
            self._open_issues.add(issue_id)
        else:
            self._open_issues.discard(issue_id)
        self._emit(_replaced(sighting, **sequenced))

    def _send_chunk(self, lines: tuple[LogLine, ...], *, final: bool = False) -> None:
        if not lines and not (final and self._chunks.next_chunk):
            return
        about = self._about
        chunk_no, first_line = self._chunks.number(lines)
        dropped, self._lines_dropped = self._lines_dropped, 0
        self._emit(
            LogData(
                organization_id=about.organization_id, user_id=about.user_id, session_id=about.session_id,
                started_at=about.started_at, attempt=about.attempt, chunk_no=chunk_no, first_line=first_line,
                final=final, dropped_lines=dropped, lines=lines,
            )
        )  # fmt: skip

    def _state(self, status: SessionStatus, ended_at: datetime | None = None) -> Any:
        objects = tuple(
            ObjectCounts(type=kind, direction=direction, **counts)
            for (kind, direction), counts in self._objects.items()
        )
        durations = Durations(**{f"{side}_s": self._seconds[side] for side in _SIDES}) if self._seconds else None
        return _replaced(
            self._about, seq=self._seq, status=status, ended_at=ended_at, next_run_at=self._next_run_at,
            objects=objects, durations=durations, error=self._error, issues_sent=len(self._issue_seq),
            log_chunks_sent=self._chunks.next_chunk, log_chunks_dropped=self._chunks_dropped,
            status_detail=self._detail,
        )  # fmt: skip


def _classified(error: BaseException, classify: Callable[[BaseException], Failure] | None) -> Failure:
    """Turn an exception into a failure; a classifier that fails itself must not cost the report."""
    trace = trace_of(error)
    if classify is not None:
        try:
            found = classify(error)
            return found if found.exception is not None else _replaced(found, exception=trace)
        except Exception as worse:
            trace += "\nThe classifier of errors failed too: " + trace_of(worse)
    return Failure(
        source="connector", category="internal", code=type(error).__name__, message=str(error), exception=trace
    )


def _replaced(value: Any, **members: Any) -> Any:
    return msgspec.structs.replace(value, **members)
