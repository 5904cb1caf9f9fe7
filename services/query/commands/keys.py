"""Keys of the API."""

from __future__ import annotations

import argparse
from typing import Any, Final
from uuid import uuid4

from schemas.credentials import new_key
from schemas.sql import named_queries
from services.query.commands.accounts import check_role
from services.query.commands.context import Context
from services.query.commands.operating import CannotDo, listed, operating
from services.query.commands.words import DAYS, uuid, verb
from services.query.principal import ROLES

_ACCOUNTS: Final = named_queries("accounts")


def words(actions: Any) -> None:
    """Add the verbs."""
    adding = verb(actions, "add", "make a key of the API; it is shown once", add)
    adding.add_argument("name", metavar="NAME", help="what it is for")
    adding.add_argument("--role", required=True, choices=[role for role in ROLES if role != "end_user"])
    adding.add_argument("--organization", type=uuid, metavar="ID", help="needed for organization_admin")
    adding.add_argument("--days", type=DAYS, help="how long it is valid; for ever unless given")
    verb(actions, "list", "list them", list_all)
    revoking = verb(actions, "revoke", "end a key at once", revoke)
    revoking.add_argument("key", type=uuid, metavar="KEY_ID", help="as `keys list` shows it")


async def add(context: Context, arguments: argparse.Namespace) -> str:
    check_role(arguments.role, arguments.organization)
    text, digest = new_key()
    async with operating(context.database_url) as operator:
        await operator.check_organization(arguments.organization)
        expires = operator.until(arguments.days)
        key_id = uuid4()
        bound = (digest, key_id, arguments.name, arguments.role, arguments.organization, operator.now, expires)
        await operator.connection.execute(_ACCOUNTS["add_key"], *bound)
        after = {"role": arguments.role, "key_id": str(key_id)}
        await operator.note("key_added", arguments.name, arguments.organization, **after)
    return text


async def list_all(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("key id", "name", "role", "organization", "created", "expires", "revoked")
    return await listed(context, "keys", _ACCOUNTS["list_keys"], titles)


async def revoke(context: Context, arguments: argparse.Namespace) -> str:
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["revoke_key"], arguments.key, operator.now)
        if row is None:
            raise CannotDo(f"There is no key {arguments.key} that is still valid.")
        await operator.note("key_revoked", row["name"], row["organization_id"], key_id=str(arguments.key))
    return f"The key {row['name']} is revoked."
