"""One transaction: fence, merges, counters, statuses and rejects, in that order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Final
from uuid import UUID

import asyncpg
import asyncpg.pool
import zstandard

from schemas.events import IssueEvent, IssueState, LogEvent, SessionEvent
from schemas.keys import Key
from schemas.recent import RecentSession, limit_of, session_of
from schemas.sql import named_queries
from services.aggregator import rows
from services.aggregator.apply import CannotGoIn
from services.aggregator.batch import Partition, Place, Work
from services.aggregator.fold import FOREIGN, STARTED_AT_CHANGED, Announced, Session
from services.aggregator.judge import ChangedUser, StartedElsewhen, judge
from services.aggregator.rows import Attempt, moment
from services.aggregator.sift import packed_headers
from services.common.pool import copy_records

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

_SESSIONS: Final = named_queries("sessions")
_ISSUES: Final = named_queries("issues")
_LOGS: Final = named_queries("logs")
_DIRECTORY: Final = named_queries("directory")
_POSITIONS: Final = named_queries("positions")
_REJECTS: Final = named_queries("rejects")
_STATUS: Final = named_queries("status")


class Fenced(Exception):
    """Somebody else moved a position, or halted it: what is in memory of it is worth nothing."""

    def __init__(self, partitions: Iterable[Partition]) -> None:
        super().__init__(", ".join(f"{topic}-{partition}" for topic, partition in partitions))


@dataclass(slots=True)
class Saved:
    """What a transaction changed, for the metrics."""

    ended: Counter[tuple[str, str | None, str | None, str | None]] = field(default_factory=Counter)
    """By status, error source, error category, mail system."""
    opened: Counter[str] = field(default_factory=Counter)
    """Issues newly open, by object type."""
    clashes: int = 0


class Transaction:
    """One transaction, run once."""

    def __init__(
        self, connection: Connection, work: Work, events_topic: str, compressor: zstandard.ZstdCompressor
    ) -> None:
        self.connection = connection
        self.work = work
        self.fold = work.fold
        self.saved = Saved(clashes=work.fold.clashes)
        self._events_topic = events_topic
        self._compressor = compressor
        self._nows: dict[int, datetime] = {}
        self._users: dict[tuple[int, int], ChangedUser] = {}

    async def run(self) -> None:
        """Do it all but the commit."""
        await self._move_positions()
        fold = self.fold
        if fold.sessions or fold.sightings:
            await self._merge_sessions_and_issues()
        if fold.chunks:
            await self._merge_chunks()
        if fold.agents:
            await self.connection.execute(_DIRECTORY["merge_agents"], *rows.agent_columns(fold.agents.values()))
        if fold.sessions or fold.sightings or fold.organizations or fold.users:
            await self._merge_directory()
        await self._judge()
        if self.work.rejects:
            await self._add_rejects()

    async def _move_positions(self) -> None:
        spans = self.work.spans
        if not spans:
            return
        moved = await self.connection.fetch(_POSITIONS["move_positions"], *map(list, zip(*spans, strict=True)))
        if len(moved) != len(spans):
            mine = {(row["topic"], row["partition"]) for row in moved}
            raise Fenced((span.topic, span.partition) for span in spans if (span.topic, span.partition) not in mine)
        self._nows = {row["partition"]: row["applied_to"] for row in moved if row["topic"] == self._events_topic}

    # --- sessions and issues -------------------------------------------------------------------------------------

    async def _merge_sessions_and_issues(self) -> None:
        arrived: dict[Attempt, tuple[int, int]] = {}
        opened: Sequence[asyncpg.Record] = ()
        if self.fold.sightings:
            opened = await self._merge_sightings()
            datas = [sighting.event.data for sighting in self.fold.sightings.values()]
            keys = {(data.started_at, data.session_id) for data in datas}
            arrived = await self._count_sightings(keys)
        merged = await self._merge_sessions(arrived) if self.fold.sessions else set()
        if self.fold.sightings:
            await self._check_owner(_ISSUES["foreign_sightings"], IssueEvent)
            await self._adjust_issues({each: counts for each, counts in arrived.items() if each not in merged})
            await self._merge_issues(opened)

    async def _merge_sightings(self) -> Sequence[asyncpg.Record]:
        """Merge in turns: a version that a newer of this batch replaced goes before it, as in a batch of its own."""
        sightings = self.fold.sightings.values()
        records = chain.from_iterable(map(rows.sighting_rows, sightings))
        await copy_records(self.connection, "batch_sighting", records, rows.SIGHTING_COLUMNS)
        changed: list[asyncpg.Record] = []
        for turn in reversed(range(max(len(sighting.versions) for sighting in sightings))):
            changed += await self.connection.fetch(_ISSUES["merge_sightings"], turn)
        self.saved.clashes += sum(row["clashed"] for row in changed)
        return changed

    async def _count_sightings(self, keys: Iterable[Key]) -> dict[Attempt, tuple[int, int]]:
        """Return attempt -> (issues, issues that arrived)."""
        counted = await self.connection.fetch(_ISSUES["count_sightings"], *_columns(keys, 2))
        return {tuple(attempt): (issues, arrived) for *attempt, issues, arrived in counted}

    async def _merge_sessions(self, arrived: Mapping[Attempt, tuple[int, int]]) -> set[Attempt]:
        """Merge, and return the attempts whose counts of issues stand in what was merged."""
        sessions = list(self.fold.sessions.values())
        records = self.work.session_rows or [rows.session_row(session, arrived) for session in sessions]
        await copy_records(self.connection, "batch_session", records, rows.SESSION_COLUMNS)
        starts = [session.event.data.started_at for session in sessions]
        changed = await self.connection.fetch(_SESSIONS["merge_sessions"], min(starts), max(starts))
        if len(changed) < len(sessions):
            await self._explain_unmerged()
        merged = list(zip(_by_digest(sessions, changed), changed, strict=True))
        await self._note_changed(merged)
        if not arrived:
            return set()
        return {rows.attempt_of(session.event.data) for session, _ in merged}

    async def _note_changed(self, merged: Sequence[tuple[Session, asyncpg.Record]]) -> None:
        texts: list[tuple[Any, ...]] = []
        textless: list[Key] = []
        overtaken: list[Key] = []
        for session, row in merged:
            _, _, _, was, became, clashed, had_error, first_appended_at, issues_arrived, is_overtaken = row
            event = session.event
            data = event.data
            error = data.error
            recent = _recent(session, became, first_appended_at, issues_arrived)
            user = self._see(data.organization_id, data.user_id, session.partition, event.agent_id, session.first_ms)
            user.sessions.append(recent)
            if was is None:
                user.new.append(recent)
            if became not in (was, "running"):
                source, category = (None, None) if error is None else (error.source, error.category)
                self.saved.ended[became, source, category, data.mail_system] += 1
            if clashed:
                self.saved.clashes += 1
            if error is not None and (text := rows.text_row(session)):
                texts.append(text)
            elif had_error:
                textless.append((data.started_at, data.session_id))
            if is_overtaken:
                overtaken.append((data.started_at, data.session_id))
        if texts:
            await self.connection.execute(_SESSIONS["merge_texts"], *_columns(texts, 5))
        if textless:
            await self.connection.execute(_SESSIONS["drop_texts"], *_columns(textless, 2))
        if overtaken:
            await self._adjust_issues(await self._count_sightings(overtaken))

    async def _explain_unmerged(self) -> None:
        unmerged = await self.connection.fetch(_SESSIONS["explain_unmerged"])
        foreign = [(_key(row), row["user_id"]) for row in unmerged if row["is_foreign"]]
        if foreign:
            raise CannotGoIn(self._refused(foreign, FOREIGN, SessionEvent))
        self.saved.clashes += sum(row["clashed"] for row in unmerged)
        late = [_key(row) for row in unmerged if row["counts_newer"]]
        if late:
            await self.connection.execute(_SESSIONS["merge_late_counts"], *_columns(late, 2))

    async def _check_owner(self, statement: str, kind: type) -> None:
        """Refuse issues and chunks of a session that is another user's."""
        foreign = [(_key(row), row["user_id"]) for row in await self.connection.fetch(statement)]
        if foreign:
            raise CannotGoIn(self._refused(foreign, FOREIGN, kind))

    def _refused(self, keys: Iterable[tuple[Key, UUID]], reason: str, kind: type) -> dict[Place, tuple[str, str]]:
        return dict.fromkeys(self.work.places_of(keys, kind), (reason, ""))

    async def _adjust_issues(self, counts: Mapping[Attempt, tuple[int, int]]) -> None:
        if not counts:
            return
        adjusted = await self.connection.fetch(
            _SESSIONS["adjust_issues"],
            *_columns(((*attempt, *issues) for attempt, issues in counts.items()), 7),
        )
        for row in adjusted:
            user = self._see(row["organization_id"], row["user_id"], row["partition"], None)
            user.sessions = _with(user.sessions, session_of(dict(row)))
            if row["became"] not in (row["was"], "running"):
                cause = row["error_source"], row["error_category"], row["mail_system"]
                self.saved.ended[(row["became"], *cause)] += 1

    async def _merge_issues(self, sightings: Sequence[asyncpg.Record]) -> None:
        versions = [version for each in self.fold.sightings.values() for version in each.versions]
        if any(event.data.started_at > moment(first_ms) for event, _, first_ms in versions):
            await self.connection.execute(_ISSUES["begin_ahead"])
        opened = _columns(((row["organization_id"], row["issue_id"]) for row in sightings if row["opened"]), 2)
        said = {event.data.state for event, _, _ in versions}
        for left_out, seen in ((IssueState.RESOLVED, opened), (IssueState.OPENED, _columns((), 2))):
            if said == {left_out}:
                continue
            for row in await self.connection.fetch(_ISSUES["merge_issues"], left_out.value, *seen):
                if row["newly_open"]:
                    self.saved.opened[row["object_type"]] += 1

    # --- logs, directory, users ----------------------------------------------------------------------------------

    async def _merge_chunks(self) -> None:
        chunks = [rows.chunk_row(chunk, self._compressor) for chunk in self.fold.chunks.values()]
        await copy_records(self.connection, "batch_chunk", chunks, rows.CHUNK_COLUMNS)
        await self._check_owner(_LOGS["foreign_chunks"], LogEvent)
        await self.connection.execute(_LOGS["merge_chunks"])

    async def _merge_directory(self) -> None:
        await self._add_placeholders()
        if self.fold.organizations:
            await self._merge_organizations(self.fold.organizations)
        if self.fold.users:
            columns = _columns(map(rows.user_row, self.fold.users.values()), 17)
            for organization_id, user_id in await self.connection.fetch(_DIRECTORY["merge_users"], *columns):
                user = self.fold.users[organization_id, user_id]
                self._see(organization_id, user_id, user.partition, None, user.appended_ms)

    async def _merge_organizations(self, organizations: Mapping[UUID, Announced]) -> None:
        columns = _columns(map(rows.organization_row, organizations.values()), 14)
        merged = await self.connection.fetch(_DIRECTORY["merge_organizations"], *columns)
        changed = [organization_id for organization_id, judge_again in merged if judge_again]
        if changed:
            at = [moment(organizations[organization_id].appended_ms) for organization_id in changed]
            await self.connection.execute(_STATUS["queue_organizations"], changed, at, self._events_topic)

    async def _add_placeholders(self) -> None:
        """Add users and organizations of whom only issues tell; `judge` adds those it is to judge."""
        first: dict[tuple[UUID, UUID], datetime] = {}
        for sighting in self.fold.sightings.values():
            data = sighting.event.data
            if (data.organization_id.int, data.user_id.int) not in self._users:
                first.setdefault((data.organization_id, data.user_id), moment(sighting.first_ms))
        if first:
            users = ((*user, at) for user, at in first.items())
            await self.connection.execute(_DIRECTORY["add_placeholders"], *_columns(users, 3))

    def _see(
        self, organization_id: UUID, user_id: UUID, partition: int, agent_id: str | None, first_ms: int | None = None
    ) -> ChangedUser:
        """Return what this transaction touches of a user."""
        place = organization_id.int, user_id.int
        user = self._users.get(place)
        if user is None:
            seen_at = None if first_ms is None else moment(first_ms)
            user = self._users[place] = ChangedUser(organization_id, user_id, partition, agent_id, seen_at)
        elif user.agent_id is None:
            user.agent_id = agent_id
        return user

    async def _judge(self) -> None:
        users = [user for user in self._users.values() if user.partition in self._nows]
        try:
            await judge(self.connection, users, self._nows)
        except StartedElsewhen as some:
            keys = [((session.started_at, session.session_id), user_id) for user_id, session in some.sessions]
            raise CannotGoIn(self._refused(keys, STARTED_AT_CHANGED, SessionEvent)) from None

    async def _add_rejects(self) -> None:
        await self.connection.execute(_REJECTS["add_rejects"], *_columns((
            (
                part.topic, part.held.epoch, part.partition, reject.record.offset, reject.organization_id,
                reject.reason, reject.detail, moment(reject.record.timestamp), reject.record.key,
                packed_headers(reject.record.headers), reject.record.value,
            )
            for reject, part in self.work.rejects
        ), 11))  # fmt: skip


