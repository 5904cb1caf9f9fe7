"""What surrounds every request: who asks, forged forms, hosts, headers, times. Plain ASGI: streams stay streams."""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.query.metrics import REQUEST_SECONDS
from services.query.principal import Principal, principal_of
from services.query.problems import Failed, Forbidden, Refusal, TooLarge, Unauthorized, document
from services.query.services import Services, is_loopback

LOG: Final = logging.getLogger(__name__)
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
_OF_DOCUMENTS: Final = (
    ("x-frame-options", "DENY"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)
"""What means nothing to a script or a style, of which a page loads thirty."""
_HSTS: Final = ("strict-transport-security", "max-age=31536000; includeSubDomains")
_CREDENTIALS: Final = frozenset({"token", "access_token", "api_key", "apikey", "key", "password", "secret"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN: Final = ("/static/", "/sign-in", "/api/v1/openapi.json")
"""Paths that nobody need be signed in for."""
_LARGEST_BODY: Final = 16_384
"""In bytes. Every body that is read here is a form, or a form's values as JSON."""


class Guard:
    """Adds headers to every answer, measures it, and finds out who asks."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services
        self.headers = (*_HEADERS, _HSTS) if services.settings.secure else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status, started_answer = 500, False
        request_id = secrets.token_hex(4)
        scope.setdefault("state", {}).update(request_id=request_id, asked_at=self.services.now())

        async def sending(message: Message) -> None:
            nonlocal status, started_answer
            if message["type"] == "http.response.start":
                status, started_answer = message["status"], True
                self._dress(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        try:
            if _host_of(scope) is None:  # nothing can be told of an address like this, also not who asks
                await _MISDIRECTED(scope, receive, sending)
            else:
                await self.app(scope, _at_most(_LARGEST_BODY, receive), sending)
        except Exception as error:
            if started_answer:  # the connection must break, so that nobody takes what was sent for all of it
                raise
            await _answer_of(failed(error, request_id))(scope, receive, sending)
        finally:
            elsewhere = "/static" if scope["path"].startswith("/static/") else "none"
            route = scope.get("state", {}).get("route", elsewhere)
            seconds = time.perf_counter() - started
            REQUEST_SECONDS.labels(route, str(status)).observe(seconds)
            said = {"action": "answered", "route": route, "code": status, "seconds": round(seconds, 4)}
            LOG.info("%s %s", scope["method"], route, extra={**said, "request_id": request_id})

    def _dress(self, headers: MutableHeaders, path: str, request_id: str) -> None:
        headers["x-request-id"] = request_id
        for name, value in self.headers:
            headers.setdefault(name, value)
        if not path.startswith("/static/"):
            headers.setdefault("cache-control", "no-store")
            for name, value in _OF_DOCUMENTS:
                headers.setdefault(name, value)


def _at_most(largest: int, receive: Receive) -> Receive:
    """Return a `receive` that raises TooLarge as soon as a body is longer, whoever reads it and whatever it is."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > largest:
            raise TooLarge(f"At most {largest // 1024} KiB are taken.")
        return message

    return receiving


def failed(error: Exception, request_id: str) -> Failed:
    """Log what is a fault of ours, and return what is told of it."""
    LOG.error("request failed", exc_info=error, extra={"action": "request_failed", "request_id": request_id})
    return Failed(request_id)


def _answer_of(problem: Refusal) -> Response:
    body = document(problem.status, problem.slug, problem.title, problem.detail)
    return Response(orjson.dumps(body), problem.status, media_type="application/problem+json")


_MISDIRECTED: Final = _answer_of(Refusal("The Host header holds no host name."))


async def admit(services: Services, request: Request) -> Principal | None:
    """Return who asks, or raise: a credential in the URL, nobody, a forged form. None on the open paths."""
    _check_host(services, request)
    names = {name.casefold() for name, _ in parse_qsl(request.url.query, keep_blank_values=True)}
    if names & _CREDENTIALS:
        raise Unauthorized("Credentials are never taken from a URL, which lands in logs: send a header.")
    open_path = request.url.path.startswith(_OPEN)
    try:
        principal = await principal_of(services, request)
    except Unauthorized:
        if not open_path:
            raise
        principal = None
    if request.method not in _SAFE:
        await _check_form(services, request, principal)
    return principal


def _host_of(scope: Scope) -> str | None:
    """Return the host name that is asked for, empty where none is named; None for what is no host at all."""
    try:
        return urlsplit(f"//{HTTPConnection(scope).headers.get('host', '')}").hostname or ""
    except ValueError:
        return None


def _check_host(services: Services, request: HTTPConnection) -> None:
    """Refuse foreign host names: a page elsewhere could point its own name at this machine."""
    host = _host_of(request.scope) or ""
    if not is_loopback(host) and host != urlsplit(services.settings.public_url).hostname:
        raise Forbidden("This host name is not ours.")


async def _check_form(services: Services, request: Request, principal: Principal | None) -> None:
    """Refuse what another site's page can make a browser send."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This request comes from another site.")
    origin = request.headers.get("origin")
    own = {services.settings.public_url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if origin is not None and origin not in own:
        raise Forbidden("This request comes from another site.")
    if principal is None or principal.cookie_hash is None or request.url.path.startswith("/sign-in/"):
        return  # a link is its own secret, also for somebody who is still signed in as another
    token = request.headers.get("x-csrf-token") or await _form_token(request)
    if not hmac.compare_digest(token.encode(), principal.csrf(services.secret).encode()):
        raise Forbidden("This form is too old or not ours. Reload the page and send it again.")


async def _form_token(request: Request) -> str:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return ""
    token: Any = (await request.form()).get("csrf", "")
    return token if isinstance(token, str) else ""


def own_path(value: Any) -> str:
    """Return the path of ours that a form names to go back to; `/` for another site's address and whatever else."""
    own = (
        isinstance(value, str) and value.startswith("/") and not value.startswith(("//", "/\\")) and value.isprintable()
    )
    return value if own else "/"
