"""Cutting a session's log into chunks that fit into an event. Pure."""

from typing import Final

import msgspec

from schemas.events import LogLine

_MOST_BYTES: Final = 160 * 1024
"""Encoded lines of one chunk: with envelope and data below the limit of 192 KiB."""


class Chunks:
    """Takes lines, gives chunks: consecutive lines, numbered from 1 in the attempt, as chunks are from 0."""

    def __init__(self) -> None:
        self.next_line = 1
        self.next_chunk = 0
        self._lines: list[LogLine] = []
        self._bytes = 0

    def add(self, line: LogLine) -> tuple[LogLine, ...]:
        """Keep the line; return the lines of a chunk that became full before it, else nothing."""
        size = len(msgspec.json.encode(line)) + 1
        full = self.take() if self._lines and self._bytes + size > _MOST_BYTES else ()
        self._lines.append(line)
        self._bytes += size
        return full

    def take(self) -> tuple[LogLine, ...]:
        """Return the lines that wait, perhaps none, and begin anew."""
        lines, self._lines, self._bytes = tuple(self._lines), [], 0
        return lines

    def number(self, lines: tuple[LogLine, ...]) -> tuple[int, int]:
        """Return (chunk_no, first_line) of the next chunk, which holds these lines."""
        numbers = self.next_chunk, self.next_line
        self.next_chunk += 1
        self.next_line += len(lines)
        return numbers
