"""The events that cross Syncwatch: `decode(bytes) -> Event`, `encode(event) -> bytes`, and what one event implies.

CloudEvents 1.0 in structured JSON, the same bytes over HTTP and on Kafka. On the good path a decode is one typed
msgspec call between cheap looks at the bytes; whatever is odd takes a slow path. `Refused` never holds payload text.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec

from schemas import guards
from schemas.identity import issue_id_of, issue_identity
from schemas.kinds import (
    AGENT_NAME,
    KINDS,
    MAX_CHUNK_BYTES,
    MAX_DETAIL_BYTES,
    MAX_ERROR_TEXT_BYTES,
    MAX_EVENT_BYTES,
    MAX_EXCEPTION_BYTES,
    MAX_NAME_CHARACTERS,
    Actor,
    Attempt,
    CommandData,
    CommandEvent,
    CommandKind,
    CommandOutcome,
    CommandResultData,
    CommandResultEvent,
    Data,
    Direction,
    DirectoryData,
    DirectoryEvent,
    DirectoryKind,
    DirectoryState,
    Durations,
    Event,
    Failure,
    HeartbeatData,
    HeartbeatEvent,
    IssueData,
    IssueEvent,
    IssueState,
    LogData,
    LogEvent,
    LogLevel,
    LogLine,
    ObjectCounts,
    Operation,
    OutEvent,
    Scope,
    SessionData,
    SessionEvent,
    SessionStatus,
    StatusData,
    StatusEvent,
    TickData,
    TickEvent,
)

__all__ = [
    "KINDS", "MAX_CHUNK_BYTES", "MAX_DETAIL_BYTES", "MAX_ERROR_TEXT_BYTES", "MAX_EVENT_BYTES", "MAX_EXCEPTION_BYTES",
    "MAX_NAME_CHARACTERS", "REASONS", "Actor", "Attempt", "CommandData", "CommandEvent", "CommandKind",
    "CommandOutcome", "CommandResultData", "CommandResultEvent", "Data", "Direction", "DirectoryData",
    "DirectoryEvent",
    "DirectoryKind", "DirectoryState", "Durations", "Event", "Failure", "HeartbeatData", "HeartbeatEvent", "IssueData",
    "IssueEvent", "IssueState", "LogData", "LogEvent", "LogLevel", "LogLine", "ObjectCounts", "Operation", "OutEvent",
    "Refused", "Scope", "SessionData", "SessionEvent", "SessionStatus", "StatusData", "StatusEvent", "TickData",
    "TickEvent", "check_strictly", "decode", "decode_out", "digest", "encode", "issue_id_of",
    "issue_identity", "make", "subject_of",
]  # fmt: skip

REASONS: Final = (
    "agent_mismatch", "bad_base64", "bad_media_type", "bad_source", "bad_time", "bad_uuid", "bad_value",
    "byte_order_mark", "data_twice", "doubled_member", "empty", "missing_member", "not_an_object", "not_json",
    "not_utf8", "nul_in_text", "out_of_range", "subject_mismatch", "time_out_of_range", "too_deep", "too_large",
    "too_long", "unknown_type", "wrong_type",
)  # fmt: skip
"""Every slug `decode` and `check_strictly` refuse with: a closed set, for metrics and `rejected_event`."""


class Refused(Exception):
    """An event that can never be applied. `detail` says what was expected and holds no text of the event."""

    def __init__(self, reason: str, pointer: str, detail: str) -> None:
        super().__init__(reason, pointer, detail)
        self.reason = reason
        self.pointer = pointer[:256]  # names of members may be of any length
        self.detail = detail


_DECODER: Final = msgspec.json.Decoder(Event)
_DECODE: Final = _DECODER.decode
_OUT_DECODER: Final = msgspec.json.Decoder(OutEvent)
_ENCODER: Final = msgspec.json.Encoder()


def decode(value: bytes | None) -> Event:
    """Return the one event in `value`, or raise `Refused`; the same on HTTP and on Kafka."""
    if not value:
        raise Refused("empty", "", "a record needs a value: one CloudEvent as a JSON object")
    if len(value) > MAX_EVENT_BYTES:
        raise Refused("too_large", "", f"an event has at most {MAX_EVENT_BYTES} bytes")
    if not value.isascii() or 92 in value or _FINE_TIME(value) is not None:  # 92: a backslash
        value = _mended(value)
    event: Event
    try:
        event = _DECODE(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        event = _parsed_otherwise(value, _DECODER, error)
    at = event.time
    if at.tzinfo is not UTC or at.year not in _YEARS:
        _settle(event, "time", "/time")
    if event.source not in _SOURCES:
        _check_source(event.source)
    media_type = event.datacontenttype
    if media_type is not None and media_type != "application/json" and not _MEDIA_TYPE.fullmatch(media_type):
        raise Refused("bad_media_type", "/datacontenttype", "application/json")
    _CHECKS[event.__class__](event)
    if len(value) > MAX_CHUNK_BYTES and isinstance(event, LogEvent):
        raise Refused("too_large", "", f"a log event has at most {MAX_CHUNK_BYTES} bytes")
    return event


def decode_out(value: bytes) -> OutEvent:
    """Return the status change or command in `value`, or raise `Refused`; for readers of the topics we write."""
    event: OutEvent = _parsed(_mended(value), _OUT_DECODER)
    return event


def encode(event: Event | OutEvent) -> bytes:
    """Return the event as the bytes that go on the wire; members equal to their default are left out."""
    return _ENCODER.encode(event)


def digest(event: Event) -> int:
    """Return the signed 64-bit number that decides between two copies of one version with other content."""
    return int.from_bytes(hashlib.sha256(_ENCODER.encode(event)).digest()[:8], "big", signed=True)


def make(data: Any, *, id: str, agent_id: str, time: datetime) -> Any:
    """Wrap data of any kind in its envelope, with the subject that belongs to it."""
    return KINDS[type(data)](
        specversion="1.0", id=id, source=f"/agents/{agent_id}", time=time, subject=subject_of(data),
        datacontenttype="application/json", data=data,
    )  # fmt: skip


def check_strictly(value: bytes, event: Event) -> None:
    """Refuse what only the gateway looks for, in an event that `decode` read from `value`.

    A member twice in one object (two parsers would read two different events), nesting beyond any need, and a subject
    that names somebody else than the data. None of these harms a reader of the topics, who goes by `decode` alone.
    """
    if guards.is_too_deep(value):
        raise Refused("too_deep", "", f"objects and arrays nest at most {guards.MAX_DEPTH} deep")
    try:
        guards.check_doubled(value)
    except guards.Doubled as doubled:
        name = str(doubled)
        known = name if re.fullmatch(r"[a-z_0-9]{1,40}", name) else "a member"
        raise Refused("doubled_member", "", f"{known} stands twice in one object") from None
    if event.subject is not None and event.subject.lower() != subject_of(event.data):
        raise Refused("subject_mismatch", "/subject", "organizations/<organization_id>/users/<user_id> as in data")


def subject_of(data: Any) -> str | None:
    """Return the subject that belongs to data of any kind; None where it names no organization."""
    organization, user = getattr(data, "organization_id", None), getattr(data, "user_id", None)
    if organization is None:
        return None
    return f"organizations/{organization}/users/{user}" if user is not None else f"organizations/{organization}"


# --- parsing -----------------------------------------------------------------------------------------------------


def _parsed(value: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _parsed_otherwise(value, decoder, error)


def _parsed_otherwise(value: bytes, decoder: msgspec.json.Decoder[Any], error: Exception) -> Any:
    """Read what the typed decoder did not: data in base64, null for absent. Else say what is wrong."""
    if isinstance(error, RecursionError):
        raise Refused("too_deep", "", f"objects and arrays nest at most {guards.MAX_DEPTH} deep") from None
    if not isinstance(error, msgspec.ValidationError):
        raise _refused_malformed(value) from None
    if b'"data_base64"' in value:
        return _parsed_from_base64(value, decoder, error)
    if b"null" in value:  # a null member is an absent one, also where a member has a default or is required
        return _parsed_without_nulls(value, decoder)
    raise _refused(error) from None


def _mended(value: bytes) -> bytes:
    """Mend or refuse what the parser trips over or lets through: bad UTF-8, NUL, half surrogate pairs, fine times."""
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError:
            raise Refused("not_utf8", "", "the event is not UTF-8") from None
    if b"\\u" in value and guards.has_escapes_to_mend(value):
        value, nul = guards.mend_escapes(value)
        if nul:
            raise _refused_nul(value)
    return guards.cut_times(value)


def _refused_nul(value: bytes) -> Refused:
    try:
        pointer = guards.find_nul(value)
    except ValueError:
        return _refused_malformed(value)
    return Refused("nul_in_text", pointer, "text without the character NUL")


def _refused_malformed(value: bytes) -> Refused:
    if value.startswith(b"\xef\xbb\xbf"):
        return Refused("byte_order_mark", "", "JSON without a byte order mark in front")
    return Refused("not_json", "", "the event is not JSON")


def _parsed_without_nulls(value: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(_ENCODER.encode(guards.without_nulls(msgspec.json.decode(value))))
    except msgspec.ValidationError as error:
        raise _refused(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refused_malformed(value) from None


def _parsed_from_base64(value: bytes, decoder: msgspec.json.Decoder[Any], error: msgspec.ValidationError) -> Any:
    """Read the event with the JSON of `data_base64` as its `data`; a look-alike in a text changes nothing."""
    try:
        envelope = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _refused(error) from None
    coded = bytes(envelope.pop("data_base64", b"null"))
    if coded == b"null":
        return _parsed_without_nulls(value, decoder)
    if bytes(envelope.get("data", b"null")) != b"null":
        raise Refused("data_twice", "/data_base64", "either data or data_base64")
    return _parsed(_ENCODER.encode({**envelope, "data": msgspec.Raw(_uncoded(coded))}), decoder)


def _uncoded(coded: bytes) -> bytes:
    try:
        inner = base64.b64decode(msgspec.json.decode(coded, type=str), validate=True)
        msgspec.json.decode(inner, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        raise Refused("bad_base64", "/data_base64", "base64 of a JSON object") from None
    try:
        return _mended(inner)
    except Refused as refused:
        raise Refused(refused.reason, f"/data{refused.pointer}", refused.detail) from None


_PATH: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<key>key in )?\$(?P<path>.*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def _refused(error: msgspec.ValidationError) -> Refused:
    """Turn the parser's words into slug, pointer and what was expected, leaving out what was sent."""
    match = cast("re.Match[str]", _PATH.fullmatch(str(error)))
    what = match["what"]
    pointer = "".join(f"/{name or index}" for name, index in _STEP.findall(match["path"] or ""))
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", what):
        return Refused("missing_member", f"{pointer}/{missing[1]}", "this member is required")
    if what.startswith("Invalid value") and pointer == "/type":
        return Refused("unknown_type", pointer, "one of " + ", ".join(sorted(_TYPES)))
    if what.startswith("Invalid enum value"):
        allowed = _ALLOWED.get(pointer.rpartition("/")[2])
        return Refused("bad_value", pointer, "one of " + ", ".join(allowed) if allowed else "a listed value")
    if not pointer and what.startswith("Expected `object`"):
        return Refused("not_an_object", "", "one CloudEvent as a JSON object")
    return Refused(next(slug for sign, slug in _SIGNS if sign in what), pointer, _expected(what))


