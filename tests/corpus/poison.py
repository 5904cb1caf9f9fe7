"""Bad input as data (P6): each kind with what becomes of it over HTTP and straight on Kafka.

`kafka` is the reason slug under which a record of this value is rejected, or None where it is applied like any other.
`http` is the status of the single event's answer, or None where it cannot be sent as a body. What only the gateway
looks for (a member twice, depth, a subject that contradicts the data) is harmless to a reader of the topics.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

MAX_EVENT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Poison:
    """One kind of bad (or only odd) input."""

    name: str
    value: bytes | None
    http: int | None
    kafka: str | None
    pointer: str | None = None


def session(organization_id: UUID, now: datetime, **data: Any) -> dict[str, Any]:
    """A good session event as a dictionary; `data` replaces members of its data."""
    return envelope(
        "session",
        {
            **of_session(organization_id, now),
            "seq": 3,
            "status": "finished",
            "ended_at": stamp(now),
            "interval_s": 1800,
            "mail_system": "exchange",
            "objects": [{"type": "email", "direction": "mail_to_crm", "fetched": 10, "created": 2}],
            **data,
        },
        now,
    )


def issue(organization_id: UUID, now: datetime, **data: Any) -> dict[str, Any]:
    """A good issue event."""
    return envelope(
        "issue",
        {
            **of_session(organization_id, now), "state": "opened", "seq": 0, "object_type": "email",
            "object_name": "Budget", "direction": "mail_to_crm", "operation": "create", "error_code": 1,
            "error_text": "locked", **data,
        },
        now,
    )  # fmt: skip


def log(organization_id: UUID, now: datetime, **data: Any) -> dict[str, Any]:
    """A good log event."""
    line = {"at": stamp(now), "level": "info", "source": "mail", "message": "ten found"}
    return envelope(
        "log", {**of_session(organization_id, now), "chunk_no": 0, "first_line": 1, "lines": [line], **data}, now
    )


def directory(organization_id: UUID, now: datetime, **data: Any) -> dict[str, Any]:
    """A good directory event of a user."""
    return envelope(
        "directory",
        {
            "organization_id": str(organization_id), "user_id": str(uuid4()), "kind": "user", "revision": 1,
            "state": "present", "email": "ann@example.org", "display_name": "Ann Lee", **data,
        },
        now,
    )  # fmt: skip


def envelope(kind: str, data: Any, now: datetime, **attributes: Any) -> dict[str, Any]:
    """An event around `data`."""
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/agents/agent-1",
        "type": f"syncwatch.{kind}.v1",
        "time": stamp(now),
        "datacontenttype": "application/json",
        **attributes,
        "data": data,
    }


def of_session(organization_id: UUID, now: datetime) -> dict[str, Any]:
    """Whose session it is, and which: a new one of a new user each time."""
    return {
        "organization_id": str(organization_id), "user_id": str(uuid4()), "session_id": str(uuid4()),
        "started_at": stamp(now), "attempt": 1,
    }  # fmt: skip


def stamp(at: datetime) -> str:
    """A time as it stands in an event."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def text(event: Any) -> bytes:
    """The bytes of an event."""
    return json.dumps(event).encode()


def corpus(organization_id: UUID, now: datetime) -> list[Poison]:
    """Every kind, each about a session of its own in `organization_id`, begun at `now`."""
    families = (_not_json, _envelopes, _members, _texts, _odd_but_good, _gateway_only)
    kinds = [kind for family in families for kind in family(organization_id, now)]
    assert len({kind.name for kind in kinds}) == len(kinds) >= 60
    return kinds


