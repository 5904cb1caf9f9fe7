"""How many rows a view has, in the time that a count may take."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import asyncpg

from schemas.sql import named_queries
from schemas.vocabulary import SESSION_STATUS
from services.query.deadlines import WORTHWHILE_S, shortened
from services.query.picking import pick
from services.query.problems import TooWide
from services.query.services import Services
from services.query.views.filters import Among, Filter
from services.query.views.orders import is_usual
from services.query.views.planning import usual_planning
from services.query.views.search import count_spans
from services.query.views.statements import COUNT_LIMIT, Picks, count
from services.query.views.view import One, View

_SQL: Final = named_queries("lists")
_DAYS: Final = timedelta(days=3)
"""Fewer than sessions are kept for, and few sums."""

StatusCounts = Mapping[str, tuple[int, bool]]
"""slug → (number of sessions, whether it is exact)."""


async def narrow_count(services: Services, connection: Any, view: View, picks: Picks) -> tuple[int, bool]:
    """Count a view whose order has no index, or raise TooWide with what to do."""
    number, exact = await counted(services, connection, view, picks)
    if not exact:
        titles = " and ".join(key.column.title for key in view.sort)
        raise TooWide(
            f"Sorting by {titles} needs a view of at most {COUNT_LIMIT:,} rows that can be counted in time. "
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
    if least < WORTHWHILE_S / 3:
        return 0, False
    number = 0
    spans = count_spans(view)
    # A statement that is planned once does not get dearer by more days: it looks at the rest only where it needs to.
    together = [spans] if is_usual(view) else [[span] for span in spans]
    seconds = least / len(together)
    try:
        async with nullcontext() if is_last else shortened(connection, seconds):
            for each in together:
                statement = count(view, picks, each)
                number += await connection.fetchval(
                    statement.sql, *statement.args, timeout=seconds if is_last else None
                )
                if number > COUNT_LIMIT:
                    return COUNT_LIMIT, False
    except (asyncpg.QueryCanceledError, TimeoutError):
        return number, False
    return number, True


async def status_counts(services: Services, view: View) -> StatusCounts:
    """Return the number of sessions per status with the view's other filters in force."""
    others = replace(view, filters=tuple(each for each in view.filters if each.column.name != "status"), cursor=None)
    column = view.list.column("status")
    assert column is not None
    counts = {}
    async with services.reading(view.scope, planning=usual_planning(view)) as connection:
        picks = await pick(connection, others)  # a status picks nobody
        many = await _with_many(connection, others)
        for status in SESSION_STATUS:
            if status in many:
                counts[status] = COUNT_LIMIT, False
                continue
            one = replace(others, filters=(*others.filters, Filter(column, status, False, Among((status,)))))
            counts[status] = await counted(services, connection, one, picks)
    return counts


async def _with_many(connection: Any, view: View) -> Collection[str]:
    """Return the statuses that have more sessions than are counted by the sums of the last days alone.

    The sums say it at once where counting reads every row up to the limit. They are of whole organizations.
    """
    if view.filters or not isinstance(view.scope, One):
        return ()
    rows = await connection.fetch(_SQL["statuses_with_many"], view.scope.organization_id, view.now - _DAYS, COUNT_LIMIT)
    return [row["status"] for row in rows]


def total_of(counts: StatusCounts, statuses: Collection[str]) -> tuple[int, bool]:
    """Return (number of sessions of these statuses, whether it is exact), as `counted` does."""
    number = sum(counts[status][0] for status in statuses)
    return min(number, COUNT_LIMIT), number <= COUNT_LIMIT and all(counts[status][1] for status in statuses)
