"""Folding a batch: of each session, sighting, user and agent only the newest version is left to be written.

Of a sighting it is the newest of each kind: what opened an issue is still told once it is over. The newest is the
greatest version, never the last to arrive, so neither order nor repetition of events matters; among equal versions with
different content the greater digest wins. No I/O, no clock: append times come with the records.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from msgspec import Struct

from schemas.events import (
    DirectoryEvent,
    Event,
    HeartbeatEvent,
    IssueData,
    IssueEvent,
    IssueState,
    LogEvent,
    SessionData,
    SessionEvent,
    SessionStatus,
    digest,
    issue_id_of,
)

FOREIGN: Final = "session_of_another_user"
STARTED_AT_CHANGED: Final = "started_at_changed"
_RUNNING: Final = SessionStatus.RUNNING


E = TypeVar("E", IssueEvent, DirectoryEvent)
K = TypeVar("K")
V = TypeVar("V", int, tuple[int, int])


class Session(Struct, gc=False):
    """The newest version of one session in this batch. Append times in ms since 1970."""

    event: SessionEvent
    counts: SessionEvent
    """Whose counts are shown: the newest that ended, else the newest."""
    appended_ms: int
    first_ms: int
    partition: int
    known_digest: int | None = None

    @property
    def digest(self) -> int:
        """Of the newest version. Computed where a tie or the row needs it: most versions of a batch need none."""
        if self.known_digest is None:
            self.known_digest = digest(self.event)
        return self.known_digest

    @property
    def counts_digest(self) -> int:
        return self.digest if self.counts is self.event else digest(self.counts)

    def become(self, event: SessionEvent, appended_ms: int, partition: int) -> None:
        """Take another version for the newest."""
        self.event, self.appended_ms, self.partition, self.known_digest = event, appended_ms, partition, None


@dataclass(slots=True)
class Sighting:
    """One issue in one session."""

    issue_id: UUID
    versions: list[tuple[IssueEvent, int, int]]
    """Rising: the newest that opened it, that resolved it and that says it is none; each with its append time and that
    of the first of its kind, in ms.
    """

    @property
    def first_ms(self) -> int:
        """When the first of them was appended."""
        return min(first_ms for _, _, first_ms in self.versions)

    @property
    def event(self) -> IssueEvent:
        """The newest version."""
        return self.versions[-1][0]


@dataclass(slots=True)
class Chunk:
    event: LogEvent
    appended_ms: int


@dataclass(slots=True)
class Announced:
    """The greatest revision of one organization or user."""

    event: DirectoryEvent
    appended_ms: int
    partition: int


@dataclass(slots=True)
class Heard:
    event: HeartbeatEvent
    appended_ms: int


def _version(event: SessionEvent | IssueEvent) -> tuple[int, int]:
    return event.data.attempt, event.data.seq


def _says(data: IssueData) -> tuple[IssueState, bool]:
    return data.state, data.state is IssueState.OPENED and data.error_code != 0


def _counted_order(event: SessionEvent) -> tuple[bool, int, int]:
    return event.data.status is not _RUNNING, event.data.attempt, event.data.seq


def _same_user(one: SessionData, other: SessionData) -> bool:
    return one.user_id.int == other.user_id.int and one.organization_id.int == other.organization_id.int


@dataclass(slots=True)
class Fold:
    """What a batch comes down to. `add` takes events in any order."""

    sessions: dict[int | tuple[int, datetime], Session] = field(default_factory=dict)
    sightings: dict[tuple[int, datetime, int, int], Sighting] = field(default_factory=dict)
    chunks: dict[tuple[int, datetime, int, int, int], Chunk] = field(default_factory=dict)
    organizations: dict[UUID, Announced] = field(default_factory=dict)
    users: dict[tuple[UUID, UUID], Announced] = field(default_factory=dict)
    agents: dict[str, Heard] = field(default_factory=dict)
    clashes: int = 0
    """Events with the version of another, but other content."""

    def add(self, event: Event, appended_ms: int, partition: int) -> str | None:
        """Take one event in, or return the slug of the reason why it cannot go with the others."""
        if type(event) is SessionEvent:
            return self._add_session(event, appended_ms, partition)
        if add := _ADD.get(type(event)):
            add(self, event, appended_ms, partition)
        return None

    @property
    def rows(self) -> int:
        """How many rows there are to write."""
        return len(self.sessions) + len(self.sightings) + len(self.chunks)

    def _add_session(self, event: SessionEvent, appended_ms: int, partition: int) -> str | None:
        new = event.data
        place: int | tuple[int, datetime] = new.session_id.int
        kept = self.sessions.get(place)
        if kept is not None and (old := kept.event.data).started_at != new.started_at:
            if _same_user(old, new):
                return STARTED_AT_CHANGED
            place = (new.session_id.int, new.started_at)  # two users, two sessions, one id
            kept = self.sessions.get(place)
        if kept is None:
            self.sessions[place] = Session(event, event, appended_ms, appended_ms, partition)
            return None
        if not _same_user(kept.event.data, new):
            return FOREIGN
        self._merge_session(kept, event, appended_ms, partition)
        return None

    def _merge_session(self, kept: Session, event: SessionEvent, appended_ms: int, partition: int) -> None:
        if appended_ms < kept.first_ms:
            kept.first_ms = appended_ms
        old, new = kept.event.data, event.data
        if new.seq > old.seq if new.attempt == old.attempt else new.attempt > old.attempt:
            if kept.counts is kept.event and (old.status is _RUNNING or new.status is not _RUNNING):
                kept.counts = event
            else:
                self._follow_counts(kept, event)
            kept.become(event, appended_ms, partition)
        elif (new.attempt, new.seq) < (old.attempt, old.seq):
            self._follow_counts(kept, event)
        elif (its_digest := digest(event)) == kept.digest:
            kept.appended_ms = min(kept.appended_ms, appended_ms)  # a copy changes nothing
        else:
            self.clashes += 1
            self._follow_counts(kept, event)
            if its_digest > kept.digest:
                kept.become(event, appended_ms, partition)

    @staticmethod
    def _follow_counts(kept: Session, event: SessionEvent) -> None:
        new, old = _counted_order(event), _counted_order(kept.counts)
        if new > old or (new == old and digest(event) > kept.counts_digest):
            kept.counts = event

    def _add_issue(self, event: IssueEvent, appended_ms: int, partition: int) -> None:
        data = event.data
        issue_id = issue_id_of(data)
        place = (data.session_id.int, data.started_at, issue_id.int, data.user_id.int)
        kept = self.sightings.get(place)
        if kept is None:
            self.sightings[place] = Sighting(issue_id, [(event, appended_ms, appended_ms)])
            return
        first_ms = appended_ms
        for index, (other, its_ms, its_first_ms) in enumerate(kept.versions):
            if _says(other.data) == _says(data):
                first_ms = min(its_first_ms, appended_ms)
                if not self._is_newer(other, event, _version(other), _version(event)):
                    kept.versions[index] = other, its_ms, first_ms
                    return
                del kept.versions[index]
                break
        kept.versions.append((event, appended_ms, first_ms))
        if len(kept.versions) > 1:
            kept.versions.sort(key=lambda version: (*_version(version[0]), digest(version[0])))

    def _add_log(self, event: LogEvent, appended_ms: int, partition: int) -> None:
        data = event.data
        place = (data.session_id.int, data.started_at, data.attempt, data.chunk_no, data.user_id.int)
        self.chunks.setdefault(place, Chunk(event, appended_ms))

    def _add_directory(self, event: DirectoryEvent, appended_ms: int, partition: int) -> None:
        data = event.data
        if data.user_id is None:
            self._announce(self.organizations, data.organization_id, event, appended_ms, partition)
        else:
            self._announce(self.users, (data.organization_id, data.user_id), event, appended_ms, partition)

    def _announce(
        self, known: dict[K, Announced], place: K, event: DirectoryEvent, appended_ms: int, partition: int
    ) -> None:
        kept = known.get(place)
        if kept is None or self._is_newer(kept.event, event, kept.event.data.revision, event.data.revision):
            known[place] = Announced(event, appended_ms, partition)

    def _add_heartbeat(self, event: HeartbeatEvent, appended_ms: int, partition: int) -> None:
        kept = self.agents.get(event.data.agent_id)
        if kept is None or kept.appended_ms < appended_ms:
            self.agents[event.data.agent_id] = Heard(event, appended_ms)

    def _is_newer(self, kept: E, event: E, old: V, new: V) -> bool:
        if new != old:
            return new > old
        known, its_digest = digest(kept), digest(event)
        if its_digest != known:
            self.clashes += 1
        return its_digest > known


_ADD: Final[dict[type, Callable[..., None]]] = {
    IssueEvent: Fold._add_issue,
    LogEvent: Fold._add_log,
    DirectoryEvent: Fold._add_directory,
    HeartbeatEvent: Fold._add_heartbeat,
}
