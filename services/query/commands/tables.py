"""The tables in Postgres."""

from __future__ import annotations

import argparse

from services.common import migrate as migrations
from services.query.commands.context import Context
from services.query.commands.operating import operating


async def migrate(context: Context, arguments: argparse.Namespace) -> str:
    applied = await migrations.migrate(context.database_url)
    async with operating(context.database_url) as operator:
        if applied:
            await operator.note("migrated", ", ".join(applied))
    return "\n".join(f"applied {name}" for name in applied) or "The database is up to date."
