"""What every route works with: settings, connections, the clock, the key that signs."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import orjson

from schemas.sql import named_queries
from services.common.patience import is_outage
from services.common.pool import create_pool
from services.common.settings import setting
from services.query.problems import Busy, TooSlow
from services.query.views.view import All, Scope

LIST_CONNECTIONS: Final = 8
EXPORT_CONNECTIONS: Final = 2
ADMIN_CONNECTIONS: Final = 2
LOGS_AT_ONCE: Final = 2
"""Logs whose lines are in memory: each is bounded, and a third one waits."""
WAIT_S: Final = 1.0
"""How long a request waits for a connection before it is told to come again."""
ENDING_S: Final = 1.0
"""How long a transaction that has only read may take to end before its connection is given up."""
OVERDUE_S: Final = 10.0
"""So long after the server should have ended a statement itself its connection is given up: the host has vanished."""

_SQL: Final = named_queries("lists")
_READING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lock_timeout": "1s",
        "max_parallel_workers_per_gather": "0",  # a parallel append does not read its branches in order
        "plan_cache_mode": "force_custom_plan",  # a generic plan knows no partition, pattern or organization
        "default_transaction_read_only": "on",
    }
)
_LISTS: Final = {**_READING, "idle_in_transaction_session_timeout": "10s"}
_EXPORTS: Final = {
    **_READING,
    "statement_timeout": "600s",
    "idle_in_transaction_session_timeout": "35s",
    "tcp_user_timeout": "35000",
}
_ADMIN: Final = {"statement_timeout": "3s", "lock_timeout": "1s", "idle_in_transaction_session_timeout": "10s"}


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine's own."""
    return host in ("localhost", "::1", "[::1]") or host.startswith("127.")


