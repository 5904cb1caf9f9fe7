"""What can go wrong with a request, as exceptions; the app turns each into an RFC 9457 answer or an error page."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request that is answered with a problem: its status, a stable slug, a title and what to do."""

    status = 400
    slug = "bad_request"
    title = "This cannot be answered"
    retry_after_s: int | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Refusal):
    """It does not exist, or is somebody else's: the same answer for both."""

    status, slug, title = 404, "not_found", "Not found"

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"There is nothing here that you may see. {reason}".rstrip())


class Unauthorized(Refusal):
    """Nobody is signed in, or the key is unknown, expired or revoked."""

    status, slug, title = 401, "unauthorized", "Sign in first"


class Forbidden(Refusal):
    """Who asks is known, and may not do this."""

    status, slug, title = 403, "forbidden", "Not allowed"


class TooLarge(Refusal):
    """A body that is longer than any form of ours."""

    status, slug, title = 413, "too_large", "The body is too large"


class TooWide(Refusal):
    """The view is too wide to sort so, or the filter too wide to be answered in time."""

    status, slug, title = 400, "too_wide_to_sort", "Too many rows for this order"


class LogTooLong(Refusal):
    """A log that is longer than one that is read whole for each look at it."""

    status, slug, title = 400, "log_too_long", "This log is too long to be read here"


class TooSlow(Refusal):
    """The database did not answer in the time a page may take."""

    status, slug, title = 504, "too_wide", "The filter is too wide"

    def __init__(self) -> None:
        super().__init__(
            "The rows could not be found in time. Add an organization, a status or a time, "
            "or take the file (.csv) of this view: it has the time to look at every row."
        )


class Failed(Refusal):
    """A fault of ours: what it was stands in our log, under the id of the request."""

    status, slug, title = 500, "internal", "This failed on our side"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Nothing was changed. The request's id is {request_id}; our log says more under it.")


class Busy(Refusal):
    """Every connection of this kind is in use, or the database is away."""

    status, slug, title = 503, "busy", "Try again shortly"
    retry_after_s = 2


def document(status: int, slug: str, title: str, detail: str) -> dict[str, Any]:
    """Return what every problem document (RFC 9457) of ours has."""
    return {"type": f"urn:syncwatch:problem:{slug}", "title": title, "status": status, "detail": detail}
