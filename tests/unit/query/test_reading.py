"""What a search says that it looked at is what it looked at: in every order, however slow Postgres is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import SESSION_RANK, SESSION_STATUS
from services.query import reading
from services.query.problems import TooSlow
from services.query.views import search
from services.query.views.orders import orders
from services.query.views.search import Searched, Span
from services.query.views.statements import Picks
from services.query.views.view import All, Cursor, One, View, parse

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)
LIMIT = 3
SEARCH_S = 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """A session that matches."""

    status: str
    started_at: datetime
    number: int

    def __getitem__(self, name: str) -> Any:
        return {"_keys": [self.started_at.isoformat(), str(UUID(int=self.number))]}[name]


@dataclass(slots=True)
class Slow:
    """A Postgres that holds a few rows, reads them as asked, and takes as long as it was told to."""

    rows: list[Row]
    costs: list[float]
    clock: float = 0.0

    def monotonic(self) -> float:
        return self.clock

    def page(self, view: View, number: int, limit: int, picks: Picks, span: Span = search.WHOLE) -> list[Row]:
        branch, at = orders(view).branches[number], view.cursor
        way = branch.keys[0].descending
        found = [
            row for row in self.rows
            if (not branch.statuses or row.status in branch.statuses)
            and (span.low is None or span.low <= row.started_at) and (span.high is None or row.started_at < span.high)
            and (at is None or at.branch != number or _place(row) < _at(at) if way else
                 at is None or at.branch != number or _place(row) > _at(at))
        ]  # fmt: skip
        return sorted(found, key=_place, reverse=way)[:limit]

    async def within(self, _: object, deadline: float | None, rows: list[Row]) -> list[Row] | None:
        took = self.costs.pop() if self.costs else 0.001
        if deadline is not None and self.clock + took > deadline:
            self.clock = max(deadline, self.clock)
            return None
        self.clock += took
        return rows


def _place(row: Row) -> tuple[datetime, UUID]:
    return row.started_at, UUID(int=row.number)


def _at(cursor: Cursor) -> tuple[datetime, UUID]:
    return datetime.fromisoformat(cursor.values[0] or ""), UUID(cursor.values[1])


def branch_of(view: View, row: Row) -> int:
    parts = orders(view).branches
    return next(number for number, each in enumerate(parts) if not each.statuses or row.status in each.statuses)


def claimed(rows: list[Row], searched: Searched, older: bool) -> set[Row]:
    """Return the rows of which a page that was ended in time says that they were looked at, there or before."""
    assert searched.to <= NOW, "nobody has looked into the future"
    near = {row for row in rows if (row.started_at >= searched.to if older else row.started_at < searched.to)}
    if not searched.within:
        return near
    whole = {row for row in rows if row.status in searched.whole}
    return whole | {row for row in near if row.status in searched.within}


_ROWS = st.lists(
    st.tuples(st.sampled_from(sorted(SESSION_STATUS)), st.integers(-60 * 24, 60 * 24 * 29)), max_size=25
).map(lambda drawn: [Row(status, NOW - timedelta(minutes=back), number) for number, (status, back) in enumerate(drawn)])
"""Of the last 29 days and, by clocks that are fast, of the day to come."""
_COSTS = st.lists(st.floats(0.0005, 0.4), max_size=60)


@pytest.mark.parametrize("sort", ["status", "-status", "-run", "run"])
@given(rows=_ROWS, costs=_COSTS, one=st.booleans())
def test_what_was_looked_through_is_told_truly_and_gone_on_with(
    sort: str, rows: list[Row], costs: list[float], one: bool
) -> None:
    slow = Slow(rows, list(costs))
    scope = One(UUID(int=1)) if one else All()
    asked = parse("sessions", [("agent", "x"), ("sort", sort)], scope=scope, now=NOW, secret=b"")
    view = replace(asked, limit=LIMIT)
    seen: list[Row] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, stands_in in (("page", slow.page), ("within", slow.within), ("time", slow)):
            patch.setattr(reading, name, stands_in)
        for _ in range(200):
            try:
                found = asyncio.run(reading.read(None, view, Picks(), slow.clock + SEARCH_S))
            except TooSlow:
                assert sort == "run", "where the oldest begin is not known, so all of them are looked at or none"
                return
            seen += found.records[:LIMIT]
            if found.stopped is not None:
                assert found.searched is not None
                assert claimed(rows, found.searched, sort != "run") == set(seen)
                view = replace(view, cursor=found.stopped)
            elif len(found.records) > LIMIT:
                last = found.records[LIMIT - 1]
                view = replace(view, cursor=Cursor(False, branch_of(view, last), tuple(last["_keys"])))
            else:
                break
        else:
            pytest.fail("the search goes on for ever")
    ranks = {"status": SESSION_RANK, "-status": {status: -rank for status, rank in SESSION_RANK.items()}}.get(sort, {})
    newest = sorted(rows, key=_place, reverse=sort != "run")
    assert seen == sorted(newest, key=lambda row: ranks.get(row.status, 0))
