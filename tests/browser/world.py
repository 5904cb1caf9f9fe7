"""A small world for the browser tests: organizations, users of every status, sessions, issues and logs, all consistent.

Everything follows from `Random(7)` and the moment given, so screens can be compared with what is in Postgres.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import zstandard

from schemas.folding import fold
from schemas.recent import RecentSession, pack
from schemas.vocabulary import HEALTH_RANK, USER_RANK

ORGANIZATIONS: Final = (
    ("Northwind Traders", "exchange", 44), ("Amberline Logistics", "office365", 12),
    ("Harrow & Pike Legal", "office365", 9), ("Quillon Software", "office365", 10), ("Corvid Analytics", "gmail", 8),
    ("Fairlight Optics", "office365", 12), ("Tidewell Seafood", "exchange", 6), ("Brightmere Clinics", "exchange", 9),
    ("Cedarcrest Capital", "office365", 6), ("Calderon Freight", "office365", 7), ("Pemberlode Wines", "gmail", 5),
    ("Ironbridge Steelworks", "exchange", 6), ("Westmarch Motors", "office365", 5), ("Larkspur Pantry", "gmail", 5),
    ("Halcyon Biotech", "office365", 6), ("Arctos Energy", "exchange", 8), ("Zephyrline Cargo", "office365", 4),
    ("Millbrook Press", "gmail", 4), ("Delmarva Shipping", "exchange", 5), ("Gildenhall Works", "office365", 5),
)  # fmt: skip
DISABLED: Final = {
    "Harrow & Pike Legal": "authorization",
    "Pemberlode Wines": "manual",
    "Delmarva Shipping": "throttling",
}
SILENT: Final = "Fairlight Optics"
"""Whose agent is silent."""
CUT_SHORT: Final = "Brightmere Clinics"
"""Where the last session of users that are partial says it sent one issue more than arrived."""
LONG_LOG: Final = "Quillon Software"
"""Where the newest session of the first user has a log of 4,000 lines."""
FIRST: Final = (  # noqa: SIM905
    "Abel Adaeze Agnes Aiko Ailsa Alba Aldo Aleksi Alina Amara Amina Anders Anouk Anselm Aoife Aram Ariadne Arjun "
    "Asta Astrid Aurelio Axel Ayla Azadeh Bashir Bea Birgit Bruna Chidi Dario Desta Eilidh Freya Ingrid Ismael "
    "Jonas Jorah Kwame Leonie Lucía Marek Mateus Mirela Noor Olumide Oskar Paolo Petra Pilar Ronja"
).split()
LAST: Final = (  # noqa: SIM905
    "Kirchner Nnamdi Torvald Tanabe Drummond Serrano Brancati Rautio Petrenko Nwosu Belkacem Kvist Lemaire Vogt "
    "Brannigan Petrosyan Kostas Velankar Lundqvist Hellemans Conti Thornqvist Karaduman Farrokh Santacruz Wolde "
    "Macrae Lindholm Solbakken Quintero Weissbach Achterberg Berenguer Havelka"
).split()
STATUSES: Final = ("healthy",) * 10 + ("failing",) * 4 + ("partial",) * 3 + ("late", "stuck", "new", "disabled")
FIGURES: Final = (
    "objects", "changes", "failures", "total_changes", "conflicts", "issues", "error_source", "error_category",
    "error_code", "error_retryable",
)  # fmt: skip
TRACE: Final = (
    '\n  File "connector/mail/ews.py", line 412, in fetch_batch\n    reply = self._call("GetItem", ids, timeout=120)'
)
INTERVAL: Final = timedelta(minutes=30)
ERRORS: Final = (
    ("authentication", "ErrorAccessDenied", False, "401 Unauthorized: credentials refused for svc-sync@{host}"),
    (
        "throttling",
        "ErrorServerBusy",
        True,
        "ThrottledException: ErrorServerBusy: The server cannot service this request right now. Back off 252000 ms.",
    ),
    ("quota", "REQUEST_LIMIT_EXCEEDED", True, "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded."),
    ("timeout", "", True, "GetItem batch 14 of 31: no answer within 120 s"),
)
NAMES: Final = {
    "email": ("Re: Delivery dates for lot 4471", "Offer 2026-118, revised", "Invoice 88-20417",
              "Minutes of the steering meeting in November"),
    "appointment": ("Quarterly review, Harrow & Pike", "Site visit Rotterdam", "Weekly pipeline call"),
    "contact": ("Marguerite Vandenberghe", "Piotr Zawadzki-Horn"), "task": ("Call back about the frame contract",),
}  # fmt: skip
TEXTS: Final = {
    1: "STRING_TOO_LONG: Subject: data value too large (max length=255)",
    2: "ErrorItemNotFound: The specified object was not found in the store.",
    3: "Record was changed in Salesforce after it was read: SystemModstamp differs",
}
HOSTILE: Final = (
    "<!DOCTYPE html>\r\n<h1>502 Proxy Error</h1>\t<a href=\"/caldav/57/\">back</a>&nbsp;\r\n"
    + "\r\n".join(f'\tat org.example.Frame{line}("C:\\\\path\\\\{line}", ""doubled"")' for line in range(900))
)  # fmt: skip


def identity(*parts: object) -> UUID:
    """Return the id of a named thing of this world."""
    return uuid5(NAMESPACE_URL, "/".join(map(str, parts)))


@dataclass
class World:
    """Rows by table, ready for COPY."""

    now: datetime
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> None:
        self.rows.setdefault(table, []).append(row)


def world(now: datetime) -> World:
    """Return everything, as it stands at `now`."""
    made, random = World(now), Random(7)
    for name, mail_system, count in ORGANIZATIONS:
        _organization(made, random, name, mail_system, count)
    for partition in range(12):
        made.add("kafka_position", topic="syncwatch.events", partition=partition, applied_to=now, heard_at=now)
    _roll_up(made)
    return made


async def fill(connection: Any, made: World) -> None:
    """Write a world into an empty, migrated database."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value), decoder=lambda raw: orjson.loads(raw[1:]),
    )  # fmt: skip
    for table, rows in made.rows.items():
        columns = list(rows[0])
        await connection.copy_records_to_table(table, columns=columns, records=[tuple(row.values()) for row in rows])
    await connection.execute("ANALYZE")


