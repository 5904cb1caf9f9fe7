"""Rows: what is folded, as the tuples that travel to Postgres. Secrets are taken out of texts here."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
import zstandard

from schemas.events import Failure, ObjectCounts, SessionData, SessionStatus, digest
from schemas.folding import fold as fold_text
from schemas.folding import is_blank
from schemas.redact import MARK, redact
from services.aggregator.fold import Announced, Chunk, Heard, Session, Sighting

SESSION_COLUMNS: Final = (
    "started_at", "session_id", "organization_id", "user_id", "partition", "attempt", "seq", "digest",
    "first_appended_at", "appended_at", "status_sent", "ended_at", "deadline_at", "next_run_at", "interval_s",
    "counted_ended", "counted_attempt", "counted_seq", "counted_digest",
    "objects", "changes", "failures", "conflicts", "total_changes", "report",
    "issues", "issues_arrived", "issues_sent", "log_chunks_sent", "log_chunks_dropped",
    "error_retryable", "error_source", "error_category", "error_code", "error_scope", "error_message",
    "status_detail", "trigger", "mode", "mail_system", "crm_system", "agent_id", "agent_version",
    "mail_s", "crm_s", "engine_s",
)  # fmt: skip
SIGHTING_COLUMNS: Final = (
    "started_at", "session_id", "issue_id", "organization_id", "user_id", "attempt", "seq", "digest",
    "first_appended_at", "appended_at", "state", "object_type", "object_name", "object_id", "counterpart_id",
    "direction", "operation", "error_code", "error_text", "error_source", "error_category", "failure_code",
    "error_retryable", "attempts", "resolution", "turn",
)  # fmt: skip
CHUNK_COLUMNS: Final = (
    "started_at", "session_id", "attempt", "chunk_no", "organization_id", "user_id", "appended_at", "first_line",
    "line_count", "dropped_lines", "redactions", "final", "body",
)  # fmt: skip

SHOWN_CHARACTERS: Final = 300
"""So much of an error's message stands in the thin row; the whole is in `session_text`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RUNNING: Final = SessionStatus.RUNNING
_NO_FAILURE: Final = (None, None, None, None, None, None)
_NO_DURATIONS: Final = (None, None, None)
_encode: Final = msgspec.json.Encoder().encode

Attempt = tuple[datetime, UUID, UUID, UUID, int]
"""One attempt of a session, as one user tells of it: (started_at, session_id, organization_id, user_id, attempt)."""


def attempt_of(data: SessionData) -> Attempt:
    """Return the attempt that an event is of."""
    return data.started_at, data.session_id, data.organization_id, data.user_id, data.attempt


@lru_cache(maxsize=4096)
def moment(ms: int) -> datetime:
    """Return the append time of a record, given in ms since 1970. All records of a produced batch have the same."""
    return _EPOCH + timedelta(milliseconds=ms)


def _counts(objects: tuple[ObjectCounts, ...]) -> tuple[int, int, int, int, int, str | None]:
    fetched = changes = failures = conflicts = skipped = 0
    for row in objects:
        fetched += row.fetched
        changes += row.created + row.updated + row.deleted
        failures += row.failed
        conflicts += row.conflicts
        skipped += row.skipped
    report = _encode(objects).decode() if objects else None
    return fetched, changes, failures, conflicts, changes + failures + conflicts + skipped, report


def _failure(error: Failure | None) -> tuple[Any, ...]:
    """Return retryable, source, category, code, scope and the beginning of the message."""
    if error is None:
        return _NO_FAILURE
    shown = redact(error.message)[:SHOWN_CHARACTERS] if error.message else ""
    scope = None if error.scope is None else error.scope.value
    return error.retryable, error.source, error.category, error.code or None, scope, shown


def session_row(session: Session, arrived: Mapping[Attempt, tuple[int, int]]) -> tuple[Any, ...]:
    """Return the row for `batch_session`; `arrived`: attempt -> (issues, issues_arrived), where any came."""
    event, data, counts = session.event, session.event.data, session.counts.data
    issues, issues_arrived = arrived.get(attempt_of(data), (0, 0)) if arrived else (0, 0)
    durations = data.durations
    return (
        data.started_at, data.session_id, data.organization_id, data.user_id, session.partition, data.attempt, data.seq,
        session.digest, moment(session.first_ms), moment(session.appended_ms), data.status.value, data.ended_at,
        data.deadline_at, data.next_run_at, data.interval_s,
        counts.status is not _RUNNING, counts.attempt, counts.seq, session.counts_digest, *_counts(counts.objects),
        issues, issues_arrived, data.issues_sent, data.log_chunks_sent, data.log_chunks_dropped, *_failure(data.error),
        redact(data.status_detail) if data.status_detail else None, data.trigger, data.mode, data.mail_system,
        data.crm_system, event.agent_id, data.agent_version,
        *(_NO_DURATIONS if durations is None else (durations.mail_s, durations.crm_s, durations.engine_s)),
    )  # fmt: skip


