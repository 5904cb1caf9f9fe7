"""Log lines of a session: read from their chunks, searched, and told where parts are missing."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson
import zstandard

from schemas.folding import fold
from schemas.keys import Key
from schemas.retention import KEPT
from schemas.sql import named_queries
from schemas.vocabulary import LOG_LEVEL, LOG_SOURCE
from services.query.masking import HIDDEN, Names, mask_line
from services.query.names import names_of_session
from services.query.principal import Principal
from services.query.problems import LogTooLong
from services.query.scope import address_of, ensure_own, scope_of
from services.query.services import Services
from services.query.views.filters import Problem
from services.query.views.view import BadQuery

_SQL: Final = named_queries("details")
_LARGEST_CHUNK: Final = 16 * 1024 * 1024
T = TypeVar("T")
MOST_LINES: Final = 250_000
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_PACKED: Final = MOST_BYTES // 4
"""Of a log that is read whole for each look at it: 250,000 lines take 200 MB and 2 s. Lines pack four to one."""
_LONGER: Final = (
    f"Logs are shown up to {MOST_LINES:,} lines or {MOST_BYTES // 2**20} MB, and this one is longer: "
    "the download (logs.zip) has all of it."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: the first `limit` behind position `after`, or the last `limit` before `before`, or the last `tail`;

    with `text`, of levels, of sources.
    """

    after: int = 0
    before: int = 0
    limit: int = 1_000
    tail: int = 0
    text: str = ""
    level: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Parts that did not arrive: `chunks` of them before line `before_line` of an attempt (None: at the end)."""

    attempt: int
    chunk: int
    chunks: int
    before_line: int | None


def lines_of(body: bytes) -> list[dict[str, Any]]:
    """Return the lines of a stored chunk, as sent but for secrets."""
    lines = orjson.loads(zstandard.ZstdDecompressor().decompress(body, max_output_size=_LARGEST_CHUNK))
    assert isinstance(lines, list)
    return lines


def gaps_of(chunks: Sequence[Mapping[str, Any]], sent: int | None, attempt: int) -> list[Gap]:
    """Return the parts missing between the chunks of one attempt, and at its end where it said how many it sent."""
    gaps = []
    expected = 0
    for chunk in chunks:
        if chunk["chunk_no"] > expected:
            gaps.append(Gap(attempt, expected, chunk["chunk_no"] - expected, chunk["first_line"]))
        expected = chunk["chunk_no"] + 1
    if sent is not None and sent > expected:
        gaps.append(Gap(attempt, expected, sent - expected, None))
    return gaps


def by_attempt(chunks: Sequence[Any]) -> Iterator[tuple[int, list[Any]]]:
    """Yield (attempt, its chunks), both in order."""
    for attempt in sorted({chunk["attempt"] for chunk in chunks}):
        yield attempt, [chunk for chunk in chunks if chunk["attempt"] == attempt]


def is_past(row: Mapping[str, Any], chunks: Sequence[Any], now: datetime) -> bool:
    """Whether nothing of what was sent of a session's log is here any more, because logs are kept no longer."""
    return not chunks and row["log_chunks_sent"] > 0 and row["started_at"] <= now - KEPT.logs


def all_gaps(row: Mapping[str, Any], chunks: Sequence[Any], now: datetime) -> list[Gap]:
    """Return the missing parts of a session's whole log; only its newest attempt says how many it sent."""
    if is_past(row, chunks, now):
        return []
    gaps = []
    seen = set()
    for attempt, own in by_attempt(chunks):
        seen.add(attempt)
        gaps += gaps_of(own, row["log_chunks_sent"] if attempt == row["attempt"] else None, attempt)
    if row["attempt"] not in seen and row["log_chunks_sent"]:
        gaps += gaps_of([], row["log_chunks_sent"], row["attempt"])
    return gaps


async def session_log(services: Services, principal: Principal, key: str, wanted: Wanted) -> dict[str, Any]:
    """Return a session's log lines and what is known of its completeness.

    {"lines": [{position, attempt, line, at, level, source, message, exception}], "total", "matching", "next" (the
    `after` of the following page, or None), "previous" (the `before` of the page in front, or None), "gaps":
    [{attempt, chunk, chunks, before_line}], "past" (kept no longer), "dropped_lines", "chunks_dropped", "redactions",
    "running", "levels": {level: n}, "sources": {source: n}}, both of the whole log. `position`: see `numbered`.
    """
    check(wanted)
    now = services.now()
    return await read_log(
        services, principal, key,
        lambda row, chunks, names: log_body(row, chunks, numbered(chunks), names, wanted, now),
    )  # fmt: skip


async def read_log(
    services: Services, principal: Principal, key: str, read: Callable[[Any, list[Any], Names | None], T]
) -> T:  # fmt: skip
    """Return what `read` makes, in a thread, of a session, all of its log's chunks in order and the names to be masked.

    None for names: none is masked. Lines tell names of their own; those of the session's issues may stand in any of
    them. Raises LogTooLong before a line is read; few are read at a time, so that memory has a bound.
    """
    address = address_of(key)
    async with services.log_reads:
        async with services.reading(scope_of(principal)) as connection:
            row = await _session_of(connection, principal, address)
            size = await connection.fetchrow(_SQL["log_size"], *address)
            if size["lines"] > MOST_LINES or size["packed"] > MOST_PACKED:
                raise LogTooLong(_LONGER)
            chunks = list(await connection.fetch(_SQL["log_chunks"], *address))
            names = await _names_to_mask(services, connection, principal, address)
        if sum(zstandard.frame_content_size(chunk["body"]) for chunk in chunks) > MOST_BYTES:
            raise LogTooLong(_LONGER)
        return await asyncio.to_thread(read, row, chunks, names)


