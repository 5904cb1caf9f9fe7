"""Whether a search has so little to look through that it is read whole."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from schemas.retention import KEPT
from schemas.sql import named_queries
from services.query.views.search import DAY
from services.query.views.statements import COUNT_LIMIT, Picks
from services.query.views.view import All, View

SMALL: Final = COUNT_LIMIT
"""So many rows are looked at, and sorted, in about the time that a search has, by whatever filter."""
_SQL: Final = named_queries("lists")


async def is_small(connection: Any, view: View, picks: Picks) -> bool:
    """Whether the rows of a view, before it is filtered, are those of one organization that has few."""
    organization = _organization(view, picks)
    if organization is None:
        return False
    match view.list.kind:
        case "sessions":
            since = view.now - KEPT.sessions - DAY
            return bool(await connection.fetchval(_SQL["few_sessions"], organization, since, SMALL))
        case "issues":
            return bool(await connection.fetchval(_SQL["few_issues"], organization, SMALL))
        case "users":
            return bool(await connection.fetchval(_SQL["few_users"], organization, SMALL))
        case _:
            return True


def _organization(view: View, picks: Picks) -> UUID | None:
    if not isinstance(view.scope, All):
        return view.scope.organization_id
    named = picks.organizations
    return named[0] if named is not None and len(named) == 1 else None
