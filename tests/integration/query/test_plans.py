"""Views that are asked for all day are planned once, whoever asks: by index, in its order."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import product

import pytest

from schemas.sql import named_queries
from services.query.views.orders import is_usual
from services.query.views.planning import usual_planning
from services.query.views.statements import Statement, branches, count, page
from services.query.views.view import All, One, OneUser, Scope, View, parse
from tests.integration.query.conftest import Service
from tests.rig.seed import Plan, organization_id, seed, user_id

LISTS = named_queries("lists")
EVERYTHING, ORGANIZATION, USER = All(), One(organization_id(0)), OneUser(organization_id(0), user_id(0, 0))


@pytest.fixture
async def filled(service: Service, now: datetime) -> Service:
    """Return a service with enough rows that a way matters, as Postgres knows."""
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=10, users=20, sessions=40))
        await connection.execute("ANALYZE")
    return service


def view_of(list_name: str, query: str, scope: Scope, now: datetime, masked: bool = False) -> View:
    """Return the view that an address asks for."""
    asked = [(name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)]
    return parse(list_name, asked, scope=scope, now=now, secret=b"", masked=masked)


async def plan_of(service: Service, view: View, statement: Statement) -> str:
    """Return how Postgres reads a statement that it plans once, as the role that reads it."""
    planning = LISTS["plan_less"] + usual_planning(view)
    bound = ", ".join(f"'{argument}'" for argument in statement.args)
    async with service.services.reading(view.scope, planning=planning) as connection:
        await connection.execute(f"PREPARE usual AS {statement.sql}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE usual{f'({bound})' if bound else ''}")
        await connection.execute("DEALLOCATE usual")
    return "\n".join(row[0] for row in rows)


USUAL = (
    ("sessions", "", EVERYTHING, "started_at <"),
    ("sessions", "status=errors,timed_out", EVERYTHING, "started_at <"),
    ("statistics", "", ORGANIZATION, "organization_id = "),
    ("statistics", "sort=-run", ORGANIZATION, "organization_id = "),
    ("statistics", "sort=-failures", ORGANIZATION, "organization_id = "),
    ("statistics", "status=errors,timed_out", ORGANIZATION, "organization_id = "),
    ("user_sessions", "", USER, "user_id = "),
    ("user_issues", "", USER, "user_id = "),
    ("organization_users", "", ORGANIZATION, "organization_id = "),
    ("organization_users", "status=failing,late", ORGANIZATION, "organization_id = "),
    ("organization_issues", "", ORGANIZATION, "organization_id = "),
    ("organization_issues", "state=open,regressed", ORGANIZATION, "organization_id = "),
    ("users", "", EVERYTHING, ""),
    ("issues", "", EVERYTHING, ""),
    ("organizations", "", EVERYTHING, ""),
)
"""List, query, scope, and what an index answers of it."""


async def test_usual_pages_are_read_by_an_index_in_their_order(filled: Service, now: datetime) -> None:
    for masked, (list_name, query, scope, condition) in product((False, True), USUAL):
        view = view_of(list_name, query, scope, now, masked)
        assert is_usual(view)
        for number in branches(view):
            told = await plan_of(filled, view, page(view, number, view.limit + 1))
            assert re.search("Seq Scan|Bitmap|Hash", told) is None, told
            assert condition in "".join(re.findall("Index Cond: .*", told)), told
            inner = told[told.index("Limit") :]  # the page itself; beside it stand but its own hundred rows
            assert re.search(r"->  (Incremental )?Sort", inner) is None, told
        if view.list.kind in ("sessions", "issues"):
            assert "Seq Scan" not in await plan_of(filled, view, count(view))


@pytest.mark.parametrize("query", ["user=x", "run=24h", "agent=x", "sort=objects"])
def test_a_view_that_is_not_usual_is_planned_for_what_is_bound(now: datetime, query: str) -> None:
    assert not is_usual(view_of("statistics", query, ORGANIZATION, now))
