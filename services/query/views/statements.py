"""From a view to SQL: the one page, its count, its CSV. Pure.

Text that was sent is always bound; what stands in a statement are constants of `expressions` and of the vocabulary.
An order is a list of *branches* read one after the other, each in the order of an index, so that no page is sorted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import Final
from uuid import UUID

from schemas.vocabulary import SESSION_STATUS, USER_RANK, USER_STATUS
from services.query.hours import first_hour
from services.query.masking import HIDDEN
from services.query.views.conditions import Args, condition, constants
from services.query.views.expressions import ALWAYS, FIRST_HOUR, LATEST_START, OF_KIND, WITH_ERROR
from services.query.views.filters import Empty, Filter
from services.query.views.masked import masked, shown_once
from services.query.views.orders import Branch, Key, after, order_by, orders, together
from services.query.views.search import AHEAD, TIMES, WHOLE, Span
from services.query.views.view import All, Cursor, One, OneUser, Scope, View

COUNT_LIMIT: Final = 10_000
EXCEPTION_SHOWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and what is bound to it."""

    sql: str
    args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Picks:
    """Users or organizations that a text filter was found to mean, so that their own indexes can be used.

    A user is two ids, at the same place in two sequences. `among`: the ids of more users than that; the filter stays in
    force, as an id alone does not name a user. `answers`: the columns whose filters users and organizations stand for.
    """

    users: tuple[Sequence[UUID], Sequence[UUID]] | None = None
    organizations: Sequence[UUID] | None = None
    among: Sequence[UUID] | None = None
    answers: frozenset[str] = frozenset()

    @property
    def none(self) -> bool:
        """Whether there is nobody, and so no row."""
        return (self.users is not None and not self.users[1]) or (
            self.organizations is not None and not self.organizations
        )

    @property
    def many(self) -> bool:
        """Whether reading the sessions or issues of each by its own index takes long."""
        return self.users is not None and len(self.users[1]) > 50

    @property
    def by_id(self) -> Picks:
        """These picks for few rows: each is looked at, and none is read by its user's own index."""
        if self.users is None:
            return self
        return replace(self, users=None, among=self.users[1], answers=self.answers & {"organization"})


NO_PICKS: Final = Picks()


@dataclass(frozen=True, slots=True)
class Kind:
    """How rows of one kind are read: `base` for the page, `joins` for what a column needs beyond it."""

    alias: str
    base: str
    keys: str
    standing: str
    page: str
    joins: Mapping[str, str]


_USER_OF: Final = "LEFT JOIN sync_user u ON u.organization_id = {0}.organization_id AND u.user_id = {0}.user_id"
_ORGANIZATION_OF: Final = "LEFT JOIN organization o ON o.organization_id = {0}.organization_id"
_JOIN_USER: Final = "JOIN sync_user u ON u.organization_id = us.organization_id AND u.user_id = us.user_id"
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "organizations": Kind(
            "o", "organization o", "o.organization_id", "o.state = 'present'",
            "{} page JOIN organization o ON o.organization_id = page.organization_id", {},
        ),
        "users": Kind(
            "us", "user_status us", "us.organization_id, us.user_id", "us.reason <> 'removed'",
            "{} page JOIN user_status us ON us.organization_id = page.organization_id AND us.user_id = page.user_id",
            {
                "u": _JOIN_USER,
                "o": _ORGANIZATION_OF.format("us"),
                "t": "LEFT JOIN session_text t ON t.started_at = us.last_started_at "
                "AND t.session_id = us.last_session_id",
            },
        ),
        "sessions": Kind(
            "s", "sync_session s", "s.*", "", "{} s",
            {
                "u": _USER_OF.format("s"),
                "o": _ORGANIZATION_OF.format("s"),
                # Only an error has a text; without the last condition a file looks for one beside every row.
                "t": "LEFT JOIN session_text t ON t.started_at = s.started_at AND t.session_id = s.session_id "
                f"AND {WITH_ERROR}",
            },
        ),
        "issues": Kind(
            "i", "sync_issue i", "i.*", "", "{} i",
            {"u": _USER_OF.format("i"), "o": _ORGANIZATION_OF.format("i")},
        ),
    }
)  # fmt: skip


