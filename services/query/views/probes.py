"""Look-ups before a page: whom its text filters mean, so that their own indexes can be used. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.query.views.conditions import Args, condition
from services.query.views.expressions import OF_KIND, Sql
from services.query.views.filters import Contains, Exactly, Filter
from services.query.views.statements import Statement, scoped, where_sql
from services.query.views.view import All, OneUser, View

PICK_LIMIT: Final = 500
"""So many users or organizations are read one by one, each by its own index."""
USERS_LIMIT: Final = 10_000
"""The same for the list of users, where each is one row."""
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
        most, among = (USERS_LIMIT, 0) if view.list.kind == "users" else (PICK_LIMIT, AMONG_LIMIT)
        statement = _statement("u", "sync_user", ("organization_id", "user_id"), parts, args, max(most, among))
        found.append(Probe("users", statement, _names(by_user), most, among))
    if by_organization:
        args = Args()
        parts = [_own(view, each, args) for each in by_organization]
        statement = _statement("o", "organization", ("organization_id",), parts, args, PICK_LIMIT)
        found.append(Probe("organizations", statement, _names(by_organization)))
    return found


def _statement(
    alias: str, table: str, ids: Sequence[str], parts: Sequence[str], args: Args, limit: int
) -> Statement:  # fmt: skip
    """Return the look-up as one row of arrays, one for each of `ids`: thousands of rows would take longer than it."""
    listed = ", ".join(f"{alias}.{name}" for name in ids)
    arrays = ", ".join(f"coalesce(array_agg({name}), '{{}}') AS {name}s" for name in ids)
    rows = f"SELECT {listed} FROM {table} {alias}{where_sql(parts)} LIMIT {limit + 1}"
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
