"""The identity of a session, and its address on the outside: one opaque text made of it."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

Key = tuple[datetime, UUID]
"""A session's identity: (started_at, session_id)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LENGTH: Final = 32  # characters: 8 bytes of microseconds and 16 of the UUID in base 64


def session_key(started_at: datetime, session_id: UUID) -> str:
    """Return the key of a session: 32 characters that need no escaping in a URL."""
    micros = (started_at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(micros.to_bytes(8, "big", signed=True) + session_id.bytes).decode()


def session_keys(addresses: Sequence[bytes]) -> list[str]:
    """Return the keys of many sessions at once. An address is started_at, 8 bytes of microseconds, and the id's 16."""
    joined = base64.urlsafe_b64encode(b"".join(addresses)).decode()
    return [joined[at : at + _LENGTH] for at in range(0, len(joined), _LENGTH)]


def session_of(key: str) -> Key | None:
    """Return (started_at, session_id) of a key, None for what is none."""
    if len(key) != _LENGTH:
        return None
    try:
        raw = base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)
        started_at = _EPOCH + int.from_bytes(raw[:8], "big", signed=True) * _MICROSECOND
    except (UnicodeEncodeError, binascii.Error, OverflowError):
        return None
    return started_at, UUID(bytes=raw[8:])
