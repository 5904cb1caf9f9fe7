"""The panel's addresses, one handler each: who asks, which list or details, which template."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.query.filters import Problem
from services.query.panel import choices, job, log_page, monitoring, overview, pages
from services.query.panel.compress import STATIC_TYPES, squeezed, squeezed_file, takes_gzip
from services.query.panel.frame import check_zone, navigation, own_page, zone_of
from services.query.panel.render import STATIC, html
from services.query.panel.words import whole
from services.query.principal import Principal
from services.query.services import Services

Page = Callable[[Services, Request, Principal], Awaitable[Response]]
SIGNS: Final = {403: "lock", 404: "search"}


class Stamped(StaticFiles):
    """Static files: an address stamped with its content never changes, others are asked for again."""

    async def get_response(self, path: str, scope: Any) -> Response:
        response = await super().get_response(path, scope)
        accepted = Headers(scope=scope).get("accept-encoding", "")
        kind = STATIC_TYPES.get(PurePosixPath(path).suffix)
        if response.status_code == 200 and kind and takes_gzip(accepted):
            file = STATIC / path
            etag = response.headers.get("etag", "")
            response = Response(squeezed_file(file, file.stat().st_mtime), media_type=kind)
            response.headers["Content-Encoding"] = "gzip"
            response.headers["ETag"] = f"W/{etag}"
        response.headers["Vary"] = "Accept-Encoding"
        stamped = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if stamped else "no-cache"
        return response


def routes(services: Services) -> list[Route | Mount]:
    """Return every page of the panel."""

    def page(path: str, show: Page, method: str = "GET") -> Route:
        async def answer(request: Request) -> Response:
            principal: Principal = request.state.principal
            check_zone(request)
            mine = own_page(principal)
            if mine and method == "GET" and not _within(request.url.path, mine):
                return RedirectResponse(mine, 303)
            return squeezed(request, await show(services, request, principal))

        return Route(path, answer, methods=[method])

    one_organization, one_user = "/organizations/{organization:uuid}", "/users/{organization:uuid}/{user:uuid}"
    return [
        Route("/sign-in", sign_in, methods=["GET"]),
        Route("/sign-in/{token}", sign_in, methods=["GET"]),
        page("/", overview.show),
        page("/organizations", pages.listed("organizations", "Organizations")),
        page(one_organization, pages.organization_tab("organization_users")),
        page(f"{one_organization}/statistics", pages.organization_tab("statistics")),
        page(f"{one_organization}/issues", pages.organization_tab("organization_issues")),
        page(f"{one_organization}/logs", pages.organization_logs),
        page("/users", pages.listed("users", "Users")),
        page(one_user, pages.user_tab("user_sessions")),
        page(f"{one_user}/issues", pages.user_tab("user_issues")),
        page(f"{one_user}/logs", pages.user_logs),
        page("/sessions", pages.listed("sessions", "Sessions")),
        page("/sessions/{key}", job.show),
        page("/sessions/{key}/exception", job.exception),
        page("/sessions/{key}/log", log_page.show),
        page("/issues", pages.listed("issues", "Issues")),
        page("/find", pages.find),
        page("/monitoring", monitoring.show),
        page("/columns", choices.columns, "POST"),
        page("/density", choices.density, "POST"),
        Mount("/static", Stamped(directory=STATIC)),
    ]


def _within(path: str, mine: str) -> bool:
    return path == mine or path.startswith((f"{mine}/", "/sessions/"))


async def sign_in(request: Request) -> Response:
    """Say how to get in; the page of a link holds one button, so that no link checker uses it up."""
    token = request.path_params.get("token")
    return HTMLResponse(html("sign_in.html", token=token, problem=request.query_params.get("problem", "")))


def _told(problem: Problem) -> str:
    allowed = f" Allowed: {', '.join(problem.allowed)}." if problem.allowed else ""
    return f"{problem.parameter} cannot be “{problem.value}”: {problem.detail}.{allowed}"


def error_page(
    request: Request, status: int, title: str, detail: str, problems: Sequence[Problem] = ()
) -> Response:  # fmt: skip
    """Return a page that says what happened, what was not harmed, and what to do; never a stack."""
    text = " ".join(map(_told, problems)) or detail
    principal: Principal | None = getattr(request.state, "principal", None)
    mine = own_page(principal) if principal else None
    again = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
    acts = [("Try again", again)] if status >= 500 else []
    if status == 401:
        acts.append(("Sign in", "/sign-in"))
    else:
        acts.append(("User Dashboard", mine) if mine else ("Organizations", "/organizations"))
    sign = SIGNS.get(status, "warning")
    shown = html(
        "error.html", title=title, text=text, sign=sign, acts=acts, home=mine or "/",
        theme=principal.preferences.get("theme") if principal else None, nav=navigation(principal) if principal else (),
        request_id=request.state.request_id, asked_at=whole(request.state.asked_at, zone_of(request, principal)),
    )  # fmt: skip
    return HTMLResponse(shown, status)
