"""Counts with their nouns. Pure."""

from __future__ import annotations


def times(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 user`, `2 users`, `0 users`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
