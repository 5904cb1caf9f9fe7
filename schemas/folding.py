"""Folding: texts that a reader takes for the same search word become the same key.

`organization.name_key`, `sync_user.name_key` and `sync_user.email_key` hold folded text; a search word is folded by the
same function, so that case and accents do not matter and every other character stays a character of its own.
"""

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Mn", "Zl", "Zp", "Zs"})
_FILLERS: Final = frozenset("\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}\N{BRAILLE PATTERN BLANK}")


def fold(text: str) -> str:
    """Return `text` without case and accents. Canonical forms only: a full-width ％ must not turn into a %."""
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return "".join(character for character in plain if unicodedata.category(character) != "Mn")


def is_blank(text: str) -> bool:
    """Whether nothing of a text is seen: it has only blanks, controls and characters without a width."""
    return all(unicodedata.category(character) in _UNSEEN or character in _FILLERS for character in text)
