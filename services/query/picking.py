"""Whom the text filters of a view mean: users and organizations, looked up before its rows are."""

from __future__ import annotations

from typing import Any

from services.query.views.probes import probes
from services.query.views.statements import Picks
from services.query.views.view import View


async def pick(connection: Any, view: View) -> Picks:
    """Look up whom the view's text filters mean, where that is few enough to read by their own index."""
    found: dict[str, Any] = {}
    answers: set[str] = set()
    for probe in probes(view):
        row = await connection.fetchrow(probe.statement.sql, *probe.statement.args)
        ids = tuple(row)
        if len(ids[0]) <= probe.most:
            found[probe.of] = ids if probe.of == "users" else ids[0]
            answers |= probe.columns
        elif len(ids[0]) <= probe.among:
            found["among"] = row["user_ids"]
    return Picks(**found, answers=frozenset(answers))
