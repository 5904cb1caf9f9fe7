"""From a request's body to a verdict on each event. Pure: who may send what, and what is wrong with the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas import guards
from schemas.events import MAX_EVENT_BYTES, Event, HeartbeatEvent, Refused, TickEvent, check_strictly, decode
from schemas.kinds import short_type

MAX_EVENTS: Final = 1000
MAX_MENDED: Final = 10_000
"""Halves of surrogate pairs that are mended in one batch; a body made of nothing else is not worth the time."""
SINGLE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a token speaks for: one agent of one organization. Agents of the operator write to Kafka themselves."""

    token_id: UUID
    agent_id: str
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class Good:
    """An event to publish: the bytes as sent (halves of surrogate pairs mended) and what they say."""

    id: str
    value: bytes
    event: Event


@dataclass(frozen=True, slots=True)
class Bad:
    """An event that is not taken: the status, why, where, and what was expected. `id` and `type` as far as readable."""

    id: str | None
    type: str
    status: int
    reason: str
    pointer: str
    detail: str


class BodyRefused(Exception):
    """The body as a whole cannot be taken."""

    def __init__(self, status: int, reason: str, detail: str, pointer: str = "") -> None:
        super().__init__(status, reason, pointer, detail)
        self.status = status
        self.reason = reason
        self.pointer = pointer
        self.detail = detail


def is_batch(content_type: str | None) -> bool:
    """Tell the batch media type from the single one; parameters and case do not matter. Raises on any other."""
    essence, *parameters = (content_type or "").split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            raise BodyRefused(415, "charset", "events are UTF-8")
    match essence.strip().lower():
        case media_type if media_type == BATCH:
            return True
        case media_type if media_type == SINGLE:
            return False
        case _:
            raise BodyRefused(415, "media_type", f"Content-Type {SINGLE} for one event, {BATCH} for an array of events")


# A list would take every element in before its length is known, four million of them in one body. A struct that reads
# as an array gives up at the first element too many.
_Batch: Final = msgspec.defstruct(
    "_Batch",
    [(f"event_{number}", msgspec.Raw, msgspec.Raw(b"")) for number in range(MAX_EVENTS)],
    array_like=True,
    forbid_unknown_fields=True,
)
_BATCHES: Final = msgspec.json.Decoder(_Batch)


def split(body: bytes) -> list[bytes]:
    """Return the events of a batch, each with its own bytes, unread."""
    try:
        batch = _elements(body)
    except msgspec.ValidationError as error:
        if "at most" in str(error):
            raise BodyRefused(413, "too_many_events", f"a batch has at most {MAX_EVENTS} events") from None
        raise BodyRefused(422, "not_an_array", "a batch is a JSON array of events") from None
    except RecursionError:
        raise BodyRefused(413, "too_deep", f"objects and arrays nest at most {guards.MAX_DEPTH} deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        if body.startswith(b"\xef\xbb\xbf"):
            raise BodyRefused(400, "byte_order_mark", "the body begins with a byte order mark; JSON has none") from None
        raise BodyRefused(400, "not_json", "the body is not JSON" if body.strip() else "the body is empty") from None
    return [bytes(element) for element in msgspec.structs.astuple(batch) if element]


def _elements(body: bytes) -> Any:
    try:
        return _BATCHES.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # One half of a surrogate pair makes the parser give up on the whole batch: mend it for the one event's sake.
        if not guards.has_escapes_to_mend(body):
            raise
        return _BATCHES.decode(guards.mend_escapes(body, most=MAX_MENDED)[0])


def judge(value: bytes, principal: Principal) -> Good | Bad:
    """Read one event and decide whether this principal may send it."""
    try:
        event = decode(value)
        check_strictly(value, event)
        if isinstance(event, TickEvent):
            raise Refused("reserved_type", "/type", "ticks are the gateway's own")
    except Refused as refused:
        event_id, kind = _peek(value)
        status = 413 if refused.reason in {"too_large", "too_deep"} else 422
        return Bad(event_id, kind, status, refused.reason, refused.pointer, refused.detail)
    trespass = _trespass(event, principal)
    if trespass is not None:
        return Bad(event.id, label_of(event.type), 403, *trespass)
    if guards.has_escapes_to_mend(value):
        value = guards.mend_escapes(value)[0]
    return Good(event.id, value, event)


def _trespass(event: Event, principal: Principal) -> tuple[str, str, str] | None:
    """Return reason, pointer and detail where the event is not this principal's to send; the same whoever exists."""
    if getattr(event.data, "organization_id", None) != principal.organization_id:
        return "foreign_organization", "/data/organization_id", "the organization of the token"
    if isinstance(event, HeartbeatEvent) and event.agent_id != principal.agent_id:
        return "foreign_agent", "/data/agent_id", "the agent of the token"
    return None


TYPES: Final = ("session", "issue", "log", "directory", "heartbeat", "command_result", "other")
"""Event types as labels of metrics."""
REASONS: Final = ("foreign_agent", "foreign_organization", "reserved_type")
"""What the gateway refuses beyond `schemas.events.REASONS`."""


def label_of(type_name: str) -> str:
    """Return an event type as a label of metrics, `other` where it is none of ours."""
    short = short_type(type_name)
    return short if short in TYPES else "other"


class _Head(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")
    type: msgspec.Raw = msgspec.Raw(b"null")


def _peek(value: bytes) -> tuple[str | None, str]:
    """Return id and type of an event that was refused, as far as they can be read."""
    try:
        if len(value) <= MAX_EVENT_BYTES and guards.has_escapes_to_mend(value):
            value = guards.mend_escapes(value)[0]
        head = msgspec.json.decode(value, type=_Head)
        event_id, kind = msgspec.json.decode(head.id), msgspec.json.decode(head.type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, "other"
    return (
        event_id[:256] if isinstance(event_id, str) else None,
        label_of(kind) if isinstance(kind, str) else "other",
    )


def in_portions(values: Sequence[bytes], size: int = 64) -> Iterator[Sequence[bytes]]:
    """Cut a batch into portions, so that judging a large one lets other requests in between."""
    return (values[at : at + size] for at in range(0, len(values), size))
