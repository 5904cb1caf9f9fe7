"""Judging users: facts are merged, status is computed from them and stored, within the caller's transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from schemas.recent import ENDED, Figures, Recent, RecentSession, Seen, is_mere_progress
from schemas.sql import named_queries
from schemas.status import DEFAULT_INTERVAL_S, Facts, facts
from services.aggregator.status import Stored, Verdict, judged

_SQL: Final = named_queries("status")
_NOTHING: Final = Figures(*[None] * len(Figures._fields))  # type: ignore[arg-type]
_COLUMNS: Final = (
    "organization_id", "user_id", "partition", "recent", "agent_id", "changed_at", *Verdict._fields,
    "has_figures", "last_started_at", "last_session_id", "last_status", "last_ended_at", *Figures._fields[1:],
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Touched:
    """A user whose facts may have changed: sessions as they now stand in `sync_session`, or none (a flag, a name)."""

    organization_id: UUID
    user_id: UUID
    partition: int
    """Of syncwatch.events: the one that brought the event."""
    agent_id: str | None
    """Who reported; None where it is not known or does not matter."""
    sessions: Sequence[Seen] = ()


@dataclass(frozen=True, slots=True)
class Lateness:
    """What whoever judges lateness knows beside a user's facts."""

    silent: frozenset[str] = field(default_factory=frozenset)
    """Agents of which no heartbeat is heard any more."""
    held_until: datetime | None = None
    """Nobody becomes late before: we have been deaf ourselves."""


async def prepare(connection: asyncpg.Connection) -> None:
    """Make the temporary tables that `judge` needs, once on each connection."""
    await connection.execute(_SQL["temporary_tables"])


async def judge(
    connection: Any,
    touched: Sequence[Touched],
    nows: Mapping[int, datetime],
    *,
    lateness: Lateness | None = None,
    default_interval_s: int = DEFAULT_INTERVAL_S,
) -> None:
    """Merge what was seen of users into their rows and judge them at `nows[partition]`, the append time applied so far.

    Each user at most once in `touched`. Rows that are missing are made; those whose facts did not change are left.
    Without `lateness` nobody becomes late: that is the monitor's to say, which is asked to look at once.
    """
    if not touched:
        return
    cases = await _locked(connection, touched, default_interval_s)
    if len(cases) < len(touched):
        await connection.execute(
            _SQL["add_users"],
            [each.organization_id for each in touched],
            [each.user_id for each in touched],
            [each.partition for each in touched],
        )
        cases = await _locked(connection, touched, default_interval_s)
    await _look_up_figures(connection, cases)
    rows = [row for case in cases if (row := _row(case, nows[case.touched.partition], lateness)) is not None]
    if rows:
        await connection.copy_records_to_table("judged_user", records=rows, columns=_COLUMNS, schema_name="pg_temp")
        await connection.execute(_SQL["store_verdicts"])


class _Shown(NamedTuple):
    """The session whose figures the row shows: the last ended one, else the newest."""

    session: RecentSession | None
    figures: Figures | None
    """None: those in the row stand."""


@dataclass(slots=True)
class _Case:
    """A user with what is stored of it, and what is now known."""

    touched: Touched
    row: asyncpg.Record
    recent: Recent
    shown: _Shown


async def _locked(connection: Any, touched: Sequence[Touched], default_interval_s: int) -> list[_Case]:
    records = await connection.fetch(
        _SQL["lock_users"],
        [each.organization_id for each in touched],
        [each.user_id for each in touched],
        default_interval_s,
    )
    return [_case(touched[record["n"] - 1], record) for record in records]


def _case(touched: Touched, row: asyncpg.Record) -> _Case:
    stored = Recent(row["recent"])
    recent = stored.seeing([seen.session for seen in touched.sessions if not _is_known(stored, seen.session)])
    return _Case(touched, row, recent, _shown(recent, row, touched.sessions))


def _is_known(stored: Recent, session: RecentSession) -> bool:
    if session.status != "running":
        return False
    kept = next((each for each in stored.running if each.session_id == session.session_id), None)
    return kept is not None and is_mere_progress(kept, session)


def _shown(recent: Recent, row: asyncpg.Record, seen: Sequence[Seen]) -> _Shown:
    last = recent.last_ended
    if last is not None:
        for session, figures in seen:
            if session is last or session == last:
                return _Shown(last, figures)
    shown = last or recent.newest
    if shown is not None and row["last_session_id"] == shown.session_id and row["last_status"] == shown.status:
        return _Shown(shown, None)
    return _Shown(shown, _NOTHING)


async def _look_up_figures(connection: Any, cases: Sequence[_Case]) -> None:
    """Read the figures of sessions that come to be shown without having been seen now: rare, by key."""
    wanted = list(_without_figures(cases))
    if not wanted:
        return
    found = await connection.fetch(
        _SQL["figures"],
        [session.started_at for _, session in wanted],
        [session.session_id for _, session in wanted],
    )
    for record in found:
        case, session = wanted[record["n"] - 1]
        case.shown = _Shown(session, Figures(*(record[name] for name in Figures._fields)))


def _without_figures(cases: Sequence[_Case]) -> Iterator[tuple[_Case, RecentSession]]:
    for case in cases:
        session, figures = case.shown
        if figures is _NOTHING and session is not None and session.status in ENDED:
            yield case, session


def _row(case: _Case, now: datetime, lateness: Lateness | None) -> tuple[object, ...] | None:
    """Return the row to store; None where nothing changes."""
    touched, row, recent = case.touched, case.row, case.recent
    session, figures = case.shown
    _, partition, status, reason, since, bucket, revision, check_at, due_at, raw, reporter, *_ = row
    agent_id = touched.agent_id or reporter
    verdict = judged(
        _facts(case, agent_id, now, lateness), now, Stored(status, reason, since, bucket, revision, check_at)
    )
    if (
        figures is None
        and recent.raw == raw
        and (verdict.revision, verdict.reason, verdict.bucket, verdict.check_at, verdict.due_at)
        == (revision, reason, bucket, check_at, due_at)
        and (agent_id, touched.partition) == (reporter, partition)
    ):
        return None
    ended_at, *rest = figures or _NOTHING
    last = (None, None, None) if session is None else (session.started_at, session.session_id, session.status)
    return (
        touched.organization_id, touched.user_id, touched.partition, recent.raw, agent_id, now, *verdict,
        figures is not None, *last, ended_at, *rest,
    )  # fmt: skip


def _facts(case: _Case, agent_id: str | None, now: datetime, lateness: Lateness | None) -> Facts:
    row, figures = case.row, case.shown.figures
    was_late = row["status"] == "late"
    if was_late:
        silent, held_until = row["reason"] == "agent_silent", None
    elif lateness is None:
        silent, held_until = False, now
    else:
        silent, held_until = agent_id in lateness.silent, lateness.held_until
    return facts(
        case.recent, counted_from=row["counted_from"], interval_s=row["interval_s"], off=row["off"],
        off_since=row["off_since"], retryable=row["error_retryable"] if figures is None else figures.error_retryable,
        agent_id=agent_id, agent_silent=silent, late_held_until=held_until,
    )  # fmt: skip
