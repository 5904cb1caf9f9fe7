"""What a list page says of a search that was ended in time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.vocabulary import SESSION_STATUS
from services.query.panel import table, words
from services.query.panel.table import Act, Empty, Table
from services.query.views.search import STARTS, Searched
from services.query.views.view import All, View


def ended(made: Table, searched: Searched, view: View) -> Table:
    """Say how far a search came, and lead on from there."""
    backwards = view.cursor is not None and view.cursor.backwards
    looked = looked_through(searched, view)
    if made.rows:
        return replace(made, foot=f"{looked}; the {'previous' if backwards else 'next'} page looks further")
    many = table.KIND_WORDS[view.list.kind][1]
    on = made.previous_href if backwards else made.next_href
    empty = Empty(
        "filter", f"No {many} found so far", f"{looked}. {quicker(view)}".rstrip(), (Act("Look further", on),)
    )
    return replace(made, empty=empty, matches="0", matches_rest="so far", matches_noun="", foot="")


def looked_through(searched: Searched, view: View) -> str:
    """Return how far everything was looked at: up to a time, in an order by status that of the status it came to."""
    edge = f"up to {words.when(searched.to, view.zone, view.now)}"
    if not searched.within:
        return f"Looked through {edge}"
    if not searched.whole:
        return f"Looked through {_listed(searched.within)} {edge}"
    return f"Looked through all of {_listed(searched.whole)}, of {_listed(searched.within)} {edge}"


def quicker(view: View) -> str:
    """Return what would make a search quick, of what is not asked for already."""
    is_wide = (
        isinstance(view.scope, All) and not view.filter_of("organization") and not view.filter_of("organization_id")
    )
    ways = [] if view.filter_of(STARTS[view.list.kind]) else ["a time"]
    ways += ["an organization"] if is_wide else []
    said = " or ".join(ways)
    return f"{said[0].upper()}{said[1:]} makes it quick." if said else ""


def _listed(statuses: Sequence[str]) -> str:
    said = [SESSION_STATUS[status] for status in statuses]
    return " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))
