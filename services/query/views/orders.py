"""The orders of a view and the places in them. Pure.

Nulls stand last in either direction, and every order ends in the row's own key, so that each row has one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schemas.vocabulary import SESSION_RANK, SESSION_STATUS, USER_RANK, USER_STATUS
from services.query.views.conditions import Args, constants
from services.query.views.expressions import OF_KIND
from services.query.views.view import All, Cursor, One, SortKey, View


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order and its type in Postgres."""

    sql: str
    type: str
    descending: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of the rows that comes before the next part as a whole; in an order by status with those of its rows."""

    predicate: str
    keys: tuple[Key, ...]
    indexed: bool = True
    statuses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Orders:
    """The branches of a view; `statuses` are those its filter leaves, where the branches already say so."""

    branches: tuple[Branch, ...]
    indexed: bool
    statuses: frozenset[str] | None = None


_ROW: Final = {
    "organizations": (Key("o.organization_id", "uuid"),),
    "users": (Key("us.organization_id", "uuid"), Key("us.user_id", "uuid")),
    "sessions": (Key("s.started_at", "timestamptz", True), Key("s.session_id", "uuid", True)),
    "issues": (Key("i.first_seen_at", "timestamptz", True), Key("i.issue_id", "uuid", True)),
}
_NEWEST: Final = _ROW["sessions"]
_TYPES: Final = {
    "number": "bigint", "code": "bigint", "share": "float8", "seconds": "float8", "time": "timestamptz",
    "period": "timestamptz", "boolean": "boolean", "id": "uuid",
}  # fmt: skip


def orders(view: View) -> Orders:
    """Return the order of a view as branches."""
    statuses = _statuses(view)
    first = view.sort[0]
    name = first.column.name if len(view.sort) == 1 else ""
    match view.list.kind, name:
        case "sessions", "status":
            return Orders(_by_rank(first.descending, statuses), True, statuses)
        case "sessions", "failures" if first.descending and isinstance(view.scope, One):
            return _filtered(_by_failures(), statuses)
        case "sessions", "run":
            return _filtered((_turned(_NEWEST, not first.descending),), statuses)
        case "users", "status":
            rank = Key("us.status_rank", "smallint")
            return Orders((_users(view, rank, first, statuses),), True, statuses)
        case "users", "user":
            return Orders((_users(view, Key("u.name_key", "text"), first, statuses),), True, statuses)
        case "organizations", "health":
            keys = (Key("o.health_rank", "smallint"), Key("o.touched", "integer", True), *_ROW["organizations"])
            return Orders((_turned(keys, first.descending),), True)
        case "issues", "first_seen":
            return Orders((_turned(_ROW["issues"], not first.descending),), True)
        case _:
            return Orders((Branch(_predicate(view, statuses), _keys(view), indexed=False),), False, statuses)


def _statuses(view: View) -> frozenset[str] | None:
    """Return the statuses that the view's filter leaves; None where it has no such filter."""
    if view.list.kind not in ("users", "sessions"):
        return None
    each = view.filter_of("status")
    return None if each is None or each.members is None else frozenset(each.members)


def _predicate(view: View, statuses: frozenset[str] | None) -> str:
    if statuses is None:
        return ""
    if view.list.kind == "users":
        return constants("us.status_rank", [USER_RANK[status] for status in USER_STATUS if status in statuses])
    return constants("s.status", [status for status in SESSION_STATUS if status in statuses])


def _filtered(branches: tuple[Branch, ...], statuses: frozenset[str] | None) -> Orders:
    """Return the branches of an order of sessions, each held to the statuses that are left."""
    if statuses is None:
        return Orders(branches, True)
    among = constants("s.status", [status for status in SESSION_STATUS if status in statuses])
    held = tuple(Branch(" AND ".join(filter(None, (branch.predicate, among))), branch.keys) for branch in branches)
    return Orders(held, True, statuses)


@lru_cache(64)
def _by_rank(descending: bool, statuses: frozenset[str] | None) -> tuple[Branch, ...]:
    """Return one branch per rank, newest first in each."""
    ranks = sorted(set(SESSION_RANK.values()), reverse=descending)
    branches = []
    for rank in ranks:
        members = [status for status, its in SESSION_RANK.items() if its == rank]
        left = [status for status in members if statuses is None or status in statuses]
        branches.append(Branch(constants("s.status", left), _NEWEST, statuses=tuple(left)))
    return tuple(branches)


