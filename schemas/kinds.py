"""The types of all events, with their limits. `schemas.events` reads, writes and judges them.

Values are frozen, times aware UTC, ids UUIDs. Closed lists are enums, open lists are text.
"""

import enum
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

MAX_EVENT_BYTES: Final = 256 * 1024
MAX_CHUNK_BYTES: Final = 192 * 1024
"""A log event as encoded; the agent library stays below it."""
MAX_ERROR_TEXT_BYTES: Final = 8 * 1024
MAX_EXCEPTION_BYTES: Final = 64 * 1024
MAX_DETAIL_BYTES: Final = 1024
AGENT_NAME: Final = r"[^\s/\x00-\x1f\x7f]{1,128}"
"""What stands behind `/agents/` in `source`, as a pattern."""
MAX_NAME_CHARACTERS: Final = 512
MAX_NAMES: Final = 20
"""So many names may a line of a log say that it holds."""

Seq = Annotated[int, Meta(ge=0, lt=2**53)]
Attempt = Annotated[int, Meta(ge=1, lt=2**31)]
Count = Annotated[int, Meta(ge=0, lt=2**31)]
Total = Annotated[int, Meta(ge=0, lt=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Interval = Annotated[int, Meta(ge=0, lt=2**31)]
Slug = Annotated[str, Meta(min_length=1, max_length=64)]
Short = Annotated[str, Meta(max_length=256)]
Name = Annotated[str, Meta(max_length=MAX_NAME_CHARACTERS)]
# Lengths here are characters, checked while parsing; `decode` then checks the bytes.
ErrorText = Annotated[str, Meta(max_length=MAX_ERROR_TEXT_BYTES)]
ExceptionText = Annotated[str, Meta(max_length=MAX_EXCEPTION_BYTES)]
Detail = Annotated[str, Meta(max_length=MAX_DETAIL_BYTES)]
Time = Annotated[datetime, Meta(tz=True)]


class SessionStatus(enum.StrEnum):
    """What an agent may say about its session; `timed_out` is set by the service only and is no member."""

    RUNNING = "running"
    FINISHED = "finished"
    FINISHED_WITH_ISSUES = "finished_with_issues"
    ERRORS = "errors"
    CANCELLED = "cancelled"


class IssueState(enum.StrEnum):
    OPENED = "opened"
    RESOLVED = "resolved"


class Direction(enum.StrEnum):
    MAIL_TO_CRM = "mail_to_crm"
    CRM_TO_MAIL = "crm_to_mail"


class Operation(enum.StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Scope(enum.StrEnum):
    """How far a failure reaches."""

    ITEM = "item"
    MAILBOX = "mailbox"
    ORGANIZATION = "organization"
    SERVICE = "service"


class LogLevel(enum.StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class DirectoryKind(enum.StrEnum):
    ORGANIZATION = "organization"
    USER = "user"


class DirectoryState(enum.StrEnum):
    PRESENT = "present"
    REMOVED = "removed"


class CommandKind(enum.StrEnum):
    FORCE_SYNC = "force_sync"
    ENABLE = "enable"
    DISABLE = "disable"
    RETRY_ISSUE = "retry_issue"


class CommandOutcome(enum.StrEnum):
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"


class _Data(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Unknown members are ignored, members equal to their default are left out when encoded."""


class Failure(_Data, frozen=True, kw_only=True):
    """Why something failed, in words of the side that refused it."""

    source: Slug = "unknown"
    category: Slug = "other"
    code: Short = ""
    retryable: bool | None = None
    scope: Scope | None = None
    message: ErrorText = ""
    exception: ExceptionText | None = None


class ObjectCounts(_Data, frozen=True, kw_only=True):
    """One line of the detailed report: a type of object in one direction."""

    type: Slug
    direction: Direction
    fetched: Count = 0
    created: Count = 0
    updated: Count = 0
    deleted: Count = 0
    skipped: Count = 0
    failed: Count = 0
    conflicts: Count = 0


COUNTS: Final = tuple(name for name in ObjectCounts.__struct_fields__ if name not in ("type", "direction"))
"""What is counted in a line of the report, in the order in which it is told."""


class Durations(_Data, frozen=True, kw_only=True):
    """Seconds of work by side."""

    mail_s: Seconds = 0.0
    crm_s: Seconds = 0.0
    engine_s: Seconds = 0.0


class _OfSession(_Data, frozen=True, kw_only=True):
    """What every event about a session carries: whose it is, which it is, and which try."""

    organization_id: UUID
    user_id: UUID
    session_id: UUID
    started_at: Time
    attempt: Attempt = 1


class SessionData(_OfSession, frozen=True, kw_only=True):
    """The state of one session so far, cumulative: the newest (attempt, seq) replaces all before it."""

    seq: Seq
    status: SessionStatus
    ended_at: Time | None = None
    deadline_at: Time | None = None
    interval_s: Interval | None = None
    next_run_at: Time | None = None
    trigger: Slug = "schedule"
    mode: Slug = "incremental"
    mail_system: Slug | None = None
    crm_system: Slug = "salesforce"
    agent_version: Short | None = None
    objects: Annotated[tuple[ObjectCounts, ...], Meta(max_length=256)] = ()
    durations: Durations | None = None
    error: Failure | None = None
    issues_sent: Count = 0
    log_chunks_sent: Count = 0
    log_chunks_dropped: Count = 0
    status_detail: Detail | None = None


class IssueData(_OfSession, frozen=True, kw_only=True):
    """One sighting of trouble with one object, or the news that it is over."""

    state: IssueState
    seq: Seq
    object_type: Slug
    direction: Direction
    operation: Operation
    error_code: Annotated[int, Meta(ge=0, le=3)]
    issue_id: UUID | None = None
    object_name: Name = ""
    object_id: Name | None = None
    counterpart_id: Name | None = None
    error_text: ErrorText = ""
    error: Failure | None = None
    attempts: Count = 1
    resolution: Slug | None = None


class LogLine(_Data, frozen=True, kw_only=True):
    """One line of a session's log."""

    at: Time
    level: LogLevel
    message: str
    source: Slug = "agent"
    exception: ExceptionText | None = None
    names: Annotated[tuple[Name, ...], Meta(max_length=MAX_NAMES)] = ()


class LogData(_OfSession, frozen=True, kw_only=True):
    """A run of consecutive lines of a session's log. Lines are numbered from 1 over the whole session."""

    chunk_no: Count
    first_line: Annotated[int, Meta(ge=1, lt=2**31)]
    final: bool = False
    dropped_lines: Count = 0
    lines: tuple[LogLine, ...] = ()


class Actor(_Data, frozen=True, kw_only=True):
    """Who did it: `type` is user, admin or system."""

    type: Slug
    id: Short | None = None


class DirectoryData(_Data, frozen=True, kw_only=True):
    """An organization or a user as the system of record has it; the greatest revision wins."""

    organization_id: UUID
    kind: DirectoryKind
    revision: Annotated[int, Meta(ge=0, lt=2**53)]
    user_id: UUID | None = None
    state: DirectoryState = DirectoryState.PRESENT
    name: Name | None = None
    email: Name | None = None
    display_name: Name | None = None
    external_id: Short | None = None
    mail_system: Slug | None = None
    crm_system: Slug | None = None
    sync_enabled: bool = True
    disabled_reason: Slug | None = None
    actor: Actor | None = None
    interval_s: Interval | None = None


class HeartbeatData(_Data, frozen=True, kw_only=True):
    """An agent is alive. Without `organization_id` it is one of the operator's shared agents."""

    agent_id: Annotated[str, Meta(min_length=1, max_length=128)]
    sent_at: Time
    organization_id: UUID | None = None
    version: Short = ""
    sessions_running: Count = 0
    queued: Total = 0
    oldest_queued_s: Seconds = 0.0


class CommandResultData(_Data, frozen=True, kw_only=True):
    """What became of a command."""

    organization_id: UUID
    command_id: UUID
    outcome: CommandOutcome
    user_id: UUID | None = None
    detail: Detail = ""
    finished_at: Time | None = None


class TickData(_Data, frozen=True, kw_only=True):
    """The gateway's own: time went by on this partition. Moves positions and time, counts in no total."""

    gateway: Annotated[str, Meta(min_length=1, max_length=128)]
    sent_at: Time


class StatusData(_Data, frozen=True, kw_only=True):
    """Out: the status of a user, or the health of an organization, has changed."""

    organization_id: UUID
    to: Slug
    reason: Annotated[str, Meta(max_length=1024)]
    since: Time
    revision: Total
    user_id: UUID | None = None
    from_: Slug | None = msgspec.field(name="from", default=None)


class CommandData(_Data, frozen=True, kw_only=True):
    """Out: somebody wants the connector to do something."""

    command_id: UUID
    organization_id: UUID
    kind: CommandKind
    actor: Actor
    expires_at: Time
    user_id: UUID | None = None
    issue_id: UUID | None = None


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type"):
    """The envelope (CloudEvents 1.0). Attributes nobody asked for are ignored."""

    type: ClassVar[str]

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=256)]
    source: Annotated[str, Meta(min_length=1, max_length=256)]
    time: Time
    subject: Annotated[str, Meta(max_length=256)] | None = None
    datacontenttype: Annotated[str, Meta(max_length=128)] | None = None
    traceparent: Annotated[str, Meta(max_length=128)] | None = None
    data_base64: None = None
    """Text here is for `decode` to read; it is never set afterwards."""

    @property
    def agent_id(self) -> str:
        """The agent that sent it, from `source`."""
        return self.source.removeprefix("/agents/")


class SessionEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.session.v1"):
    type: ClassVar[str] = "syncwatch.session.v1"
    data: SessionData


class IssueEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.issue.v1"):
    type: ClassVar[str] = "syncwatch.issue.v1"
    data: IssueData


class LogEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.log.v1"):
    type: ClassVar[str] = "syncwatch.log.v1"
    data: LogData


class DirectoryEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.directory.v1"):
    type: ClassVar[str] = "syncwatch.directory.v1"
    data: DirectoryData


class HeartbeatEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.heartbeat.v1"):
    type: ClassVar[str] = "syncwatch.heartbeat.v1"
    data: HeartbeatData


class CommandResultEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.command_result.v1"):
    type: ClassVar[str] = "syncwatch.command_result.v1"
    data: CommandResultData


class TickEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.tick.v1"):
    type: ClassVar[str] = "syncwatch.tick.v1"
    data: TickData


class StatusEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.status.v1"):
    type: ClassVar[str] = "syncwatch.status.v1"
    data: StatusData


class CommandEvent(_Event, frozen=True, kw_only=True, tag="syncwatch.command.v1"):
    type: ClassVar[str] = "syncwatch.command.v1"
    data: CommandData


Event = SessionEvent | IssueEvent | LogEvent | DirectoryEvent | HeartbeatEvent | CommandResultEvent | TickEvent
"""What arrives on the input topics."""
OutEvent = StatusEvent | CommandEvent
"""What Syncwatch itself sends on `syncwatch.status` and `syncwatch.commands`."""
Data = SessionData | IssueData | LogData | DirectoryData | HeartbeatData | CommandResultData | TickData
KINDS: Final[dict[type[Any], type[Any]]] = {
    SessionData: SessionEvent,
    IssueData: IssueEvent,
    LogData: LogEvent,
    DirectoryData: DirectoryEvent,
    HeartbeatData: HeartbeatEvent,
    CommandResultData: CommandResultEvent,
    TickData: TickEvent,
    StatusData: StatusEvent,
    CommandData: CommandEvent,
}


def short_type(type_name: str) -> str:
    """Return an event type without its namespace and version: `session` of `syncwatch.session.v1`."""
    return type_name.removeprefix("syncwatch.").partition(".")[0]
