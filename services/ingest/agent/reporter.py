"""What a connector holds: a reporter, which gives it sessions and takes care that what they say arrives."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID, uuid4

import msgspec

from schemas.events import (
    Actor,
    DirectoryData,
    DirectoryKind,
    DirectoryState,
    Failure,
    HeartbeatData,
    LogEvent,
    Refused,
    SessionData,
    SessionStatus,
    decode,
    encode,
    make,
)
from schemas.kinds import short_type
from services.ingest.agent import texts
from services.ingest.agent.background import Background
from services.ingest.agent.outbox import Outbox, rank_of
from services.ingest.agent.sender import Sender
from services.ingest.agent.session import Session
from services.ingest.agent.spool import Item
from services.ingest.agent.transport import Fate, NotNow, Outcome, Stopped, TooMuch, Transport

HEARTBEAT_S: Final = 30.0
PROGRESS_S: Final = 30.0
LOG_FLUSH_S: Final = 5.0
SPOOL_BYTES: Final = 256 * 1024 * 1024
_PATIENCE_S: Final = 2.0
"""How long the start and the end of a session wait for the disk; what it did not take by then stays in memory."""
_DRAIN_S: Final = 2.0
"""How long leaving waits for what is not acknowledged yet; with the closing after it about 3 s, whoever is away."""
_CLOSE_S: Final = 1.0
_LOG: Final = logging.getLogger(__name__)

Classify = Callable[[BaseException], Failure]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a reporter has done since it started, by kind or reason, and what is wrong."""

    acknowledged: Mapping[str, int]
    set_aside: Mapping[str, int]
    dropped: Mapping[str, int]
    queued: int
    trouble: str | None


