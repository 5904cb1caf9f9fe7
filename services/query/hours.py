"""Whole hours, by which the figures of the last 24 hours are counted. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

DAY: Final = 24


def first_hour(at: datetime, hours: int = DAY) -> datetime:
    """Return the first of so many hours, of which the one that `at` is in is the last."""
    return at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours - 1)
