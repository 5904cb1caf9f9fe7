"""A user's newest sessions, packed into one column: `user_status.recent`.

Records of a fixed size behind a short header, newest first, so that a batch puts a session in front, or looks at all
states, without unpacking the rest. The merge is a union: newest version of each session, then the newest 20; neither
the order of events nor their repetition matters. `Recent` does the same as `merged` on the packed bytes, and remembers
of the sessions that fell out of the window how many failed in a row before it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from struct import Struct as Layout
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from msgspec import Struct

WINDOW: Final = 20
"""How many sessions of a user are kept here."""

LONGEST: Final = timedelta(days=1)
"""What a deadline may grant at most."""
UNHEARD: Final = timedelta(minutes=30)
"""After so long without a word a running session is given up: its limit where it has no deadline."""

ENDED: Final = frozenset({"finished", "finished_with_issues", "errors", "timed_out"})
"""Statuses that say how a session went. Cancelled ones count for nothing."""
FAILED: Final = frozenset({"errors", "timed_out"})


class RecentSession(Struct, frozen=True, array_like=True, gc=False):
    """What the rules need of one session. Its identity is (started_at, session_id)."""

    session_id: UUID
    started_at: datetime
    began: datetime
    """The smaller of started_at and the first append time: the order of a user's sessions."""
    attempt: int
    seq: int
    status: str
    at: datetime
    """Append time of the record that first brought this version; where timed out, the applied time of its closing."""
    limit_at: datetime | None = None
    """Until when it may run; None unless it is running."""
    interval_s: int | None = None
    """The next one is due so long after this one; 0: push only; None: not said."""
    issues_missing: int = 0
    """How many issues fewer have arrived than the agent says it sent."""
    retryable: bool = False
    """It ended in errors that may be gone at the next try."""


class Streak(NamedTuple):
    """Failed sessions in a row, newest backwards, and the append time of the end of the first of them."""

    in_a_row: int
    since: datetime | None


_NO_STREAK: Final = Streak(0, None)


def limit_of(
    status: str,
    *,
    started_at: datetime,
    first_appended_at: datetime,
    appended_at: datetime,
    deadline_at: datetime | None,
) -> datetime | None:
    """Return until when a session may run. A deadline grants a duration, so an agent's wrong clock does no harm."""
    if status != "running":
        return None
    if deadline_at is None:
        return appended_at + UNHEARD
    return first_appended_at + min(max(deadline_at - started_at, timedelta()), LONGEST)


class Row(Protocol):
    """A row of the database, by column."""

    def __getitem__(self, column: str, /) -> Any: ...


def session_of(row: Row) -> RecentSession:
    """Return what the rules need of a row of `sync_session`."""
    status = row["status"]
    return RecentSession(
        row["session_id"], row["started_at"], row["began"], row["attempt"], row["seq"], status,
        row["timed_out_at"] if status == "timed_out" else row["appended_at"],
        limit_of(
            status, started_at=row["started_at"], first_appended_at=row["first_appended_at"],
            appended_at=row["appended_at"], deadline_at=row["deadline_at"],
        ),
        row["interval_s"], max(0, row["issues_sent"] - row["issues_arrived"]),
        status == "errors" and bool(row["error_retryable"]),
    )  # fmt: skip


def is_mere_progress(kept: RecentSession, seen: RecentSession) -> bool:
    """Whether `seen` is a further word of a session that still runs, and changes nothing that the rules look at.

    Such words come every 30 s from every running session, and storing them would cost as much as storing ends. What is
    kept may thus be an older version of a *running* session; whoever acts upon its silence asks `sync_session` first.
    """
    return (
        kept.status == seen.status == "running"
        and (kept.attempt, kept.limit_at, kept.began) == (seen.attempt, seen.limit_at, seen.began)
        and kept.started_at == seen.started_at
    )


# --- the merge, plainly --------------------------------------------------------------------------------------------


def _place(session: RecentSession) -> tuple[datetime, bytes]:
    return session.began, session.session_id.bytes


def _version(session: RecentSession) -> tuple[int, int]:
    return session.attempt, session.seq


def merged(kept: Sequence[RecentSession], seen: Iterable[RecentSession]) -> list[RecentSession]:
    """Return the newest 20 of both, newest version of each, newest session first.

    Commutative, associative and idempotent, as one version of a session has one content. Where the service itself has
    added to a version (an issue arrived, it was closed), `seen` is what `sync_session` says now, and stands.
    """
    newest: dict[tuple[datetime, bytes], RecentSession] = {}
    for session in (*kept, *seen):
        identity = (session.started_at, session.session_id.bytes)
        known = newest.get(identity)
        if known is None or _version(session) >= _version(known):
            newest[identity] = session
    return sorted(newest.values(), key=_place, reverse=True)[:WINDOW]


# --- packed --------------------------------------------------------------------------------------------------------

