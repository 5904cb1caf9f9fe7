"""Reading the rows of one page: all at once where there are few, else branch by branch, a search span by span."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

from services.query.deadlines import WORTHWHILE_S, within
from services.query.problems import TooSlow
from services.query.views.search import Searched, Walk, in_order_of_time, is_walked, looked_through
from services.query.views.statements import Picks, branches, page
from services.query.views.view import Cursor, View

WHOLE_S: Final = 1.0
"""So long all of a small organization may take: many times what it does on a machine that has nothing else to do."""


@dataclass(slots=True)
class Found:
    """Rows of a page, at most one more than it shows; of a search that ran out of time where, and how far it came."""

    records: list[Any] = field(default_factory=list)
    stopped: Cursor | None = None
    searched: Searched | None = None


async def read_whole(connection: Any, view: View, picks: Picks) -> Found | None:
    """Read `limit` + 1 rows of all that there are, which is little, at once; None where even that takes too long."""
    found = Found()
    numbers: list[int | None] = [] if picks.none else [*branches(view)]
    if len(numbers) > 1 and in_order_of_time(view):
        numbers = [None]  # to plan a statement for each takes longer than to sort the rows of all
    deadline = time.monotonic() + WHOLE_S
    for number in numbers:
        rows = await within(connection, deadline, page(view, number, view.limit + 1, picks))
        if rows is None:
            return None
        found.records += rows[: view.limit + 1 - len(found.records)]
    return found


async def read(connection: Any, view: View, picks: Picks, deadline: float | None) -> Found:
    """Read `limit` + 1 rows, going on to the next branch only where one does not fill the page.

    `deadline`: when a search ends. Raises TooSlow where it cannot be cut by time, or not even begin.
    """
    found = Found()
    for number in [] if picks.none else branches(view):
        if is_walked(view, searching=deadline is not None):
            await _walk(connection, view, picks, number, found, deadline)
        else:
            # As many as a page holds, whatever was found before: a statement of another text would be planned anew.
            rows = await within(connection, deadline, page(view, number, view.limit + 1, picks))
            if rows is None:
                raise TooSlow
            found.records += rows[: view.limit + 1 - len(found.records)]
        if len(found.records) > view.limit or found.stopped is not None:
            break
    return found


async def _walk(
    connection: Any, view: View, picks: Picks, number: int, found: Found, deadline: float | None
) -> None:  # fmt: skip
    """Read one branch span by span, until the page is full, nothing is left, or it is too late.

    The first look has the time it needs: it is small, and where nothing was looked at there is nothing to say.
    Raises TooSlow where that look is at everything, as nobody knows where to begin, and takes too long.
    """
    walk = Walk(view, number, searching=deadline is not None)
    looked = False
    while (span := walk.next()) is not None:
        began = time.monotonic()
        statement = page(view, number, view.limit + 1 - len(found.records), picks, span)
        is_late = looked and deadline is not None and deadline - began < WORTHWHILE_S
        until = deadline if looked or walk.edge is None else None
        rows = None if is_late else await within(connection, until, statement)
        if rows is None:
            if walk.edge is None:
                raise TooSlow
            found.stopped, found.searched = walk.place(walk.edge), looked_through(view, number, walk.edge)
            return
        looked = True
        found.records += rows
        if len(found.records) > view.limit:
            return
        ended = time.monotonic()
        walk.looked(span, ended - began, None if deadline is None else deadline - ended)
