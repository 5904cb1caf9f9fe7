"""The oracle: recounts from the raw records of the log what must be in Postgres. Naive; shares no code with Syncwatch.

It reads JSON with the standard library, keeps every event, and only then asks which one is the newest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

Key = tuple[datetime, str]


@dataclass
class Expected:
    """What must be stored of the events whose record was seen."""

    sessions: dict[Key, dict[str, Any]] = field(default_factory=dict)
    hours: Counter[tuple[str, datetime, str, str, str]] = field(default_factory=Counter)
    users: dict[tuple[str, str], tuple[datetime, str, str]] = field(default_factory=dict)
    """Of each user's newest ended session: began, id, status."""
    sightings: dict[tuple[datetime, str, str], dict[str, Any]] = field(default_factory=dict)
    issues: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


def instant(text: str) -> datetime:
    """Read a time, cutting what is finer than a microsecond."""
    head, dot, tail = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = tail[: next(index for index, letter in enumerate(tail) if letter in "+-")]
        head += f".{digits[:6]:0<6}{tail[len(digits) :]}"
    return datetime.fromisoformat(head).astimezone(UTC)


def expected(records: Iterable[tuple[int, bytes]]) -> Expected:
    """Recount from (append time in ms, value) of all records of `syncwatch.events`, in any order."""
    events: defaultdict[Key, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    told: list[Told] = []
    for appended_ms, value in records:
        event = json.loads(value)
        if event["type"] == "syncwatch.issue.v1":
            told.append(Told(event["data"], value, appended_ms))
        if event["type"] == "syncwatch.session.v1":
            data = event["data"]
            events[instant(data["started_at"]), data["session_id"]].append((appended_ms, data))
    found = Expected(sightings=_sightings(told), issues=_issues(told))
    for key, seen in events.items():
        row = _row(seen)
        row["issues"] = sum(
            sighting["counts"] and sighting["attempt"] == row["attempt"]
            for (*of_session, _), sighting in found.sightings.items() if tuple(of_session) == key
        )  # fmt: skip
        if row["issues"] and row["status"] == "finished":
            row["status"] = "finished_with_issues"
        found.sessions[key] = row
        hour = key[0].replace(minute=0, second=0, microsecond=0)
        found.hours[row["organization_id"], hour, row["status"], row["error_source"], row["error_category"]] += 1
        if row["status"] not in ("running", "cancelled"):
            user = row["organization_id"], row["user_id"]
            began = min(key[0], datetime.fromtimestamp(min(ms for ms, _ in seen) / 1000, UTC))
            found.users[user] = max(found.users.get(user, (began, "", "")), (began, key[1], row["status"]))
    return found


def _version(data: dict[str, Any]) -> tuple[int, int]:
    return data.get("attempt", 1), data["seq"]


def _row(seen: list[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """Return what is left of all events of one session. The load never sends one version with two contents."""
    newest = max((data for _, data in seen), key=_version)
    ended = [data for _, data in seen if data["status"] != "running"]
    counted = max(ended, key=_version) if ended else newest
    objects = counted.get("objects", [])
    figures = {
        "objects": sum(each.get("fetched", 0) for each in objects),
        "changes": sum(each.get(word, 0) for each in objects for word in ("created", "updated", "deleted")),
        "failures": sum(each.get("failed", 0) for each in objects),
        "conflicts": sum(each.get("conflicts", 0) for each in objects),
    }
    skipped = sum(each.get("skipped", 0) for each in objects)
    figures["total_changes"] = figures["changes"] + figures["failures"] + figures["conflicts"] + skipped
    error = newest.get("error")
    status = newest["status"]
    if status == "finished" and (figures["failures"] or figures["conflicts"] or error):
        status = "finished_with_issues"
    return {
        "organization_id": newest["organization_id"], "user_id": newest["user_id"],
        "attempt": _version(newest)[0], "seq": newest["seq"], "status": status, **figures,
        "error_source": (error or {}).get("source", "unknown") if error else "",
        "error_category": (error or {}).get("category", "other") if error else "",
    }  # fmt: skip


class Told:
    """One version of an issue in a session. Issues have the id that their agent gave them."""

    def __init__(self, data: dict[str, Any], value: bytes, appended_ms: int) -> None:
        digest = int.from_bytes(hashlib.sha256(value).digest()[:8], "big", signed=True)
        self.data = data
        self.started_at = instant(data["started_at"])
        self.appended_at = datetime.fromtimestamp(appended_ms / 1000, UTC)
        self.place = self.started_at, data["session_id"], data["issue_id"]
        self.within = (*_version(data), digest)
        self.opens = data["state"] == "opened" and data["error_code"] != 0
        self.resolves = data["state"] == "resolved"


def _sightings(told: Iterable[Told]) -> dict[tuple[datetime, str, str], dict[str, Any]]:
    groups: defaultdict[tuple[datetime, str, str], list[Told]] = defaultdict(list)
    for each in told:
        groups[each.place].append(each)
    rows = {}
    for key, seen in groups.items():
        newest = max(seen, key=lambda each: each.within)
        opened = [each for each in seen if each.opens]
        rows[key] = {
            **_said(newest, max(opened, key=lambda each: each.within) if opened else newest),
            "state": "resolved" if opened and not newest.opens else newest.data["state"], "counts": newest.opens,
            "began": min(key[0], *(each.appended_at for each in seen)),
        }  # fmt: skip
    return rows


def _issues(told: Iterable[Told]) -> dict[tuple[str, str], dict[str, Any]]:
    """What only reports a success is no issue. A clock that runs ahead is cut at the first event of a sighting."""
    groups: defaultdict[tuple[str, str], list[Told]] = defaultdict(list)
    began: dict[Any, datetime] = {}
    for each in told:
        began[each.place] = min(began.get(each.place, each.started_at), each.appended_at)
        if each.opens or each.resolves:
            groups[each.data["organization_id"], each.data["issue_id"]].append(each)

    def among_all(each: Told) -> Any:
        return began[each.place], each.data["session_id"], each.within

    rows = {}
    for key, seen in groups.items():
        newest = max(seen, key=among_all)
        opened = [each for each in seen if each.opens]
        again = "regressed" if any(each.resolves for each in seen) else "open"
        rows[key] = {
            **_said(newest, max(opened, key=among_all) if opened else newest),
            "session_id": newest.data["session_id"], "state": "resolved" if newest.resolves else again,
            "times": len({each.place for each in opened}), "first_seen_at": min(each.appended_at for each in seen),
        }  # fmt: skip
    return rows


def _said(newest: Told, opening: Told) -> dict[str, Any]:
    """Return what a row says of the newest version, and of the trouble itself."""
    error = opening.data.get("error") or {}
    return {
        "attempt": newest.within[0], "seq": newest.within[1], "digest": newest.within[2],
        "object_name": newest.data.get("object_name", ""), "resolution": newest.data.get("resolution") or "",
        "error_code": opening.data["error_code"], "error_text": opening.data.get("error_text", ""),
        "error_source": error.get("source", ""), "error_category": error.get("category", ""),
        "failure_code": error.get("code", ""), "error_retryable": error.get("retryable", ""),
    }  # fmt: skip


async def differences(connection: asyncpg.Connection, wanted: Expected) -> list[str]:
    """Compare with the database, row by row; an empty list means that all is as it must be."""
    found: list[str] = []
    rows = await connection.fetch("SELECT * FROM sync_session")
    stored = {(row["started_at"], str(row["session_id"])): row for row in rows}
    found += [f"missing session {key}" for key in wanted.sessions.keys() - stored.keys()]
    found += [f"session from nowhere {key}" for key in stored.keys() - wanted.sessions.keys()]
    for key in wanted.sessions.keys() & stored.keys():
        for name, value in wanted.sessions[key].items():
            kept = _plain(stored[key][name])
            if kept != value:
                found.append(f"session {key}: {name} is {kept!r}, must be {value!r}")
    found += await _compare_issues(connection, wanted)
    found += await _compare_hours(connection, wanted)
    found += await _compare_users(connection, wanted)
    return found


def _plain(value: object) -> object:
    if value is None:
        return ""
    return str(value) if isinstance(value, UUID) else value


async def _compare_issues(connection: asyncpg.Connection, wanted: Expected) -> list[str]:
    sightings = {
        (row["started_at"], str(row["session_id"]), str(row["issue_id"])): row
        for row in await connection.fetch(
            "SELECT *, state = 'opened' AND error_code <> 0 AS counts FROM issue_sighting"
        )
    }
    issues = {
        (str(row["organization_id"]), str(row["issue_id"])): row
        for row in await connection.fetch("SELECT * FROM sync_issue")
    }
    return [
        *_compare("issue_sighting", _as_wanted(sightings, wanted.sightings), wanted.sightings),
        *_compare("sync_issue", _as_wanted(issues, wanted.issues), wanted.issues),
    ]


def _as_wanted(stored: Mapping[Any, asyncpg.Record], wanted: Mapping[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Return of each row what is recounted."""
    return {place: {name: _plain(row[name]) for name in wanted.get(place, ())} for place, row in stored.items()}


async def _compare_hours(connection: asyncpg.Connection, wanted: Expected) -> list[str]:
    columns = "hour, status, error_source, error_category"
    found = []
    of_organizations = f"organization_id, {columns}"
    rows = await connection.fetch(
        f"SELECT {of_organizations}, sum(sessions)::int AS n FROM session_hour GROUP BY {of_organizations}"
    )
    stored = {(str(row["organization_id"]), *list(row.values())[1:5]): row["n"] for row in rows if row["n"]}
    found += _compare("session_hour", stored, dict(wanted.hours))
    rows = await connection.fetch(f"SELECT {columns}, sum(sessions)::int AS n FROM session_hour_all GROUP BY {columns}")
    of_all: Counter[tuple[Any, ...]] = Counter()
    for (_, *rest), count in wanted.hours.items():
        of_all[tuple(rest)] += count
    found += _compare("session_hour_all", {tuple(list(row.values())[:4]): row["n"] for row in rows if row["n"]}, of_all)
    return found


async def _compare_users(connection: asyncpg.Connection, wanted: Expected) -> list[str]:
    rows = await connection.fetch("SELECT organization_id, user_id, last_session_id, last_status FROM user_status")
    stored = {
        (str(row["organization_id"]), str(row["user_id"])): (str(row["last_session_id"]), row["last_status"])
        for row in rows
        if row["last_status"] not in (None, "running", "cancelled")
    }
    found = _compare("user_status", stored, {user: last[1:] for user, last in wanted.users.items()})
    rows = await connection.fetch(
        "SELECT o.organization_id, sum(o.users)::int AS counted, (SELECT count(*) FROM user_status u "
        "WHERE u.organization_id = o.organization_id) AS users FROM organization_status o GROUP BY o.organization_id"
    )
    found += [f"organization_status {dict(row)}" for row in rows if row["counted"] != row["users"]]
    return found


def _compare(what: str, stored: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> list[str]:
    places = stored.keys() | wanted.keys()
    return [
        f"{what} {place}: is {stored.get(place)}, must be {wanted.get(place)}"
        for place in places
        if stored.get(place) != wanted.get(place)
    ]


def fingerprint(rows: Iterable[asyncpg.Record]) -> str:
    """Return one value for the content of a table, to see whether anything changed."""
    return hashlib.sha256("\n".join(sorted(repr(tuple(row.values())) for row in rows)).encode()).hexdigest()