class Reporter:
    """Reports sessions, issues, logs and the directory of one organization (or, without one, the operator's).

    `async with reporter:` runs heartbeat and sender. What was accepted survives a kill of the process and is sent by
    the next one; an unreachable gateway or a full disk never stops, blocks or breaks the connector.
    """

    def __init__(
        self, transport: Transport, *, agent_id: str, organization_id: UUID | None, spool_path: Path | str,
        version: str, classify: Classify | None = None, spool_bytes: int = SPOOL_BYTES, spread_s: float = 30.0,
    ) -> None:  # fmt: skip
        """`spool_path` is a file of this reporter alone; `classify` turns an exception into a failure.

        `spool_bytes` bounds the spool; after the other side has said "later", sending resumes within `spread_s`.
        """
        self._transport = transport
        self._agent_id = agent_id
        self._organization_id = organization_id
        self._version = texts.short(version)
        self._classify = classify
        owner = f"{agent_id} of {organization_id or 'the operator'}"
        self._outbox = Outbox(Path(spool_path), owner, spool_bytes, self._on_dropped)
        self._sender = Sender(self._outbox, transport, spread_s)
        self._sessions: dict[UUID, Session] = {}
        self._background = Background()
        self._refusing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._outbox.open()
        await self._transport.start()
        self._background.start(
            writing=self._outbox.keep_writing, sending=self._sender.run,
            beating=self._keep_beating, flushing=self._keep_flushing,
        )  # fmt: skip
        self._outbox.wake_sender.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.drained(_DRAIN_S)
        finally:
            await self._background.stop()
            await asyncio.gather(*self._refusing, return_exceptions=True)
            await self._outbox.close(_CLOSE_S)
            await self._transport.close()

    @contextlib.asynccontextmanager
    async def session(
        self, user_id: UUID, *, interval_s: int | None = None, deadline: datetime | timedelta | None = None,
        trigger: str = "schedule", mode: str = "incremental", mail_system: str | None = None,
        crm_system: str = "salesforce", session_id: UUID | None = None, started_at: datetime | None = None,
        attempt: int = 1, organization_id: UUID | None = None, classify: Classify | None = None,
    ) -> AsyncIterator[Session]:  # fmt: skip
        """Give a session that is reported from start to end, whatever the outcome; an exception goes on its way.

        `interval_s`: seconds until the next run is due, 0 = never. `deadline`: a time, or how long it may take. A
        further attempt of the same session names its `session_id`, `started_at` and `attempt`.
        """
        began = (started_at or _now()).astimezone(UTC)
        about = SessionData(
            organization_id=self._organization(organization_id), user_id=user_id, session_id=session_id or uuid4(),
            started_at=began, attempt=attempt, seq=0, status=SessionStatus.RUNNING, interval_s=interval_s,
            deadline_at=began + deadline if isinstance(deadline, timedelta) else deadline,
            trigger=texts.slug(trigger), mode=texts.slug(mode), agent_version=self._version or None,
            mail_system=None if mail_system is None else texts.slug(mail_system), crm_system=texts.slug(crm_system),
        )  # fmt: skip
        session = Session(about, self._emit_soon, _now)
        self._sessions[about.session_id] = session
        failed: BaseException | None = None
        try:
            await _patiently(session.start())
            yield session
        except BaseException as error:
            failed = error
            raise
        finally:
            done = session.end(failed, classify or self._classify)
            self._sessions.pop(about.session_id, None)
            await _patiently(done)

    async def directory(
        self, *, kind: DirectoryKind | str, revision: int, organization_id: UUID | None = None,
        user_id: UUID | None = None, state: DirectoryState | str = DirectoryState.PRESENT, name: str | None = None,
        email: str | None = None, display_name: str | None = None, external_id: str | None = None, **members: Any,
    ) -> None:  # fmt: skip
        """Announce an organization or a user as the system of record has it; send the whole of it once a day.

        Further members: mail_system, crm_system, sync_enabled, disabled_reason, actor, interval_s.
        """
        await self.emit(
            DirectoryData(
                organization_id=self._organization(organization_id), user_id=user_id, kind=DirectoryKind(kind),
                revision=revision, state=DirectoryState(state), name=name and texts.name(name),
                email=email and texts.name(email), display_name=display_name and texts.name(display_name),
                external_id=external_id and texts.short(external_id), **_fit(members),
            )
        )  # fmt: skip

    async def emit(self, data: Any) -> None:
        """Accept the data of any event; returns when it is on disk, or after 2 s when the disk does not answer."""
        await _patiently(self._emit_soon(data))

    async def drained(self, seconds: float) -> bool:
        """Wait until everything accepted was acknowledged or set aside; False where that is not so after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._outbox.pending and self._sender.stopped is None:
                    await asyncio.sleep(0.02)
        return self._outbox.pending == 0

    def figures(self) -> Figures:
        """Return what has been done so far and what is wrong."""
        trouble = self._sender.stopped or self._background.trouble or self._sender.trouble or self._outbox.trouble
        return Figures(
            dict(self._sender.acknowledged), dict(self._outbox.set_aside), dict(self._outbox.dropped),
            self._outbox.pending, trouble,
        )  # fmt: skip

    def _organization(self, organization_id: UUID | None) -> UUID:
        found = organization_id or self._organization_id
        if found is None:
            raise ValueError("a reporter without an organization needs organization_id with every session")
        return found

    def _emit_soon(self, data: Any) -> asyncio.Future[None]:
        """Hand one event to the outbox; what the contract forbids goes to the reject file and harms nobody."""
        event = make(data, id=str(uuid4()), agent_id=self._agent_id, time=_now())
        kind = short_type(event.type)
        running = isinstance(data, SessionData) and data.status is SessionStatus.RUNNING
        item = Item(kind, rank_of(kind, running=running), encode(event), _now().timestamp())
        try:
            decode(item.value)
        except Refused as refused:
            outcome = Outcome(Fate.REFUSED, 422, refused.reason, refused.pointer, refused.detail)
            task = asyncio.create_task(self._outbox.refuse(item, outcome))
            self._refusing.add(task)
            task.add_done_callback(self._refusing.discard)
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        return self._outbox.put(item)

    def _on_dropped(self, kind: str, value: bytes) -> None:
        """Tell a session that still runs that a chunk of its log was lost here; its next events say so."""
        if kind != "log":
            return
        event = msgspec.json.decode(value, type=LogEvent)
        session = self._sessions.get(event.data.session_id)
        if session is not None:
            session.chunk_dropped(len(event.data.lines) + event.data.dropped_lines)

    async def _keep_beating(self) -> None:
        while self._sender.stopped is None:
            with contextlib.suppress(NotNow, TooMuch):  # the next beat says more than this one
                try:
                    await self._beat()
                except Stopped as stopped:
                    self._sender.trouble = str(stopped)
            await asyncio.sleep(HEARTBEAT_S)

    async def _beat(self) -> None:
        now = _now()
        queued = await self._outbox.queued(now.timestamp())
        data = HeartbeatData(
            agent_id=self._agent_id, organization_id=self._organization_id, version=self._version, sent_at=now,
            sessions_running=len(self._sessions), queued=queued.events, oldest_queued_s=queued.oldest_s,
        )  # fmt: skip
        beat = encode(make(data, id=str(uuid4()), agent_id=self._agent_id, time=now))
        [outcome] = await self._transport.send([beat])
        if outcome.fate is Fate.REFUSED:
            self._outbox.note_refused("heartbeat", outcome)

    async def _keep_flushing(self) -> None:
        """Send what running sessions have gathered: logs often, so that they can be followed, their state less."""
        elapsed = 0.0
        while True:
            await asyncio.sleep(LOG_FLUSH_S)
            elapsed += LOG_FLUSH_S
            for session in list(self._sessions.values()):
                session.flush_log()
                if elapsed >= PROGRESS_S:
                    session.progress()
            elapsed %= PROGRESS_S


def _fit(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return further members of a directory event with their texts as they may be sent."""
    found = {name: texts.slug(value) if isinstance(value, str) else value for name, value in members.items()}
    if isinstance(actor := found.get("actor"), Actor):
        found["actor"] = Actor(type=texts.slug(actor.type), id=actor.id and texts.short(actor.id))
    return found


async def _patiently(done: Any) -> None:
    """Wait for the disk, but not for long, and through a cancellation of the host."""
    await asyncio.wait([done], timeout=_PATIENCE_S)


def _now() -> datetime:
    return datetime.now(UTC)
