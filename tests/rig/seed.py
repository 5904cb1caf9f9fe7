"""Rows straight into Postgres, for tests and benchmarks of what reads them; no Kafka, no aggregator.

Deterministic: the same `Plan` gives the same rows. Everything the aggregator would derive (figures of organizations,
statuses, roll-ups) is derived here from the seeded sessions in SQL, so that numbers agree as they do in the product.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import orjson
import zstandard

from schemas.folding import fold
from schemas.recent import RecentSession, pack
from schemas.vocabulary import USER_RANK

_SEEN_AGAIN: Final = (
    " ON CONFLICT (organization_id, issue_id) DO UPDATE SET times = sync_issue.times + 1,"
    " last_seen_at = excluded.last_seen_at, session_id = excluded.session_id,"
    " session_started_at = excluded.session_started_at"
)
_SPACE: Final = UUID("0d6bb2de-6e7c-4e6c-9f1b-3f4d1f1a2b3c")
STATUSES: Final = ("finished",) * 12 + ("finished_with_issues",) * 4 + ("errors",) * 3 + ("timed_out",)
ERRORS: Final = (
    ("exchange", "authentication", "401", "ExchangeAuthError: 401 Unauthorized"),
    ("connector", "configuration", "MAP-7", "MappingError: field Event.Region__c does not exist"),
    (None, "connectivity", "ECONNRESET", "ConnectionResetError: connection reset by peer"),
    ("salesforce", "quota", "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to seed: organizations, users of each, sessions of each user, newest `ended` ago, one every `every`."""

    now: datetime
    organizations: int = 2
    users: int = 3
    sessions: int = 4
    every: timedelta = timedelta(minutes=30)
    seed: int = 1
    marks: Mapping[str, str] = field(default_factory=dict)  # organization name → a token put into every text of it


def identity(*parts: object) -> UUID:
    """Return the id of a seeded thing: the same parts give the same id."""
    return uuid5(_SPACE, "/".join(map(str, parts)))


def organization_id(number: int) -> UUID:
    """Return the id of the organization with that number, from 0."""
    return identity("organization", number)


def user_id(organization: int, number: int) -> UUID:
    """Return the id of a user, both numbers from 0."""
    return identity("user", organization, number)


async def seed(connection: Any, plan: Plan) -> None:
    """Insert everything as the owner; one transaction."""
    dice = random.Random(plan.seed)
    async with connection.transaction():
        for organization in range(plan.organizations):
            await _organization(connection, plan, organization)
            for user in range(plan.users):
                await _user(connection, plan, dice, organization, user)
        await derive(connection, plan.now)


def name_of(organization: int) -> str:
    """Return the name of the organization with that number."""
    return ("Northwind Traders", "Harbour Legal", "Alpine Dental", "Ōsaka Freight")[organization % 4] + (
        f" {organization}" if organization >= 4 else ""
    )


async def _organization(connection: Any, plan: Plan, number: int) -> None:
    name = f"{name_of(number)}{_mark(plan, number)}"
    await insert(
        connection,
        "organization",
        {
            "organization_id": organization_id(number),
            "name": name,
            "name_key": fold(name),
            "mail_system": "exchange",
            "crm_system": "salesforce",
            "sync_enabled": number % 3 != 2,
            "disabled_reason": "manual" if number % 3 == 2 else None,
            "flag_since": plan.now - timedelta(days=9),
            "flag_actor": "admin ilse@northwind.example",
            "interval_s": 1800,
            "revision": 1,
            "first_seen_at": plan.now - timedelta(days=9),
            "announced_at": plan.now - timedelta(days=9),
        },
    )


def _mark(plan: Plan, organization: int) -> str:
    mark = plan.marks.get(name_of(organization), "")
    return f" {mark}" if mark else ""


async def _user(connection: Any, plan: Plan, dice: random.Random, organization: int, number: int) -> None:
    mark = _mark(plan, organization)
    person = ("Amara Nwosu", "Zoë Müller", "Tomas Oyelaran", "Ingrid Sölbakken", "Chidi Anozie")[number % 5]
    name = f"{person} {number}{mark}"
    email = f"{fold(person).replace(' ', '.')}.{number}{mark.strip() and '.' + mark.strip()}@org{organization}.example"
    enabled = number % 5 != 4
    whose = {"organization_id": organization_id(organization), "user_id": user_id(organization, number)}
    await insert(
        connection,
        "sync_user",
        whose
        | {
            "email": email,
            "display_name": name,
            "email_key": fold(email),
            "name_key": fold(name),
            "mail_system": "exchange",
            "crm_system": "salesforce",
            "sync_enabled": enabled,
            "disabled_reason": None if enabled else "authorization",
            "flag_since": plan.now - timedelta(days=2),
            "flag_actor": "system connector",
            "revision": 1,
            "first_seen_at": plan.now - timedelta(days=9),
            "announced_at": plan.now - timedelta(days=9),
        },
    )
    rows = []
    for back in range(plan.sessions, 0, -1):
        started = plan.now - plan.every * back - timedelta(seconds=number * 7 + organization, microseconds=number)
        rows.append(await _session(connection, dice, whose, started, f"{organization}/{number}/{back}", mark))
    await _status(connection, plan, whose, rows, enabled)


