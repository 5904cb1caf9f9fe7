"""Tokens of agents (`swa_…`) and keys of the API (`swk_…`): 256 random bits and a checksum; only a hash is ever stored.

The checksum tells a mistyped or cut credential from an unknown one without asking the database, and lets secret
scanners find leaked ones.
"""

import hashlib
import re
import secrets
import zlib
from typing import Final

TOKEN_PREFIX: Final = "swa_"
KEY_PREFIX: Final = "swk_"

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43  # 256 bits in base 62
_CHECK_LENGTH: Final = 6  # 32 bits in base 62
_SHAPE: Final = re.compile(
    rf"(?P<prefix>sw[ak]_)(?P<secret>[0-9A-Za-z]{{{_SECRET_LENGTH}}})(?P<check>[0-9A-Za-z]{{6}})"
)


def new_token() -> tuple[str, bytes]:
    """Return a new agent token and the hash to store; the text is shown once and never again."""
    return _new(TOKEN_PREFIX)


def new_key() -> tuple[str, bytes]:
    """Return a new API key and the hash to store; the text is shown once and never again."""
    return _new(KEY_PREFIX)


def hash_of(text: str, prefix: str) -> bytes | None:
    """Return the SHA-256 under which a credential is stored; None for what cannot be one of this prefix.

    Looking up a hash of 256 random bits leaks nothing by its time, so no comparison of secrets is left to do.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None or shape["prefix"] != prefix or _checksum(prefix + shape["secret"]) != shape["check"]:
        return None
    return hashlib.sha256(text.encode()).digest()


def _new(prefix: str) -> tuple[str, bytes]:
    body = prefix + _in_base_62(secrets.randbits(256), _SECRET_LENGTH)
    text = body + _checksum(body)
    return text, hashlib.sha256(text.encode()).digest()


def _checksum(text: str) -> str:
    return _in_base_62(zlib.crc32(text.encode()), _CHECK_LENGTH)


def _in_base_62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
