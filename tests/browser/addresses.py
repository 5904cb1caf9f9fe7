"""Addresses of the small world that several files open."""

from __future__ import annotations

from typing import Final

from schemas.keys import session_key
from tests.browser.conftest import Site
from tests.browser.world import identity

NORTHWIND: Final = identity("Northwind Traders")
STATISTICS: Final = f"/organizations/{NORTHWIND}/statistics?tz=UTC"
USERS: Final = f"/organizations/{NORTHWIND}?tz=UTC"


async def paths_of(site: Site) -> list[str]:
    """Return one page of every kind, the job's with issues and a log, and pages that say what is wrong."""
    session = (await site.fetch(
        "SELECT started_at, session_id, organization_id, user_id FROM sync_session s WHERE organization_id = $1 "
        "AND status = 'errors' AND issues > 0 AND EXISTS (SELECT FROM log_chunk l WHERE l.session_id = s.session_id)",
        NORTHWIND,
    ))[0]  # fmt: skip
    job = f"/sessions/{session_key(session['started_at'], session['session_id'])}"
    user = f"/users/{session['organization_id']}/{session['user_id']}"
    organization = f"/organizations/{NORTHWIND}"
    return [
        "/", "/organizations", organization, f"{organization}/statistics", f"{organization}/issues",
        f"{organization}/logs", "/users", user, f"{user}/issues", "/sessions", job, f"{job}/log?text=batch", "/issues",
        "/find?q=ra", "/monitoring", "/users?status=broken", "/users?user=nobody+is+called+so", "/nowhere",
    ]  # fmt: skip