_TYPES: Final = frozenset(kind.type for kind in KINDS.values()) - {TickEvent.type, StatusEvent.type, CommandEvent.type}
_ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "status": tuple(SessionStatus),
    "direction": tuple(Direction),
    "operation": tuple(Operation),
    "scope": tuple(Scope),
    "level": tuple(LogLevel),
    "kind": (*DirectoryKind, *CommandKind),
    "state": (*IssueState, *DirectoryState),
    "outcome": tuple(CommandOutcome),
    "specversion": ("1.0",),
}
_SIGNS: Final = (
    ("Invalid UUID", "bad_uuid"),
    ("RFC3339", "bad_time"),
    ("timezone", "bad_time"),
    ("of length", "too_long"),
    ("out of range", "out_of_range"),
    ("<=", "out_of_range"),
    (">=", "out_of_range"),
    ("Invalid", "bad_value"),
    ("", "wrong_type"),
)


def _expected(what: str) -> str:
    """Return the parser's words when they only name types and limits."""
    return "the value is not a listed one" if what.startswith("Invalid value") else what.replace("`", "")


# --- checks the parser cannot make -------------------------------------------------------------------------------

_SOURCE: Final = re.compile(f"/agents/{AGENT_NAME}")
_MEDIA_TYPE: Final = re.compile(r"\s*application/json\s*(?:;.*)?", re.IGNORECASE)


