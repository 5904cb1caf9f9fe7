"""What users fail for now, one line a cause, and what changed as the first of them began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.sql import named_queries

EXPLAINED: Final = 2
"""Of so many causes it is looked up what changed: as many as a page shows."""
_JUST_BEFORE: Final = timedelta(hours=1)
_LONG_BEFORE: Final = timedelta(days=1)
_SQL: Final = named_queries("details")


async def of_organization(connection: Any, organization_id: UUID, as_of: datetime | None) -> list[dict[str, Any]]:
    """Return what two or more users of an organization fail for, the cause of most users first.

    Each: source, category, code, users, since (first hit), grown (users in the last ten minutes), and `changed`: what
    changed in the hour before, {what: "agent_version", was, became, at}, or None.
    """
    causes = await connection.fetch(_SQL["causes"], organization_id, as_of)
    return await _explained(connection, (dict(cause, organization_id=organization_id) for cause in causes))


async def of_all(connection: Any, as_of: datetime | None) -> list[dict[str, Any]]:
    """Return the same of all organizations that may be seen, each with its organization."""
    return await _explained(connection, map(dict, await connection.fetch(_SQL["causes_all"], as_of)))


async def _explained(connection: Any, causes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    explained = []
    for number, cause in enumerate(causes):
        cause["changed"] = await _changed(connection, cause) if number < EXPLAINED else None
        explained.append(cause)
    return explained


async def _changed(connection: Any, cause: Mapping[str, Any]) -> dict[str, Any] | None:
    since = cause["since"]
    row = await connection.fetchrow(
        _SQL["version_changed"], cause["organization_id"], since, since - _JUST_BEFORE, since - _LONG_BEFORE
    )
    return None if row is None else {"what": "agent_version", **row}