def _by_failures() -> tuple[Branch, ...]:
    failures = Key("s.failures", "bigint", True)
    return Branch("s.failures > 0", (failures, *_NEWEST)), Branch("s.failures = 0", _NEWEST)


def _users(view: View, key: Key, first: SortKey, statuses: frozenset[str] | None) -> Branch:
    row = _ROW["users"] if isinstance(view.scope, All) else _ROW["users"][1:]
    return Branch(_predicate(view, statuses), _turned((key, *row), first.descending).keys)


def _turned(keys: tuple[Key, ...], turn: bool) -> Branch:
    if not turn:
        return Branch("", keys)
    return Branch("", tuple(Key(key.sql, key.type, not key.descending, key.nullable) for key in keys))


def _keys(view: View) -> tuple[Key, ...]:
    """Return the keys of an order without an index: the columns asked for, then the row's own."""
    columns = OF_KIND[view.list.kind]
    keys = []
    for each in view.sort:
        sql = columns[each.column.name]
        type_name = _TYPES.get(each.column.type.value, "text")
        nullable = sql.nullable or bool(sql.order)
        keys.append(Key(sql.order or sql.value, type_name, each.descending, nullable))
    return (*keys, *_ROW[view.list.kind])


def together(branches: Sequence[Branch], numbers: Sequence[int]) -> Branch:
    """Return branches that have the same keys as one that is sorted; its first key is the number of the branch."""
    which = " ".join(f"WHEN {branches[number].predicate} THEN {number}" for number in numbers)
    some = " OR ".join(branches[number].predicate for number in numbers)
    return Branch(f"({some})", (Key(f"CASE {which} END", "smallint"), *branches[numbers[0]].keys), indexed=False)


# ---------------------------------------------------------------------------------------------- SQL
def order_by(keys: Sequence[Key], backwards: bool) -> str:
    """Return the ORDER BY of a branch, turned for reading backwards."""
    return " ORDER BY " + ", ".join(_direction(key, backwards) for key in keys)


def _direction(key: Key, backwards: bool) -> str:
    way = "DESC" if key.descending != backwards else "ASC"
    nulls = (" NULLS FIRST" if backwards else " NULLS LAST") if key.nullable else ""
    return f"{key.sql} {way}{nulls}"


def is_usual(view: View) -> bool:
    """Whether the view is one of those asked for all day: in an order of ours, filtered by nothing but statuses.

    Its statements are planned once: their texts are few, and nothing that is bound decides on the way.
    """
    return orders(view).indexed and all(each.column.name in {"status", "state"} for each in view.filters)


def after(keys: Sequence[Key], cursor: Cursor, args: Args) -> str:
    """Return the condition for the rows behind the cursor, in the direction it reads."""
    places = [
        None if value is None else args.add(value, f"text::{key.type}")
        for key, value in zip(keys, cursor.values, strict=True)
    ]
    ways = {key.descending != cursor.backwards for key in keys}
    if len(ways) == 1 and not any(key.nullable for key in keys):
        sign = "<" if ways.pop() else ">"
        row = f"({', '.join(key.sql for key in keys)}) {sign} ({', '.join(map(str, places))})"
        # The first key alone lets the planner start the index scan, and prune partitions, at the right place.
        return f"{keys[0].sql} {sign}= {places[0]} AND {row}"
    alternatives = []
    for depth, key in enumerate(keys):
        same = [_same(keys[above], places[above]) for above in range(depth)]
        alternatives.append("(" + " AND ".join([*same, _behind(key, places[depth], cursor.backwards)]) + ")")
    return "(" + " OR ".join(alternatives) + ")"


def _same(key: Key, place: str | None) -> str:
    return f"{key.sql} IS NULL" if place is None else f"{key.sql} = {place}"


def _behind(key: Key, place: str | None, backwards: bool) -> str:
    if place is None:  # the nulls come last, so behind them is nothing, and before them everything else
        return f"{key.sql} IS NOT NULL" if backwards else "false"
    behind = f"{key.sql} {'<' if key.descending != backwards else '>'} {place}"
    return f"({behind} OR {key.sql} IS NULL)" if key.nullable and not backwards else behind
