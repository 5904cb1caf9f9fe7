"""Byte-level guards of the event decoder: what a JSON parser lets through and Postgres, or a reader, would choke on.

Everything here works on the bytes of one JSON text and is cheap when there is nothing to find.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
"""Objects and arrays may be nested this deep, the event itself counted."""

_ESCAPED_TROUBLE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPES: Final = re.compile(
    rb"\\\\"  # an escaped backslash: what follows it is plain text
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|(?P<nul>\\u0000)"
)
_TIME_MEMBERS: Final = b"time|started_at|ended_at|deadline_at|next_run_at|sent_at|at|since|expires_at|finished_at"
FINE_TIME: Final = re.compile(rb"\.\d{7}")
# A quote inside a JSON string follows a backslash, the one that opens a member's name never does: no text matches.
_FINE_TIME_MEMBER: Final = re.compile(rb'(?<!\\)("(?:' + _TIME_MEMBERS + rb')"\s*:\s*"[^"\\]*?\.\d{6})\d+')
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class Doubled(ValueError):
    """A member stands twice in one object; the message is its name."""


def has_escapes_to_mend(value: bytes) -> bool:
    """Tell whether an escape that may be a NUL or half of a surrogate pair occurs at all."""
    return _ESCAPED_TROUBLE.search(value) is not None


def mend_escapes(value: bytes, most: int | None = None) -> tuple[bytes, bool]:
    """Replace each lone surrogate by U+FFFD, nothing else; also tell whether a text holds NUL.

    Beyond `most` replacements the rest stays as it is, so that a hostile body costs no more.
    """
    parts: list[bytes] = []
    at = 0
    nul = False
    for match in _ESCAPES.finditer(value):
        if match["half"] is not None:
            if most is not None and len(parts) >= 2 * most:
                break
            parts += (value[at : match.start()], b"\\ufffd")
            at = match.end()
        elif match["nul"] is not None:
            nul = True
    return (b"".join((*parts, value[at:])) if parts else value), nul


def has_fine_time(value: bytes) -> bool:
    """Tell whether a number, or a time, has more digits behind its point than a time may keep."""
    return FINE_TIME.search(value) is not None


def cut_times(value: bytes) -> bytes:
    """Cut the digits past microseconds from members that hold times, and from nothing else.

    A parser would round them: `.9999999` would move a session into the next second, perhaps into the next day.
    """
    return _FINE_TIME_MEMBER.sub(rb"\1", value) if has_fine_time(value) else value


def is_too_deep(value: bytes, limit: int = MAX_DEPTH) -> bool:
    """Tell whether objects and arrays are nested deeper than `limit`. Never recurses, whatever the input."""
    if value.count(b"{") + value.count(b"[") <= limit:
        return False
    brackets = value.translate(None, _NOT_BRACKETS)
    for _ in range(limit):  # each round peels off the innermost level of all that is balanced
        peeled = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not peeled:
            return False
        if len(peeled) == len(brackets):
            break
        brackets = peeled
    return _depth_exceeds(value, limit)


def _depth_exceeds(value: bytes, limit: int) -> bool:
    depth = 0
    for match in _TOKENS.finditer(value):
        token = match[0]
        if token in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif token in b"]}":
            depth -= 1
    return False


def check_doubled(value: bytes) -> None:
    """Raise `Doubled` when any object of this valid JSON text has a member twice, escapes in names resolved."""
    _DOUBLES.decode(value.decode())


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _complain(pairs)
    return members


def _complain(pairs: Sequence[tuple[str, object]]) -> NoReturn:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Doubled(name)
        seen.add(name)
    raise AssertionError("no member is doubled")


# Numbers are not looked at: an integer of 5,000 digits must not become a ValueError here.
_DOUBLES: Final = json.JSONDecoder(object_pairs_hook=_members, parse_int=float, parse_float=float)


def find_nul(value: bytes) -> str:
    """Return the JSON pointer of the first text (or member name) that holds NUL; empty when none does."""
    return _find_nul(json.loads(value, parse_int=float), "") or ""


def _find_nul(node: object, pointer: str) -> str | None:
    match node:
        case str():
            return pointer if "\0" in node else None
        case dict():
            inner: Sequence[tuple[str, object]] = [(escape_pointer(name), item) for name, item in node.items()]
            if any("\0" in name for name in node):
                return pointer
        case list():
            inner = [(str(index), item) for index, item in enumerate(node)]
        case _:
            return None
    return next((found for name, item in inner if (found := _find_nul(item, f"{pointer}/{name}")) is not None), None)


def escape_pointer(name: str) -> str:
    """Escape one member name for a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def without_nulls(node: Any) -> Any:
    """Return the parsed JSON value without members that are null, at any depth; elements of arrays stay."""
    if isinstance(node, dict):
        return {name: without_nulls(item) for name, item in node.items() if item is not None}
    if isinstance(node, list):
        return [without_nulls(item) for item in node]
    return node
