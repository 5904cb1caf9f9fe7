"""Reading lists: one page with its count, and how the values of a row read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from schemas.columns import Column, Type
from schemas.keys import session_key, session_keys
from schemas.kinds import COUNTS
from schemas.recent import outlines
from schemas.sql import named_queries
from schemas.vocabulary import OBJECT_TYPE, SESSION_STATUS, direction_words
from schemas.vocabulary import words as word_of
from services.query.filters import Among, Filter
from services.query.orders import is_usual, orders
from services.query.principal import Principal
from services.query.problems import NotFound, TooSlow, TooWide
from services.query.search import Walk, count_spans, is_loose, is_walked
from services.query.services import Services
from services.query.statements import (
    COUNT_LIMIT,
    EXCEPTION_SHOWN,
    Picks,
    Statement,
    answered,
    branches,
    count,
    is_indexed,
    page,
    probes,
)
from services.query.view import All, Cursor, One, OneUser, Scope, View, seal

_SQL: Final = named_queries("lists")
_DETAILS: Final = named_queries("details")
_FRESHNESS_AND_TEXTS: Final = _SQL["freshness_and_texts"].replace("/* freshness */", _SQL["freshness"].rstrip(";"))
_WORTHWHILE_S: Final = 0.015
"""With less time left than this a search ends."""
_OVERTIME_S: Final = 0.03
"""By how much the last statement may be late."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the data is. `as_of` None: a partition was never read. `deaf_s`: seconds since anything was heard.

    `still_s`: seconds since the partition moved that has not moved for longest; those that halted do not count.
    `counted_to`: the leader's now, by which it counts the last 24 hours; None where nothing was ever applied.
    """

    as_of: datetime | None
    lag_s: float | None
    halted: tuple[str, ...]
    deaf_s: float | None
    still_s: float | None
    counted_to: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a view. `total` is a lower bound unless `total_is_exact`.

    `searched_to`: how far a search came in its time; the next page looks at what lies behind. None: at everything.
    """

    rows: list[dict[str, Any]]
    total: int
    total_is_exact: bool
    next_cursor: str | None
    previous_cursor: str | None
    freshness: Freshness
    searched_to: datetime | None = None

    @property
    def as_of(self) -> datetime | None:
        return self.freshness.as_of

    @property
    def lag_s(self) -> float | None:
        return self.freshness.lag_s

    @property
    def halted(self) -> tuple[str, ...]:
        return self.freshness.halted


def scope_of(principal: Principal, organization_id: UUID | None = None, user_id: UUID | None = None) -> Scope:
    """Return what this principal may see of what is asked for; what is foreign is not found."""
    if principal.organization_id is not None and organization_id not in (None, principal.organization_id):
        raise NotFound
    if principal.user_id is not None and user_id not in (None, principal.user_id):
        raise NotFound
    organization = organization_id or principal.organization_id
    user = user_id or principal.user_id
    if organization is None:
        return All()
    return One(organization) if user is None else OneUser(organization, user)


@dataclass(slots=True)
class _Found:
    """Rows of a page, at most one more than it shows, and where a search ran out of time, if it did."""

    records: list[Any] = field(default_factory=list)
    stopped: Cursor | None = None
    edge: datetime | None = None
    begun: bool = False


