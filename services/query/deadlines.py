"""Statements that are ended when their time is up; the transaction goes on behind them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from schemas.sql import named_queries
from services.query.views.statements import Statement

WORTHWHILE_S: Final = 0.015
"""With less time left than this a search ends."""
_OVERTIME_S: Final = 0.03
"""By how much the last statement may be late."""
_SQL: Final = named_queries("lists")


async def within(connection: Any, deadline: float | None, statement: Statement) -> list[Any] | None:
    """Return the rows of a statement, or None where they came too late; the transaction goes on either way."""
    if deadline is None:
        return list(await connection.fetch(statement.sql, *statement.args))
    seconds = max(deadline - time.monotonic(), 0) + _OVERTIME_S
    try:
        async with shortened(connection, seconds):
            return list(await connection.fetch(statement.sql, *statement.args))
    except asyncpg.QueryCanceledError:
        return None


@asynccontextmanager
async def shortened(connection: Any, seconds: float) -> AsyncIterator[None]:
    """End each statement of the block after so many seconds; the transaction goes on behind it either way."""
    await connection.execute(_SQL["shorten"].format(milliseconds=max(1, int(seconds * 1000))))
    try:
        yield
    finally:
        await connection.execute(_SQL["lengthen"])
