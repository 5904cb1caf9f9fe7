"""Answers made small: pages and static text are sent gzipped to browsers that take it.

Pages hold a form token, and a compressed page leaks a little of its content by its length. What that needs, many
requests with the person's cookie from another site, is cut off: the cookie is SameSite.
"""

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

SMALLEST: Final = 800
STATIC_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header takes gzip."""
    for part in accepted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name in {"gzip", "*"}:
            return not any(each in {"q=0", "q=0.0"} for each in parameters)
    return False


def squeezed(request: Request, response: Response) -> Response:
    """Return a page's answer, gzipped where the browser takes that and it is worth it."""
    response.headers.add_vary_header("Accept-Encoding")
    body = bytes(response.body)
    if len(body) < SMALLEST or not takes_gzip(request.headers.get("accept-encoding", "")):
        return response
    response.body = gzip.compress(body, 5, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))
    return response


@lru_cache(maxsize=64)
def squeezed_file(path: Path, changed: float) -> bytes:
    """Return a static file's content, gzipped once; `changed` is when the file was changed."""
    return gzip.compress(path.read_bytes(), 9, mtime=0)