async def _session(
    connection: Any, dice: random.Random, whose: dict[str, Any], started: datetime, name: str, mark: str
) -> dict[str, Any]:
    status = dice.choice(STATUSES)
    failed = status in ("errors", "timed_out")
    source, category, code, text = dice.choice(ERRORS) if failed else (None, None, None, "")
    failures = dice.randint(1, 9) if status == "finished_with_issues" else 0
    report = [
        {
            "type": "email",
            "direction": "mail_to_crm",
            "fetched": 30,
            "created": 3,
            "updated": 2,
            "deleted": 0,
            "skipped": 1,
            "failed": failures,
            "conflicts": 0,
        },
        {
            "type": "appointment",
            "direction": "crm_to_mail",
            "fetched": 5,
            "created": 0,
            "updated": 1,
            "deleted": 1,
            "skipped": 0,
            "failed": 0,
            "conflicts": 1 if failures else 0,
        },
    ]
    ended = started + timedelta(seconds=dice.randint(2, 90))
    row = whose | {
        "started_at": started,
        "session_id": identity("session", name),
        "attempt": 1,
        "seq": 3,
        "digest": 0,
        "partition": 0,
        "began": started,
        "first_appended_at": started,
        "appended_at": ended,
        "status": status,
        "status_sent": "finished"
        if status == "finished_with_issues"
        else "running"
        if status == "timed_out"
        else status,
        "ended_at": None if status == "timed_out" else ended,
        "timed_out_at": ended if status == "timed_out" else None,
        "objects": 35,
        "changes": 7,
        "failures": failures,
        "conflicts": 1 if failures else 0,
        "total_changes": 8 + failures,
        "counted_ended": True,
        "counted_attempt": 1,
        "counted_seq": 3,
        "counted_digest": 0,
        "issues": 1 if failures else 0,
        "issues_arrived": 1 if failures else 0,
        "issues_sent": 1 if failures else 0,
        "log_chunks_sent": 2,
        "error_retryable": True if failed else None,
        "error_source": source,
        "error_category": category,
        "error_code": code,
        "error_message": (text + mark)[:300] if failed else None,
        "status_detail": f"stopped at batch 3{mark}" if failed else None,
        "trigger": "schedule",
        "mode": "incremental",
        "mail_system": "exchange",
        "crm_system": "salesforce",
        "agent_id": f"agent-{whose['organization_id']}",
        "agent_version": "1.2",
        "mail_s": 1.5,
        "crm_s": 2.25,
        "engine_s": 0.5,
        "report": report,
    }
    await insert(connection, "sync_session", row)
    if failed:
        exception = f'{text}{mark}\n  File "engine.py", line 7, in run\n    raise'
        await insert(
            connection,
            "session_text",
            {
                "started_at": started,
                "session_id": row["session_id"],
                "organization_id": whose["organization_id"],
                "message": text + mark,
                "exception": exception,
            },
        )
    if failures:
        await add_issue(connection, row, f"Budget review{mark}", error_text=f"Record is locked{mark}")
    await add_log(connection, row, [_lines(started, mark, 0), _lines(started, mark, 3)])
    return row


def _lines(started: datetime, mark: str, after: int) -> list[dict[str, Any]]:
    said = (
        ("debug", "engine", "opened the mailbox"),
        ("info", "mail", f"fetched 30 messages{mark}"),
        ("error", "crm", "a record was refused"),
    )
    return [
        {
            "at": (started + timedelta(seconds=after + at)).isoformat(),
            "level": level,
            "source": source,
            "message": message,
        }
        for at, (level, source, message) in enumerate(said)
    ]


