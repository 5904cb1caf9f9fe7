"""What is known of one session, one user, one organization, and of everything: plain dicts, the same for API and panel.

Everything raises NotFound for what does not exist or is somebody else's. Times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from schemas.folding import fold
from schemas.keys import Key, session_key, session_of
from schemas.remediation import advice, advice_on
from schemas.retention import KEPT
from schemas.sql import named_queries
from schemas.status import DEFAULT_INTERVAL_S, REASON_BY_END
from services.query import causes, chain
from services.query.freshness import freshness_of
from services.query.logs import is_past
from services.query.masking import NO_NAMES, Names, mask, mask_in
from services.query.names import names_in_time, names_of_session, names_of_sessions
from services.query.principal import Principal
from services.query.problems import NotFound
from services.query.remedies import on_issues
from services.query.rows import report_words, strip
from services.query.scope import address_of, ensure_own, scope_of
from services.query.services import Services
from services.query.views.expressions import NOTHING_SAID
from services.query.views.planning import PLAN_ONCE

_SQL: Final = named_queries("details")
_FACTS: Final = named_queries("status")["facts_of_user"]


def me(services: Services, principal: Principal) -> dict[str, Any]:
    """Return who asks: actor, name, role, organization_id, user_id, names_masked, reveal_until, preferences."""
    return {
        "actor": principal.actor,
        "name": principal.name,
        "role": principal.role,
        "organization_id": principal.organization_id,
        "user_id": principal.user_id,
        "names_masked": principal.masks_names(services.now()),
        "reveal_until": principal.reveal_until,
        "preferences": principal.preferences,
    }


async def session(services: Services, principal: Principal, key: str) -> dict[str, Any]:
    """Return one session: every field of the job details, its neighbours, the state of its log, and what to do.

    Members: key, organization, user, run, ended_at, duration_s, status …, report (rows) and report_text, the six
    figures, error (or None), exception, advice (or None), issues_sent, issues_arrived, report_complete, log, attempts,
    durations, usual_duration_s (median of the user's sessions before, None without a habit), previous_key, next_key,
    same_cause, as_of.
    """
    started_at, session_id = address_of(key)
    async with services.reading(scope_of(principal)) as connection:
        row = await connection.fetchrow(_SQL["session"], started_at, session_id)
        ensure_own(principal, row)
        place = (row["organization_id"], row["user_id"], started_at, session_id)
        before = await connection.fetchrow(_SQL["previous_session"], *place)
        after = await connection.fetchrow(_SQL["next_session"], *place)
        usual_s = await connection.fetchval(_SQL["usual_duration"], *place[:3])
        parts = await connection.fetch(_SQL["session_log_parts"], started_at, session_id)
        error = error_of(row)
        cause = None
        if error is not None and principal.user_id is None:  # who sees only itself is told of nobody else
            codes = (error["source"], error["category"], error["code"])
            cause = dict(await connection.fetchrow(_SQL["same_cause"], row["organization_id"], *codes))
        fresh = await freshness_of(connection, services.now())
    if principal.masks_names(services.now()):
        names = await names_in_time(services, scope_of(principal), (started_at, session_id))
        row = {**row, **_masked_texts(row, names)}
        error = error_of(row)
    return {
        **_session_facts(row, key),
        "usual_duration_s": usual_s,
        "error": error,
        "exception": row["exception"] or row["message"] or row["error_message"],
        "advice": _advice(row, REASON_BY_END.get(row["status"], "")) if error else None,
        "same_cause": cause,
        "log": log_state(row, parts, services.now()),
        "attempts": _attempts(row["attempt"], parts),
        "previous_key": None if before is None else session_key(*before),
        "next_key": None if after is None else session_key(*after),
        "as_of": fresh.as_of,
        "lag_s": fresh.lag_s,
    }


_TEXTS: Final = ("status_detail", "message", "exception", "error_message")
"""Texts of a session in which an agent may have written the name of an object."""


def _masked_texts(row: Mapping[str, Any], names: Names | None) -> dict[str, str | None]:
    """Return the texts of a session with these names masked; wholly masked where the names are not known."""
    return {text: mask(row[text]) if names is None else mask_in(row[text], names) for text in _TEXTS}


def _attempts(newest: int, parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the attempts in order, of very many the last: of those before the newest only logs are kept."""
    logged = {part["attempt"]: dict(part) for part in parts}
    numbers = sorted({*logged, *range(max(1, newest + 1 - _ATTEMPTS), newest + 1)})
    return [logged.get(number) or {"attempt": number, **_NO_LOG} for number in numbers]


_ATTEMPTS: Final = 20
_NO_LOG: Final = {
    "chunks": 0, "last_chunk": None, "final": False, "lines": 0, "dropped_lines": 0, "redactions": 0, "first_at": None,
    "last_at": None,
}  # fmt: skip


_PLAIN: Final = (
    "session_id", "status", "status_sent", "status_detail", "objects", "changes", "failures", "total_changes", "issues",
    "conflicts", "issues_sent", "issues_arrived", "trigger", "mode", "mail_system", "crm_system", "attempt",
    "counted_attempt", "seq", "agent_id", "agent_version", "deadline_at", "next_run_at", "interval_s", "timed_out_at",
    "first_appended_at", "appended_at",
)  # fmt: skip


def _session_facts(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    ended_at = row["ended_at"] or row["timed_out_at"]
    report = row["report"] or []
    return {
        "key": key,
        "organization": {
            "organization_id": row["organization_id"],
            "name": row["organization_name"] or str(row["organization_id"]),
            "sync_enabled": row["organization_enabled"] is not False,
        },
        "user": {
            "user_id": row["user_id"],
            "name": row["display_name"] or row["email"] or str(row["user_id"]),
            "email": row["email"],
            "synchronization_disabled": row["user_enabled"] is False,
        },
        "run": row["started_at"],
        "ended_at": ended_at,
        "duration_s": None if ended_at is None else (ended_at - row["started_at"]).total_seconds(),
        "durations": {name: row[name] for name in ("mail_s", "crm_s", "engine_s")},
        "report": report,
        "report_text": report_words(report, row["mail_system"], row["crm_system"]),
        "report_complete": row["status"] == "running" or row["issues_arrived"] >= row["issues_sent"],
        **{name: row[name] for name in _PLAIN},
    }


def error_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a session's error, of the source `unknown` and category `other` where none was said; None without one."""
    failed = row["status"] in ("errors", "timed_out")
    if not failed and row["error_source"] is None and row["error_category"] is None and row["error_code"] is None:
        return None
    return {
        "source": row["error_source"] or NOTHING_SAID.source,
        "category": row["error_category"] or NOTHING_SAID.category,
        "code": row["error_code"],
        "scope": row["error_scope"],
        "retryable": row["error_retryable"],
        "message": row["message"] or row["error_message"],
    }


def _advice(row: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return what to do: about the error that was told, else about the fact that decided the status."""
    told = None if row["error_category"] else advice_on(reason)
    return asdict(told or advice(row["error_source"], row["error_category"], row["error_code"]))


def log_state(row: Mapping[str, Any], parts: list[Any], now: datetime) -> dict[str, Any]:
    """Return how much of a session's log is here: chunks sent, arrived, missing, dropped by the agent; its lines.

    `past`: it was kept until `kept_until`, and nothing of it counts as missing.
    """
    past = is_past(row, parts, now)
    own = next((part for part in parts if part["attempt"] == row["attempt"]), None)
    arrived = 0 if own is None else own["chunks"]
    missing = 0 if past else max(0, row["log_chunks_sent"] - arrived)
    dropped_lines = sum(part["dropped_lines"] for part in parts)
    return {
        "chunks_sent": row["log_chunks_sent"],
        "chunks_arrived": arrived,
        "chunks_missing": missing,
        "chunks_dropped": row["log_chunks_dropped"],
        "lines": sum(part["lines"] for part in parts),
        "dropped_lines": dropped_lines,
        "redactions": sum(part["redactions"] for part in parts),
        "kept_until": row["started_at"] + KEPT.logs,
        "past": past,
        "complete": not past and not missing and not row["log_chunks_dropped"] and not dropped_lines,
    }


async def session_issues(services: Services, principal: Principal, key: str) -> dict[str, Any]:
    """Return what the newest attempt of a session told of issues: {"rows": […], "total", "advice": […]}.

    At most 1,000 rows, first those that count as issues (`counts`: open, and of no code 0), of which there are `total`.
    Advice: what to do about these, once for each error code and cause; its `issues` is how many rows it is about.
    """
    started_at, session_id = address_of(key)
    async with services.reading(scope_of(principal)) as connection:
        ensure_own(principal, await connection.fetchrow(_SQL["session_of_log"], started_at, session_id))
        found = await connection.fetch(_SQL["session_issues"], started_at, session_id)
        masked = principal.masks_names(services.now())
        names = await names_of_session(connection, (started_at, session_id)) if masked else NO_NAMES
    total = found[0]["total"] if found else 0
    rows = [{name: value for name, value in row.items() if name != "total"} for row in found]
    if masked:
        for row in rows:
            row["object_name"] = mask(row["object_name"])
            row["error_text"] = mask_in(row["error_text"], names)
    return {"rows": rows, "total": total, "advice": on_issues(row for row in rows if row["counts"])}


async def user(services: Services, principal: Principal, organization_id: UUID, user_id: UUID) -> dict[str, Any]:
    """Return one user: its facts, status, the chain of why, the last 20 sessions with detail, counts, agent, advice."""
    scope = scope_of(principal, organization_id, user_id)
    async with services.reading(scope, planning=PLAN_ONCE) as connection:
        row = await connection.fetchrow(_SQL["user"], organization_id, user_id)
        if row is None:
            raise NotFound
        details = await connection.fetch(_SQL["recent_details"], organization_id, user_id)
        names = await _names_of_recent(connection, details) if principal.masks_names(services.now()) else {}
        facts = await connection.fetchrow(_FACTS, organization_id, user_id, DEFAULT_INTERVAL_S)
        fresh = await freshness_of(connection, services.now())
    detail_of = {
        session_key(*key): mask_in(each["status_detail"], names.get(key, NO_NAMES))
        for each in details if (key := (each["started_at"], each["session_id"]))
    }  # fmt: skip
    recent = [each | {"status_detail": detail_of.get(each["key"])} for each in strip(row["recent"])]
    hidden = ("recent", "email_key", "name_key", "digest", "revision", "last_session_id")
    return {
        **{name: value for name, value in row.items() if name not in hidden},
        "name": row["display_name"] or row["email"] or str(user_id),
        "organization": row["organization_name"] or str(organization_id),
        "status": row["status"] or "new",
        "synchronization_disabled": not row["sync_enabled"],
        "last_session_key": _last_key(row),
        "chain": [asdict(link) for link in chain.of_user(facts, fresh.as_of or services.now())] if facts else [],
        "recent": recent,
        "advice": _advice_on_user(row),
        "as_of": fresh.as_of,
        "lag_s": fresh.lag_s,
    }


async def _names_of_recent(connection: Any, details: Sequence[Mapping[str, Any]]) -> dict[Key, Names]:
    said = [(each["started_at"], each["session_id"]) for each in details if each["status_detail"]]
    return await names_of_sessions(connection, said)


def _advice_on_user(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what to do about a user's status; None where nothing has to be done, or it was switched off by hand."""
    reason = row["reason"]
    if reason == "organization_off":
        reason = f"off_{row['organization_disabled_reason']}"
    if row["status"] == "failing" or (row["status"] == "partial" and row["error_category"]):
        return _advice(row, reason)
    told = advice_on(reason)
    return None if told is None else asdict(told)


def _last_key(row: Mapping[str, Any]) -> str | None:
    if row["last_session_id"] is None:
        return None
    return session_key(row["last_started_at"], row["last_session_id"])


async def organization(services: Services, principal: Principal, organization_id: UUID) -> dict[str, Any]:
    """Return one organization: facts, health, counts of its users, its agents, the chain, what its users fail for.

    Agents are judged as of, never by the wall clock: while we hear nothing, their silence is ours.
    """
    async with services.reading(scope_of(principal, organization_id)) as connection:
        row = await connection.fetchrow(_SQL["organization"], organization_id)
        if row is None:
            raise NotFound
        agents = [dict(each) for each in await connection.fetch(_SQL["organization_agents"], organization_id)]
        since = await connection.fetchval(_SQL["failing_since"], organization_id)
        fresh = await freshness_of(connection, services.now())
        open_causes = await causes.of_organization(connection, organization_id, fresh.as_of)
    at = fresh.as_of or services.now()
    hidden = ("name_key", "health_rank", "digest", "revision", "touched", "sessions_24h")  # the last is written no more
    return {
        **{name: value for name, value in row.items() if name not in hidden},
        "name": row["name"] or str(organization_id),
        "synchronization_status": "enabled" if row["sync_enabled"] else "disabled",
        "agents": [each | {"silent": chain.is_silent(each, at)} for each in agents],
        "chain": [asdict(link) for link in chain.of_organization(row, agents[0] if agents else None, since, at)],
        "causes": open_causes,
        "as_of": fresh.as_of,
        "lag_s": fresh.lag_s,
    }


async def search(services: Services, principal: Principal, text: str) -> dict[str, Any]:
    """Return what a word finds: {"organizations": […5], "users": […10], "more": bool}; ids and session keys too."""
    found: dict[str, Any] = {"organizations": [], "users": [], "session_key": None, "more": False}
    folded = fold(text.strip())
    if not folded:
        return found
    escaped = folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    bound = (f"%{escaped}%", text.strip(), _uuid(text.strip()))
    async with services.reading(scope_of(principal)) as connection:
        organizations = await connection.fetch(_SQL["find_organizations"], *bound)
        users = await connection.fetch(_SQL["find_users"], bound[0])
        if not users:
            users = await connection.fetch(_SQL["find_users_by_id"], *bound[1:])
        if (address := session_of(text.strip())) and await connection.fetchrow(_SQL["session_of_log"], *address):
            found["session_key"] = text.strip()
    found["organizations"] = [dict(row) for row in organizations[:5]]
    found["users"] = [dict(row) for row in users[:10]]
    found["more"] = len(organizations) > 5 or len(users) > 10
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