def _columns(records: Iterable[Sequence[Any]], width: int) -> tuple[list[Any], ...]:
    """Turn rows into one list a column, as `unnest` takes them."""
    listed = list(records)
    return tuple(map(list, zip(*listed, strict=True))) if listed else tuple([] for _ in range(width))


def _key(row: asyncpg.Record) -> Key:
    return row["started_at"], row["session_id"]


def _with(seen: Sequence[RecentSession], session: RecentSession) -> list[RecentSession]:
    """Return the sessions with one as it now stands, instead of as the merge left it where it is among them."""
    place = session.started_at, session.session_id
    return [*(each for each in seen if (each.started_at, each.session_id) != place), session]


def _by_digest(sessions: Sequence[Session], changed: Sequence[asyncpg.Record]) -> list[Session]:
    """Return the session of each row that the merge returned. A digest is the cheapest name within a batch."""
    of_digest = {session.digest: session for session in sessions}
    if len(of_digest) == len(sessions):
        return [of_digest[row["digest"]] for row in changed]
    of_key = {(session.event.data.started_at, session.event.data.session_id): session for session in sessions}
    return [of_key[_key(row)] for row in changed]


def _recent(session: Session, status: str, first_appended_at: datetime, issues_arrived: int) -> RecentSession:
    """Return a merged session as `judge` takes it: the row as stored, which may keep what the batch did not bring."""
    data, appended_at = session.event.data, moment(session.appended_ms)
    limit_at = None
    if status == "running":
        limit_at = limit_of(
            status, started_at=data.started_at, first_appended_at=first_appended_at, appended_at=appended_at,
            deadline_at=data.deadline_at,
        )  # fmt: skip
    began = data.started_at if data.started_at <= first_appended_at else first_appended_at
    missing = data.issues_sent - issues_arrived
    retryable = status == "errors" and data.error is not None and bool(data.error.retryable)
    return RecentSession(
        data.session_id, data.started_at, began, data.attempt, data.seq, status, appended_at, limit_at,
        data.interval_s, missing if missing > 0 else 0, retryable,
    )  # fmt: skip
