"""Line ends between the records of a CSV, not those inside its cells. Pure."""

from __future__ import annotations


class Crlf:
    """Turns LF between records into CRLF in a stream of chunks; cells keep their line ends.

    Outside quotes the number of quotes so far is even: the parity goes from chunk to chunk.
    """

    def __init__(self) -> None:
        self._inside = False

    def __call__(self, chunk: bytes) -> bytes:
        """Return the chunk with its record ends written as CRLF."""
        parts = chunk.split(b'"')
        for at, part in enumerate(parts):
            if not self._inside:
                parts[at] = part.replace(b"\n", b"\r\n")
            if at < len(parts) - 1:
                self._inside = not self._inside
        return b'"'.join(parts)