def _organization(made: World, random: Random, name: str, mail_system: str, count: int) -> None:
    organization_id, now = identity(name), made.now
    reason = DISABLED.get(name)
    counts: Counter[str] = Counter()
    errors = by_error = 0
    newest: datetime | None = None
    people = random.sample([f"{first} {last}" for first in FIRST for last in LAST], count)
    for index, person in enumerate(sorted(people)):
        status = "disabled" if reason else random.choice(STATUSES)
        if name == "Northwind Traders" and index < len(set(STATUSES)):
            status = tuple(dict.fromkeys(STATUSES))[index]
        if name == SILENT and index < 3:
            status = "late"
        user = _User(organization_id, name, person, mail_system, "salesforce", status, bool(reason), now)
        user.write(made, random, index)
        counts[status] += 1
        by_error += user.disabled_reason in {"authorization", "throttling"} and status == "disabled"
        errors += sum(session["status"] in {"errors", "timed_out"} for session in user.sessions)
        ends = [session["ended_at"] or session["started_at"] for session in user.sessions]
        newest = max([*ends, *([newest] if newest else [])], default=None)
    touched = counts["failing"] + counts["late"] + counts["stuck"]
    health = "disabled" if reason else "down" if touched * 2 >= count else "degraded" if touched else "ok"
    made.add(
        "organization", organization_id=organization_id, name=name, name_key=fold(name), mail_system=mail_system,
        crm_system="salesforce", sync_enabled=reason is None, disabled_reason=reason,
        flag_since=now - timedelta(days=3 if reason else 250), flag_actor="admin ilse@example.org", interval_s=1800,
        revision=1, first_seen_at=now - timedelta(days=250), announced_at=now - timedelta(days=250), health=health,
        health_rank=HEALTH_RANK[health], health_since=now - timedelta(hours=5), users=count,
        **{status: counts[status] for status in ("healthy", "partial", "failing", "late", "stuck", "new", "disabled")},
        disabled_by_error=by_error if not reason else 0, touched=touched, last_session_at=newest, errors_24h=errors,
    )  # fmt: skip
    made.add(
        "agent", agent_id=f"eu-{name.split()[0].lower()}", organization_id=organization_id, version="3.18.2",
        heard_at=now - timedelta(seconds=3000 if name == SILENT else 12), sessions_running=counts["stuck"],
    )  # fmt: skip


