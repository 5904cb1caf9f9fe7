"""How many rows each word of a column's search box would leave, for the suggestions under it."""

import time
from dataclasses import replace
from typing import Final

from services.query.counting import counted
from services.query.panel import words
from services.query.panel.table import choices_of
from services.query.picking import pick
from services.query.services import Services
from services.query.views.filters import parse_filter
from services.query.views.view import View

BUDGET_S: Final = 1.0


async def value_counts(services: Services, view: View, name: str) -> dict[str, str]:
    """Return word → number of rows, capped, with the view's other filters in force.

    A column without a closed set of words has no counts; what is not counted in time is left out.
    """
    column = view.list.column(name)
    if column is None:
        return {}
    others = tuple(each for each in view.filters if each.column is not column)
    told: dict[str, str] = {}
    until = time.monotonic() + BUDGET_S
    async with services.reading(view.scope) as connection:
        for word in choices_of(column):
            if time.monotonic() > until:
                break
            one = replace(view, filters=(*others, parse_filter(column, word, view.zone, view.now)), cursor=None)
            total, exact = await counted(services, connection, one, await pick(connection, one))
            if total or exact:
                told[word] = words.capped(total, exact)
    return told
