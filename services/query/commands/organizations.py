"""The organizations that are watched."""

from __future__ import annotations

import argparse
from typing import Any, Final
from uuid import uuid4

from schemas.folding import fold, is_blank
from schemas.sql import named_queries
from services.query.commands.context import Context
from services.query.commands.operating import CannotDo, listed, operating
from services.query.commands.words import uuid, verb

_SQL: Final = named_queries("operations")


def words(actions: Any) -> None:
    """Add the verbs."""
    adding = verb(actions, "add", "add an organization before its agent reports", add)
    adding.add_argument("name", help="as people know it")
    adding.add_argument("--id", type=uuid, help="its id where the connector has one already; else a new one")
    adding.add_argument("--mail-system", help="exchange, office365, gmail, …")
    adding.add_argument("--crm-system", default="salesforce", help="salesforce unless said otherwise")
    verb(actions, "list", "list them with their health", list_all)


async def add(context: Context, arguments: argparse.Namespace) -> str:
    organization, name = arguments.id or uuid4(), arguments.name.strip()
    if is_blank(name):
        raise CannotDo("An organization needs a name.")
    async with operating(context.database_url) as operator:
        known = await operator.connection.fetchval(_SQL["organization_called"], fold(name))
        if known is not None and arguments.id is None:
            raise CannotDo(f"There is an organization called {name}, {known}. Name the id of another one with --id.")
        bound = (organization, name, fold(name), arguments.mail_system, arguments.crm_system, operator.now)
        if await operator.connection.fetchval(_SQL["add_organization"], *bound) is None:
            raise CannotDo(f"There is an organization {organization} already.")
        await operator.note("organization_added", name, organization)
    return str(organization)


async def list_all(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("id", "name", "synchronization", "health", "users", "failing")
    return await listed(context, "organizations", _SQL["list_organizations"], titles)
