"""The JSON Schemas of all events, made from the types, so that the two cannot differ (a test compares the files).

`python -m schemas.documents` writes `schemas/events/<kind>.v1.schema.json`.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.kinds import KINDS, short_type

FOLDER: Final = Path(__file__).with_name("events")
_BASE: Final = "https://syncwatch.example/schemas/events/"

WORDS: Final[dict[str, dict[str, str]]] = {
    "Event": {
        "specversion": "CloudEvents 1.0.",
        "id": "The event's identity: a re-sent event keeps it.",
        "source": "/agents/<agent_id>.",
        "time": "The agent's clock; shown, never used to decide anything. Microseconds; further digits are cut.",
        "subject": "organizations/<organization_id>/users/<user_id>, as in data; the users part absent where none.",
        "datacontenttype": "application/json; parameters are allowed.",
        "traceparent": "W3C trace context.",
    },
    "every event about a session": {
        "started_at": "When the session began, the same in all of its events; with session_id it identifies it.",
        "attempt": "Which try of this session; a greater one replaces all before it.",
    },
    "SessionData": {
        "seq": "Rises within (session, attempt): the newest (attempt, seq) wins.",
        "status": "timed_out is set by the service only.",
        "deadline_at": "How long it may take is deadline_at − started_at.",
        "interval_s": "The next run is due so many seconds after this one; 0 = push only, never due.",
        "next_run_at": "A planned retry; shown.",
        "trigger": "Why it ran: schedule, manual, force, initial, retry, push …",
        "mode": "full, incremental …",
        "mail_system": "exchange, office365, gmail, caldav, imap …",
        "crm_system": "salesforce …",
        "objects": "The detailed report: one line per type and direction, cumulative.",
        "durations": "Time by side.",
        "error": "The first fatal failure.",
        "issues_sent": "Distinct issues sent in this attempt; the service compares.",
        "log_chunks_sent": "Log chunks of this attempt, lost ones counted.",
        "log_chunks_dropped": "Log chunks of this attempt that the agent lost.",
        "status_detail": "At most 1 KiB of UTF-8.",
    },
    "ObjectCounts": {
        "fetched": "Objects looked at.",
        "skipped": "Changes found and deliberately not applied; an unchanged object is none.",
        "failed": "Changes that could not be made; conflicts are not among them.",
    },
    "Failure": {
        "source": "exchange, connector, unknown, office365, gmail, salesforce, calendar, crm …",
        "category": "authentication, throttling, connectivity, validation, not_found, locked, conflict …",
        "code": "The other side's own code.",
        "retryable": "Whether trying again can help.",
        "scope": "How far it reaches.",
        "message": "At most 8 KiB of UTF-8.",
        "exception": "At most 64 KiB of UTF-8.",
    },
    "IssueData": {
        "seq": "Rises per issue within a session.",
        "issue_id": "Absent: made of organization, user, object, direction and operation.",
        "object_type": "email, appointment, contact, task …",
        "object_name": "Full name or subject line (personal).",
        "object_id": "The record on the side the change came from.",
        "counterpart_id": "The record on the other side.",
        "error_code": "0 success, 1 locked or failed, 2 already removed, 3 inaccessible or updated prematurely.",
        "error_text": "As returned by the side in which the change was to be made; at most 8 KiB of UTF-8.",
        "attempts": "How often it was tried.",
        "resolution": "With resolved: synced, removed, ignored …",
    },
    "LogData": {
        "chunk_no": "From 0 within the attempt.",
        "first_line": "Number of the first line here; lines are numbered from 1 over the session.",
        "final": "No chunk of this attempt follows.",
        "dropped_lines": "Lines lost before the first line here.",
    },
    "LogLine": {
        "source": "mail, crm, engine, agent …",
        "names": "Names of objects that message or exception hold (personal); who may not read them sees them masked.",
    },
    "DirectoryData": {
        "revision": "Rises per object, from the system of record; the greatest wins.",
        "external_id": "Its id in the CRM.",
        "disabled_reason": "manual, authorization, throttling, other …",
        "interval_s": "Seconds between runs; 0 = push only.",
    },
    "HeartbeatData": {
        "organization_id": "Absent for the operator's shared agents.",
        "queued": "Events that wait to be sent.",
        "oldest_queued_s": "How long the oldest of them has waited.",
    },
    "StatusData": {
        "from": "Absent where there was none.",
        "reason": "The fact that decided.",
        "revision": "Rises per user, or per organization: drop what you have seen.",
    },
}


def kind_of(event_type: type[Any]) -> str:
    """Return the short name of an event type: session, issue …"""
    return short_type(event_type.type)


def json_schema(event_type: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one event type."""
    name = event_type.__name__
    (_,), definitions = msgspec.json.schema_components([event_type], ref_template="#/$defs/{name}")
    root = definitions.pop(name)
    properties = root["properties"]
    del properties["data_base64"]
    properties["source"]["pattern"] = "^/agents/[^\\s/]{1,128}$"
    properties["type"] = {"const": event_type.type}
    _describe(root, "Event")
    for each, definition in definitions.items():
        _describe(definition, each)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_BASE}{kind_of(event_type)}.v1.schema.json",
        "title": event_type.type,
        "description": event_type.__annotations__["data"].__doc__,
        "type": "object",
        "properties": {"type": properties.pop("type"), **properties},
        "required": ["type", *(each for each in root["required"] if each != "type")],
        "$defs": definitions,
    }


def _describe(definition: dict[str, Any], name: str) -> None:
    properties = definition.get("properties", {})
    for member, words in {**WORDS["every event about a session"], **WORDS.get(name, {})}.items():
        if member in properties:
            properties[member]["description"] = words


def text_of(schema: dict[str, Any]) -> str:
    """Return a schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every schema to its file."""
    FOLDER.mkdir(exist_ok=True)
    for event_type in KINDS.values():
        FOLDER.joinpath(f"{kind_of(event_type)}.v1.schema.json").write_text(text_of(json_schema(event_type)), "utf-8")


if __name__ == "__main__":
    main()
