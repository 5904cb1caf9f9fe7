"""Look-ups before a page: whom its text filters mean, so that their own indexes can be used. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.query.views.conditions import Args, condition
from services.query.views.expressions import FAILED, OF_KIND, Sql
from services.query.views.filters import Contains, Empty, Exactly, Filter
from services.query.views.statements import Statement, bound, scoped, where_sql
from services.query.views.view import All, OneUser, View

PICK_LIMIT: Final = 500
"""So many users or organizations are read one by one, each by its own index."""
ROWS_LIMIT: Final = 10_000
"""The same for the lists of users and organizations, where each is one row."""
AMONG_LIMIT: Final = 5_000
"""So many users are looked for by their ids in the order of the page; more are so common that they need no help."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A look-up before the page: whom do the filters of these columns mean? `of` is users or organizations.

    Up to `most` are read one by one, up to `among` are looked for by their ids.
    """

    of: str
    statement: Statement
    columns: frozenset[str]
    most: int = PICK_LIMIT
    among: int = 0


def probes(view: View) -> list[Probe]:
    """Return the look-ups that make this view's text filters cheap; each reads one id more than can be used."""
    found = []
    by_user, by_organization = _pick_filters(view)
    if by_user:
        args = Args()
        parts = [*scoped(view.scope, "u", args), *(_own(view, each, args) for each in by_user)]
        most, among = (ROWS_LIMIT, 0) if view.list.kind == "users" else (PICK_LIMIT, AMONG_LIMIT)
        statement = _statement("u", "sync_user", ("organization_id", "user_id"), parts, args, max(most, among))
        found.append(Probe("users", statement, _names(by_user), most, among))
    if by_organization:
        args = Args()
        parts = [_own(view, each, args) for each in by_organization]
        statement = _statement("o", "organization", ("organization_id",), parts, args, PICK_LIMIT)
        found.append(Probe("organizations", statement, _names(by_organization)))
    if failed := _failed_filter(view):
        found.append(_failed(view, failed))
    return found


def _failed_filter(view: View) -> Filter | None:
    """Return the filter that finds those of whom a session failed, if one is in force; who had none are most."""
    each = view.filter_of("failed_for")
    return each if each is not None and each.negated is isinstance(each.test, Empty) else None


def _failed(view: View, each: Filter) -> Probe:
    """Return the look-up of those of whom a session failed, by sessions: to ask of one after the other takes long."""
    args = Args()
    kind = OF_KIND[view.list.kind]["failed_for"]
    kinds = f"{kind.element} AS kind, {kind.exact[0]} AS exact_kind"
    rows = where_sql([*scoped(view.scope, "s", args), FAILED])
    # With OFFSET the words are put together once a session, whatever the test does with them.
    sessions = f"(SELECT s.organization_id, s.user_id, {kinds} FROM sync_session s{rows} OFFSET 0)"
    parts = [] if isinstance(each.test, Empty) else [condition(Sql("s.kind", exact=("s.exact_kind",)), each, args)]
    ids = ("organization_id", "user_id")[: 2 if view.list.kind == "users" else 1]
    found = _statement("s", sessions, ids, parts, args, ROWS_LIMIT, "DISTINCT ")
    return Probe(view.list.kind, bound(view, found.sql, args), _names([each]), ROWS_LIMIT)


def _statement(
    alias: str, table: str, ids: Sequence[str], parts: Sequence[str], args: Args, limit: int, distinct: str = ""
) -> Statement:  # fmt: skip
    """Return the look-up as one row of arrays, one for each of `ids`: thousands of rows would take longer than it."""
    listed = ", ".join(f"{alias}.{name}" for name in ids)
    arrays = ", ".join(f"coalesce(array_agg({name}), '{{}}') AS {name}s" for name in ids)
    rows = f"SELECT {distinct}{listed} FROM {table} {alias}{where_sql(parts)} LIMIT {limit + 1}"
    return Statement(f"SELECT {arrays} FROM ({rows}) found", tuple(args))


_OF_USERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "users": (
            "user", "email", "external_id", "synchronization_disabled", "disabled_since", "disabled_reason",
            "mail_system", "crm_system",
        ),
        "sessions": ("user", "email", "user_id"),
        "issues": ("user", "email", "user_id"),
    }
)  # fmt: skip


def _pick_filters(view: View) -> tuple[list[Filter], list[Filter]]:
    """Return the filters on users and on organizations that a probe can answer."""
    wanted = [each for each in view.filters if not each.negated and isinstance(each.test, Contains | Exactly)]
    names = _OF_USERS.get(view.list.kind, ())
    by_user = [each for each in (view.filters if view.list.kind == "users" else wanted) if each.column.name in names]
    by_organization = [
        each for each in wanted
        if view.list.kind != "organizations" and each.column.name == "organization" and isinstance(view.scope, All)
    ]  # fmt: skip
    return ([] if isinstance(view.scope, OneUser) else by_user), by_organization


def _names(filters: Sequence[Filter]) -> frozenset[str]:
    return frozenset(each.column.name for each in filters)


def _own(view: View, each: Filter, args: Args) -> str:
    """Return a filter on the table that it is about, without the look from the page's table."""
    sql = OF_KIND[view.list.kind][each.column.name]
    value = "u.user_id" if each.column.name == "user_id" else sql.value
    return condition(Sql(value, keys=sql.keys, exact=sql.exact, nullable=sql.nullable), each, args)
