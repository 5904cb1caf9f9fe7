"""Which names of objects are known of a session: those of its issues."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from schemas.keys import Key
from schemas.sql import named_queries
from services.query.masking import NO_NAMES, Names, names_of
from services.query.problems import Busy, TooSlow
from services.query.services import Services
from services.query.views.view import Scope

_SQL: Final = named_queries("details")


async def names_of_sessions(connection: Any, sessions: Iterable[Key]) -> dict[Key, Names]:
    """Return the names known of each of these sessions; one of which none is known is left out."""
    wanted = list(sessions)
    if not wanted:
        return {}
    times = [started_at for started_at, _ in wanted]
    ids = [session_id for _, session_id in wanted]
    rows = await connection.fetch(_SQL["names_of_sessions"], times, ids, min(times), max(times))
    return {(row["started_at"], row["session_id"]): names_of(tuple(row["names"])) for row in rows}


async def names_in_time(services: Services, scope: Scope, session: Key) -> Names | None:
    """Return the names known of one session; None where the database is too slow or too busy to tell."""
    try:
        async with services.reading(scope) as connection:
            return await names_of_session(connection, session)
    except (Busy, TooSlow):
        return None


async def names_of_session(connection: Any, session: Key) -> Names:
    """Return the names known of one session."""
    return (await names_of_sessions(connection, [session])).get(session, NO_NAMES)
