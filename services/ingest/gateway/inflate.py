"""Inflating request bodies within bounds: never more memory than the limit, never half a body taken for a whole one."""

import zlib
from typing import Final

import zstandard

MAX_SENT_BYTES: Final = 1024 * 1024
MAX_INFLATED_BYTES: Final = 8 * 1024 * 1024
MAX_WINDOW_BYTES: Final = 8 * 1024 * 1024
MAX_MEMBERS: Final = 64
"""Parts of one compressed body: thousands of empty ones are an attack on the processor."""

_ZSTD_STEP: Final = 256  # a block of 4 bytes inflates to 128 KiB, so a step of this size overshoots by 8 MiB at most


class TooLarge(Exception):
    """The body inflates to more than the limit, or asks for a window beyond it; the text says which."""


class BadBody(Exception):
    """The body is not what its encoding says: cut, damaged or something else; the text says which."""


class UnknownEncoding(Exception):
    """The encoding is none of those we read."""


def inflate(body: bytes, encoding: str) -> bytes:
    """Return the body as sent before `Content-Encoding`: identity, gzip (x-gzip) or zstd, in any case."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _gunzip(body)
        case "zstd":
            return _unzstd(body)
        case _:
            raise UnknownEncoding


def _gunzip(body: bytes) -> bytes:
    parts: list[bytes] = []
    room, rest = MAX_INFLATED_BYTES, body
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(rest, room + 1)
        except zlib.error:
            raise BadBody("the body is not gzip, or it is damaged") from None
        if len(part) > room:
            raise TooLarge(f"the body inflates to more than {MAX_INFLATED_BYTES} bytes")
        if not member.eof:
            raise BadBody("the gzip body is cut off")
        parts.append(part)
        room -= len(part)
        rest = member.unused_data
        if not rest:
            return b"".join(parts)
    raise BadBody(f"the body has more than {MAX_MEMBERS} gzip members")


def _unzstd(body: bytes) -> bytes:
    parts: list[bytes] = []
    room, rest = MAX_INFLATED_BYTES, body
    for _ in range(MAX_MEMBERS):
        part, rest = _one_frame(rest, room)
        parts.append(part)
        room -= len(part)
        if not rest:
            return b"".join(parts)
    raise BadBody(f"the body has more than {MAX_MEMBERS} zstd frames")


def _one_frame(body: bytes, room: int) -> tuple[bytes, bytes]:
    """Return the content of the first frame, at most `room` bytes, and what follows it."""
    try:
        head = zstandard.get_frame_parameters(body)
        if head.window_size > MAX_WINDOW_BYTES:
            raise TooLarge(f"the zstd frame asks for a window of more than {MAX_WINDOW_BYTES} bytes")
        frame = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
        parts: list[bytes] = []
        size = at = 0
        while at < len(body) and not frame.eof:
            part = frame.decompress(body[at : at + _ZSTD_STEP])
            at += _ZSTD_STEP
            size += len(part)
            if size > room:
                raise TooLarge(f"the body inflates to more than {MAX_INFLATED_BYTES} bytes")
            parts.append(part)
    except zstandard.ZstdError:
        raise BadBody("the body is not zstd, or it is damaged") from None
    if not frame.eof:
        raise BadBody("the zstd body is cut off")
    return b"".join(parts), frame.unused_data + body[at:]
