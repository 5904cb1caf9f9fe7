"""Rows as they are answered: keys of sessions, the last 20 unpacked, a report as one text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from schemas.keys import Key, session_key, session_keys
from schemas.kinds import COUNTS
from schemas.recent import outlines
from schemas.vocabulary import OBJECT_TYPE, direction_words, words
from services.query.masking import NO_NAMES, Names, mask_in, names_of
from services.query.views.view import View

_SESSION_OF: Final[Mapping[str, tuple[str, str]]] = {
    "users": ("last_started_at", "last_session_id"), "sessions": ("run", "session_id"),
    "issues": ("session_started_at", "session_id"),
}  # fmt: skip


def sessions_to_mask(
    view: View, records: Sequence[Mapping[str, Any]], texts: Mapping[Key, str]
) -> list[Key]:  # fmt: skip
    """Return the sessions that have a text in these records, or in `texts`, in which names have to be masked."""
    if not view.masked:
        return []
    held = _texts_with_names(view)
    said = [_session_of(view, record) for record in records if any(record.get(name) for name in held)]
    return list(dict.fromkeys([*said, *texts]))


def _texts_with_names(view: View) -> list[str]:
    return [column.name for column in view.list.columns if column.holds_names]


def _session_of(view: View, record: Mapping[str, Any]) -> tuple[Any, Any]:
    started_at, session_id = _SESSION_OF[view.list.kind]
    return record[started_at], record[session_id]


def shaped(
    view: View, records: Sequence[Mapping[str, Any]], texts: Mapping[Key, str], names: Mapping[Key, Names]
) -> list[dict[str, Any]]:
    """Return records as rows: raw values, keys of sessions and their exceptions, the last 20 unpacked.

    `names`: those to be masked in the texts of a session.
    """
    rows = [dict(record) for record in records]
    held = _texts_with_names(view) if view.masked else []
    shows_id = any(column.name == "session_id" for column in view.columns)
    for row in rows:
        del row["_branch"], row["_keys"]
        if view.list.kind == "sessions" and (text := texts.get((row["run"], row["session_id"]))):
            row["exception"] = text
        if held:
            hidden = names.get(_session_of(view, row), NO_NAMES), names_of([row.pop("_name", None)])
            row |= {name: mask_in(row[name], *hidden, is_cut=name == "exception") for name in held if name in row}
        match view.list.kind:
            case "sessions":
                row["key"] = session_key(row["run"], row["session_id"])
                if not shows_id:
                    del row["session_id"]
            case "issues":
                row["session_key"] = session_key(row.pop("session_started_at"), row.pop("session_id"))
            case "users":
                started, session = row.pop("last_started_at"), row.pop("last_session_id")
                row["last_session_key"] = None if session is None else session_key(started, session)
                if "last_20" in row:
                    row["last_20"] = strip(row["last_20"])
    return rows


def strip(raw: bytes | None) -> list[dict[str, Any]]:
    """Return the last 20 sessions, oldest first: status, report_complete, started_at, ended_at (append time), key."""
    cells = outlines(raw)
    keys = session_keys([cell[-1] for cell in cells])
    return [
        {
            "status": status,
            "report_complete": not missing or status == "running",
            "started_at": started_at,
            "ended_at": None if status == "running" else at,
            "key": key,
        }
        for (status, started_at, at, missing, _), key in zip(cells, keys, strict=True)
    ]


def report_words(report: Sequence[Mapping[str, Any]], mail_system: str | None, crm_system: str | None) -> str:
    """Return the detailed report as one text: "E-Mail, Exchange to Salesforce: fetched 226, created 3; …"."""
    lines = []
    for each in report:
        counts = ", ".join(f"{name} {each[name]}" for name in COUNTS if each.get(name))
        what = words(OBJECT_TYPE, each["type"])
        way = direction_words(each["direction"], mail_system, crm_system)
        lines.append(f"{what}, {way}: {counts or 'none'}")
    return "; ".join(lines)


def json_ready(value: object) -> object:
    """Return what orjson does not know by itself."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID):  # asyncpg's own subclass
        return str(value)
    raise TypeError(f"{type(value)} has no place in an answer")