async def fetch_page(services: Services, principal: Principal, view: View) -> Page:
    """Read one page of a view, its count and its as-of time, from one snapshot."""
    began = time.monotonic()
    looking_up = bool(probes(view))  # by what plan_less forbids
    planning = usual_planning(view)
    if is_indexed(view) and not looking_up:
        planning += _SQL["plan_less"]
    async with services.reading(view.scope, planning=planning) as connection:
        picks = await pick(connection, view) if looking_up else Picks()
        searching = is_loose(view, answered(view, picks)) or picks.many
        deadline = began + services.settings.search_s if searching else None
        total: tuple[int, bool] | None = None
        if not is_indexed(view):
            total = await narrow_count(services, connection, view, picks)
        elif looking_up:
            await connection.execute(_SQL["plan_less"])
        found = await _read(connection, view, picks, deadline)
        if not found.records:  # where there are rows, there is whose they are
            await needs_existing(connection, view)
        fresh, texts = await _beside(connection, view, found.records[: view.limit], services.now())
        if total is None and found.stopped is None:
            if view.cursor is None and len(found.records) <= view.limit:
                total = len(found.records), True
            else:
                total = await counted(services, connection, view, picks, deadline, is_last=True)
    return _page(services, view, found, total or (0, False), texts, fresh)


def usual_planning(view: View) -> str:
    """Return what makes the statements of a usual view be planned once, and for whomever they are; else nothing."""
    if not is_usual(view):
        return ""
    keeps_order = view.list.kind in ("sessions", "issues")  # users are joined to their statuses again
    return _SQL["plan_once"] + (_SQL["plan_in_order"] if keeps_order else "")


async def _read(connection: Any, view: View, picks: Picks, deadline: float | None) -> _Found:
    """Read `limit` + 1 rows, going on to the next branch only where one does not fill the page."""
    found = _Found()
    for number in [] if picks.none else branches(view):
        if is_walked(view, searching=deadline is not None):
            await _walk(connection, view, picks, number, found, deadline)
        else:
            # As many as a page holds, whatever was found before: a statement of another text would be planned anew.
            rows = await _within(connection, deadline, page(view, number, view.limit + 1, picks))
            if rows is None:
                raise TooSlow
            found.records += rows[: view.limit + 1 - len(found.records)]
        if len(found.records) > view.limit or found.stopped is not None:
            break
    return found


async def _walk(
    connection: Any, view: View, picks: Picks, number: int, found: _Found, deadline: float | None
) -> None:  # fmt: skip
    """Read one branch span by span, until the page is full, nothing is left, or it is too late.

    Raises TooSlow where not even one span could be read in time.
    """
    walk = Walk(view, orders(view).branches[number].keys[0], number, deadline is not None)
    while (span := walk.next()) is not None:
        began = time.monotonic()
        statement = page(view, number, view.limit + 1 - len(found.records), picks, span)
        is_late = found.begun and deadline is not None and deadline - began < _WORTHWHILE_S
        rows = None if is_late else await _within(connection, deadline, statement)
        if rows is None:
            found.stopped, found.edge = walk.place(), walk.edge
            if not found.begun or found.stopped is None:
                raise TooSlow
            return
        found.begun = True
        found.records += rows
        if len(found.records) > view.limit:
            return
        ended = time.monotonic()
        walk.looked(span, ended - began, None if deadline is None else deadline - ended)


async def _beside(
    connection: Any, view: View, records: Sequence[Any], now: datetime
) -> tuple[Freshness, dict[tuple[datetime, UUID], str]]:
    """Return how old the data is, and the exceptions that a page of sessions shows, by session.

    Apart from the page's own statement: joined to it, every day of both tables would have to be planned.
    """
    shows_texts = view.list.kind == "sessions" and any(column.name == "exception" for column in view.columns)
    failed = [(row["run"], row["session_id"]) for row in records if row["status"] != "finished"] if shows_texts else []
    if not failed:
        return await freshness_of(connection, now), {}
    times = [started_at for started_at, _ in failed]
    bound = times, [session_id for _, session_id in failed], min(times), max(times), EXCEPTION_SHOWN
    rows = await connection.fetch(_FRESHNESS_AND_TEXTS, *bound)
    texts = {(row["started_at"], row["session_id"]): row["shown"] for row in rows if row["session_id"] is not None}
    return _freshness(rows[0], now), texts


