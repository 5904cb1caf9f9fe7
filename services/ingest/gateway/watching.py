"""Around every request: how long it took, and one line of log without query values or header values."""

import logging
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest import metrics

_LOG: Final = logging.getLogger(__name__)


class Watching:
    """Pure ASGI middleware; the path of an unknown route is not logged, it may hold anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        code = "500"

        async def noting(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._note(scope, code, time.monotonic() - began)

    def _note(self, scope: dict[str, Any] | Any, code: str, seconds: float) -> None:
        route = scope["path"] if scope["path"] in metrics.ROUTES else "other"
        metrics.REQUEST_SECONDS.labels(route, code if code in metrics.CODES else "500").observe(seconds)
        level = logging.DEBUG if code == "202" else logging.INFO
        _LOG.log(
            level,
            "answered",
            extra={
                "action": "answered",
                "method": scope["method"],
                "route": route,
                "code": code,
                "seconds": round(seconds, 4),
            },
        )
