"""Passwords: what the CalDAV server lets in (an htpasswd file), and what the connector was told (a file of its own).

Two files on purpose: a password that was changed on the server only is the commonest fault of all.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson
from passlib.hash import sha256_crypt  # type: ignore[import-untyped]

# Every CalDAV request checks a password: the rounds are few because this server listens on loopback only.
_ROUNDS: Final = 1000


def server_file(state_dir: Path) -> Path:
    """The htpasswd file of the CalDAV server."""
    return state_dir / "radicale" / "htpasswd"


def known_file(state_dir: Path) -> Path:
    """The passwords the connector was told, by login."""
    return state_dir / "passwords.json"


def read_known(state_dir: Path) -> dict[str, str]:
    """Return what the connector knows: login → password; empty where there is no file yet."""
    path = known_file(state_dir)
    if not path.exists():
        return {}
    known = orjson.loads(path.read_bytes())
    return {str(login): str(password) for login, password in known.items()}


def lay(state_dir: Path, logins: tuple[str, ...]) -> dict[str, str]:
    """Give each of `logins` an account with a password of its own, and tell the connector. Returns what it knows.

    Those who have one keep it; an htpasswd file that is missing is written anew.
    """
    known = read_known(state_dir)
    missing = [login for login in logins if login not in known]
    known |= {login: secrets.token_urlsafe(12) for login in missing}
    if missing:
        _write(known_file(state_dir), orjson.dumps(known, option=orjson.OPT_INDENT_2))
    if missing or not server_file(state_dir).exists():
        let_in(state_dir, known)
    return known


def let_in(state_dir: Path, passwords: Mapping[str, str]) -> None:
    """Make the CalDAV server accept exactly `passwords` (login → password)."""
    lines = [f"{login}:{sha256_crypt.using(rounds=_ROUNDS).hash(word)}\n" for login, word in passwords.items()]
    _write(server_file(state_dir), "".join(lines).encode())


def change_on_server(state_dir: Path, login: str, password: str) -> None:
    """Change the password of one account on the CalDAV server; nobody tells the connector."""
    path = server_file(state_dir)
    entry = f"{login}:{sha256_crypt.using(rounds=_ROUNDS).hash(password)}"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(f"{login}:")]
    _write(path, "".join(f"{line}\n" for line in [*kept, entry]).encode())


def _write(path: Path, content: bytes) -> None:
    """Write a private file as a whole: a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.touch(mode=0o600)
    beside.write_bytes(content)
    beside.replace(path)
