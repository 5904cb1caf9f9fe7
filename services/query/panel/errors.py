"""The page of a request that failed: what happened, what to do, and, where Postgres answers, how fresh the data is."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.query.panel import pages
from services.query.panel.frame import Frame, navigation, own_page, zone_of
from services.query.panel.render import html
from services.query.panel.words import whole
from services.query.principal import Principal, principal_of
from services.query.problems import Refusal
from services.query.services import Services
from services.query.views.filters import Problem

LOG: Final = logging.getLogger(__name__)
SIGNS: Final = {403: "lock", 404: "search"}
LONGEST_S: Final = 1.0
"""How long an error waits for who asks, and for what surrounds its page."""
_UNASKED: Final = frozenset({401, 503})
"""Nobody is signed in, or the database is busy or away: asking it once more helps nobody."""


async def answer(
    services: Services, request: Request, status: int, title: str, detail: str, problems: Sequence[Problem] = ()
) -> Response:
    """Return a page that says what happened, what was not harmed, and what to do; never a stack.

    What surrounds other pages surrounds this one too; where that cannot be had, the page does without.
    """
    principal: Principal | None = getattr(request.state, "principal", None)
    page: Frame | None = None
    if status not in _UNASKED:
        try:
            async with asyncio.timeout(LONGEST_S):
                principal = principal or await principal_of(services, request)
                page = await _framed(services, request, principal, title)
        except (Refusal, TimeoutError):
            pass
        except Exception as error:  # an error is told whatever else goes wrong
            said = {"action": "error_page_bare", "request_id": request.state.request_id}
            LOG.error("the page of an error has no frame", exc_info=error, extra=said)
    values = _values(request, principal, status, title, " ".join(map(_told, problems)) or detail)
    return HTMLResponse(html("error.html", page=page, **values) if page else html("error_bare.html", **values), status)


async def _framed(services: Services, request: Request, principal: Principal, title: str) -> Frame:
    page = await pages.framed(services, request, principal, title, "")
    return page if request.method in {"GET", "HEAD"} else replace(page, here=page.home)


def _values(request: Request, principal: Principal | None, status: int, title: str, text: str) -> dict[str, Any]:
    mine = own_page(principal) if principal else None
    again = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
    acts = [("Try again", again)] if status >= 500 else []
    if status == 401:
        acts.append(("Sign in", "/sign-in"))
    else:
        acts.append(("User Dashboard", mine) if mine else ("Organizations", "/organizations"))
    return {
        "title": title, "text": text, "sign": SIGNS.get(status, "warning"), "acts": acts, "home": mine or "/",
        "theme": principal.preferences.get("theme") if principal else None,
        "nav": navigation(principal) if principal else (), "request_id": request.state.request_id,
        "asked_at": whole(request.state.asked_at, zone_of(request, principal)),
    }  # fmt: skip


def _told(problem: Problem) -> str:
    allowed = f" Allowed: {', '.join(problem.allowed)}." if problem.allowed else ""
    return f"{problem.parameter} cannot be “{problem.value}”: {problem.detail}.{allowed}"
