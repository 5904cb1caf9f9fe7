"""How Postgres is to plan the statements of a view. Pure."""

from __future__ import annotations

from typing import Final

from schemas.sql import named_queries
from services.query.views.orders import is_usual
from services.query.views.view import View

_SQL: Final = named_queries("lists")
PLAN_LESS: Final = _SQL["plan_less"]
PLAN_ONCE: Final = _SQL["plan_once"]


def usual_planning(view: View) -> str:
    """Return what makes the statements of a usual view be planned once, and for whomever they are; else nothing."""
    if not is_usual(view):
        return ""
    keeps_order = view.list.kind in ("sessions", "issues")  # users are joined to their statuses again
    return PLAN_ONCE + (_SQL["plan_in_order"] if keeps_order else "")
