"""Counts with their nouns. Pure."""

from __future__ import annotations


def times(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 user`, `2 users`, `0 users`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def unit(count: int | None, title: str) -> str:
    """Return the title of a column of counts as it reads behind one of them: of Times, `time` after 1, else `times`."""
    noun, space, rest = title.lower().partition(" ")
    return (noun.removesuffix("s") if count == 1 else noun) + space + rest