async def _within(connection: Any, deadline: float | None, statement: Statement) -> list[Any] | None:
    """Return the rows of a statement, or None where they came too late; the transaction goes on either way."""
    if deadline is None:
        return list(await connection.fetch(statement.sql, *statement.args))
    seconds = max(deadline - time.monotonic(), 0) + _OVERTIME_S
    try:
        async with _shortened(connection, seconds):
            return list(await connection.fetch(statement.sql, *statement.args))
    except asyncpg.QueryCanceledError:
        return None


@asynccontextmanager
async def _shortened(connection: Any, seconds: float) -> AsyncIterator[None]:
    """End each statement of the block after so many seconds; the transaction goes on behind it either way."""
    await connection.execute(_SQL["shorten"].format(milliseconds=max(1, int(seconds * 1000))))
    try:
        yield
    finally:
        await connection.execute(_SQL["lengthen"])


async def needs_existing(connection: Any, view: View) -> None:
    """Raise NotFound where the list is of one organization or user that does not exist."""
    if isinstance(view.scope, OneUser) or view.list.name in ("organization_users", "statistics", "organization_issues"):
        await ensure(connection, view.scope)


async def ensure(connection: Any, scope: Scope) -> None:
    """Raise NotFound unless the organization or user of a scope exists."""
    match scope:
        case One(organization_id):
            exists = await connection.fetchval(_DETAILS["organization_exists"], organization_id)
        case OneUser(organization_id, user_id):
            exists = await connection.fetchval(_DETAILS["user_exists"], organization_id, user_id)
        case All():
            return
    if not exists:
        raise NotFound


async def narrow_count(services: Services, connection: Any, view: View, picks: Picks) -> tuple[int, bool]:
    """Count a view whose order has no index, or raise TooWide with what to do."""
    number, exact = await counted(services, connection, view, picks)
    if not exact:
        titles = " and ".join(key.column.title for key in view.sort)
        raise TooWide(
            f"Sorting by {titles} needs a view of at most {COUNT_LIMIT:,} rows. "
            "Narrow it by organization, user, status or time."
        )
    return number, True


async def counted(
    services: Services, connection: Any, view: View, picks: Picks, deadline: float | None = None, *,
    is_last: bool = False,
) -> tuple[int, bool]:  # fmt: skip
    """Return (number of rows, whether it is exact); a count that takes too long is given up.

    `is_last`: nothing else is asked in this transaction, so that it may end with a count given up.
    """
    least = services.settings.count_timeout_s
    if deadline is not None:  # the rows are worth more than their number
        least = min(least, deadline - time.monotonic(), services.settings.search_s / 2)
    if least < _WORTHWHILE_S / 3:
        return 0, False
    number = 0
    spans = count_spans(view)
    seconds = least / len(spans)
    try:
        async with nullcontext() if is_last else _shortened(connection, seconds):
            for span in spans:
                statement = count(view, picks, span)
                number += await connection.fetchval(
                    statement.sql, *statement.args, timeout=seconds if is_last else None
                )
                if number > COUNT_LIMIT:
                    return COUNT_LIMIT, False
    except (asyncpg.QueryCanceledError, TimeoutError):
        return number, False
    return number, True


async def pick(connection: Any, view: View) -> Picks:
    """Look up whom the view's text filters mean, where that is few enough to read by their own index."""
    found: dict[str, Any] = {}
    for probe in probes(view):
        row = await connection.fetchrow(probe.statement.sql, *probe.statement.args)
        ids = tuple(row)
        if len(ids[0]) <= probe.most:
            found[probe.of] = ids if probe.of == "users" else ids[0]
        elif len(ids[0]) <= probe.among:
            found["among"] = row["user_ids"]
    return Picks(**found)


async def status_counts(services: Services, principal: Principal, view: View) -> dict[str, tuple[int, bool]]:
    """Return the number of sessions per status with the view's other filters in force: slug → (count, exact)."""
    others = tuple(each for each in view.filters if each.column.name != "status")
    column = view.list.column("status")
    assert column is not None
    counts = {}
    async with services.reading(view.scope, planning=usual_planning(view)) as connection:
        for status in SESSION_STATUS:
            one = replace(view, filters=(*others, Filter(column, status, False, Among((status,)))), cursor=None)
            counts[status] = await counted(services, connection, one, await pick(connection, one))
    return counts


