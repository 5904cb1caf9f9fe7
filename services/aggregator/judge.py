"""Judging users: facts are merged, status is computed from them and stored, within the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from schemas.recent import Recent, RecentSession, is_mere_progress
from schemas.sql import named_queries
from schemas.status import DEFAULT_INTERVAL_S, facts
from services.aggregator.status import Stored, Verdict, judged
from services.common.pool import copy_records

_SQL: Final = named_queries("status")
_ADD_PLACEHOLDERS: Final = named_queries("directory")["add_placeholders"]
_COLUMNS: Final = (
    "row_id", "user_id", "partition", "recent", "agent_id", *Verdict._fields,
    "last_started_at", "last_session_id", "last_status",
)  # fmt: skip
_LAST_STARTED: Final = _COLUMNS.index("last_started_at")


_AS_STORED: Final = (None,) * 6
"""For status, rank, bucket, reason, since and revision where they stay as they are."""


class Overtaken(asyncpg.SerializationError):
    """Somebody else wrote a user's row between our reading and our writing it: do the transaction again."""


class StartedElsewhen(Exception):
    """Sessions that their users have had already, with another started_at."""

    def __init__(self, sessions: Sequence[tuple[UUID, RecentSession]]) -> None:
        super().__init__(f"{len(sessions)} sessions")
        self.sessions = sessions
        """Each with its user."""


class ChangedUser(Struct, gc=False):
    """A user whose facts may have changed: sessions as they now stand in `sync_session`, or none (a flag, a name)."""

    organization_id: UUID
    user_id: UUID
    partition: int
    """Of syncwatch.events: the one that brought the event."""
    agent_id: str | None
    """Who reported; None where it is not known or does not matter."""
    seen_at: datetime | None = None
    """Append time of the event that names the user; None where it is known to have a row."""
    sessions: list[RecentSession] = []
    new: list[RecentSession] = []
    """Those of them whose row was not there before."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """What whoever judges lateness knows beside a user's facts."""

    silent: frozenset[str] = field(default_factory=frozenset)
    """Agents of which no heartbeat is heard any more."""
    late_not_before: datetime | None = None
    """Nobody becomes late before: we have been deaf ourselves."""


async def prepare(connection: asyncpg.Connection) -> None:
    """Make the temporary tables that `judge` needs, once on each connection."""
    await connection.execute(_SQL["temporary_tables"])


async def go_by_loops(connection: Any) -> None:
    """Keep the statements of this transaction to indexes and row addresses."""
    await connection.execute(_SQL["by_loops"])


async def judge(
    connection: Any,
    users: Sequence[ChangedUser],
    nows: Mapping[int, datetime],
    *,
    lateness: Lateness | None = None,
    default_interval_s: int = DEFAULT_INTERVAL_S,
) -> None:
    """Merge what was seen of users into their rows and judge them at `nows[partition]`, the append time applied so far.

    Each user at most once in `users`. Rows that are missing are made; those whose facts did not change are left.
    Without `lateness` nobody becomes late: that is the monitor's to say, which is asked to look at once.
    Raises StartedElsewhen for new sessions whose id is among the recent ones of their user with another started_at.
    """
    if not users:
        return
    users = sorted(users, key=_place)  # in key order, so that no two writers of one user ever wait crosswise
    await go_by_loops(connection)
    ids = [each.organization_id for each in users], [each.user_id for each in users]
    rows = await connection.fetch(_SQL["read_users"], *ids, default_interval_s)
    if len(rows) < len(users):
        known = {row["n"] for row in rows}
        missing = [each for number, each in enumerate(users, 1) if number not in known]
        await _add(connection, missing, nows)
        rows = await connection.fetch(_SQL["read_users"], *ids, default_interval_s)
    records: list[tuple[Any, ...]] = []
    elsewhen: list[tuple[UUID, RecentSession]] = []
    for row in rows:
        each = users[row["n"] - 1]
        recent = Recent(row["recent"])
        elsewhen += [(each.user_id, session) for session in each.new if recent.has_elsewhen(session)]
        record = _record(each, row, recent, nows[each.partition], lateness)
        if record is not None:
            records.append(record)
    if elsewhen:
        raise StartedElsewhen(elsewhen)
    if records:
        await _store(connection, records, nows)