async def log_tail(services: Services, principal: Principal, key: str, count: int) -> list[dict[str, Any]]:
    """Return the last lines of a session's log as `session_log` does; no more of it is read than they need."""
    address = address_of(key)
    async with services.reading(scope_of(principal)) as connection:
        await _session_of(connection, principal, address)
        chunks = await connection.fetch(_SQL["log_tail"], *address, count)
        names = await _names_to_mask(services, connection, principal, address)
    before = chunks[0]["position"] if chunks else 0
    return await asyncio.to_thread(lambda: [seen(line, names) for line in numbered(chunks, before)[-count:]])


async def _session_of(connection: Any, principal: Principal, address: Key) -> Any:
    row = await connection.fetchrow(_SQL["session_of_log"], *address)
    ensure_own(principal, row)
    return row


async def _names_to_mask(services: Services, connection: Any, principal: Principal, address: Key) -> Names | None:
    return await names_of_session(connection, address) if principal.masks_names(services.now()) else None


def log_body(
    row: Mapping[str, Any], chunks: Sequence[Any], lines: Sequence[Mapping[str, Any]], names: Names | None,
    wanted: Wanted, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Return what `session_log` answers, from the rows and their lines; `names`: those to be masked."""
    matching = [line for line in lines if matches(line, wanted, names)]
    start, end = _window([line["position"] for line in matching], wanted)
    shown = [seen(line, names) for line in matching[start:end]]
    return {
        "lines": shown,
        "total": len(lines),
        "matching": len(matching),
        "next": shown[-1]["position"] if shown and end < len(matching) else None,
        "previous": shown[0]["position"] if shown and start else None,
        "gaps": [
            {"attempt": gap.attempt, "chunk": gap.chunk, "chunks": gap.chunks, "before_line": gap.before_line}
            for gap in all_gaps(row, chunks, now)
        ],
        "past": is_past(row, chunks, now),
        "dropped_lines": sum(chunk["dropped_lines"] for chunk in chunks),
        "chunks_dropped": row["log_chunks_dropped"],
        "redactions": sum(chunk["redactions"] for chunk in chunks),
        "running": row["status"] == "running",
        "levels": Counter(line["level"] for line in lines),
        "sources": Counter(line["source"] for line in lines),
    }


def _window(positions: Sequence[int], wanted: Wanted) -> tuple[int, int]:
    """Return from where to where the lines wanted stand among those that match."""
    if wanted.tail:
        return max(bisect_right(positions, wanted.after), len(positions) - wanted.tail), len(positions)
    if wanted.before:
        end = bisect_left(positions, wanted.before)
        return max(0, end - wanted.limit), end
    start = bisect_right(positions, wanted.after)
    return start, min(start + wanted.limit, len(positions))


def numbered(chunks: Sequence[Any], position: int = 0) -> list[dict[str, Any]]:
    """Return all lines of a log as sent, each with its `position`, which rises over all attempts; `seen` shows one.

    That is its number as the agent counts, so that it stays what it is when a lost part arrives late; where an agent
    counts anew in another attempt, the next number. `position`: of the line before these.
    """
    lines: list[dict[str, Any]] = []
    for chunk, index, line in _read(chunks):
        number = chunk["first_line"] + index
        position = max(position + 1, number)
        lines.append({
            "position": position,
            "attempt": chunk["attempt"],
            "line": number,
            "at": line.get("at"),
            "level": line.get("level", "info"),
            "source": line.get("source", "agent"),
            "message": line.get("message", ""),
            "exception": line.get("exception"),
            "names": line.get("names", ()),
        })  # fmt: skip
    return lines


def seen(line: Mapping[str, Any], names: Names | None) -> dict[str, Any]:
    """Return a line as it is shown: with these names and its own masked, with None as it was sent."""
    shown = dict(line) if names is None else mask_line(line, names)
    del shown["names"]
    return shown


def _read(chunks: Sequence[Any]) -> Iterator[tuple[Any, int, dict[str, Any]]]:
    for chunk in chunks:
        for index, line in enumerate(lines_of(chunk["body"])):
            yield chunk, index, line


def matches(line: Mapping[str, Any], wanted: Wanted, names: Names | None) -> bool:
    """Whether a line is of the levels and sources wanted, and holds the text as it is shown.

    Masking takes longer than looking, so only what holds the text at all is masked for it, unless it is masked itself.
    """
    if wanted.level and line["level"] not in wanted.level.split(","):
        return False
    if wanted.source and line["source"] not in wanted.source.split(","):
        return False
    if not wanted.text:
        return True
    text = fold(wanted.text)
    if names is None:
        return _holds(line, text)
    return (HIDDEN in text or _holds(line, text)) and _holds(seen(line, names), text)


def _holds(line: Mapping[str, Any], text: str) -> bool:
    return text in fold(line["message"]) or text in fold(line["exception"] or "")


def check(wanted: Wanted) -> None:
    """Raise BadQuery for a level or a source that there is not."""
    problems = [
        Problem(name, value, "is not one of the allowed", tuple(allowed))
        for name, value, allowed in (("level", wanted.level, LOG_LEVEL), ("source", wanted.source, LOG_SOURCE))
        if value and set(value.split(",")) - set(allowed)
    ]
    if problems:
        raise BadQuery(problems)
