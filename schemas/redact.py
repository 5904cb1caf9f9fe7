"""Taking secrets out of texts, in the agent library before sending and again where events are applied.

Redacting twice changes nothing more. E-mail addresses stay: who may see them is decided by role when they are shown.
"""

import re
from collections.abc import Callable
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
_NO_SECRETS: Final = frozenset({"none", "null", "true", "false", "expired", "invalid", "missing", "bearer", "basic"})


def _pair(match: re.Match[str]) -> str:
    value = match["quoted"] if match["quote"] else match["bare"]
    if not value or MARK in value or value.casefold() in _NO_SECRETS:
        return match[0]
    quote = match["quote"] or ""
    return f"{match['name']}{quote}{MARK}{quote}"


def _scheme(match: re.Match[str]) -> str:
    # "basic authentication failed" is prose: what follows must look like a credential.
    if match["value"].isalpha() and match["value"].islower():
        return match[0]
    return f"{match['scheme']} {MARK}"


def _cookies(match: re.Match[str]) -> str:
    return match[0] if match["value"].strip() == MARK else f"{match['name']}{MARK}"


def _login(match: re.Match[str]) -> str:
    return f"{match['start']}:{MARK}@"


def _pem(match: re.Match[str]) -> str:
    return match[0] if MARK in match[0] else f"{match[1]} {MARK}"


# Each pattern with what a text must hold, in lower case, before it is worth running: searching for these costs a
# hundredth of it.
_PATTERNS: Final[tuple[tuple[re.Pattern[str], tuple[str, ...], str | Callable[[re.Match[str]], str]], ...]] = (
    (_PEM, ("-----begin",), _pem),
    (_SCHEME, ("bearer", "basic", "digest", "negotiate", "ntlm"), _scheme),
    (_COOKIES, ("cookie",), _cookies),
    (_PAIR, ("token", "secret", "passw", "pwd", "passphrase", "key", "assertion", "sig", "sessionid"), _pair),
    (_URL_LOGIN, ("://",), _login),
    (_JWT, ("eyj",), MARK),
    (_KNOWN, ("gocspx-", "1//0", "ya29.", "swa_", "swk_"), MARK),
)


def redact(text: str) -> str:
    """Return the text with each secret replaced by a mark."""
    # Matching without regard to case takes these for i, s and k; folding makes s and k of two of them.
    folded = text.lower() if text.isascii() else text.casefold().replace("\u0131", "i").replace("i\u0307", "i")
    for pattern, hints, replaced in _PATTERNS:
        if any(hint in folded for hint in hints):
            text = pattern.sub(replaced, text)
    return text
