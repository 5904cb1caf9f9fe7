"""Who is sending: agent tokens, looked up in Postgres and remembered for a few seconds."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import asyncpg

from schemas.credentials import TOKEN_PREFIX, hash_of
from schemas.sql import named_queries
from services.ingest.gateway.validate import Principal

REMEMBERED_S: Final = 4.0
"""A revoked token works this long at most: less than the 5 s that are promised."""
_MOST_REMEMBERED: Final = 10_000
_SQL: Final = named_queries("tokens")

Refusal = Literal["unknown", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class _Found:
    until: float
    principal: Principal | None
    expires_at: datetime | None
    revoked: bool


class Tokens:
    """Turns the text of a token into its principal. Unknown ones are remembered too: guessing costs no query."""

    def __init__(self, connect: Callable[[], Any], clock: Callable[[], float]) -> None:
        """`connect` lends a connection (`pool.acquire`); `clock` never goes back, in seconds."""
        self._connect = connect
        self._clock = clock
        self._remembered: OrderedDict[bytes, _Found] = OrderedDict()

    async def principal(self, text: str, now: datetime) -> Principal | Refusal:
        """Return whom the token speaks for at `now`, or why nobody; raises what asyncpg raises in an outage."""
        token_hash = hash_of(text, TOKEN_PREFIX)
        if token_hash is None:
            return "unknown"
        found = self._remembered.get(token_hash)
        if found is None or found.until < self._clock():
            found = await self._look_up(token_hash)
        if found.principal is None:
            return "unknown"
        if found.revoked:
            return "revoked"
        if found.expires_at is not None and found.expires_at <= now:
            return "expired"
        return found.principal

    async def _look_up(self, token_hash: bytes) -> _Found:
        asked = self._clock()
        async with self._connect() as connection:
            row: asyncpg.Record | None = await connection.fetchrow(_SQL["find_token"], token_hash)
        until = asked + REMEMBERED_S
        if row is None:
            found = _Found(until, None, None, False)
        else:
            principal = Principal(row["token_id"], row["agent_id"], row["organization_id"])
            found = _Found(until, principal, row["expires_at"], row["revoked_at"] is not None)
        self._remembered.pop(token_hash, None)
        self._remembered[token_hash] = found
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return found