@dataclass
class _User:
    """One user, its status, and the sessions that lead to it."""

    organization_id: UUID
    organization: str
    name: str
    mail_system: str
    crm_system: str
    status: str
    organization_off: bool
    now: datetime
    sessions: list[dict[str, Any]] = field(default_factory=list)
    disabled_reason: str | None = None

    @property
    def user_id(self) -> UUID:
        return identity(self.organization, self.name)

    @property
    def host(self) -> str:
        return f"{self.organization.split()[0].lower()}.example"

    def write(self, made: World, random: Random, index: int) -> None:
        own_flag = self.status == "disabled" and not self.organization_off
        self.disabled_reason = random.choice(["authorization", "manual", "throttling"]) if own_flag else None
        behind = timedelta(minutes=random.randrange(5, 28), seconds=random.randrange(60))
        for place, status in enumerate(self._history(random)):
            started_at = (
                self.now - behind - INTERVAL * place - (timedelta(hours=2) if self.status == "late" else timedelta())
            )
            self.sessions.append(_session(made, random, self, started_at, status, place, index))
        email = f"{fold(self.name).replace(' ', '.')}@{self.host}"
        if self.name == sorted([self.name])[0] and index == 0 and self.organization == "Northwind Traders":
            email = f"ann+crm@{self.host}"
        made.add(
            "sync_user", organization_id=self.organization_id, user_id=self.user_id, email=email,
            display_name=self.name,
            email_key=fold(email), name_key=fold(self.name), mail_system=self.mail_system, crm_system=self.crm_system,
            sync_enabled=not own_flag, disabled_reason=self.disabled_reason,
            flag_since=self.now - timedelta(days=1 if own_flag else 80), flag_actor="directory",
            enabled_since=self.now - timedelta(days=80), interval_s=1800, revision=1,
            first_seen_at=self.now - timedelta(days=80), announced_at=self.now - timedelta(days=80),
        )  # fmt: skip
        self._status(made)

    def _history(self, random: Random) -> list[str]:
        """Return the statuses of its sessions, newest first."""
        calm = random.choices(
            ["finished", "finished_with_issues", "errors", "timed_out", "cancelled"], [15, 2, 1, 1, 1], k=20
        )
        match self.status:
            case "new":
                return []
            case "healthy" | "late":
                return ["finished", *calm[1:]]
            case "partial":
                return ["finished_with_issues", *calm[1:]]
            case "failing":
                row = random.randrange(1, 9)
                return [
                    "timed_out" if random.random() < 0.1 else "errors",
                    *["errors"] * row,
                    "finished",
                    *calm[row + 2 :],
                ]
            case "stuck":
                return ["running", *calm[1:]]
        return ["errors", "errors", *calm[2:]]

    def _status(self, made: World) -> None:
        newest = self.sessions[0] if self.sessions else None
        ended = next((each for each in self.sessions if each["status"] not in {"running", "cancelled"}), None)
        failed = 0
        for each in self.sessions:
            if each["status"] not in {"errors", "timed_out"}:
                break
            failed += 1
        recent = [
            RecentSession(s["session_id"], s["started_at"], s["began"], 1, s["seq"], s["status"], s["appended_at"],
                          s["appended_at"] - timedelta(minutes=1) if s["status"] == "running" else None, 1800, 0)
            for s in self.sessions
        ]  # fmt: skip
        shown = ended or {}
        failed_since = self.sessions[failed - 1]["ended_at"] if failed else None
        due = newest and newest["ended_at"] and newest["ended_at"] + INTERVAL
        reason = {
            "stuck": "past_limit", "failing": "session_errors",
            "partial": "issues_missing" if self.organization == CUT_SHORT else "session_issues",
            "healthy": "session_finished", "new": "nothing_ended",
            "late": "agent_silent" if self.organization == SILENT else "overdue",
            "disabled": "organization_off" if self.organization_off else f"off_{self.disabled_reason}",
        }[self.status]  # fmt: skip
        made.add(
            "user_status", organization_id=self.organization_id, user_id=self.user_id, partition=0, status=self.status,
            status_rank=USER_RANK[self.status], bucket=self.status, reason=reason,
            since=self.now - timedelta(minutes=10 + 37 * len(self.name) % 170), failing_since=failed_since,
            in_a_row=failed, due_at=None if self.status == "disabled" else due,
            limit_at=self.now - timedelta(minutes=2) if self.status == "stuck" else None,
            recent=pack(recent) if recent else None, agent_id=f"eu-{self.organization.split()[0].lower()}",
            changed_at=self.now, last_started_at=newest and newest["started_at"],
            last_session_id=newest and newest["session_id"], last_ended_at=newest and newest["ended_at"],
            last_status=newest and newest["status"],
            **{name: shown.get(name) for name in FIGURES},
        )  # fmt: skip


