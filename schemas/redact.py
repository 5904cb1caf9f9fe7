"""Taking secrets out of texts, in the agent library before sending and again where events are applied.

Redacting twice changes nothing more. E-mail addresses stay: who may see them is decided by role when they are shown.
"""

import re
from typing import Final

MARK: Final = "[redacted]"

_NAMES: Final = (
    r"(?:(?:access|refresh|id|auth|session|bearer|security|csrf|api)[_-]?)?token|client[_-]?secret"
    r"|(?:(?:app|user|db)[_-]?)?password|passwd|pwd|passphrase|secret|(?:x-)?api[_-]?key|private[_-]?key"
    r"|client[_-]?assertion|assertion|sig|signature|(?:aws[_-]?)?secret[_-]?access[_-]?key|sessionid|session[_-]?key"
)
# name=value, name: value and "name": "value", also with escaped quotes (JSON inside JSON) and percent-coded.
_PAIR: Final = re.compile(
    rf"""(?P<name>(?<![a-z0-9])(?:{_NAMES})(?:\\?["'])?\s*(?:=|:|%3D)\s*)"""
    r"""(?:(?P<quote>\\?["'])(?P<quoted>(?:(?!(?P=quote))[^\r\n])*)(?:(?P=quote)|(?=[\r\n])|\Z)|(?P<bare>[^\s&,;"'<>(){}\[\]\\]+))""",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(
    r"\b(?P<scheme>Bearer|Basic|Digest|Negotiate|NTLM)\s+(?P<value>[A-Za-z0-9._~+/=-]{3,})", re.I
)
_COOKIES: Final = re.compile(r"\b(?P<name>(?:set-)?cookie\s*:\s*)(?P<value>[^\r\n\"']+)", re.IGNORECASE)
_URL_LOGIN: Final = re.compile(
    r"(?P<start>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]*):(?P<password>[^\s/@\"'<>]+)@", re.I
)
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,2}")
_KNOWN: Final = re.compile(
    r"\b(?:GOCSPX-[A-Za-z0-9_-]{3,}|1//0[A-Za-z0-9_-]{3,}|ya29\.[A-Za-z0-9_.-]{5,}|sw[ak]_[0-9A-Za-z]{49})"
)
_PEM: Final = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# What a text must hold, in lower case, before a pattern is worth running: searching for these costs a hundredth of it.
_PEM_HINTS: Final = ("-----begin",)
_SCHEME_HINTS: Final = ("bearer", "basic", "digest", "negotiate", "ntlm")
_COOKIE_HINTS: Final = ("cookie",)
_PAIR_HINTS: Final = (
    "token", "secret", "passw", "pwd", "passphrase", "key", "assertion", "sig", "sessionid",
)  # fmt: skip
_LOGIN_HINTS: Final = ("://",)
_JWT_HINTS: Final = ("eyj",)
_KNOWN_HINTS: Final = ("gocspx-", "1//0", "ya29.", "swa_", "swk_")


def redact(text: str) -> tuple[str, int]:
    """Return the text with each secret replaced by a mark, and how many were replaced."""
    # Matching without regard to case takes these for i, s and k; folding makes s and k of two of them.
    folded = text.lower() if text.isascii() else text.casefold().replace("\u0131", "i").replace("i\u0307", "i")
    count = 0

    def pair(match: re.Match[str]) -> str:
        nonlocal count
        value = match["quoted"] if match["quote"] else match["bare"]
        if not value or MARK in value or value.casefold() in _NO_SECRETS:
            return match[0]
        count += 1
        quote = match["quote"] or ""
        return f"{match['name']}{quote}{MARK}{quote}"

    def scheme(match: re.Match[str]) -> str:
        nonlocal count
        # "basic authentication failed" is prose: what follows must look like a credential.
        if match["value"].isalpha() and match["value"].islower():
            return match[0]
        count += 1
        return f"{match['scheme']} {MARK}"

    def cookies(match: re.Match[str]) -> str:
        nonlocal count
        if match["value"].strip() == MARK:
            return match[0]
        count += 1
        return f"{match['name']}{MARK}"

    def login(match: re.Match[str]) -> str:
        nonlocal count
        if match["password"] == MARK:
            return match[0]
        count += 1
        return f"{match['start']}:{MARK}@"

    def whole(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return MARK

    def pem(match: re.Match[str]) -> str:
        nonlocal count
        if MARK in match[0]:
            return match[0]
        count += 1
        return f"{match[1]} {MARK}"

    for pattern, hints, replaced in (
        (_PEM, _PEM_HINTS, pem),
        (_SCHEME, _SCHEME_HINTS, scheme),
        (_COOKIES, _COOKIE_HINTS, cookies),
        (_PAIR, _PAIR_HINTS, pair),
        (_URL_LOGIN, _LOGIN_HINTS, login),
        (_JWT, _JWT_HINTS, whole),
        (_KNOWN, _KNOWN_HINTS, whole),
    ):
        if any(hint in folded for hint in hints):
            text = pattern.sub(replaced, text)
    return text, count


_NO_SECRETS: Final = frozenset({"none", "null", "true", "false", "expired", "invalid", "missing", "bearer", "basic"})
