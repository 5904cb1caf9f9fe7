"""The figures of the overview: health, statuses, sessions per hour, kinds of errors, the newest failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.sql import named_queries
from schemas.vocabulary import ORGANIZATION_HEALTH, SESSION_STATUS, USER_STATUS
from services.query import causes
from services.query.freshness import freshness_of
from services.query.hours import DAY, first_hour
from services.query.lists import fetch_page
from services.query.principal import Principal
from services.query.problems import TooSlow
from services.query.scope import scope_of
from services.query.services import Services
from services.query.silence import silence_of
from services.query.views.search import AHEAD
from services.query.views.view import One, Scope, View, parse

_SQL: Final = named_queries("details")
_USUAL: Final = timedelta(days=7)
_NEWEST: Final = 10
_ALL: Final = (None, None)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a part of the overview is read from."""

    connection: Any
    scope: Scope
    now: datetime
    as_of: datetime | None
    hours: int


async def overview(services: Services, principal: Principal) -> dict[str, Any]:
    """Return everything of the overview, or raise TooSlow:

    organizations {health: n}, fresh_organizations (of those, for less than an hour), synchronization_status {enabled,
    disabled: n}, users {status: n} and disabled_by_error, since (the first of the hours that are counted), hours (as
    `session_hours`), kinds and touched (as `error_kinds`), causes: the greatest open ones, silence (as `silence_of`),
    failures: the newest 10 sessions that failed, rows as in the list of sessions; as_of, lag_s, halted.
    """
    found, missing = await overview_parts(services, principal)
    if missing:
        raise TooSlow
    return found


