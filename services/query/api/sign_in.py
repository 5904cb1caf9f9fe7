"""Signing in and out, revealing and hiding names, keeping preferences: the few requests that change something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.query.guard import own_path
from services.query.preferences import problems_of
from services.query.principal import (
    LONGEST,
    Principal,
    cookie_name,
    hide,
    reveal,
    save_preferences,
    sign_in,
    sign_out,
)
from services.query.problems import Refusal
from services.query.services import Services
from services.query.views.view import BadQuery


class BadBody(Refusal):
    """A body that cannot be used."""

    status, slug, title = 400, "bad_body", "The body was not understood"


def form_routes(services: Services) -> list[Route]:
    """Return the routes that forms of the panel post to; they stand outside /api/v1."""

    async def use_link(request: Request) -> Response:
        cookie = await sign_in(services, request.path_params["token"])
        if cookie is None:
            return RedirectResponse("/sign-in?problem=expired", 303)
        answer = RedirectResponse("/", 303)
        secure = services.settings.secure
        answer.set_cookie(
            cookie_name(secure), cookie, max_age=int(LONGEST.total_seconds()), path="/", secure=secure, httponly=True,
            samesite="lax",
        )  # fmt: skip
        return answer

    async def leave(request: Request) -> Response:
        principal: Principal | None = request.state.principal
        if principal is not None and principal.cookie_hash is not None:
            await sign_out(services, principal)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(cookie_name(services.settings.secure), path="/", secure=services.settings.secure)
        return answer

    def names(path: str, choose: Callable[[Services, Principal], Awaitable[None]]) -> Route:
        async def answer(request: Request) -> Response:
            principal: Principal = request.state.principal
            principal.may("support")
            await choose(services, principal)
            return RedirectResponse(own_path((await request.form()).get("next")), 303)

        return Route(path, answer, methods=["POST"])

    async def preferences(request: Request) -> Response:
        principal: Principal = request.state.principal
        await save_preferences(services, principal, await _changes(request))
        if is_json(request):
            return Response(status_code=204)
        return RedirectResponse(own_path((await request.form()).get("next")), 303)

    return [
        Route("/sign-in/{token}", use_link, methods=["POST"]),
        Route("/sign-out", leave, methods=["POST"]),
        names("/reveal", reveal),
        names("/hide", hide),
        Route("/preferences", preferences, methods=["POST"]),
    ]


def is_json(request: Request) -> bool:
    """Whether a program's body comes, not a form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().casefold() == "application/json"


async def _changes(request: Request) -> dict[str, Any]:
    """Return the preferences that a body sets."""
    if is_json(request):
        try:
            given: Any = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            given = None
    else:
        given = {name: value for name, value in (await request.form()).items() if name not in ("csrf", "next")}
    if not isinstance(given, dict):
        raise BadBody("Expected an object of preferences.")
    if problems := problems_of(given):
        raise BadQuery(problems)
    return given
