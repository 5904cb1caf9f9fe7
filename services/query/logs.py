"""Log lines of a session: read from their chunks, searched, and told where parts are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import zstandard

from schemas.folding import fold
from schemas.keys import session_of
from schemas.sql import named_queries
from schemas.vocabulary import LOG_LEVEL, LOG_SOURCE
from services.query.filters import Problem
from services.query.lists import scope_of
from services.query.principal import Principal
from services.query.problems import NotFound
from services.query.services import Services
from services.query.view import BadQuery

_SQL: Final = named_queries("details")
_LARGEST_CHUNK: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: behind position `after`, at most `limit`, or the last `tail`; with `text`, of levels, of sources."""

    after: int = 0
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


def all_gaps(row: Mapping[str, Any], chunks: Sequence[Any]) -> list[Gap]:
    """Return the missing parts of a session's whole log; only its newest attempt says how many it sent."""
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
    `after` of the following page, or None), "gaps": [{attempt, chunk, chunks, before_line}], "dropped_lines",
    "chunks_dropped", "redactions", "running", "levels": {level: n}}. `position` counts from 1 over all attempts.
    """
    _check(wanted)
    address = session_of(key)
    if address is None:
        raise NotFound
    async with services.reading(scope_of(principal)) as connection:
        row = await connection.fetchrow(_SQL["session_of_log"], *address)
        if row is None or (principal.user_id is not None and row["user_id"] != principal.user_id):
            raise NotFound
        chunks = await connection.fetch(_SQL["log_chunks"], *address)
    return log_body(row, chunks, wanted)


def log_body(row: Mapping[str, Any], chunks: Sequence[Any], wanted: Wanted) -> dict[str, Any]:
    """Return what `session_log` answers, from the rows."""
    levels: dict[str, int] = {}
    matching = []
    total = 0
    for line in _numbered(chunks):
        total += 1
        levels[line["level"]] = levels.get(line["level"], 0) + 1
        if _matches(line, wanted):
            matching.append(line)
    behind = [line for line in matching if line["position"] > wanted.after]
    shown = behind[-wanted.tail :] if wanted.tail else behind[: wanted.limit]
    more = not wanted.tail and len(behind) > len(shown)
    return {
        "lines": shown,
        "total": total,
        "matching": len(matching),
        "next": shown[-1]["position"] if more else None,
        "gaps": [
            {"attempt": gap.attempt, "chunk": gap.chunk, "chunks": gap.chunks, "before_line": gap.before_line}
            for gap in all_gaps(row, chunks)
        ],
        "dropped_lines": sum(chunk["dropped_lines"] for chunk in chunks),
        "chunks_dropped": row["log_chunks_dropped"],
        "redactions": sum(chunk["redactions"] for chunk in chunks),
        "running": row["status"] == "running",
        "levels": levels,
    }


def _numbered(chunks: Sequence[Any]) -> Iterator[dict[str, Any]]:
    position = 0
    for chunk in chunks:
        for index, line in enumerate(lines_of(chunk["body"])):
            position += 1
            yield {
                "position": position,
                "attempt": chunk["attempt"],
                "line": chunk["first_line"] + index,
                "at": line.get("at"),
                "level": line.get("level", "info"),
                "source": line.get("source", "agent"),
                "message": line.get("message", ""),
                "exception": line.get("exception"),
            }


def _matches(line: Mapping[str, Any], wanted: Wanted) -> bool:
    if wanted.level and line["level"] not in wanted.level.split(","):
        return False
    if wanted.source and line["source"] not in wanted.source.split(","):
        return False
    if not wanted.text:
        return True
    text = fold(wanted.text)
    return text in fold(line["message"]) or text in fold(line["exception"] or "")


def _check(wanted: Wanted) -> None:
    problems = [
        Problem(name, value, "is not one of the allowed", tuple(allowed))
        for name, value, allowed in (("level", wanted.level, LOG_LEVEL), ("source", wanted.source, LOG_SOURCE))
        if value and set(value.split(",")) - set(allowed)
    ]
    if problems:
        raise BadQuery(problems)