async def overview_parts(
    services: Services, principal: Principal, *, hours: int = DAY
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the overview as far as it was read in time, and which parts of it were not; `hours` as many as asked for.

    Parts: tallies (organizations and users), causes, silence, hours, kinds, failures. They share a snapshot: what took
    too long ended it, so the parts behind that have a new one.
    """
    scope, now = scope_of(principal), services.now()
    found: dict[str, Any] = {"since": first_hour(now)}
    missing = set()
    left = list(_PARTS)
    while left:
        try:
            async with services.reading(scope) as connection:
                fresh = await freshness_of(connection, now)
                found |= {name: getattr(fresh, name) for name in ("as_of", "lag_s", "halted")}
                snapshot = _Snapshot(connection, scope, now, fresh.as_of, hours)
                while left:
                    found |= await _PARTS[left[0]](snapshot)
                    del left[0]
        except TooSlow:
            if "as_of" not in found:
                raise
            missing.add(left.pop(0))
    try:
        found["failures"] = (await fetch_page(services, _failures(services, scope, principal.masks_names(now)))).rows
    except TooSlow:
        missing.add("failures")
    return found, frozenset(missing)


async def _tallies(of: _Snapshot) -> dict[str, Any]:
    rows = await of.connection.fetch(_SQL["organizations_by_health"], of.as_of or of.now)
    healths = {row["health"]: (row["organizations"], row["fresh"]) for row in rows}
    users = await of.connection.fetchrow(_SQL["users_by_status"])
    return {
        "organizations": {health: healths.get(health, (0, 0))[0] for health in ORGANIZATION_HEALTH},
        "fresh_organizations": {health: healths.get(health, (0, 0))[1] for health in ORGANIZATION_HEALTH},
        "users": {status: users[status] for status in USER_STATUS},
        "disabled_by_error": users["disabled_by_error"],
        "synchronization_status": dict(await of.connection.fetchrow(_SQL["organizations_by_flag"])),
    }


async def _causes(of: _Snapshot) -> dict[str, Any]:
    return {"causes": await causes.of_all(of.connection, of.as_of)}


async def _silence(of: _Snapshot) -> dict[str, Any]:
    return {"silence": await silence_of(of.connection, of.as_of, of.now)}


async def _hours_of_span(of: _Snapshot) -> dict[str, Any]:
    return {"hours": await _hours(of.connection, of.scope, first_hour(of.now, of.hours), of.hours)}


async def _kinds_of_day(of: _Snapshot) -> dict[str, Any]:
    return await _kinds(of.connection, of.scope, of.now, DAY)


_PARTS: Final[Mapping[str, Callable[[_Snapshot], Awaitable[dict[str, Any]]]]] = {
    "tallies": _tallies, "causes": _causes, "silence": _silence, "hours": _hours_of_span, "kinds": _kinds_of_day,
}  # fmt: skip


def _failures(services: Services, scope: Scope, masked: bool) -> View:
    shown = [("status", "errors,timed_out"), ("limit", str(_NEWEST))]
    return parse("sessions", shown, scope=scope, now=services.now(), secret=services.secret, masked=masked)


async def session_hours(
    services: Services, principal: Principal, organization_id: UUID | None = None, *, hours: int = DAY
) -> dict[str, Any]:
    """Return sessions by the hour of their start: {"hours": [{"hour", "watched", "sessions": {status: n}}],
    "totals": {…}}.

    Every hour of the span is there, the last one still in progress. `watched` is false of those before the first
    session that is known: their zeros say nothing.
    """
    scope = scope_of(principal, organization_id)
    async with services.reading(scope) as connection:
        return await _hours(connection, scope, first_hour(services.now(), hours), hours)


async def _hours(connection: Any, scope: Scope, first: datetime, hours: int) -> dict[str, Any]:
    rows = await _by_scope(connection, scope, "hours", first)
    counts: dict[datetime, dict[str, int]] = defaultdict(dict)
    for row in rows:
        counts[row["hour"]][row["status"]] = row["sessions"]
    ((since,),) = await _by_scope(connection, scope, "watched_since")
    listed: list[dict[str, Any]] = [
        {
            "hour": hour,
            "watched": since is not None and hour >= since,
            "sessions": {status: counts.get(hour, {}).get(status, 0) for status in SESSION_STATUS},
        }
        for hour in (first + timedelta(hours=each) for each in range(hours))
    ]
    totals = {status: sum(each["sessions"][status] for each in listed) for status in SESSION_STATUS}
    return {"hours": listed, "totals": totals}


async def _by_scope(connection: Any, scope: Scope, name: str, *bound: Any) -> list[Any]:
    if isinstance(scope, One):
        return list(await connection.fetch(_SQL[f"{name}_of_organization"], *bound, scope.organization_id))
    return list(await connection.fetch(_SQL[f"{name}_all"], *bound))


async def error_kinds(
    services: Services, principal: Principal, organization_id: UUID | None = None, *, hours: int = DAY
) -> dict[str, Any]:
    """Return errors by source and category, those growing most first: {"kinds": [{source, category, errors, users,
    organizations, failing, retryable, bars (errors per hour, oldest first), usual (errors in such a span),
    times_usual}], "touched": {users, organizations}}.

    `users` and `organizations` are those that its errors touched, in `touched` those of all; None of more than a day,
    which no list of them shows. `failing`: users that fail for it now. `times_usual` compares with the seven days
    before; None where there were none to compare with.
    """
    scope = scope_of(principal, organization_id)
    async with services.reading(scope) as connection:
        return await _kinds(connection, scope, services.now(), hours)


async def _kinds(connection: Any, scope: Scope, now: datetime, hours: int) -> dict[str, Any]:
    first = first_hour(now, hours)
    organization_id = scope.organization_id if isinstance(scope, One) else None
    rows = await _by_scope(connection, scope, "kinds", first - _USUAL)
    failing_now = await connection.fetch(_SQL["failing_by_kind"], organization_id)
    failed = await connection.fetch(_SQL["failed_by_kind"], first, now + AHEAD, organization_id) if hours <= DAY else ()
    kinds: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        kind = kinds.setdefault((row["source"], row["category"]), {"bars": [0] * hours, "before": 0})
        if row["hour"] >= first:
            kind["bars"][min(hours - 1, int((row["hour"] - first) / timedelta(hours=1)))] += row["errors"]
        else:
            kind["before"] += row["errors"]
    failing = {(row["source"], row["category"]): row for row in failing_now}
    nobody = {"users": 0, "organizations": 0} if hours <= DAY else {"users": None, "organizations": None}
    touched = {(row["source"], row["category"]): _touched(row) for row in failed}
    listed = [
        _kind(key, kinds.get(key, {"bars": [0] * hours, "before": 0}), failing.get(key), hours)
        | touched.get(key, nobody)
        for key in kinds.keys() | failing.keys() | touched.keys() - {_ALL}
    ]
    shown = [each for each in listed if each["errors"] or each["users"] or each["failing"]]
    shown.sort(key=_order)
    return {"kinds": shown, "touched": touched.get(_ALL, nobody)}


def _touched(row: Any) -> dict[str, int | None]:
    return {name: row[name] for name in ("users", "organizations")}


def _order(kind: dict[str, Any]) -> tuple[float, ...]:
    """Return what kinds go by: the growth, then the users, then what makes one order of them."""
    first = -(kind["times_usual"] or 0), -(kind["users"] or 0), -kind["failing"], -kind["errors"]
    return *first, kind["source"], kind["category"]


def _kind(key: tuple[str, str], counted: dict[str, Any], failing: Any, hours: int) -> dict[str, Any]:
    source, category = key
    errors = sum(counted["bars"])
    usual = counted["before"] * hours / (_USUAL / timedelta(hours=1))
    return {
        "source": source,
        "category": category,
        "errors": errors,
        "failing": 0 if failing is None else failing["users"],
        "retryable": None if failing is None else failing["retryable"],
        "bars": counted["bars"],
        "usual": round(usual, 1),
        "times_usual": round(errors / usual, 1) if usual >= 1 else None,
    }
