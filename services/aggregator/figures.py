"""An organization's figures and health, as its users' statuses add up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from schemas.recent import Row
from schemas.sql import named_queries
from schemas.vocabulary import HEALTH_RANK
from services.aggregator.status import health_of, touched

_SQL: Final = named_queries("leader")
_COUNTS: Final = ("users", "healthy", "partial", "failing", "late", "stuck", "new", "disabled", "disabled_error")


async def store_figures(connection: Any, now: datetime) -> int:
    """Store the figures of the organizations whose users have changed; return how many there were.

    A change of health is told as a status change without a user.
    """
    rows = await connection.fetch(_SQL["changed_figures"])
    if not rows:
        return 0
    columns = zip(*map(_judged, rows), strict=True)
    stored: int = await connection.fetchval(_SQL["store_figures"], *map(list, columns), now)
    return stored


def _judged(row: Row) -> tuple[Any, ...]:
    users = _by_bucket(row)
    health, reason = health_of(users, enabled=row["enabled"])
    counts = (row[name] for name in _COUNTS)
    return (row["organization_id"], health, HEALTH_RANK[health], reason, *counts, touched(users))


def _by_bucket(row: Row) -> Mapping[str, int]:
    known = {name: row[name] for name in ("healthy", "partial", "late", "stuck", "new")}
    return known | {
        "failing": row["failing"] - row["failing_once"],
        "failing_once": row["failing_once"],
        "disabled_manual": row["disabled_manual"],
        "disabled_error": row["disabled_error"],
        "disabled_organization": row["disabled"] - row["disabled_manual"] - row["disabled_error"],
    }


async def store_last_day(connection: Any, now: datetime) -> None:
    """Store sessions and errors of the last 24 hours, and the time of the newest session."""
    await connection.execute(_SQL["store_last_day"], now)
