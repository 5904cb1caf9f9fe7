"""Connections to Postgres."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import asyncpg


async def create_pool(
    url: str,
    *,
    role_name: str,
    min_size: int = 1,
    max_size: int = 4,
    server_settings: Mapping[str, str] | None = None,
    init: Callable[[asyncpg.Connection], Coroutine[Any, Any, None]] | None = None,
    reset: Callable[[asyncpg.Connection], Coroutine[Any, Any, None]] | None = None,
) -> asyncpg.Pool:
    """Open a pool whose connections name themselves `role_name` in pg_stat_activity.

    JIT is off: our statements are short, and compiling them costs more than it saves. `init` is run once on each
    new connection; `reset` whenever one comes back, its transaction ended, in place of asyncpg's own statements.
    Raises what asyncpg raises while Postgres is away; see `patience`.
    """
    settings = {"application_name": role_name, "jit": "off", "timezone": "UTC", **(server_settings or {})}
    return await asyncpg.create_pool(
        url, min_size=min_size, max_size=max_size, server_settings=settings, init=init, reset=reset, timeout=10
    )
