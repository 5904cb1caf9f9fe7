"""The JSON half of the API: lists, details, overview, who am I."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.query import details, figures, logs, silence
from services.query.api.document import document
from services.query.api.table import EVERYBODY, LAST_POSITION, LIST_ROUTES, STAFF, ListRoute
from services.query.lists import Page, fetch_page
from services.query.parameters import Parameters
from services.query.principal import Principal
from services.query.rows import json_ready
from services.query.scope import scope_of
from services.query.services import Services
from services.query.views.view import View, parse

Answer = Callable[[Request, Principal], Awaitable[Any]]
_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def routes(services: Services) -> list[Route]:
    """Return the routes under /api/v1."""
    return [
        *(_list(services, each) for each in LIST_ROUTES),
        *_details(services),
        Route("/openapi.json", _document(), methods=["GET"]),
    ]


def _document() -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of the OpenAPI document, which holds nobody's data."""
    body = orjson.dumps(document())

    async def answer(request: Request) -> Response:
        return Response(body, media_type="application/json")

    return answer


def told(body: Any, headers: dict[str, str] | None = None) -> Response:
    """Return an answer as JSON."""
    return Response(orjson.dumps(body, json_ready, _OPTIONS), media_type="application/json", headers=headers)


def view_of(services: Services, request: Request, principal: Principal, list_name: str, *, csv: bool = False) -> View:
    """Understand a list's address, or raise BadQuery; the scope comes from who asks and from the path."""
    scope = scope_of(principal, request.path_params.get("organization"), request.path_params.get("user"))
    now = services.now()
    return parse(
        list_name, request.query_params.multi_items(), scope=scope, now=now, secret=services.secret,
        masked=principal.masks_names(now), csv=csv,
    )  # fmt: skip


def page_body(view: View, page: Page) -> dict[str, Any]:
    """Return a page as it is answered."""
    return {
        "rows": page.rows,
        "total": page.total,
        "total_is_exact": page.total_is_exact,
        "next": page.next_cursor,
        "previous": page.previous_cursor,
        "searched_to": page.searched and page.searched.to,
        "searched_in": page.searched.within if page.searched else (),
        "searched_whole": page.searched.whole if page.searched else (),
        "as_of": page.as_of,
        "lag_s": page.lag_s,
        "halted": page.halted,
        "sort": ",".join(map(str, view.sort)),
        "filters": {each.column.name: each.words(view.zone) for each in view.filters},
        "tz": view.zone.key,
    }


def links(request: Request, view: View, page: Page) -> dict[str, str]:
    """Return the Link header that leads to the pages beside this one."""
    found = [("next", page.next_cursor), ("prev", page.previous_cursor)]
    header = ", ".join(f'<{request.url.path}?{view.query(cursor=to)}>; rel="{name}"' for name, to in found if to)
    return {"link": header} if header else {}


def _list(services: Services, each: ListRoute) -> Route:
    async def answer(request: Request) -> Response:
        principal: Principal = request.state.principal
        principal.may(*each.roles)
        view = view_of(services, request, principal, each.list_name)
        page = await fetch_page(services, view)
        return told(page_body(view, page), links(request, view, page))

    return Route(each.path, answer, methods=["GET"])


def _route(path: str, roles: tuple[str, ...], answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        principal: Principal = request.state.principal
        principal.may(*roles)
        return told(await answer(request, principal))

    return Route(path, endpoint, methods=["GET"])


def _details(services: Services) -> list[Route]:
    async def me(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return details.me(services, principal)

    async def overview(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return await figures.overview(services, principal)

    async def session_hours(request: Request, principal: Principal) -> Any:
        parameters = Parameters(request)
        organization, hours = parameters.uuid("organization"), parameters.number("hours", 24, 1, 720)
        parameters.done()
        return await figures.session_hours(services, principal, organization, hours=hours)

    async def error_kinds(request: Request, principal: Principal) -> Any:
        parameters = Parameters(request)
        organization, hours = parameters.uuid("organization"), parameters.number("hours", 24, 1, 720)
        parameters.done()
        return await figures.error_kinds(services, principal, organization, hours=hours)

    async def search(request: Request, principal: Principal) -> Any:
        parameters = Parameters(request)
        q = parameters.text("q")
        parameters.done()
        return await details.search(services, principal, q)

    async def agents(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return await silence.agents(services, principal)

    async def partitions(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return await silence.partitions(services, principal)

    async def organization(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return await details.organization(services, principal, request.path_params["organization"])

    async def user(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return await details.user(services, principal, *_user_of(request))

    async def session(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return await details.session(services, principal, request.path_params["key"])

    async def session_issues(request: Request, principal: Principal) -> Any:
        Parameters(request).done()
        return await details.session_issues(services, principal, request.path_params["key"])

    async def session_log(request: Request, principal: Principal) -> Any:
        parameters = Parameters(request)
        wanted = logs.Wanted(
            after=parameters.number("after", 0, 0, LAST_POSITION),
            before=parameters.number("before", 0, 0, LAST_POSITION),
            limit=parameters.number("limit", 1_000, 1, 5_000),
            tail=parameters.number("tail", 0, 0, 5_000),
            text=parameters.text("q"),
            level=parameters.text("level"),
            source=parameters.text("source"),
        )
        parameters.done()
        return await logs.session_log(services, principal, request.path_params["key"], wanted)

    return [
        _route("/me", EVERYBODY, me),
        _route("/overview", STAFF, overview),
        _route("/session-hours", STAFF, session_hours),
        _route("/error-kinds", STAFF, error_kinds),
        _route("/search", STAFF, search),
        _route("/agents", STAFF, agents),
        _route("/partitions", STAFF, partitions),
        _route("/organizations/{organization:uuid}", STAFF, organization),
        _route("/users/{organization:uuid}/{user:uuid}", EVERYBODY, user),
        _route("/sessions/{key}", EVERYBODY, session),
        _route("/sessions/{key}/issues", EVERYBODY, session_issues),
        _route("/sessions/{key}/logs", EVERYBODY, session_log),
    ]


def _user_of(request: Request) -> tuple[UUID, UUID]:
    return request.path_params["organization"], request.path_params["user"]
