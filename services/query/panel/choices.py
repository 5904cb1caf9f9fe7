"""What a person keeps per list: columns and their order, and how tall the rows are."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from schemas.columns import LISTS
from services.query.guard import own_path
from services.query.principal import Principal, save_preferences
from services.query.problems import NotFound
from services.query.services import Services
from services.query.views.view import encoded


async def columns(services: Services, request: Request, principal: Principal) -> Response:
    """Keep the columns ticked in a picklist, in their order, and go back to the list."""
    form = await request.form()
    view = LISTS.get(str(form.get("list", "")))
    if view is None:
        raise NotFound
    ticked = [str(name) for name in form.getlist("show")]
    known = [name for name in dict.fromkeys(ticked) if view.column(name)]
    first = view.columns[0].name
    chosen = [] if form.get("reset") else [first, *(name for name in known if name != first)]
    await save_preferences(services, principal, _changed(principal, "columns", view.name, chosen))
    return RedirectResponse(_back(own_path(form.get("back")), ",".join(chosen)), 303)


async def density(services: Services, request: Request, principal: Principal) -> Response:
    """Keep how tall the rows of a list are, and go back to it."""
    form = await request.form()
    chosen = "roomy" if form.get("density") == "roomy" else "compact"
    name = str(form.get("list", ""))
    if name not in LISTS:
        raise NotFound
    await save_preferences(services, principal, _changed(principal, "density", name, chosen))
    return RedirectResponse(own_path(form.get("back")), 303)


def _changed(principal: Principal, what: str, list_name: str, chosen: Any) -> dict[str, Any]:
    kept = principal.preferences.get(what)
    return {what: {**(kept if isinstance(kept, Mapping) else {}), list_name: chosen}}


def _back(path: str, chosen: str) -> str:
    """Return the list's address with the chosen columns in it."""
    parts = urlsplit(path)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "columns"]
    if chosen:
        kept.append(("columns", chosen))
    return parts.path + (f"?{encoded(kept)}" if kept else "")
