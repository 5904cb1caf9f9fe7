"""An operator at the command line: one transaction on the owner's database, with its line in the audit trail."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from schemas.sql import named_queries
from services.query.audit import Audit, write
from services.query.commands.context import Context
from services.query.controls import written_out

_SQL: Final = named_queries("operations")


class CannotDo(Exception):
    """Why a command could not be carried out, in one sentence."""


class Operator:
    """Somebody at the command line, with a transaction open."""

    def __init__(self, connection: Any, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.actor = f"operator {_login()}"

    async def check_organization(self, organization: UUID | None) -> None:
        """Raise CannotDo for an organization that there is not: nobody is to speak for one that a slip made up."""
        if organization is not None and not await self.connection.fetchval(_SQL["has_organization"], organization):
            raise CannotDo(
                f"There is no organization {organization}: see `syncwatch organizations list`, "
                "or add it first with `syncwatch organizations add NAME --id ID`."
            )

    def until(self, days: int | None) -> datetime | None:
        """Return when something ends that is valid for so many days; never where none are given."""
        return None if days is None else self.now + timedelta(days=days)

    async def note(self, action: str, what: str | None, organization_id: UUID | None = None, **after: Any) -> None:
        """Write a line of the audit trail."""
        audit = Audit(self.actor, action, what, organization_id, after=after or None)
        await write(self.connection, audit, self.now)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@asynccontextmanager
async def operating(url: str) -> AsyncIterator[Operator]:
    """Lend an operator on a connection of the owner, in one transaction."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.set_type_codec(
            "jsonb", schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
        )
        async with connection.transaction():
            yield Operator(connection, datetime.now(UTC))
    finally:
        await connection.close()


async def listed(context: Context, what: str, sql: str, titles: Sequence[str], *bound: Any) -> str:
    """Return what was found as a table; that somebody looked is written down too."""
    async with operating(context.database_url) as operator:
        rows = await operator.connection.fetch(sql, *bound)
        await operator.note(f"{what}_listed", None, rows=len(rows))
    return table(titles, [tuple(row) for row in rows])


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as columns of text, a line under the titles."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return "none"
    widths = [max(len(row[at]) for row in [list(titles), *cells]) for at in range(len(titles))]
    lines = [list(titles), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in lines
    )


def _cell(value: Any) -> str:
    """Return what stands in a table. Names and reasons were sent by tenants: the operator's terminal obeys none."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return written_out(str(value))