def _session(
    made: World, random: Random, user: _User, started_at: datetime, status: str, place: int, index: int
) -> dict[str, Any]:  # fmt: skip
    session_id = identity(user.organization, user.name, place)
    seconds = 1800 if status == "timed_out" else random.randrange(2, 290)
    if status == "timed_out":
        started_at -= timedelta(minutes=26)
    ended_at = None if status == "running" else started_at + timedelta(seconds=seconds)
    failed = status in {"errors", "timed_out"}
    reached = not failed or random.random() < 0.3
    hostile = user.organization == "Northwind Traders" and place == 0 and index == 1
    category, code, retryable, message = ERRORS[3] if status == "timed_out" else ERRORS[random.choice([0, 0, 1, 2])]
    message = message.format(host=user.host)
    report = _report(random, status) if reached else []
    sums = {name: sum(each[name] for each in report) for name in ("fetched", "failed", "conflicts", "skipped")}
    changes = sum(each["created"] + each["updated"] + each["deleted"] for each in report)
    issues = sums["failed"] if status != "finished" else 0
    source = {"quota": "salesforce", "timeout": "connector"}.get(category, user.mail_system)
    row = {
        "started_at": started_at, "session_id": session_id, "organization_id": user.organization_id,
        "user_id": user.user_id, "attempt": 1, "seq": 3, "digest": 0, "began": started_at,
        "partition": 0, "counted_ended": ended_at is not None, "counted_attempt": 1, "counted_seq": 3,
        "counted_digest": 0,
        "first_appended_at": started_at, "appended_at": ended_at or started_at, "status": status,
        "status_sent": "running" if status == "timed_out" else status, "ended_at": ended_at,
        "timed_out_at": ended_at if status == "timed_out" else None, "interval_s": 1800,
        "objects": sums["fetched"], "changes": changes, "failures": sums["failed"], "conflicts": sums["conflicts"],
        "total_changes": changes + sums["failed"] + sums["conflicts"] + sums["skipped"], "issues": issues,
        "issues_arrived": issues,
        "issues_sent": issues + (user.organization == CUT_SHORT and user.status == "partial" and place == 0),
        "log_chunks_sent": _chunks(user, place, index),
        "log_chunks_dropped": 0, "error_retryable": retryable if failed else None,
        "error_source": source if failed else None, "error_category": category if failed else None,
        "error_code": code if failed else None, "error_scope": "mailbox" if failed else None,
        "error_message": ("502 Proxy Error" if hostile else message)[:300] if failed else None,
        "status_detail": _detail(random, status), "trigger": "schedule", "mode": "incremental",
        "mail_system": user.mail_system, "crm_system": user.crm_system,
        "agent_id": f"eu-{user.organization.split()[0].lower()}", "agent_version": "3.18.2",
        "mail_s": seconds * 0.6, "crm_s": seconds * 0.3, "engine_s": seconds * 0.1, "report": report or None,
    }  # fmt: skip
    made.add("sync_session", **row)
    if failed:
        trace = HOSTILE if hostile else message + TRACE
        made.add("session_text", started_at=started_at, session_id=session_id, organization_id=user.organization_id,
                 message=message, exception=trace)  # fmt: skip
    for number in range(min(issues, 8)):
        _issue(made, random, user, row, number, newest=place == 0)
    if user.organization == LONG_LOG and (index, place) == (0, 0):
        _long_log(made, row)
    elif place < 2:
        _log(made, row, message if failed else "")
    return row


