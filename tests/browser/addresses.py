"""Addresses of the small world that several files open."""

from __future__ import annotations

from typing import Final

from schemas.keys import session_key
from tests.browser.conftest import Site
from tests.browser.world import identity

NORTHWIND: Final = identity("Northwind Traders")
STATISTICS: Final = f"/organizations/{NORTHWIND}/statistics?tz=UTC"
USERS: Final = f"/organizations/{NORTHWIND}?tz=UTC"


async def pages_of(site: Site) -> dict[str, str]:
    """Return the addresses of one page of every kind; the job has issues and a log. Some pages say what is wrong."""
    session = (await site.fetch(
        "SELECT started_at, session_id, organization_id, user_id FROM sync_session s WHERE organization_id = $1 "
        "AND status = 'errors' AND issues > 0 AND EXISTS (SELECT FROM log_chunk l WHERE l.session_id = s.session_id)",
        NORTHWIND,
    ))[0]  # fmt: skip
    job = f"/sessions/{session_key(session['started_at'], session['session_id'])}"
    user = f"/users/{session['organization_id']}/{session['user_id']}"
    organization = f"/organizations/{NORTHWIND}"
    return {
        "overview": "/",
        "organizations": "/organizations",
        "organization": organization,
        "statistics": f"{organization}/statistics",
        "organization's issues": f"{organization}/issues",
        "organization's logs": f"{organization}/logs",
        "users": "/users",
        "user": user,
        "user's issues": f"{user}/issues",
        "sessions": "/sessions",
        "job": job,
        "log": f"{job}/log?text=batch",
        "issues": "/issues",
        "find": "/find?q=ra",
        "monitoring": "/monitoring",
        "filter not understood": "/users?status=broken",
        "nobody found": "/users?user=nobody+is+called+so",
        "no such page": "/nowhere",
    }
