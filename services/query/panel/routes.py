"""The panel's addresses, one handler each: who asks, which list or details, which template."""

from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.query.panel import choices, job, log_page, monitoring, overview, pages
from services.query.panel.compress import STATIC_TYPES, squeezed, squeezed_file, takes_gzip
from services.query.panel.frame import check_zone, keep_zone, own_page
from services.query.panel.render import STATIC, html
from services.query.principal import Principal
from services.query.services import Services

FRESH: Final = "/fresh"
Page = Callable[[Services, Request, Principal], Awaitable[Response]]


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

    async def sign_in(request: Request) -> Response:
        # The page of a link holds one button, so that no link checker uses it up.
        token, problem = request.path_params.get("token"), request.query_params.get("problem", "")
        return HTMLResponse(html("sign_in.html", token=token, problem=problem, contact=services.settings.contact))

    def page(path: str, show: Page, method: str = "GET") -> Route:
        async def answer(request: Request) -> Response:
            principal: Principal = request.state.principal
            check_zone(request)
            mine = own_page(principal)
            if mine and method == "GET" and not _within(request.url.path, mine):
                return RedirectResponse(mine, 303)
            shown = squeezed(request, await show(services, request, principal))
            keep_zone(request, shown)
            return shown

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
        page(FRESH, pages.fresh),
        page("/columns", choices.columns, "POST"),
        page("/density", choices.density, "POST"),
        Mount("/static", Stamped(directory=STATIC)),
    ]


def _within(path: str, mine: str) -> bool:
    return path in {mine, FRESH} or path.startswith((f"{mine}/", "/sessions/"))