def _chunks(user: _User, place: int, index: int) -> int:
    if user.organization == LONG_LOG and (index, place) == (0, 0):
        return 20
    return 3 if place < 2 else 0


def _detail(random: Random, status: str) -> str | None:
    if status == "errors":
        return random.choice(["stopped at batch 14 of 31", "stopped after 3 attempts", "before the first object"])
    return "2 objects in conflict" if status == "finished_with_issues" else None


def _report(random: Random, status: str) -> list[dict[str, Any]]:
    report = []
    for kind in ("email", "appointment", "contact"):
        for direction in ("mail_to_crm", "crm_to_mail"):
            failed = random.randrange(0, 3) if status != "finished" else 0
            report.append({
                "type": kind, "direction": direction, "fetched": random.randrange(2, 220),
                "created": random.randrange(0, 40), "updated": random.randrange(0, 20),
                "deleted": random.randrange(0, 3), "skipped": random.randrange(0, 12), "failed": failed,
                "conflicts": random.randrange(0, 2) if status == "finished_with_issues" else 0,
            })  # fmt: skip
    return report


def _issue(made: World, random: Random, user: _User, session: dict[str, Any], number: int, *, newest: bool) -> None:
    kind = random.choice(list(NAMES))
    name = random.choice(NAMES[kind])
    issue_id = identity(session["session_id"], number)
    code = random.choice([1, 1, 2, 3])
    shared = {
        "issue_id": issue_id, "organization_id": user.organization_id, "user_id": user.user_id, "attempt": 1,
        "seq": number, "digest": 0, "began": session["began"], "object_type": kind, "object_name": name,
        "object_id": f"AAMk{number}", "counterpart_id": None,
        "direction": random.choice(["mail_to_crm", "crm_to_mail"]),
        "operation": random.choice(["create", "update", "delete"]), "error_code": code, "error_text": TEXTS[code],
        "error_source": "salesforce", "error_category": "validation", "error_retryable": False, "attempts": 1,
        "resolution": None,
    }  # fmt: skip
    made.add("issue_sighting", **shared, started_at=session["started_at"], session_id=session["session_id"],
             appended_at=session["appended_at"], state="opened")  # fmt: skip
    open_still = newest or random.random() < 0.4
    state = random.choice(["open", "open", "open", "regressed"]) if open_still else "resolved"
    made.add(
        "sync_issue", **shared, session_id=session["session_id"], session_started_at=session["started_at"], state=state,
        was_resolved=state != "open", first_seen_at=session["started_at"] - timedelta(hours=random.randrange(0, 90)),
        last_seen_at=session["appended_at"], closed_at=None if open_still else session["appended_at"],
        times=random.randrange(1, 40), mail_system=user.mail_system, crm_system=user.crm_system,
    )  # fmt: skip