def _not_json(organization_id: UUID, now: datetime) -> Iterator[Poison]:
    good = text(session(organization_id, now))
    yield Poison("null value", None, None, "empty")
    yield Poison("empty value", b"", 400, "empty")
    yield Poison("blanks only", b"   \n", 400, "not_json")
    yield Poison("schema registry framing", b"\x00\x00\x00\x00\x07" + good, 400, "not_json")
    yield Poison("a mebibyte of braces", b"{" * (1024 * 1024 - 10), 413, "too_large")
    yield Poison("many braces", b"{" * 10_000, 400, "not_json")
    yield Poison("gzip bytes", gzip.compress(good, mtime=0), 400, "not_utf8")
    yield Poison("cut in half", good[: len(good) // 2], 400, "not_json")
    yield Poison("a comma too much", good[:-1] + b",}", 400, "not_json")
    yield Poison("something behind it", good + b" x", 400, "not_json")
    yield Poison("two events in one", good + good, 400, "not_json")
    yield Poison("byte order mark", b"\xef\xbb\xbf" + good, 400, "byte_order_mark")
    yield Poison("UTF-16", good.decode().encode("utf-16"), 400, "not_utf8")
    yield Poison("latin-1", good.replace(b"exchange", "Börse".encode("latin-1")), 400, "not_utf8")
    yield Poison("a surrogate coded in UTF-8", good.replace(b"exchange", b"\xed\xa0\xbd"), 400, "not_utf8")
    yield Poison("a raw NUL", good.replace(b"exchange", b"ex\x00"), 400, "not_json")
    yield Poison("NaN", good.replace(b'"seq": 3', b'"seq": NaN'), 400, "not_json")
    yield Poison("single quotes", good.replace(b'"', b"'"), 400, "not_json")
    yield Poison("xml", b"<event/>", 400, "not_json")
    yield Poison("a text", b'"text"', 422, "not_an_object", "")
    yield Poison("an array", b"[]", 422, "not_an_object", "")
    yield Poison("an array of an event", b"[" + good + b"]", 422, "not_an_object", "")
    yield Poison("a number", b"17", 422, "not_an_object", "")
    yield Poison("null", b"null", 422, "not_an_object", "")
    yield Poison("no closing, 100,000 deep", b'{"a":' + b"[" * 100_000, 413, "too_deep")


def _envelopes(organization_id: UUID, now: datetime) -> Iterator[Poison]:
    def changed(**attributes: Any) -> bytes:
        event = session(organization_id, now) | attributes
        return text({name: value for name, value in event.items() if value is not ...})

    inner = json.dumps(session(organization_id, now)["data"]).encode()
    coded = base64.b64encode(inner).decode()
    for member in ("specversion", "id", "source", "type", "time", "data"):
        yield Poison(f"no {member}", changed(**{member: ...}), 422, "missing_member", f"/{member}")
        yield Poison(f"{member} is null", changed(**{member: None}), 422, "missing_member", f"/{member}")
    yield Poison("an older specversion", changed(specversion="0.3"), 422, "bad_value", "/specversion")
    yield Poison("an unknown type", changed(type="syncwatch.session.v9"), 422, "unknown_type", "/type")
    yield Poison("the type of what only goes out", changed(type="syncwatch.status.v1"), 422, "unknown_type", "/type")
    yield Poison("an id that is a number", changed(id=17), 422, "wrong_type", "/id")
    yield Poison("an empty id", changed(id=""), 422, "too_long", "/id")
    yield Poison("an endless id", changed(id="x" * 257), 422, "too_long", "/id")
    yield Poison("a source that is no agent", changed(source="https://example.org"), 422, "bad_source", "/source")
    yield Poison("a source with a blank", changed(source="/agents/a b"), 422, "bad_source", "/source")
    yield Poison("a time that is none", changed(time="yesterday"), 422, "bad_time", "/time")
    yield Poison("a time without a zone", changed(time="2026-11-12T03:10:00"), 422, "bad_time", "/time")
    yield Poison(
        "data of another media type", changed(datacontenttype="text/xml"), 422, "bad_media_type", "/datacontenttype"
    )
    yield Poison("data as text", changed(data=inner.decode()), 422, "wrong_type", "/data")
    yield Poison("data as an array", changed(data=[1]), 422, "wrong_type", "/data")
    yield Poison("data twice", changed(data_base64=coded), 422, "data_twice", "/data_base64")
    yield Poison("base64 that is none", changed(data=..., data_base64="!!!"), 422, "bad_base64", "/data_base64")
    yield Poison("base64 of an array", changed(data=..., data_base64="WzFd"), 422, "bad_base64", "/data_base64")
    yield Poison("base64 that is a number", changed(data=..., data_base64=5), 422, "bad_base64", "/data_base64")
    yield Poison("a byte too many", _padded(changed(), MAX_EVENT + 1), 413, "too_large")


def _members(organization_id: UUID, now: datetime) -> Iterator[Poison]:
    def data(**members: Any) -> bytes:
        event = session(organization_id, now)
        whole = event["data"] | members
        event["data"] = {name: value for name, value in whole.items() if value is not ...}
        return text(event)

    for member in ("organization_id", "user_id", "session_id", "started_at", "seq", "status"):
        yield Poison(f"data without {member}", data(**{member: ...}), 422, "missing_member", f"/data/{member}")
    yield Poison("a session_id that is none", data(session_id="17"), 422, "bad_uuid", "/data/session_id")
    yield Poison("an empty user_id", data(user_id=""), 422, "bad_uuid", "/data/user_id")
    yield Poison("a status of the service", data(status="timed_out"), 422, "bad_value", "/data/status")
    yield Poison("a status with a capital", data(status="Finished"), 422, "bad_value", "/data/status")
    yield Poison("seq of 2^53", data(seq=2**53), 422, "out_of_range", "/data/seq")
    yield Poison("seq of a hundred digits", data(seq=10**100), 422, "out_of_range", "/data/seq")
    yield Poison("seq below 0", data(seq=-1), 422, "out_of_range", "/data/seq")
    yield Poison("seq as text", data(seq="3"), 422, "wrong_type", "/data/seq")
    yield Poison("seq with a fraction", data(seq=3.5), 422, "wrong_type", "/data/seq")
    yield Poison("seq as true", data(seq=True), 422, "wrong_type", "/data/seq")
    yield Poison("attempt of 2^31", data(attempt=2**31), 422, "out_of_range", "/data/attempt")
    yield Poison("attempt of 0", data(attempt=0), 422, "out_of_range", "/data/attempt")
    yield Poison("a count below 0", data(objects=[{"type": "email", "direction": "mail_to_crm", "created": -1}]), 422,
                 "out_of_range", "/data/objects/0/created")  # fmt: skip
    yield Poison("a direction that is none", data(objects=[{"type": "email", "direction": "up"}]), 422, "bad_value",
                 "/data/objects/0/direction")  # fmt: skip
    yield Poison("objects that are no list", data(objects={}), 422, "wrong_type", "/data/objects")
    yield Poison("a null among the objects", data(objects=[None]), 422, "wrong_type", "/data/objects/0")
    yield Poison("a scope that is none", data(error={"scope": "galaxy"}), 422, "bad_value", "/data/error/scope")
    yield Poison("1e400 seconds", data(durations={"mail_s": 1}).replace(b'"mail_s": 1', b'"mail_s": 1e400'), 422,
                 "out_of_range", "/data/durations/mail_s")  # fmt: skip
    yield Poison("the 30th of February", data(started_at="2026-02-30T00:00:00Z"), 422, "bad_time", "/data/started_at")
    yield Poison("a leap second", data(ended_at="2026-11-12T23:59:60Z"), 422, "bad_time", "/data/ended_at")
    yield Poison("the year 1", data(ended_at="0001-01-01T00:00:00+14:00"), 422, "time_out_of_range", "/data/ended_at")
    yield Poison(
        "the year 9999", data(deadline_at="9999-12-31T23:59:59Z"), 422, "time_out_of_range", "/data/deadline_at"
    )
    yield Poison("a time as a number", data(ended_at=1_700_000_000), 422, "wrong_type", "/data/ended_at")
    yield Poison("a trigger of 65 characters", data(trigger="x" * 65), 422, "too_long", "/data/trigger")
    yield Poison(
        "an issue with code 4", text(issue(organization_id, now, error_code=4)), 422, "out_of_range", "/data/error_code"
    )
    yield Poison(
        "an issue that is half open", text(issue(organization_id, now, state="ajar")), 422, "bad_value", "/data/state"
    )
    yield Poison("a name of 513 characters", text(issue(organization_id, now, object_name="n" * 513)), 422, "too_long",
                 "/data/object_name")  # fmt: skip
    yield Poison("a log level that is none", text(log(organization_id, now, lines=[
        {"at": stamp(now), "level": "loud", "message": ""}])), 422, "bad_value", "/data/lines/0/level")  # fmt: skip
    yield Poison(
        "a log from line 0", text(log(organization_id, now, first_line=0)), 422, "out_of_range", "/data/first_line"
    )
    yield Poison("a directory of a user without one", text(directory(organization_id, now, user_id=None)), 422,
                 "missing_member", "/data/user_id")  # fmt: skip
    yield Poison(
        "a directory of mailboxes",
        text(directory(organization_id, now, kind="mailbox")),
        422,
        "bad_value",
        "/data/kind",
    )
    beat = {"agent_id": "agent-2", "organization_id": str(organization_id), "sent_at": stamp(now)}
    yield Poison(
        "a heartbeat of somebody else", text(envelope("heartbeat", beat, now)), 422, "agent_mismatch", "/data/agent_id"
    )


def _texts(organization_id: UUID, now: datetime) -> Iterator[Poison]:
    def failed(**error: Any) -> dict[str, Any]:
        return session(organization_id, now, status="errors", error=error)

    yield Poison(
        "NUL in a name",
        text(issue(organization_id, now, object_name="Bud\0get")),
        422,
        "nul_in_text",
        "/data/object_name",
    )
    yield Poison("NUL in a message", text(failed(message="a\0")), 422, "nul_in_text", "/data/error/message")
    yield Poison("NUL in a log line", text(log(organization_id, now, lines=[
        {"at": stamp(now), "level": "info", "message": "a"}, {"at": stamp(now), "level": "info", "message": "\0"}])),
        422, "nul_in_text", "/data/lines/1/message")  # fmt: skip
    yield Poison("NUL in a display name", text(directory(organization_id, now, display_name="\0")), 422, "nul_in_text",
                 "/data/display_name")  # fmt: skip
    yield Poison(
        "NUL in a member nobody knows",
        text(session(organization_id, now, extra="\0")),
        422,
        "nul_in_text",
        "/data/extra",
    )
    yield Poison(
        "8,193 bytes of Japanese", text(failed(message="語" * 2730 + "abc")), 422, "too_long", "/data/error/message"
    )
    yield Poison("8,193 bytes of Latin", text(failed(message="x" * 8193)), 422, "too_long", "/data/error/message")
    yield Poison("an exception of 64 KiB and a byte", text(failed(exception="x" * 65537)), 422, "too_long",
                 "/data/error/exception")  # fmt: skip
    detail = session(organization_id, now, status_detail="語" * 341 + "ab")
    yield Poison("a detail of 1 KiB and a byte", text(detail), 422, "too_long", "/data/status_detail")
    long = [{"at": stamp(now), "level": "info", "message": "x" * 1000}] * 200
    yield Poison("a log chunk of 200 KiB", text(log(organization_id, now, lines=long)), 413, "too_large")


def _odd_but_good(organization_id: UUID, now: datetime) -> Iterator[Poison]:
    def odd(**attributes: Any) -> bytes:
        return text(session(organization_id, now) | attributes)

    def data(**members: Any) -> bytes:
        return text(session(organization_id, now, **members))

    inner = json.dumps(session(organization_id, now)["data"]).encode()
    coded = odd(data_base64=base64.b64encode(inner).decode())
    event = {name: value for name, value in json.loads(coded).items() if name != "data"}
    fine = stamp(now).removesuffix("Z") + "789Z"
    yield Poison("null for an extension", odd(traceparent=None), 202, None)
    yield Poison("an attribute nobody asked for", odd(dataschema="https://example.org/s.json"), 202, None)
    yield Poison("an extension that is a number", odd(shard=3), 202, None)
    yield Poison("an extension that is an object", odd(meta={"a": [1]}), 202, None)
    yield Poison("an extension with an odd name", odd(**{"my-Extension": "x"}), 202, None)
    yield Poison("null for an optional member", data(interval_s=None), 202, None)
    yield Poison("null for a member with a default", data(trigger=None, objects=None), 202, None)
    yield Poison("data in base64", text(event), 202, None)
    yield Poison("a media type with parameters", odd(datacontenttype="application/json; charset=utf-8"), 202, None)
    yield Poison("nine digits of a second", data(started_at=fine, ended_at=fine), 202, None)
    yield Poison("another zone", data(ended_at=now.astimezone(UTC).isoformat().replace("+00:00", "-00:00")), 202, None)
    yield Poison("half an emoji", data(status="errors", error={"message": "sad \ud83d"}), 202, None)
    yield Poison("an escaped backslash before u0000", data(status_detail="C:\\u0000"), 202, None)
    yield Poison("an unknown trigger", data(trigger="moon_phase", mail_system="lotus_notes"), 202, None)
    yield Poison(
        "an unknown error source", data(status="errors", error={"source": "abacus", "category": "rust"}), 202, None
    )
    yield Poison("a member nobody knows", data(colour="red", shades=[{"deep": [1, 2]}]), 202, None)
    yield Poison("blanks around it", b" \n" + data() + b"\n", 202, None)
    yield Poison("exactly 256 KiB", _padded(data(), MAX_EVENT), 202, None)
    yield Poison("exactly 8 KiB of Japanese", data(status="errors", error={"message": "語" * 2730 + "ab"}), 202, None)


def _gateway_only(organization_id: UUID, now: datetime) -> Iterator[Poison]:
    """Refused over HTTP, applied from Kafka: there the data alone decides, read by the one decoder."""
    good = text(session(organization_id, now))
    nested: Any = 1
    for _ in range(33):
        nested = [nested]
    yield Poison("a member twice", good.replace(b'"seq": 3', b'"seq": 2, "seq": 3'), 422, None, "")
    yield Poison("an id twice", good.replace(b'"source"', b'"id": "again", "source"'), 422, None, "")
    yield Poison(
        "a member twice, once in escapes", good.replace(b'"seq": 3', b'"s\\u0065q": 2, "seq": 3'), 422, None, ""
    )
    yield Poison("a subject of somebody else", text(session(organization_id, now) | {
        "subject": f"organizations/{uuid4()}/users/{uuid4()}"}), 422, None, "/subject")  # fmt: skip
    yield Poison("33 deep", text(session(organization_id, now) | {"meta": nested}), 413, None)


def _padded(value: bytes, size: int) -> bytes:
    """The same event, made `size` bytes long by an attribute nobody asked for."""
    room = size - len(value) - len(b'"pad": "", ')
    return value.replace(b'{"specversion"', b'{"pad": "' + b"x" * room + b'", "specversion"', 1)