_STATES: Final = {
    "running": b"r",
    "finished": b"f",
    "finished_with_issues": b"i",
    "errors": b"e",
    "cancelled": b"c",
    "timed_out": b"t",
}
_RETRYABLE: Final = b"E"
_WORDS: Final = {letter[0]: word for word, letter in _STATES.items()} | {_RETRYABLE[0]: "errors"}
_RECORD: Final = Layout(">sq16sqIQqqII")  # state, began, id, started, attempt, seq, at, limit, interval, missing
_SIZE: Final = _RECORD.size
_OUTLINE: Final = Layout(">c8x16s8s12xQ12xI")  # the same record: state, id, started, at, missing: what a strip shows
_HEADER: Final = Layout(">BIqq16s")  # format, failed before the window, since when, and the newest that fell out of it
_HEAD: Final = _HEADER.size
STATUS_BYTES: Final = _HEAD, _SIZE, _WORDS
"""Where the first session's status stands, how far it is to the next, and what a byte there means: for SQL."""
ID_BYTE: Final = 9
"""How far behind its status a session's id stands: for SQL."""
MISSING_BYTES: Final = 56, 4
"""How far behind the beginning of a session's id its number of missing issues stands, and how long that is: for SQL."""
_FORMAT: Final = 1
_EMPTY: Final = _HEADER.pack(_FORMAT, 0, 0, 0, bytes(16))
_PLACE: Final = slice(1, 25)  # of a record: began and id. As bytes they are in the order of sessions, from 1970 on
_FIRST: Final = slice(_HEAD + 1, _HEAD + 25)  # the place of the newest record
_FULL: Final = _HEAD + WINDOW * _SIZE
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NONE: Final = 0xFFFFFFFF