def _log(made: World, session: dict[str, Any], message: str) -> None:
    """Three parts of twenty lines; the second one of sessions that failed never arrived."""
    for chunk in range(3):
        if message and chunk == 1:
            continue
        first, failed = 1 + chunk * 20, bool(message) and chunk == 2
        lines = [
            {
                "at": (session["started_at"] + timedelta(seconds=2 * (first + line))).isoformat(),
                "level": "error" if failed and line > 17 else ("debug", "info", "info", "warning")[line % 4],
                "source": ("mail", "crm", "engine", "agent")[line % 4],
                "message": message if failed and line == 18 else f"GetItem batch {first + line} of 60, 16 ids",
            }
            for line in range(20)
        ]  # fmt: skip
        made.add(
            "log_chunk", started_at=session["started_at"], session_id=session["session_id"], attempt=1, chunk_no=chunk,
            organization_id=session["organization_id"], user_id=session["user_id"], appended_at=session["appended_at"],
            first_line=first, line_count=20, dropped_lines=12 if chunk == 2 and message else 0, redactions=chunk,
            final=chunk == 2, body=zstandard.ZstdCompressor().compress(orjson.dumps(lines)),
        )  # fmt: skip


def _long_log(made: World, session: dict[str, Any]) -> None:
    """Twenty parts of two hundred lines, the eleventh of which never arrived; every 500th line is an error."""
    for chunk in range(20):
        if chunk == 10:
            continue
        first = 1 + chunk * 200
        lines = [
            {
                "at": (session["started_at"] + timedelta(milliseconds=50 * number)).isoformat(),
                "level": "error" if number % 500 == 0 else ("debug", "info")[number % 2],
                "source": ("mail", "crm", "engine", "agent")[number % 4],
                "message": "mailbox busy" if number % 800 == 0 else f"item {number} of 4000",
            }
            for number in range(first, first + 200)
        ]
        made.add(
            "log_chunk", started_at=session["started_at"], session_id=session["session_id"], attempt=1, chunk_no=chunk,
            organization_id=session["organization_id"], user_id=session["user_id"], appended_at=session["appended_at"],
            first_line=first, line_count=200, dropped_lines=0, redactions=0, final=chunk == 19,
            body=zstandard.ZstdCompressor().compress(orjson.dumps(lines)),
        )  # fmt: skip


def _roll_up(made: World) -> None:
    """Count sessions by hour, as the aggregator does."""
    hours: Counter[tuple[Any, ...]] = Counter()
    everywhere: Counter[tuple[Any, ...]] = Counter()
    for row in made.rows["sync_session"]:
        hour = row["started_at"].replace(minute=0, second=0, microsecond=0)
        error = (row["error_source"] or "", row["error_category"] or "")
        hours[(row["organization_id"], hour, row["status"], *error)] += 1
        everywhere[(hour, row["status"], *error, row["mail_system"] or "")] += 1
    names = ("hour", "status", "error_source", "error_category")
    for key, sessions in hours.items():
        made.add("session_hour", **dict(zip(("organization_id", *names), key, strict=True)), shard=0, sessions=sessions)
    for key, sessions in everywhere.items():
        made.add("session_hour_all", **dict(zip((*names, "mail_system"), key, strict=True)), shard=0, sessions=sessions)
    buckets = Counter((row["organization_id"], row["bucket"]) for row in made.rows["user_status"])
    for (organization_id, bucket), users in buckets.items():
        made.add("organization_status", organization_id=organization_id, bucket=bucket, shard=0, users=users)


def users_of(made: World, organization: str) -> Sequence[dict[str, Any]]:
    """Return the users of one organization."""
    return [row for row in made.rows["sync_user"] if row["organization_id"] == identity(organization)]


def tables(made: World) -> Iterable[str]:
    """Return what is filled."""
    return made.rows.keys()
