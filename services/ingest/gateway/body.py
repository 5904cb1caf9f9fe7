"""Reading a request's body within bounds of size, time and memory of all requests together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request

from services.ingest.gateway.inflate import MAX_SENT_BYTES
from services.ingest.gateway.validate import BodyRefused

BODY_SECONDS: Final = 20.0
"""A whole body must arrive within this time, however its pieces trickle in."""
DISCARD_SECONDS: Final = 3.0
MAX_DISCARDED_BYTES: Final = 16 * 1024 * 1024
"""How much of a body that is too large is still read, so that the client hears the answer."""
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
"""Bodies of all requests that arrive or wait to be judged."""


@dataclass(slots=True)
class Waiting:
    """The bytes of all bodies that arrive or wait at this moment."""

    size: int = 0


@contextlib.asynccontextmanager
async def read_body(request: Request, waiting: Waiting) -> AsyncIterator[bytes]:
    """Give the body as sent, which counts as waiting until the block is left.

    Raises `BodyRefused` (413, 408, 503), or ClientDisconnect where the client left.
    """
    body = await _read(request, waiting)
    waiting.size += len(body)
    try:
        yield body
    finally:
        waiting.size -= len(body)


async def _read(request: Request, waiting: Waiting) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_SENT_BYTES:
        await _discard(request)
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                waiting.size += len(part)
                if size > MAX_SENT_BYTES or waiting.size > MAX_WAITING_BYTES:
                    break
                parts.append(part)
            else:
                return b"".join(parts)
    except TimeoutError:
        raise BodyRefused(408, "slow_body", f"the body did not arrive within {BODY_SECONDS:.0f} s") from None
    finally:
        waiting.size -= size
    del parts
    await _discard(request)
    raise _too_large() if size > MAX_SENT_BYTES else BodyRefused(503, "busy", "too many bodies wait at once")


async def _discard(request: Request) -> None:
    """Read on for a moment without keeping anything: a client that is cut while it sends never sees the answer."""
    size = 0
    with contextlib.suppress(TimeoutError, RuntimeError):  # RuntimeError: the stream was read to its end already
        async with asyncio.timeout(DISCARD_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_DISCARDED_BYTES:
                    return


def _too_large() -> BodyRefused:
    return BodyRefused(413, "too_large", f"a body has at most {MAX_SENT_BYTES} bytes as sent")


__all__ = ["ClientDisconnect", "Waiting", "read_body"]
