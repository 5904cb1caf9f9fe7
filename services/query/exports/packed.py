"""Lines of JSON that wait until all of them are known, packed. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

_PIECE: Final = 32 * 1024


class PackedLines:
    """Takes lines, gives them back as members of an array: an archive notes one for each of its sessions.

    In memory, where they take an eighth of their length: a service has no disk of its own.
    """

    def __init__(self) -> None:
        self.count = 0
        self._packer = zlib.compressobj()
        self._packed = bytearray()

    def add(self, line: bytes) -> None:
        """Keep a line."""
        self._packed += self._packer.compress((b",\n    " if self.count else b"    ") + line)
        self.count += 1

    def members(self) -> Iterator[bytes]:
        """Yield all lines, a comma between two, in pieces; none can be added any more."""
        self._packed += self._packer.flush()
        opener = zlib.decompressobj()
        for at in range(0, len(self._packed), _PIECE):
            yield opener.decompress(self._packed[at : at + _PIECE])
