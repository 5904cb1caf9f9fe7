"""Whom the text filters of a view mean: users and organizations, looked up before its rows are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.query.views.probes import probes
from services.query.views.statements import Picks
from services.query.views.view import View

_Users = tuple[Sequence[UUID], Sequence[UUID]]


async def pick(connection: Any, view: View) -> Picks:
    """Look up whom the view's text filters mean, where that is few enough to read by their own index."""
    found: dict[str, Any] = {}
    answers: set[str] = set()
    for probe in probes(view):
        row = await connection.fetchrow(probe.statement.sql, *probe.statement.args)
        ids = tuple(row)
        if len(ids[0]) <= probe.most:
            before = found.get(probe.of)
            found[probe.of] = ids[0] if probe.of != "users" else ids if before is None else _both(before, ids)
            answers |= probe.columns
        elif len(ids[0]) <= probe.among:
            found["among"] = row["user_ids"]
    return Picks(**found, answers=frozenset(answers))


def _both(some: _Users, others: _Users) -> _Users:
    """Return the users that stand among both."""
    among = set(zip(*others, strict=True))
    pairs = [pair for pair in zip(*some, strict=True) if pair in among]
    return [organization for organization, _ in pairs], [user for _, user in pairs]