def is_indexed(view: View) -> bool:
    """Whether the view's order comes from an index: if not, only a narrow view is sorted."""
    return orders(view).indexed


def branches(view: View) -> list[int]:
    """Return the numbers of the branches that a page of this view may need, in the order in which they are read."""
    backwards = view.cursor is not None and view.cursor.backwards
    numbers = [number for number, branch in enumerate(orders(view).branches) if branch.predicate != "false"]
    if view.cursor is not None:
        at = view.cursor.branch
        numbers = [number for number in numbers if (number <= at if backwards else number >= at)]
    return numbers[::-1] if backwards else numbers


def page(
    view: View, number: int | None, limit: int, picks: Picks = NO_PICKS, span: Span = WHOLE
) -> Statement:  # fmt: skip
    """Return the statement for the first `limit` rows of one branch, with `_branch` and the order keys in `_keys`.

    Of sessions and issues only those of `span`. Without a number it is of all branches that the page may need, where
    they have the same keys: they are sorted, so that only few rows should be there.

    One branch a statement: the first usually fills the page, and planning a scan of every day for each costs more than
    reading it.
    """
    args = Args()
    kind = KINDS[view.list.kind]
    part = _part(view, number)
    inner = _inner(view, picks, args, part, limit, span)
    columns = dict(ALWAYS[view.list.kind])
    columns |= {each.name: _shown(view, each.name) for each in view.columns}
    if view.masked and view.list.kind == "issues":  # to be masked in the other columns, and not shown
        columns["_name"] = OF_KIND["issues"]["name"].value
    listed = ", ".join(f'{value} AS "{name}"' for name, value in columns.items())
    source = "page" if " page " in kind.page else kind.alias
    needed = [*columns.values(), *(key.sql for key in part.branch.keys)]
    order = order_by(part.branch.keys, view.cursor is not None and view.cursor.backwards)
    tables = kind.page.format(f"({inner})") + _joins(kind, needed)
    return bound(view, f"SELECT {listed}, {source}._branch, {source}._keys FROM {tables}{order}", args)


def count(view: View, picks: Picks = NO_PICKS, spans: Sequence[Span] = (WHOLE,)) -> Statement:
    """Return the statement that counts the view's rows up to COUNT_LIMIT + 1: of sessions those of `spans`, in turn."""
    args = Args()
    kind = KINDS[view.list.kind]
    statuses = orders(view).statuses
    groups = [statuses] if view.list.kind != "users" or picks.users is not None else _apart(statuses)
    arms = []
    for span, group in product(spans, groups):
        parts = _where(view, picks, args, standing=group is None or "disabled" in group)
        parts += _within(view, span, args)
        parts += [] if group is None else [_allowed(view, group)]
        arms.append(f"(SELECT 1 FROM {_picked(kind, picks, args)}{where_sql(parts)} LIMIT {COUNT_LIMIT + 1})")
    rows = " UNION ALL ".join(arms) or "(SELECT 1 WHERE false)"
    return bound(view, f"SELECT count(*) FROM (SELECT FROM ({rows}) counted LIMIT {COUNT_LIMIT + 1}) capped", args)


def _apart(statuses: frozenset[str] | None) -> list[frozenset[str] | None]:
    """Return the users' statuses in two groups: only the disabled can be gone, so the others are counted by index."""
    every = frozenset(USER_STATUS) if statuses is None else statuses
    groups: list[frozenset[str] | None] = [every - {"disabled"}, every & {"disabled"}]
    return [group for group in groups if group]


def selection(view: View, columns: Mapping[str, str], picks: Picks = NO_PICKS) -> Statement:
    """Return the statement that reads every row of the view in its order: `columns` maps titles to SQL.

    Each branch is ordered by itself, joins included, so that no join may change the order.
    """
    args = Args()
    kind = KINDS[view.list.kind]
    listed = ", ".join(f'{value} AS "{title}"' for title, value in columns.items())
    plan = orders(view).branches
    parts = []
    for number in branches(view) or [0]:
        branch = plan[number]
        where = _where(view, picks, args) + ([branch.predicate] if branch.predicate else [])
        needed = [*columns.values(), *(key.sql for key in branch.keys)]
        tables = _picked(kind, picks, args) + _joins(kind, needed)
        parts.append(f"(SELECT {listed} FROM {tables}{where_sql(where)}{order_by(branch.keys, False)})")
    return bound(view, " UNION ALL ".join(parts), args)


