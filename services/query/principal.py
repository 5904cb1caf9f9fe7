"""Who asks: a person signed in by a cookie, or a key of the API. The organization comes from here, never from a URL."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from starlette.requests import HTTPConnection

from schemas.credentials import KEY_PREFIX, hash_of
from schemas.sql import named_queries
from services.query.audit import Audit, write
from services.query.problems import Forbidden, Unauthorized
from services.query.services import Services

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
REVEAL: Final = timedelta(minutes=15)
ROLES: Final = ("platform_admin", "support", "organization_admin", "end_user")
SECURE_COOKIE: Final = "__Host-syncwatch"
PLAIN_COOKIE: Final = "syncwatch"
UNUSED: Final = "Syncwatch-Idle"
"""The header of what an open page asks by itself while nobody uses it: that keeps nobody signed in."""
_SQL: Final = named_queries("accounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person or a key, with one role and at most one organization. `actor` is what the audit says: one alone."""

    actor: str
    role: str
    organization_id: UUID | None = None
    user_id: UUID | None = None
    account_id: UUID | None = None
    name: str | None = None
    preferences: dict[str, Any] = field(default_factory=dict)
    reveal_until: datetime | None = None
    cookie_hash: bytes | None = None

    def masks_names(self, now: datetime) -> bool:
        """Whether names of objects are hidden: from support, until revealed."""
        return self.role == "support" and (self.reveal_until is None or self.reveal_until <= now)

    def csrf(self, secret: bytes) -> str:
        """Return the token that every form of this sign-in carries."""
        return hmac.new(secret, b"csrf\x00" + (self.cookie_hash or b""), hashlib.sha256).hexdigest()

    def may(self, *roles: str) -> None:
        """Raise Forbidden unless the role is one of these."""
        if self.role not in roles:
            raise Forbidden("Your role does not allow this.")


def cookie_name(secure: bool) -> str:
    """Return the cookie's name: bound to the host by its prefix wherever that works."""
    return SECURE_COOKIE if secure else PLAIN_COOKIE


async def principal_of(services: Services, connection: HTTPConnection) -> Principal:
    """Return who asks, or raise Unauthorized. Asked anew at every request, so a revocation holds at once."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        return await _by_key(services, authorization)
    cookie = connection.cookies.get(cookie_name(services.settings.secure))
    if not cookie:
        raise Unauthorized("Sign in with a one-time link, or send a key: Authorization: Bearer swk_…")
    used = UNUSED not in connection.headers
    return await _by_cookie(services, hashlib.sha256(cookie.encode()).digest(), used)


async def _by_key(services: Services, authorization: str) -> Principal:
    scheme, _, text = authorization.partition(" ")
    key_hash = hash_of(text.strip(), KEY_PREFIX) if scheme.casefold() == "bearer" else None
    row = None
    if key_hash is not None:
        row = await services.find(_SQL["find_key"], key_hash, services.now())
    if row is None:
        raise Unauthorized("This key is unknown, expired or revoked.")
    actor = f"key {row['name']} ({row['key_id']})"  # several keys may have one name
    return Principal(actor=actor, role=row["role"], organization_id=row["organization_id"])


async def _by_cookie(services: Services, cookie_hash: bytes, used: bool) -> Principal:
    now = services.now()
    row = await services.find(_SQL["find_web_session"], cookie_hash, now, now - IDLE, now - LONGEST, used)
    if row is None:
        raise Unauthorized("You are not signed in, or were signed out after 30 minutes without use.")
    return Principal(
        actor=row["email"],
        role=row["role"],
        organization_id=row["organization_id"],
        user_id=row["user_id"],
        account_id=row["account_id"],
        name=row["name"],
        preferences=row["preferences"],
        reveal_until=row["reveal_until"],
        cookie_hash=cookie_hash,
    )


async def sign_in(services: Services, token: str) -> str | None:
    """Use a one-time link; return the new cookie's value, or None where the link is unknown, used or expired."""
    now = services.now()
    async with services.administering() as connection:
        account = await connection.fetchrow(_SQL["use_link"], link_hash(token), now)
        if account is None:
            return None
        cookie = secrets.token_urlsafe(32)
        await connection.execute(
            _SQL["add_web_session"], hashlib.sha256(cookie.encode()).digest(), account["account_id"], now
        )
        await write(connection, Audit(account["email"], "sign_in", account["email"], account["organization_id"]), now)
    return cookie


async def sign_out(services: Services, principal: Principal) -> None:
    """End this sign-in on the server; the cookie is worth nothing from now on."""
    now = services.now()
    async with services.administering() as connection:
        await connection.execute(_SQL["end_web_session"], principal.cookie_hash, now)
        await write(connection, Audit(principal.actor, "sign_out", principal.actor, principal.organization_id), now)


async def reveal(services: Services, principal: Principal) -> None:
    """Show names of objects to this sign-in for 15 minutes; written down before anything is shown."""
    if principal.cookie_hash is None:
        raise Forbidden("Only a person who signed in can reveal names.")
    now = services.now()
    until = now + REVEAL
    async with services.administering() as connection:
        after = {"until": until.isoformat()}
        audit = Audit(principal.actor, "names_revealed", None, principal.organization_id, after=after)
        await write(connection, audit, now)
        await connection.execute(_SQL["reveal_names"], principal.cookie_hash, until)


async def hide(services: Services, principal: Principal) -> None:
    """Mask names of objects to this sign-in again, at once; written down where any were shown."""
    now = services.now()
    async with services.administering() as connection:
        if await connection.fetchval(_SQL["hide_names"], principal.cookie_hash, now):
            await write(connection, Audit(principal.actor, "names_hidden", None, principal.organization_id), now)


async def save_preferences(services: Services, principal: Principal, changes: dict[str, Any]) -> None:
    """Keep a person's choices (theme, zone, density, columns per list)."""
    if principal.account_id is None:
        raise Forbidden("A key has no preferences.")
    async with services.administering() as connection:
        await connection.execute(_SQL["save_preferences"], principal.account_id, changes)


def link_hash(token: str) -> bytes:
    """Return the hash under which a one-time link is stored."""
    return hashlib.sha256(b"link\x00" + token.encode()).digest()
