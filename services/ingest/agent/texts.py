"""Making texts fit to be sent: whole characters, no NUL, no halves of pairs, no secrets, no more than allowed. Pure."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.events import MAX_DETAIL_BYTES, MAX_ERROR_TEXT_BYTES, MAX_EXCEPTION_BYTES, MAX_NAME_CHARACTERS, Failure
from schemas.kinds import MAX_NAMES
from schemas.redact import redact

_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
_MAX_SHORT: Final = 256
_MAX_SLUG: Final = 64
_NAMES_BYTES: Final = 16 * 1024
"""Names of one line, as JSON: it has to fit into a chunk with them."""


def clean(text: str) -> str:
    """Return the text with U+FFFD in place of NUL and of lone surrogates, which no store takes."""
    return _UNFIT.sub("\ufffd", text)


def cut_bytes(text: str, limit: int) -> str:
    """Return at most `limit` bytes of UTF-8, cut between characters, ending with how much is missing.

    As JSON it takes at most twice the limit, so that a report never outgrows an event for its own error text.
    """
    text = clean(text)
    size = len(text.encode())
    if size <= limit and _escaped(text) <= 2 * limit:
        return text
    room = limit
    while True:
        kept = text.encode()[: max(0, room - 48)].decode(errors="ignore")
        marked = f"{kept}… [{size - len(kept.encode())} bytes cut]"
        if _escaped(marked) <= 2 * limit:
            return marked
        room = room * 3 // 4


def cut_middle(text: str, limit: int) -> str:
    """Return at most `limit` bytes of UTF-8, more than 200: beginning and end, and between them how much is missing.

    As JSON it takes at most twice the limit, as with `cut_bytes`.
    """
    coded = clean(text).encode()
    if len(coded) <= limit and _escaped(coded.decode()) <= 2 * limit:
        return coded.decode()
    room = limit
    while True:
        half = (room - 64) // 2
        head, tail = (part.decode(errors="ignore") for part in (coded[:half], coded[-half:]))
        missing = len(coded) - len(head.encode()) - len(tail.encode())
        marked = f"{head}\n… [{missing} bytes cut]\n{tail}"
        if _escaped(marked) <= 2 * limit:
            return marked
        room = room * 3 // 4


def cut_characters(text: str, limit: int) -> str:
    """Return at most `limit` characters, ending with how many are missing."""
    text = clean(text)
    if len(text) <= limit:
        return text
    kept = text[: limit - 24]
    return f"{kept}… [{len(text) - len(kept)} more]"


def name(text: str) -> str:
    """Return a name or an id as it may be sent."""
    return cut_characters(text, MAX_NAME_CHARACTERS)


def names(given: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names as a line of a log may tell them, and those that it has no room for.

    A name that is too long is told in pieces, so that each of them can be found in the line.
    """
    told: list[str] = []
    untold = []
    room = _NAMES_BYTES
    for each in filter(None, dict.fromkeys(given)):
        fit = redact(clean(each))
        pieces = [fit[at : at + MAX_NAME_CHARACTERS] for at in range(0, len(fit), MAX_NAME_CHARACTERS)]
        room_after = room - sum(map(_escaped, pieces))
        if room_after >= 0 and len(told) + len(pieces) <= MAX_NAMES:
            told += pieces
            room = room_after
        else:
            untold.append(each)
    return tuple(told), tuple(untold)


def without(text: str, names: Iterable[str]) -> str:
    """Return the text without names that cannot be told with it."""
    for each in sorted(names, key=len, reverse=True):
        text = text.replace(each, "[name]")
    return text


def short(text: str) -> str:
    """Return a code or a version as it may be sent."""
    return cut_characters(text, _MAX_SHORT)


def slug(text: str) -> str:
    """Return a member of an open list as it may be sent."""
    return clean(text)[:_MAX_SLUG] or "other"


def message(text: str) -> str:
    """Return an error's message as it may be sent."""
    return cut_bytes(redact(clean(text)), MAX_ERROR_TEXT_BYTES)


def exception(text: str, limit: int = MAX_EXCEPTION_BYTES) -> str:
    """Return an exception's text, with its trace, as it may be sent: what it says and where it ended are kept."""
    return cut_middle(redact(clean(text)), limit)


def detail(text: str) -> str:
    """Return a status detail as it may be sent."""
    return cut_bytes(redact(clean(text)), MAX_DETAIL_BYTES)


def failure(error: Failure) -> Failure:
    """Return the failure with every text as it may be sent."""
    return msgspec.structs.replace(
        error,
        source=slug(error.source),
        category=slug(error.category),
        code=short(error.code),
        message=message(error.message),
        exception=None if error.exception is None else exception(error.exception),
    )


def _escaped(text: str) -> int:
    return len(msgspec.json.encode(text))


def line(text: str, limit: int) -> str:
    """Return a line of a log as it may be sent."""
    return cut_bytes(redact(clean(text)), limit)