def bound(view: View, sql: str, args: Args) -> Statement:
    """Return the statement of a view, with the moments that its columns name bound behind all else."""
    for name, at in ((FIRST_HOUR, first_hour(view.now)), (LATEST_START, view.now + AHEAD)):
        if name in sql:
            sql = sql.replace(name, args.add(at, "timestamptz"))
    return Statement(sql, tuple(args))


# ---------------------------------------------------------------------------------------------- parts
@dataclass(frozen=True, slots=True)
class _Part:
    """What one statement reads of an order: `which` and `keys` are a row's place in it, `at` is where it begins."""

    branch: Branch
    which: str
    keys: Sequence[Key]
    at: Cursor | None


def _part(view: View, number: int | None) -> _Part:
    every, at = orders(view).branches, view.cursor
    if number is not None:
        branch = every[number]
        return _Part(branch, str(number), branch.keys, at if at is not None and at.branch == number else None)
    branch = together(every, branches(view))
    first, *keys = branch.keys
    return _Part(branch, first.sql, keys, at and replace(at, values=(str(at.branch), *at.values)))


def _inner(view: View, picks: Picks, args: Args, part: _Part, limit: int, span: Span) -> str:
    kind = KINDS[view.list.kind]
    branch = part.branch
    backwards = view.cursor is not None and view.cursor.backwards
    parts = _where(view, picks, args) + _within(view, span, args)
    parts += [branch.predicate] if branch.predicate else []
    if part.at is not None:
        parts.append(after(branch.keys, part.at, args))
    order = order_by(branch.keys, backwards)
    cut = f" LIMIT {limit}"
    keys = ", ".join(f"({key.sql})::text" for key in part.keys)
    select = f"SELECT {kind.keys}, {part.which} AS _branch, ARRAY[{keys}] AS _keys FROM "
    if branch.indexed and _lateral(kind, picks):
        return select + _each_pick(kind, picks, args, parts, order, cut)
    tables = _picked(kind, picks, args) + _joins(kind, [key.sql for key in branch.keys])
    return f"{select}{tables}{where_sql(parts)}{order}{cut}"


def _lateral(kind: Kind, picks: Picks) -> bool:
    many = picks.organizations is not None and len(picks.organizations) > 1
    return kind.alias in ("s", "i") and (picks.users is not None or many)


def _each_pick(kind: Kind, picks: Picks, args: Args, parts: Sequence[str], order: str, cut: str) -> str:
    """Return the first rows of each pick by its own index, merged."""
    alias = kind.alias
    own = [f"{alias}.organization_id = pick.organization_id"]
    own += [f"{alias}.user_id = pick.user_id"] if picks.users is not None else []
    each = f"SELECT {alias}.* FROM {kind.base}{where_sql([*own, *parts])}{order}{cut}"
    return f"{_pick(picks, args)} CROSS JOIN LATERAL ({each}) {alias}{order}{cut}"


def _pick(picks: Picks, args: Args) -> str:
    if picks.users is not None:
        organizations, users = (args.add(ids, "uuid[]") for ids in picks.users)
        return f"unnest({organizations}, {users}) AS pick (organization_id, user_id)"
    return f"unnest({args.add(list(picks.organizations or ()), 'uuid[]')}) AS pick (organization_id)"


def _picked(kind: Kind, picks: Picks, args: Args) -> str:
    """Return the page's tables, held to the picks by a join."""
    if picks.users is None and not _lateral(kind, picks):
        return kind.base
    alias = kind.alias
    user = f" AND {alias}.user_id = pick.user_id" if picks.users is not None else ""
    return f"{_pick(picks, args)} JOIN {kind.base} ON {alias}.organization_id = pick.organization_id{user}"


