"""How old the data is that a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.sql import named_queries

_SQL: Final = named_queries("lists")
STILL: Final = timedelta(seconds=30)
"""Ticks move every partition every 2 s: one that has not moved for so long has nobody who reads it."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the data is. `as_of` None: a partition was never read. `deaf_s`: seconds since anything was heard.

    `still_s`: seconds since the partition moved that has not moved for longest; those that halted do not count.
    `counted_to`: the leader's now, by which it counts the last 24 hours; None where nothing was ever applied.
    """

    as_of: datetime | None
    lag_s: float | None
    halted: tuple[str, ...]
    deaf_s: float | None
    still_s: float | None
    counted_to: datetime | None


async def freshness_of(connection: Any, now: datetime) -> Freshness:
    """Return how old the data is; every role may read the positions."""
    return freshness_from(await connection.fetchrow(_SQL["freshness"]), now)


def freshness_from(row: Mapping[str, Any], now: datetime) -> Freshness:
    """Return how old the data is, from a row of query `freshness`."""

    def since(at: datetime | None) -> float | None:
        return None if at is None else max(0.0, round((now - at).total_seconds(), 3))

    return Freshness(
        row["as_of"],
        since(row["as_of"]),
        tuple(row["halted"]),
        since(row["heard_at"]),
        since(row["still_since"]),
        row["counted_to"],
    )
