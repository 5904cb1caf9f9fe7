"""Reading sessions, and searching issues, span by span of time in the order of the page. Pure; seconds are arguments.

A statement that is held to a few days is planned for those days alone: for all of them planning takes ten times as long
as reading a page. And ten million sessions cannot be looked through in a fifth of a second for what no index answers,
but a rare value need not be refused for it: the page holds what was found and says how far it looked; the next goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from services.query.views.filters import Between
from services.query.views.orders import is_usual, orders
from services.query.views.view import All, Cursor, OneUser, View

DAY: Final = timedelta(days=1)
AHEAD: Final = 2 * DAY
"""No session starts later than this from now."""
REST: Final = 60 * DAY
"""What lies further back is one span: it is hardly ever there."""
FIRST_LOOK: Final = timedelta(minutes=5)
"""How much of the time a search looks at first, over all organizations: what fits even in a rush hour."""
FIRST_LOOK_OF_ONE: Final = timedelta(hours=2)
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = 4_000 * DAY
LONGER: Final = 8
"""By how much a span of a search may be longer than the one before."""
TIMES: Final = MappingProxyType({"sessions": "s.started_at", "issues": "i.first_seen_at"})
"""What the default orders go by, from one kind of rows to the column of its time."""
STARTS: Final = MappingProxyType({"sessions": "run", "issues": "first_seen"})
"""The column of that time."""
PLANNING_S: Final = 0.02
"""What a statement takes however short its span is: where it takes no more, a longer one takes hardly longer."""
_INDEXED: Final = frozenset({"run", "status", "organization_id"})
_MICROSECOND: Final = timedelta(microseconds=1)
_LEAST: Final = "00000000-0000-0000-0000-000000000000"
_GREATEST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class Span:
    """Rows with low ≤ time < high; an end that is None is open."""

    low: datetime | None = None
    high: datetime | None = None


WHOLE: Final = Span()


@dataclass(frozen=True, slots=True)
class Searched:
    """How far a search came: every row up to `to` was looked at, by the pages before it or by this one.

    In an order by status `to` is of the statuses `within`; `whole` stand before them and were looked through to the
    end; what stands behind was not looked at. Of a page that goes back nothing is `whole`: it began in their midst.
    """

    to: datetime
    within: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()


def looked_through(view: View, branch: int, edge: datetime) -> Searched:
    """Return how far a search came that ended at an edge in a branch."""
    parts = orders(view).branches
    goes_back = view.cursor is not None and view.cursor.backwards
    before = () if goes_back else parts[:branch]
    return Searched(edge, parts[branch].statuses, tuple(status for part in before for status in part.statuses))


def in_order_of_time(view: View) -> bool:
    """Whether every branch of the view's order goes by the time of its rows."""
    time = TIMES.get(view.list.kind)
    return all(branch.indexed and branch.keys[0].sql == time for branch in orders(view).branches)


def is_walked(view: View, *, searching: bool) -> bool:
    """Whether a page is read span by span: searched for, or of sessions, unless it is planned once for every day."""
    return in_order_of_time(view) and (searching or (view.list.kind == "sessions" and not is_usual(view)))


def is_loose(view: View, answered: frozenset[str]) -> bool:
    """Whether rows are found by looking through them: a filter has no index, and is not among the `answered`.

    What is left of a closed list by `not:` is a set like another.
    """
    if isinstance(view.scope, OneUser):
        return False
    indexed = _INDEXED | answered | ({"first_seen"} if view.list.kind == "issues" else frozenset())
    return any((each.negated and each.members is None) or each.column.name not in indexed for each in view.filters)


def count_spans(view: View) -> list[Span]:
    """Return what is counted one after the other: the newest day alone is often as many as are counted."""
    if view.list.kind != "sessions" or isinstance(view.scope, OneUser):
        return [WHOLE]
    low, high = _bounds(view)
    day = view.now - DAY
    if (low is not None and low >= day) or (high is not None and high <= day):
        return [WHOLE]
    return [Span(day, None), Span(None, day)]


class Walk:
    """The spans of one branch, one after the other, in the direction of reading.

    `edge` is how far everything was looked at; a row just there was read where it goes towards older sessions.
    """

    def __init__(self, view: View, branch: int, *, searching: bool) -> None:
        key = orders(view).branches[branch].keys[0]
        low, high = _bounds(view)
        at = view.cursor
        self._branch = branch
        self._backwards = at is not None and at.backwards
        self._older = key.descending != self._backwards
        self._now = view.now
        self._length = _first_length(view, searching)
        self._growth = 4.0
        self._last = False
        place = None if at is None or at.branch != branch else datetime.fromisoformat(at.values[0] or "")
        if self._older:
            self._end = low
            begins = [high, None if place is None else place + _MICROSECOND]
            self.edge: datetime | None = min((each for each in begins if each is not None), default=view.now + AHEAD)
        else:
            self._end = high
            self.edge = max((each for each in (low, place) if each is not None), default=None)

    def next(self) -> Span | None:
        """Return the next span, or None when all was looked at."""
        if self._last:
            return None
        far = self._far()
        self._last = far is None
        return Span(far, self.edge) if self._older else Span(self.edge, far)

    def _far(self) -> datetime | None:
        if self.edge is None:  # towards newer, from the very first on: nobody knows when that was
            return None
        if self._older:
            far = min(self.edge, self._now) - self._length
            return far if far > (self._end or self._now - REST) else None
        far = self.edge + self._length
        return far if far < min(self._end or self._now, self._now) else None

    def looked(self, span: Span, took_s: float, left_s: float | None) -> None:
        """Go on behind `span`: with more and then the rest; in a search, with half of what the time left allows."""
        self.edge = span.low if self._older else span.high
        if left_s is None:
            growth, self._growth = self._growth, 1_000.0
        else:
            growth = min(max(left_s / 2 / max(took_s - PLANNING_S, 1e-4), 0.1), LONGER)
        self._length = min(max(self._length * growth, SHORTEST), LONGEST)

    def place(self, edge: datetime) -> Cursor:
        """Return the place behind what was looked at up to an edge, from which a page goes on."""
        if self._older:
            return Cursor(self._backwards, self._branch, (edge.isoformat(), _LEAST))
        return Cursor(self._backwards, self._branch, ((edge - _MICROSECOND).isoformat(), _GREATEST))


def _first_length(view: View, searching: bool) -> timedelta:
    """Return a span that holds about a page, or little enough to look through even in a rush hour."""
    match view.scope:
        case All():
            return FIRST_LOOK if searching else DAY
        case OneUser():
            return 4 * DAY
        case _:
            return FIRST_LOOK_OF_ONE if searching else 2 * DAY


def _bounds(view: View) -> tuple[datetime | None, datetime | None]:
    """Return what the filter on the time of the rows leaves, as low ≤ time < high."""
    each = view.filter_of(STARTS[view.list.kind])
    if each is None or each.negated or not isinstance(each.test, Between):
        return None, None
    low, high = each.test.low, each.test.high
    return low if isinstance(low, datetime) else None, high if isinstance(high, datetime) else None