async def freshness_of(connection: Any, now: datetime) -> Freshness:
    """Return how old the data is; every role may read the positions."""
    return _freshness(await connection.fetchrow(_SQL["freshness"]), now)


def _freshness(row: Mapping[str, Any], now: datetime) -> Freshness:
    def since(at: datetime | None) -> float | None:
        return None if at is None else max(0.0, round((now - at).total_seconds(), 3))

    return Freshness(
        row["as_of"],
        since(row["as_of"]),
        tuple(row["halted"]),
        since(row["heard_at"]),
        since(row["still_since"]),
        row["counted_to"],
    )


def _page(
    services: Services,
    view: View,
    found: _Found,
    total: tuple[int, bool],
    texts: Mapping[tuple[datetime, UUID], str],
    fresh: Freshness,
) -> Page:
    backwards = view.cursor is not None and view.cursor.backwards
    more = len(found.records) > view.limit
    kept = found.records[: view.limit]
    if backwards:
        kept.reverse()

    def place(record: Any, back: bool) -> Cursor:
        return Cursor(back, record["_branch"], tuple(record["_keys"]))

    following = place(kept[-1], False) if kept and (more or backwards) else None
    previous = place(kept[0], True) if kept and view.cursor is not None and (more or not backwards) else None
    if found.stopped is not None:
        following, previous = (following, found.stopped) if backwards else (found.stopped, previous)
    return Page(
        shaped(view, kept, texts),
        max(total[0], len(kept)),
        total[1],
        None if following is None else seal(following, view, services.secret),
        None if previous is None else seal(previous, view, services.secret),
        fresh,
        found.edge,
    )


def shaped(
    view: View, records: Sequence[Mapping[str, Any]], texts: Mapping[tuple[datetime, UUID], str]
) -> list[dict[str, Any]]:
    """Return records as rows: raw values, keys of sessions and their exceptions, the last 20 unpacked."""
    rows = [dict(record) for record in records]
    shows_id = any(column.name == "session_id" for column in view.columns)
    for row in rows:
        del row["_branch"], row["_keys"]
        match view.list.kind:
            case "sessions":
                if text := texts.get((row["run"], row["session_id"])):
                    row["exception"] = text
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


# ---------------------------------------------------------------------------------------------- words
def words(column: Column, row: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return how a value reads, the same text as in the CSV; nothing reads as an empty text."""
    value = row[column.name]
    if value is None:
        return ""
    match column.type:
        case Type.LIST | Type.OPEN_LIST:
            return word_of(column.words or {}, value)
        case Type.DIRECTION:
            return direction_words(value, row.get("mail_system"), row.get("crm_system"))
        case Type.CODE:
            meaning = (column.words or {}).get(str(value), "")
            return f"{value} {meaning}".rstrip()
        case Type.TIME | Type.PERIOD:
            return str(value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"))
        case Type.SECONDS | Type.SHARE:
            return str(Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP))
        case Type.REPORT:
            return report_words(value, row.get("mail_system"), row.get("crm_system"))
        case Type.STRIP:
            return ", ".join(word_of(SESSION_STATUS, each["status"]) for each in value)
        case _:
            return str(value)


def report_words(report: Sequence[Mapping[str, Any]], mail_system: str | None, crm_system: str | None) -> str:
    """Return the detailed report as one text: "E-Mail, Exchange to Salesforce: fetched 226, created 3; …"."""
    lines = []
    for each in report:
        counts = ", ".join(f"{name} {each[name]}" for name in COUNTS if each.get(name))
        what = word_of(OBJECT_TYPE, each["type"])
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