async def add_issue(
    connection: Any, session: Mapping[str, Any], name: str, *, state: str = "open", error_text: str = "Record is locked"
) -> UUID:
    """Insert an issue of a session and its sighting; return its id."""
    issue = identity("issue", session["user_id"], name)
    shared = {
        "organization_id": session["organization_id"],
        "user_id": session["user_id"],
        "session_id": session["session_id"],
        "issue_id": issue,
        "attempt": 1,
        "seq": 1,
        "digest": 0,
        "began": session["began"],
        "object_type": "appointment",
        "object_name": name,
        "object_id": "AAMk-1",
        "direction": "mail_to_crm",
        "operation": "update",
        "error_code": 1,
        "error_text": error_text,
        "error_source": "salesforce",
        "error_category": "locked",
        "error_retryable": True,
        "attempts": 2,
    }
    at = session["started_at"]
    await insert(
        connection,
        "issue_sighting",
        shared | {"started_at": at, "appended_at": at, "state": "resolved" if state == "resolved" else "opened"},
    )
    await insert(
        connection,
        "sync_issue",
        shared
        | {
            "session_started_at": at,
            "state": state,
            "first_seen_at": at,
            "last_seen_at": at,
            "times": 1,
            "mail_system": "exchange",
            "crm_system": "salesforce",
            "closed_at": at if state == "resolved" else None,
        },
        conflict=_SEEN_AGAIN,
    )
    return issue


async def add_log(connection: Any, session: Mapping[str, Any], chunks: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Insert a session's log, one row a chunk."""
    first = 1
    for number, lines in enumerate(chunks):
        await insert(
            connection,
            "log_chunk",
            {
                "started_at": session["started_at"],
                "session_id": session["session_id"],
                "attempt": 1,
                "chunk_no": number,
                "organization_id": session["organization_id"],
                "user_id": session["user_id"],
                "appended_at": session["appended_at"],
                "first_line": first,
                "line_count": len(lines),
                "final": number == len(chunks) - 1,
                "body": zstandard.compress(orjson.dumps(lines)),
            },
        )
        first += len(lines)


async def _status(
    connection: Any, plan: Plan, whose: dict[str, Any], rows: Sequence[Mapping[str, Any]], enabled: bool
) -> None:
    recent = [
        RecentSession(row["session_id"], row["started_at"], row["began"], 1, 3, row["status"], row["appended_at"])
        for row in reversed(rows[-20:])
    ]
    last = rows[-1] if rows else None
    failing = [row for row in rows if row["status"] in ("errors", "timed_out")]
    in_a_row = 0
    for row in reversed(rows):
        if row["status"] not in ("errors", "timed_out"):
            break
        in_a_row += 1
    status = _status_of(last, enabled, plan.now)
    names = (
        "objects",
        "changes",
        "failures",
        "total_changes",
        "conflicts",
        "issues",
        "error_source",
        "error_category",
        "error_code",
    )
    figures = {name: None if last is None else last[name] for name in names}
    await insert(
        connection,
        "user_status",
        whose
        | figures
        | {
            "partition": 0,
            "status": status,
            "status_rank": USER_RANK[status],
            "bucket": "healthy",
            "reason": REASONS[status],
            "since": plan.now - timedelta(hours=1),
            "failing_since": failing[-in_a_row]["appended_at"] if in_a_row else None,
            "in_a_row": in_a_row,
            "due_at": plan.now + timedelta(minutes=20) if enabled else None,
            "recent": pack(recent),
            "revision": 1,
            "agent_id": f"agent-{whose['organization_id']}",
            "changed_at": plan.now,
            "last_started_at": last and last["started_at"],
            "last_session_id": last and last["session_id"],
            "last_ended_at": last and (last["ended_at"] or last["timed_out_at"]),
            "last_status": last and last["status"],
        },
    )


REASONS: Final = {
    "disabled": "off_authorization",
    "new": "nothing_ended",
    "failing": "session_errors",
    "partial": "session_issues",
    "healthy": "session_finished",
}


def _status_of(last: Mapping[str, Any] | None, enabled: bool, now: datetime) -> str:
    if not enabled:
        return "disabled"
    if last is None:
        return "new"
    return {"errors": "failing", "timed_out": "failing", "finished_with_issues": "partial"}.get(
        last["status"], "healthy"
    )


async def derive(connection: Any, now: datetime) -> None:
    """Compute what the leader and the counters would keep, and lay positions that are applied up to `now`."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for statement in text.split("-- name: ")[1:]:
        sql = statement.partition("\n")[2]
        await connection.execute(sql, *([now] if "$1" in sql else []))


async def insert(connection: Any, table: str, row: Mapping[str, Any], conflict: str = "") -> None:
    """Insert one row; dicts and lists become JSON."""
    columns = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    values = [orjson.dumps(value).decode() if isinstance(value, dict | list) else value for value in row.values()]
    await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places}){conflict}", *values)


def utc(text: str) -> datetime:
    """Return an ISO time, UTC where it says nothing."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