async def _add(connection: Any, users: Sequence[ChangedUser], nows: Mapping[int, datetime]) -> None:
    ids = [each.organization_id for each in users], [each.user_id for each in users]
    await connection.execute(_ADD_PLACEHOLDERS, *ids, [each.seen_at or nows[each.partition] for each in users])
    await connection.execute(_SQL["add_users"], *ids, [each.partition for each in users])


def _place(user: ChangedUser) -> tuple[int, int]:
    return user.organization_id.int, user.user_id.int


async def _store(connection: Any, records: list[tuple[Any, ...]], nows: Mapping[int, datetime]) -> None:
    await copy_records(connection, "judged_user", records, _COLUMNS, schema="pg_temp")
    starts = [record[_LAST_STARTED] for record in records if record[_LAST_STARTED] is not None]
    stored = await connection.fetchval(
        _SQL["store_verdicts"], [nows.get(at) for at in range(max(nows) + 1)],
        min(starts, default=None), max(starts, default=None),
    )  # fmt: skip
    if stored < len(records):
        raise Overtaken(f"{len(records) - stored} users were written by somebody else meanwhile")


def _record(
    user: ChangedUser, row: asyncpg.Record, before: Recent, now: datetime, lateness: Lateness | None
) -> tuple[Any, ...] | None:
    """Return the row to store; None where nothing changes."""
    (
        _, row_id, partition, status, reason, since, bucket, revision, check_at, raw, reporter,
        off, off_since, counted_from, interval_s,
    ) = row  # fmt: skip
    recent = _seeing(before, user.sessions, all_words=lateness is not None)
    agent_id = user.agent_id or reporter
    silent, late_not_before = _lateness(status, reason, agent_id, now, lateness)
    known = facts(
        recent, counted_from=counted_from, interval_s=interval_s, off=off, off_since=off_since, agent_id=agent_id,
        agent_silent=silent, late_not_before=late_not_before,
    )  # fmt: skip
    verdict = judged(known, now, Stored(status, reason, since, bucket, revision, check_at))
    if (
        recent.raw == raw
        and user.sessions  # where none was seen a flag or an interval may have changed
        and all(session.status == "running" for session in user.sessions)  # an end may bring other figures
        and (verdict.revision, verdict.reason, verdict.bucket, verdict.check_at, agent_id, user.partition)
        == (revision, reason, bucket, check_at, reporter, partition)
    ):
        return None
    stands = (verdict.revision, verdict.reason, verdict.bucket) == (revision, reason, bucket) and since is not None
    shown = known.last or known.newest
    last = (None, None, None) if shown is None else (shown.started_at, shown.session_id, shown.status)
    return (
        row_id, user.user_id, user.partition, recent.raw, None if agent_id == reporter else agent_id,
        *(_AS_STORED if stands else verdict[:6]), *verdict[6:], *last,
    )  # fmt: skip


def _seeing(recent: Recent, sessions: Sequence[RecentSession], *, all_words: bool) -> Recent:
    for session in sessions:
        if all_words or session.status != "running" or not _is_known(recent, session):
            recent = recent.seeing(session)
    return recent


def _is_known(recent: Recent, session: RecentSession) -> bool:
    """Whether this is but a further word of a session that is known to run."""
    return any(is_mere_progress(kept, session) for kept in recent.running if kept.session_id == session.session_id)


def _lateness(
    status: str, reason: str, agent_id: str | None, now: datetime, lateness: Lateness | None
) -> tuple[bool, datetime | None]:
    """Return whether the agent is the reason, and until when lateness is not judged; one who is late stays late."""
    if status == "late":
        return reason == "agent_silent", None
    if lateness is None:
        return False, now
    return agent_id in lateness.silent, lateness.late_not_before