def text_row(session: Session) -> tuple[Any, ...] | None:
    """Return the heavy texts of a session (started_at, session_id, organization_id, message, exception), if any."""
    data = session.event.data
    error = data.error
    if error is None or not (error.message or error.exception):
        return None
    exception = None if error.exception is None else redact(error.exception)
    return data.started_at, data.session_id, data.organization_id, redact(error.message), exception


def sighting_rows(sighting: Sighting) -> Iterator[tuple[Any, ...]]:
    """Yield the rows for `batch_sighting`: the newest version has turn 0, those before it 1 and 2."""
    for turn, (event, appended_ms, first_ms) in enumerate(reversed(sighting.versions)):
        data = event.data
        error = data.error
        text = data.error_text or ("" if error is None else error.message)
        failure = (None,) * 4 if error is None else (error.source, error.category, error.code or None, error.retryable)
        yield (
            data.started_at, data.session_id, sighting.issue_id, data.organization_id, data.user_id, data.attempt,
            data.seq, digest(event), moment(first_ms), moment(appended_ms), data.state.value,
            data.object_type, redact(data.object_name), data.object_id, data.counterpart_id, data.direction.value,
            data.operation.value, data.error_code, redact(text) if text else "", *failure, data.attempts,
            data.resolution, turn,
        )  # fmt: skip


def chunk_row(chunk: Chunk, compressor: zstandard.ZstdCompressor) -> tuple[Any, ...]:
    """Return the row for `batch_chunk`: the lines as a compressed JSON array, their secrets taken out and counted."""
    data = chunk.event.data
    lines = [
        msgspec.structs.replace(
            line,
            message=redact(line.message),
            exception=None if line.exception is None else redact(line.exception),
            names=tuple(map(redact, line.names)),
        )
        for line in data.lines
    ]
    redactions = sum(line.message.count(MARK) + (line.exception or "").count(MARK) for line in lines)
    return (
        data.started_at, data.session_id, data.attempt, data.chunk_no, data.organization_id, data.user_id,
        moment(chunk.appended_ms), data.first_line, len(lines), data.dropped_lines, redactions, data.final,
        compressor.compress(_encode(lines)),
    )  # fmt: skip


def _actor(announced: Announced) -> str | None:
    actor = announced.event.data.actor
    return None if actor is None else " ".join(filter(None, (actor.type, actor.id)))


def _disabled_reason(announced: Announced) -> str | None:
    data = announced.event.data
    return None if data.sync_enabled else data.disabled_reason or "manual"


def _named(text: str | None) -> str | None:
    """Return a name or an address; None where it is blank, so that whatever shows it says something else."""
    return text if text and not is_blank(text) else None


def organization_row(announced: Announced) -> tuple[Any, ...]:
    """Return an organization as `merge_organizations` takes it."""
    data = announced.event.data
    name = _named(data.name)
    return (
        data.organization_id, name, fold_text(name or ""), data.external_id, data.mail_system,
        data.crm_system, data.sync_enabled, _disabled_reason(announced), _actor(announced), data.interval_s,
        data.revision, digest(announced.event), moment(announced.appended_ms), data.state.value,
    )  # fmt: skip


def user_row(announced: Announced) -> tuple[Any, ...]:
    """Return a user as `merge_users` takes it."""
    data = announced.event.data
    name, email = _named(data.display_name), _named(data.email)
    return (
        data.organization_id, data.user_id, email, name, fold_text(email or ""),
        fold_text(name or email or ""), data.external_id, data.mail_system, data.crm_system,
        data.sync_enabled, _disabled_reason(announced), _actor(announced), data.interval_s, data.revision,
        digest(announced.event), moment(announced.appended_ms), data.state.value,
    )  # fmt: skip


def agent_columns(heard: Iterable[Heard]) -> tuple[list[Any], ...]:
    """Return the arguments of `merge_agents`: one list a column."""
    rows = []
    for each in heard:
        data, at = each.event.data, moment(each.appended_ms)
        rows.append((
            data.agent_id, data.organization_id, data.version, at, (at - data.sent_at).total_seconds(),
            data.sessions_running, data.queued, data.oldest_queued_s,
        ))  # fmt: skip
    return tuple(map(list, zip(*rows, strict=True)))
