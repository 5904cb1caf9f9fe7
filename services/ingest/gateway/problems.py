"""Answers that say no: RFC 9457 problem documents. Pure."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

CONTENT_TYPE: Final = "application/problem+json"

_TITLES: Final = {
    413: "Content Too Large",
    422: "Unprocessable Content",
}


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: where (a JSON pointer, or a parameter) and what was expected."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    reason: str | None = None
    id: str | None = None


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document; `type` is a name that stays, and leads to no page."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: Sequence[Fault] = ()


def problem(status: int, reason: str, detail: str, instance: str, errors: Sequence[Fault] = ()) -> bytes:
    """Return a problem document as JSON."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    return msgspec.json.encode(Problem(f"/problems/{reason}", title, status, detail, instance, errors))