_SOURCES: Final[set[str]] = set()
"""Sources that were found good: agents send the same one for ever, and looking it up costs a fifth of matching it."""
_MOST_SOURCES: Final = 8192
_YEARS: Final = frozenset(range(1970, 2200))
_FINE_TIME: Final = guards.FINE_TIME.search


def _check_source(source: str) -> None:
    if _SOURCE.fullmatch(source) is None:
        raise Refused("bad_source", "/source", "/agents/ and the agent's id: up to 128 characters, no space, no slash")
    if len(_SOURCES) >= _MOST_SOURCES:
        _SOURCES.clear()
    _SOURCES.add(source)


def _settle(holder: Any, member: str, pointer: str) -> None:
    """Bring a time to UTC, in place: the value is not shared yet."""
    at: datetime | None = getattr(holder, member)
    if at is None:
        return
    if at.year not in _YEARS:
        raise Refused("time_out_of_range", pointer, "a year from 1970 to 2199")
    if at.tzinfo is not UTC:
        msgspec.structs.force_setattr(holder, member, at.astimezone(UTC))


def _check_bytes(text: str | None, limit: int, pointer: str) -> None:
    if text is not None and len(text) * 4 > limit and not text.isascii() and len(text.encode()) > limit:
        raise Refused("too_long", pointer, f"at most {limit} bytes")