def _where(view: View, picks: Picks, args: Args, *, standing: bool = True) -> list[str]:
    """Return whose rows, which rows: everything but the status, which the branches say."""
    kind = KINDS[view.list.kind]
    parts = scoped(view.scope, kind.alias, args) + ([kind.standing] if kind.standing and standing else [])
    if picks.organizations is not None and not (_lateral(kind, picks) and picks.users is None):
        parts.append(_one_of(f"{kind.alias}.organization_id", picks.organizations, args))
    if picks.among is not None:
        parts.append(f"{kind.alias}.user_id = ANY({args.add(picks.among, 'uuid[]')})")
    looked_up = picks.answers | ({"status"} if orders(view).statuses is not None else frozenset())
    if view.list.kind == "sessions":  # no row starts later, so days made ahead need no look
        parts.append(f"s.started_at < {args.add(view.now + AHEAD, 'timestamptz')}")
    return parts + [_filter(view, each, args) for each in view.filters if each.column.name not in looked_up]


def _filter(view: View, each: Filter, args: Args) -> str:
    """Return the condition of a filter; where names are masked in the column, it holds for what is shown of it too.

    Else a name could be found out by asking for it. The whole text is looked at first, as masking takes longer,
    unless one asks for what is masked.
    """
    sql = OF_KIND[view.list.kind][each.column.name]
    shown = shown_once(view, each.column.name, sql)
    if shown is sql or isinstance(each.test, Empty):
        return condition(sql, each, args)
    values = (shown,) if HIDDEN in each.text else (sql, shown)
    both = " AND ".join(condition(value, replace(each, negated=False), args) for value in values)
    return f"({both}) IS NOT TRUE" if each.negated else f"({both})"


def _within(view: View, span: Span, args: Args) -> list[str]:
    ends = (">=", span.low), ("<", span.high)
    return [f"{TIMES[view.list.kind]} {sign} {args.add(end, 'timestamptz')}" for sign, end in ends if end is not None]


def _one_of(column: str, ids: Sequence[UUID], args: Args) -> str:
    # An array hides an index's order, so a single id is an equality.
    if not ids:
        return "false"
    if len(ids) == 1:
        return f"{column} = {args.add(ids[0], 'uuid')}"
    return f"{column} = ANY(ARRAY(SELECT unnest({args.add(list(ids), 'uuid[]')})))"


def scoped(scope: Scope, alias: str, args: Args) -> list[str]:
    """Return whose rows of a table may be read, as conditions."""
    match scope:
        case All():
            return []
        case One(organization_id):
            return [f"{alias}.organization_id = {args.add(organization_id, 'uuid')}"]
        case OneUser(organization_id, user_id):
            return [
                f"{alias}.organization_id = {args.add(organization_id, 'uuid')}",
                f"{alias}.user_id = {args.add(user_id, 'uuid')}",
            ]


def _allowed(view: View, statuses: frozenset[str]) -> str:
    if view.list.kind == "users":
        return constants("us.status_rank", [USER_RANK[status] for status in USER_STATUS if status in statuses])
    return constants("s.status", [status for status in SESSION_STATUS if status in statuses])


def where_sql(parts: Iterable[str]) -> str:
    """Return the WHERE of conditions, or nothing where there are none."""
    joined = " AND ".join(part for part in parts if part)
    return f" WHERE {joined}" if joined else ""


def _joins(kind: Kind, expressions: Iterable[str]) -> str:
    """Return the joins that `expressions` need and the base lacks."""
    text = " ".join(expressions)
    return "".join(f" {join}" for alias, join in kind.joins.items() if f"{alias}." in _aliases(text))


def _aliases(text: str) -> set[str]:
    return {part + "." for part in ("o", "u", "t") if _mentions(text, part)}


def _mentions(text: str, alias: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9_.']){alias}\.", text) is not None


def _shown(view: View, name: str) -> str:
    """Return the value of a column as a row carries it."""
    column = view.list.column(name)
    value = OF_KIND[view.list.kind][name].value
    if column is not None and column.personal and view.masked:
        return masked(value)
    if name == "exception" and view.list.kind == "sessions":
        return "s.error_message"  # the whole text is looked up when the page's rows are known
    return f"left({value}, {EXCEPTION_SHOWN})" if name == "exception" else value
