"""Reading a request's body within bounds of size, time and memory of all requests together."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request

from services.ingest.gateway.inflate import MAX_SENT_BYTES
from services.ingest.gateway.validate import BodyRefused

BODY_SECONDS: Final = 20.0
"""A whole body must arrive within this time, however its pieces trickle in."""
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
"""Bodies of all requests that are still arriving."""


@dataclass(slots=True)
class Arriving:
    """The bytes of all bodies that are being read at this moment."""

    size: int = 0


async def read_body(request: Request, arriving: Arriving) -> bytes:
    """Return the body as sent. Raises `BodyRefused` (413, 408, 503), or ClientDisconnect where the client left."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_SENT_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                arriving.size += len(part)
                if size > MAX_SENT_BYTES:
                    raise _too_large()
                if arriving.size > MAX_WAITING_BYTES:
                    raise BodyRefused(503, "busy", "too many bodies are arriving at once")
                parts.append(part)
    except TimeoutError:
        raise BodyRefused(408, "slow_body", f"the body did not arrive within {BODY_SECONDS:.0f} s") from None
    finally:
        arriving.size -= size
    return b"".join(parts)


def _too_large() -> BodyRefused:
    return BodyRefused(413, "too_large", f"a body has at most {MAX_SENT_BYTES} bytes as sent")


__all__ = ["Arriving", "ClientDisconnect", "read_body"]