def _count(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(count: int) -> datetime:
    return _EPOCH + timedelta(microseconds=count)


def _packed(session: RecentSession, identity: bytes | None = None) -> bytes:
    started = _count(session.started_at)
    limit, interval = session.limit_at, session.interval_s
    return _RECORD.pack(
        _RETRYABLE if session.retryable else _STATES[session.status],
        started if session.began is session.started_at else _count(session.began),
        identity or session.session_id.bytes,
        started,
        session.attempt,
        session.seq,
        _count(session.at),
        0 if limit is None else _count(limit),
        _NONE if interval is None else interval,
        min(session.issues_missing, _NONE),
    )


def _unpacked(raw: bytes, at: int) -> RecentSession:
    state, began, identity, started, attempt, seq, appended, limit, interval, missing = _RECORD.unpack_from(raw, at)
    started_at = _time(started)
    return RecentSession(
        UUID(bytes=identity), started_at, started_at if began == started else _time(began), attempt, seq,
        _WORDS[state[0]], _time(appended), _time(limit) if limit else None, None if interval == _NONE else interval,
        missing, state == _RETRYABLE,
    )  # fmt: skip


def pack(sessions: Sequence[RecentSession]) -> bytes:
    """Return sessions, newest first, as they are stored; nothing is known of any before them."""
    return _EMPTY + b"".join(map(_packed, sessions))


def unpack(raw: bytes | None) -> list[RecentSession]:
    """Return the sessions in a stored value, newest first."""
    return Recent(raw).sessions()


def outlines(raw: bytes | None) -> list[tuple[str, datetime, datetime, int, bytes]]:
    """Of each session, oldest first: status, started_at, append time of its newest word, missing issues, address.

    A page shows the strips of 100 users, 2,000 sessions: this reads them several times as fast as `unpack`. Addresses
    are what `schemas.keys.session_keys` takes.
    """
    if not raw:
        return []
    _check_format(raw)
    records = list(_OUTLINE.iter_unpack(memoryview(raw)[_HEAD:]))
    return [
        (
            _WORDS[state[0]],
            _EPOCH + int.from_bytes(started, "big", signed=True) * _MICROSECOND,
            _EPOCH + at * _MICROSECOND,
            missing,
            started + identity,
        )
        for state, identity, started, at, missing in reversed(records)
    ]


def _check_format(raw: bytes) -> None:
    if raw[0] != _FORMAT:
        raise ValueError(f"recent sessions in format {raw[0]}: written by a newer version")


class Recent:
    """The recent sessions of one user, unpacked only where somebody looks. Never changes: `seeing` makes another."""

    __slots__ = ("_found", "_known", "_last", "raw", "states")

    def __init__(self, raw: bytes | None, known: dict[int, RecentSession] | None = None) -> None:
        self.raw: Final = raw or _EMPTY
        self._known: Final = {} if known is None else known
        self._last: int | None = None  # index of the last ended session; -1: there is none
        self._found: tuple[bytes, int] = b"", -1  # what was looked for last, and where it is
        self.states: Final = self.raw[_HEAD::_SIZE]
        """One letter a session, newest first: r f i e c t, and E for errors that may be gone at the next try."""
        _check_format(self.raw)

    def __len__(self) -> int:
        return (len(self.raw) - _HEAD) // _SIZE

    def __getitem__(self, index: int) -> RecentSession:
        """Return the session at `index`, 0 being the newest."""
        session = self._known.get(index)
        if session is None:
            session = self._known[index] = _unpacked(self.raw, _HEAD + index * _SIZE)
        return session

    def sessions(self) -> list[RecentSession]:
        """Return all of them, newest first."""
        return [self[index] for index in range(len(self))]

    @property
    def newest(self) -> RecentSession | None:
        """The newest session, whatever its status."""
        return self[0] if len(self.raw) > _HEAD else None

    @property
    def last_ended(self) -> RecentSession | None:
        """The newest session that ended and was not cancelled."""
        if self._last is None:
            states = self.states
            rest = states.lstrip(b"rc")
            self._last = len(states) - len(rest) if rest else -1
        return self[self._last] if self._last >= 0 else None

    @property
    def running(self) -> tuple[RecentSession, ...]:
        """The sessions that run."""
        if b"r" not in self.states:
            return ()
        return tuple(self[index] for index, state in enumerate(self.states) if state in b"r")

    @property
    def streak(self) -> Streak:
        """How many of the newest ended sessions failed in a row; it goes on before the window."""
        states = self.states
        ended = states.translate(None, b"rc")
        count = len(ended) - len(ended.lstrip(b"eEt"))
        if count == len(ended):
            _, before, since, *_ = _HEADER.unpack_from(self.raw)
            if before:
                return Streak(count + before, _time(since))
        if not count:
            return _NO_STREAK
        failed = [index for index, state in enumerate(states) if state in b"eEt"]
        return Streak(count, self[failed[count - 1]].at)

    def has_elsewhen(self, session: RecentSession) -> bool:
        """Whether one of these has the id of `session`, but another started_at."""
        at = self._find(session.session_id.bytes)
        return at >= 0 and self[at].started_at != session.started_at

    def _find(self, identity: bytes) -> int:
        if self._found[0] == identity:
            return self._found[1]
        at = self.raw.find(identity, _HEAD)
        while at >= 0 and (at - _HEAD - 9) % _SIZE:  # the same bytes by chance, across other members
            at = self.raw.find(identity, at + 1)
        self._found = identity, -1 if at < 0 else (at - _HEAD) // _SIZE
        return self._found[1]

    def seeing(self, session: RecentSession) -> "Recent":
        """Return the union with `session` as `merged` does, or the very same where that changes nothing."""
        identity = session.session_id.bytes
        index = self._find(identity)
        if index < 0:
            record = _packed(session, identity)
            if record[_PLACE] > self.raw[_FIRST]:
                return self._in_front(session, record)
            return self._merged_with(session)
        kept = self[index]
        if kept.started_at == session.started_at:
            if kept == session or _version(session) < _version(kept):
                return self
            if kept.began == session.began:
                return self._replacing(index, session)
        return self._merged_with(session)

    def _replacing(self, index: int, session: RecentSession) -> "Recent":
        at = _HEAD + index * _SIZE
        raw = b"".join((self.raw[:at], _packed(session), self.raw[at + _SIZE :]))
        return Recent(raw, {**self._known, index: session})

    def _in_front(self, session: RecentSession, record: bytes) -> "Recent":
        raw = self.raw
        if len(raw) < _FULL:
            return Recent(b"".join((raw[:_HEAD], record, raw[_HEAD:])), {0: session})
        return Recent(b"".join((_head_after(raw, raw[-_SIZE:]), record, raw[_HEAD:-_SIZE])), {0: session})

    def _merged_with(self, session: RecentSession) -> "Recent":
        kept, raw = self.sessions(), self.raw
        identity = (session.started_at, session.session_id)
        is_new = identity not in {(each.started_at, each.session_id) for each in kept}
        record = _packed(session)
        if is_new and record[_PLACE] <= raw[13:_HEAD]:
            return self  # older than one that has fallen out: told too late to count
        overflows = is_new and len(kept) == WINDOW
        head = _head_after(raw, min(record, raw[-_SIZE:], key=itemgetter(_PLACE))) if overflows else raw[:_HEAD]
        window = merged(kept, [session])
        return Recent(head + b"".join(map(_packed, window)), dict(enumerate(window)))


def _head_after(raw: bytes, fallen: bytes) -> bytes:
    """Return the header once the session in the record `fallen` has left the window."""
    state = fallen[0]
    if state in b"eEt":
        _, failed, since, *_ = _HEADER.unpack_from(raw)
        if not failed:
            since = _RECORD.unpack(fallen)[6]
        return _HEADER.pack(_FORMAT, failed + 1, since, 0, b"")[:13] + fallen[_PLACE]
    kept = raw[:13] if state in b"rc" else _EMPTY[:13]
    return kept + fallen[_PLACE]