def contact_link(text: str) -> str:
    """Return what a link to an e-mail address or a page leads to; raise ValueError for anything else."""
    if re.fullmatch(r"[^\s:/@?#]+@[^\s:/@?#]+", text):
        return f"mailto:{text}"
    if text and not (urlsplit(text).scheme in {"http", "https"} and urlsplit(text).hostname):
        raise ValueError("expected an e-mail address, or a page as https://…")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the query service is told."""

    reader_database_url: str = setting("Postgres as syncwatch_reader, as a URL", secret=True)
    reader_all_database_url: str = setting("Postgres as syncwatch_reader_all, as a URL", secret=True)
    panel_database_url: str = setting("Postgres as syncwatch_panel, as a URL", secret=True)
    secret_key: str = setting("any long random text, kept: signs cursors and forms", secret=True)
    host: str = setting("address to listen on", default="127.0.0.1")
    port: int = setting("port of panel and API", parse=int, default=8080)
    metrics_port: int = setting("port of /metrics, /alive and /ready", parse=int, default=9104)
    list_timeout_s: float = setting("longest time a statement of a page may take", parse=float, default=3.0)
    count_timeout_s: float = setting("longest time a page waits for its count", parse=float, default=0.4)
    search_s: float = setting("longest time a page searches by what has no index", parse=float, default=0.1)
    panel_url: str = setting("how people reach the panel, as https://…; empty: http on this machine", default="")
    contact: str = setting(
        "where people ask for access: an e-mail address, or a page as https://…; empty: no link", parse=contact_link,
        default="",
    )  # fmt: skip

    @property
    def public_url(self) -> str:
        """Return the panel's own address, without a slash at the end."""
        return (self.panel_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether people come by https."""
        return self.public_url.startswith("https:")

    def problem(self) -> str | None:
        """Return why these settings would give passwords away, or None."""
        if self.secure or is_loopback(urlsplit(self.public_url).hostname or ""):
            return None
        return f"PANEL_URL {self.public_url} is plain http beyond this machine: sign-in needs https"


@dataclass(slots=True)
class Pools:
    """The connections, by what they are for; lists, exports and accounts never wait on each other."""

    lists: asyncpg.Pool
    lists_all: asyncpg.Pool
    exports: asyncpg.Pool
    exports_all: asyncpg.Pool
    admin: asyncpg.Pool

    def in_use(self) -> dict[str, int]:
        """Return how many connections of each pool are lent."""
        by_name = {
            "list": (self.lists, self.lists_all),
            "export": (self.exports, self.exports_all),
            "admin": (self.admin,),
        }
        return {name: sum(pool.get_size() - pool.get_idle_size() for pool in pools) for name, pools in by_name.items()}

    async def close(self) -> None:
        """Close all; whoever still uses one is cut."""
        for pool in (self.lists, self.lists_all, self.exports, self.exports_all, self.admin):
            try:
                await asyncio.wait_for(pool.close(), 2)
            except TimeoutError:
                pool.terminate()


async def open_pools(settings: Settings) -> Pools:
    """Open every pool; connections come when they are needed."""

    async def opened(
        url: str, name: str, size: int, server: Mapping[str, str], unanswered_s: float | None
    ) -> asyncpg.Pool:
        return await create_pool(
            url, role_name=name, min_size=0, max_size=size, server_settings=server, init=_codecs, reset=_as_it_is,
            unanswered_s=unanswered_s,
        )  # fmt: skip

    lists = {**_LISTS, "statement_timeout": str(int(settings.list_timeout_s * 1000))}
    by_then = settings.list_timeout_s + OVERDUE_S  # the server has ended every statement itself; an export has no end
    one, every = settings.reader_database_url, settings.reader_all_database_url
    return Pools(
        lists=await opened(one, "query-list", LIST_CONNECTIONS, lists, by_then),
        lists_all=await opened(every, "query-list-all", LIST_CONNECTIONS, lists, by_then),
        exports=await opened(one, "query-export", EXPORT_CONNECTIONS, _EXPORTS, None),
        exports_all=await opened(every, "query-export-all", EXPORT_CONNECTIONS, _EXPORTS, None),
        admin=await opened(settings.panel_database_url, "query-admin", ADMIN_CONNECTIONS, _ADMIN, by_then),
    )


async def _as_it_is(connection: asyncpg.Connection) -> None:
    """Leave a connection as it came back: whatever is set here is set for a transaction, and ended with it."""


async def _codecs(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
        )


@dataclass(slots=True)
class Services:
    """One per process, handed to every route."""

    settings: Settings
    pools: Pools
    now: Callable[[], datetime]
    secret: bytes
    running_exports: dict[object, asyncio.Task[Any]] = field(default_factory=dict)
    log_reads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOGS_AT_ONCE))
    _exporting: set[UUID | None] = field(default_factory=set)
    """Organizations of which a file is made: one each, so that none takes all connections for files from the others."""
    _ending: set[asyncio.Task[None]] = field(default_factory=set)
    """Transactions that nobody waits for any more: a task that nobody holds may be collected."""

    @asynccontextmanager
    async def reading(self, scope: Scope, *, exporting: bool = False, planning: str = "") -> AsyncIterator[Any]:
        """Lend a connection in a read-only snapshot that sees the scope's organization alone, or all of them.

        `planning`: statements that set how this transaction plans; they go with its first word to Postgres.
        Raises Busy when none is free within a second or Postgres is away, TooSlow when a statement took too long.
        """
        if isinstance(scope, All):
            pool = self.pools.exports_all if exporting else self.pools.lists_all
        else:
            pool = self.pools.exports if exporting else self.pools.lists
        sees = ""
        if not isinstance(scope, All):
            sees = _SQL["see_one_organization"].format(organization_id=scope.organization_id)
        connection = await _taken(pool)
        try:
            with _told():
                await connection.execute(_SQL["begin"] + sees + planning)
                yield connection
        finally:  # nobody waits for it: there is nothing to commit
            ending = asyncio.create_task(_end(pool, connection))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    @asynccontextmanager
    async def exporting(self, scope: Scope) -> AsyncIterator[Any]:
        """Lend a connection for a file, as `reading` does. Busy also while one of the same organization is made."""
        whose = None if isinstance(scope, All) else scope.organization_id
        if whose in self._exporting:
            raise Busy("Another file of this organization is being made: take this one when that has ended.")
        if whose is not None:
            self._exporting.add(whose)
        try:
            async with self.reading(scope, exporting=True) as connection:
                yield connection
        finally:
            self._exporting.discard(whose)

    async def find(self, sql: str, *bound: object) -> Any:
        """Return the row that one statement about accounts or keys finds, or None: no transaction, as all do this."""
        async with lent(self.pools.admin) as connection:
            return await connection.fetchrow(sql, *bound)

    @asynccontextmanager
    async def administering(self) -> AsyncIterator[Any]:
        """Lend a connection for accounts, keys, exports and the audit, in a transaction."""
        async with lent(self.pools.admin) as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def lent(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    """Lend a connection of a pool; what the database refuses comes out as a Refusal."""
    connection = await _taken(pool)
    try:
        with _told():
            yield connection
    finally:
        await pool.release(connection)


async def _taken(pool: asyncpg.Pool) -> Any:
    try:
        return await pool.acquire(timeout=WAIT_S)
    except (TimeoutError, asyncpg.TooManyConnectionsError):
        raise Busy("All connections are in use.") from None
    except Exception as error:
        if is_outage(error):
            raise Busy("The database is away.") from error
        raise


@contextmanager
def _told() -> Iterator[None]:
    """Tell what the database refuses, or that it went away, as a Refusal."""
    try:
        yield
    except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
        raise TooSlow from None
    except Exception as error:
        if is_outage(error):
            raise Busy("The database went away.") from error
        raise


async def _end(pool: asyncpg.Pool, connection: Any) -> None:
    """End a transaction that has only read, and give its connection back; one that is lost has ended already."""
    try:
        async with asyncio.timeout(ENDING_S):
            await connection.execute("ROLLBACK")
    except TimeoutError:
        connection.terminate()  # asyncpg waits for the end of a COPY that ended before it could be cancelled
    except Exception as error:
        if not is_outage(error):
            raise
    finally:
        await pool.release(connection)


def derived_key(secret_key: str) -> bytes:
    """Return the key that signs, made of whatever text was configured."""
    return hmac.new(b"syncwatch query", secret_key.encode(), hashlib.sha256).digest()
