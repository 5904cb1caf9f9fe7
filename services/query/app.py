"""Puts the query service together: routes of API, exports and panel, and how failures are told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from services.query.api.routes import routes as api_routes
from services.query.api.sign_in import form_routes, is_json
from services.query.exports.routes import routes as export_routes
from services.query.guard import Guard, admit, failed
from services.query.metrics import present_at_zero
from services.query.panel import errors
from services.query.panel import routes as panel
from services.query.principal import PLAIN_COOKIE, SECURE_COOKIE
from services.query.problems import NotFound, Refusal, Unauthorized, document
from services.query.services import Services
from services.query.views.filters import Problem
from services.query.views.view import BadQuery

API: Final = "/api/v1"
FILES: Final = (".csv", ".zip")
"""How addresses of the API end that people open, too."""


def build(services: Services) -> Starlette:
    """Return the application; `services` is open already and is closed with it."""
    routes = [
        *(_guarded(services, route, API) for route in (*api_routes(services), *export_routes(services))),
        *(_guarded(services, route, "") for route in (*form_routes(services), *panel.routes(services))),
    ]
    present_at_zero(sorted({_template(route) for route in routes}))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        for task in list(services.running_exports.values()):
            task.cancel()
        await services.pools.close()

    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, services=services)],
        exception_handlers={
            Refusal: _refused,
            BadQuery: _bad_query,
            HTTPException: _http,
        },
        lifespan=lifespan,
    )
    app.state.services = services
    return app


def _template(route: BaseRoute) -> str:
    return getattr(route, "path", "mount")


def _guarded(services: Services, route: BaseRoute, prefix: str) -> BaseRoute:
    """Return the route with its prefix, answering only whom `admit` lets in."""
    if not isinstance(route, Route):
        assert isinstance(route, Mount)
        return route
    path = prefix + route.path
    endpoint: Callable[[Request], Awaitable[Response]] = route.endpoint

    async def answer(request: Request) -> Response:
        request.state.route = path
        try:
            request.state.principal = await admit(services, request)
            return await endpoint(request)
        except (Refusal, BadQuery, HTTPException):
            raise
        except Exception as error:  # told here and not in the outermost layer, so that this answer has our headers too
            return await _refused(request, failed(error, request.state.request_id))

    methods = [method for method in route.methods or ("GET",) if method != "HEAD"]
    return Route(path, answer, methods=methods, name=f"{prefix}{route.name}" if prefix else route.name)


def is_api(request: Request) -> bool:
    """Whether a program asks: it gets a problem document, not a page. A browser that was led to a file is none."""
    if request.url.path.startswith(API):
        return not (request.url.path.endswith(FILES) and "text/html" in request.headers.get("accept", ""))
    return is_json(request)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    swaps = "hx-request" in request.headers  # a part of a page is never exchanged for the one to sign in
    if isinstance(error, Unauthorized) and not is_api(request) and request.method == "GET" and not swaps:
        was_in = request.cookies.keys() & {PLAIN_COOKIE, SECURE_COOKIE}
        return RedirectResponse("/sign-in?problem=ended" if was_in else "/sign-in", 303)
    answer = await _problem(request, error.status, error.slug, error.title, error.detail)
    if error.retry_after_s is not None:
        answer.headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, Unauthorized):
        answer.headers["www-authenticate"] = "Bearer"
    return answer


async def _bad_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadQuery)
    title = "A parameter was not understood"
    return await _problem(request, 400, "bad_query", title, str(error), error.problems)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await _refused(request, NotFound())
    detail = error.detail
    if error.status_code == 405:
        taken = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        detail = f"This address takes {taken}, and no {request.method}."
    answer = await _problem(request, error.status_code, "http", error.detail, detail)
    answer.headers.update(error.headers or {})
    return answer


async def _problem(
    request: Request, status: int, slug: str, title: str, detail: str, problems: Iterable[Problem] = ()
) -> Response:
    if not is_api(request):
        page = await errors.answer(request.app.state.services, request, status, title, detail, tuple(problems))
        page.headers.add_vary_header("Accept")
        return page
    body = document(status, slug, title, detail)
    if problems:
        body["errors"] = [
            {"parameter": each.parameter, "value": each.value, "detail": each.detail, "allowed": list(each.allowed)}
            for each in problems
        ]
    return Response(orjson.dumps(body), status, media_type="application/problem+json")
