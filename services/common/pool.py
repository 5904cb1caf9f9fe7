"""Connections to Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg

UNANSWERED_S: Final = 300.0
"""After so long without an answer a connection is given up: a host that has vanished never says so. No statement of a
writer takes nearly as long, unless its disk hardly answers."""


async def create_pool(
    url: str,
    *,
    role_name: str,
    min_size: int = 1,
    max_size: int = 4,
    server_settings: Mapping[str, str] | None = None,
    init: Callable[[asyncpg.Connection], Coroutine[Any, Any, None]] | None = None,
    reset: Callable[[asyncpg.Connection], Coroutine[Any, Any, None]] | None = None,
    unanswered_s: float | None = None,
) -> asyncpg.Pool:
    """Open a pool whose connections name themselves `role_name` in pg_stat_activity.

    JIT is off: our statements are short, and compiling them costs more than it saves. `init` is run once on each
    new connection; `reset` whenever one comes back, its transaction ended, in place of asyncpg's own statements. With
    `unanswered_s` each statement raises TimeoutError after so long, whatever the server is told.
    Raises what asyncpg raises while Postgres is away; see `patience`.
    """
    settings = {"application_name": role_name, "jit": "off", "timezone": "UTC", **(server_settings or {})}
    return await asyncpg.create_pool(
        url, min_size=min_size, max_size=max_size, server_settings=settings, init=init, reset=reset, timeout=10,
        command_timeout=unanswered_s,
    )  # fmt: skip


async def copy_records(
    connection: Any, table: str, records: Iterable[Sequence[Any]], columns: Sequence[str], *,
    schema: str | None = None, unanswered_s: float = UNANSWERED_S,
) -> None:  # fmt: skip
    """Copy records into a table. A connection lost meanwhile ends with an error that `patience` calls an outage.

    asyncpg 0.32 alone does not see to that. Where the server reads no more, its copy waits until it may write again,
    which a lost connection never tells it: for ever, whatever its time-out. Where the server's farewell has come and
    its end has not, a copy fails and leaves the connection as if it were still at work: no rollback, and an error that
    looks like our bug.
    """
    is_copying = True
    try:
        async with asyncio.timeout(unanswered_s) as until_lost:

            def lost(_: Any) -> None:
                if is_copying:
                    until_lost.reschedule(0)

            connection.add_termination_listener(lost)
            try:
                await connection.copy_records_to_table(table, records=records, columns=columns, schema_name=schema)
            finally:
                is_copying = False
                with suppress(asyncpg.InterfaceError):  # a connection that is lost has forgotten its listeners
                    connection.remove_termination_listener(lost)
    except TimeoutError as error:
        raise asyncpg.ConnectionDoesNotExistError("connection was lost in the middle of a copy") from error
    except asyncpg.InternalClientError:
        connection.terminate()
        raise