def _check_failure(error: Failure, pointer: str) -> None:
    _check_bytes(error.message, MAX_ERROR_TEXT_BYTES, pointer + "/message")
    _check_bytes(error.exception, MAX_EXCEPTION_BYTES, pointer + "/exception")


def _check_session(event: SessionEvent) -> None:
    data = event.data
    at = data.started_at
    if at.tzinfo is not UTC or at.year not in _YEARS:
        _settle(data, "started_at", "/data/started_at")
    if (ended := data.ended_at) is not None and (ended.tzinfo is not UTC or ended.year not in _YEARS):
        _settle(data, "ended_at", "/data/ended_at")
    if data.deadline_at is not None:
        _settle(data, "deadline_at", "/data/deadline_at")
    if data.next_run_at is not None:
        _settle(data, "next_run_at", "/data/next_run_at")
    if data.error is not None:
        _check_failure(data.error, "/data/error")
    if data.status_detail is not None:
        _check_bytes(data.status_detail, MAX_DETAIL_BYTES, "/data/status_detail")


def _check_issue(event: IssueEvent) -> None:
    data = event.data
    _settle(data, "started_at", "/data/started_at")
    _check_bytes(data.error_text, MAX_ERROR_TEXT_BYTES, "/data/error_text")
    if data.error is not None:
        _check_failure(data.error, "/data/error")


def _check_log(event: LogEvent) -> None:
    data = event.data
    _settle(data, "started_at", "/data/started_at")
    for index, line in enumerate(data.lines):
        _settle(line, "at", f"/data/lines/{index}/at")
        _check_bytes(line.exception, MAX_EXCEPTION_BYTES, f"/data/lines/{index}/exception")


def _check_directory(event: DirectoryEvent) -> None:
    if (event.data.user_id is not None) is not (event.data.kind is DirectoryKind.USER):
        raise Refused("missing_member", "/data/user_id", "user_id exactly where kind is user")


def _check_heartbeat(event: HeartbeatEvent) -> None:
    _settle(event.data, "sent_at", "/data/sent_at")
    if event.data.agent_id != event.agent_id:
        raise Refused("agent_mismatch", "/data/agent_id", "the agent that source names")


def _check_result(event: CommandResultEvent) -> None:
    _settle(event.data, "finished_at", "/data/finished_at")
    _check_bytes(event.data.detail, MAX_DETAIL_BYTES, "/data/detail")


def _check_tick(event: TickEvent) -> None:
    _settle(event.data, "sent_at", "/data/sent_at")


_CHECKS: Final[dict[type[Any], Callable[[Any], None]]] = {
    SessionEvent: _check_session,
    IssueEvent: _check_issue,
    LogEvent: _check_log,
    DirectoryEvent: _check_directory,
    HeartbeatEvent: _check_heartbeat,
    CommandResultEvent: _check_result,
    TickEvent: _check_tick,
}
