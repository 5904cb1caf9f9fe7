"""Reading lists: one page with its count, and how old its data is, from one snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.keys import Key
from schemas.sql import named_queries
from services.query.counting import counted, narrow_count
from services.query.freshness import Freshness, freshness_from, freshness_of
from services.query.names import names_of_sessions
from services.query.picking import pick
from services.query.reading import Found, read, read_whole
from services.query.rows import sessions_to_mask, shaped
from services.query.scope import needs_existing
from services.query.services import Services
from services.query.sizes import is_small
from services.query.views.planning import PLAN_LESS, usual_planning
from services.query.views.probes import probes
from services.query.views.search import Searched, is_loose
from services.query.views.statements import EXCEPTION_SHOWN, Picks, is_indexed
from services.query.views.view import Cursor, View, seal

_SQL: Final = named_queries("lists")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a view. `total` is a lower bound unless `total_is_exact`.

    `searched`: how far a search came in its time; the next page looks at what lies behind. None: at everything.
    """

    rows: list[dict[str, Any]]
    total: int
    total_is_exact: bool
    next_cursor: str | None
    previous_cursor: str | None
    freshness: Freshness
    searched: Searched | None = None

    @property
    def as_of(self) -> datetime | None:
        return self.freshness.as_of

    @property
    def lag_s(self) -> float | None:
        return self.freshness.lag_s

    @property
    def halted(self) -> tuple[str, ...]:
        return self.freshness.halted


async def fetch_page(services: Services, view: View, *, counting: bool = True) -> Page:
    """Read one page of a view, its count and its as-of time, from one snapshot.

    Without `counting` the count is a lower bound, unless it comes by itself.
    """
    began = time.monotonic()
    looking_up = bool(probes(view))  # by what plan_less forbids
    planning = usual_planning(view)
    if is_indexed(view) and not looking_up:
        planning += PLAN_LESS
    async with services.reading(view.scope, planning=planning) as connection:
        picks = await pick(connection, view) if looking_up else Picks()
        total: tuple[int, bool] | None = None
        if not is_indexed(view):
            total = await narrow_count(services, connection, view, picks)
        elif looking_up:
            await connection.execute(PLAN_LESS)
        searching = is_loose(view, picks.answers) or (picks.many and view.list.kind != "users")
        found, deadline = await _found(services, connection, view, picks, began if searching else None)
        if not found.records:  # where there are rows, there is whose they are
            await needs_existing(connection, view)
        shown = found.records[: view.limit]
        fresh, texts = await _beside(connection, view, shown, services.now())
        names = await names_of_sessions(connection, sessions_to_mask(view, shown, texts))
        if total is None and found.stopped is None:
            if view.cursor is None and len(found.records) <= view.limit:
                total = len(found.records), True
            elif counting:
                total = await counted(services, connection, view, picks, deadline, is_last=True)
    return _page(services, view, found, total or (0, False), lambda rows: shaped(view, rows, texts, names), fresh)


async def _found(
    services: Services, connection: Any, view: View, picks: Picks, began: float | None
) -> tuple[Found, float | None]:
    """Return the rows of a page and when its time is up; `began` where they are searched for.

    A search within a small organization is no search but a reading of all that there is.
    """
    if began is None:
        return await read(connection, view, picks, None), None
    if await is_small(connection, view, picks):
        whole = await read_whole(connection, view, picks if view.list.kind == "users" else picks.by_id)
        if whole is not None:
            return whole, None
        began = time.monotonic()
    deadline = began + services.settings.search_s
    return await read(connection, view, picks, deadline), deadline


async def _beside(
    connection: Any, view: View, records: Sequence[Any], now: datetime
) -> tuple[Freshness, dict[Key, str]]:
    """Return how old the data is, and the exceptions that a page of sessions shows, by session.

    Apart from the page's own statement: joined to it, every day of both tables would have to be planned.
    """
    shows_texts = view.list.kind == "sessions" and any(column.name == "exception" for column in view.columns)
    failed = [(row["run"], row["session_id"]) for row in records if row["status"] != "finished"] if shows_texts else []
    if not failed:
        return await freshness_of(connection, now), {}
    times = [started_at for started_at, _ in failed]
    bound = times, [session_id for _, session_id in failed], min(times), max(times), EXCEPTION_SHOWN
    rows = await connection.fetch(_SQL["freshness_and_texts"], *bound)
    texts = {(row["started_at"], row["session_id"]): row["shown"] for row in rows if row["session_id"] is not None}
    return freshness_from(rows[0], now), texts


def _page(
    services: Services,
    view: View,
    found: Found,
    total: tuple[int, bool],
    shape: Callable[[Sequence[Any]], list[dict[str, Any]]],
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
        shape(kept),
        max(total[0], len(kept)),
        total[1],
        None if following is None else seal(following, view, services.secret),
        None if previous is None else seal(previous, view, services.secret),
        fresh,
        found.searched,
    )
