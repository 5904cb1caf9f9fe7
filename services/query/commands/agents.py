"""Tokens that connector agents send events with."""

from __future__ import annotations

import argparse
import re
from typing import Any, Final
from uuid import uuid4

from schemas.credentials import new_token
from schemas.kinds import AGENT_NAME
from schemas.sql import named_queries
from services.query.commands.context import Context
from services.query.commands.operating import CannotDo, listed, operating
from services.query.commands.words import DAYS, uuid, verb

_ACCOUNTS: Final = named_queries("accounts")
_AGENT: Final = re.compile(AGENT_NAME)


def words(actions: Any) -> None:
    """Add the verbs."""
    adding = verb(actions, "add", "make a token for an agent; it is shown once", add)
    adding.add_argument("agent", metavar="AGENT", help="what the agent calls itself")
    adding.add_argument("--organization", type=uuid, metavar="ID", required=True, help="whose events it may send")
    adding.add_argument("--days", type=DAYS, help="how long it is valid; for ever unless given")
    verb(actions, "list", "list them", list_all)
    revoking = verb(actions, "revoke", "end a token at once", revoke)
    revoking.add_argument("token", type=uuid, metavar="TOKEN_ID", help="as `agents list` shows it")


async def add(context: Context, arguments: argparse.Namespace) -> str:
    if not _AGENT.fullmatch(arguments.agent):
        raise CannotDo("An agent's name stands behind /agents/ in `source`: 1 to 128 characters, and no / or blank.")
    text, digest = new_token()
    async with operating(context.database_url) as operator:
        await operator.check_organization(arguments.organization)
        expires = operator.until(arguments.days)
        token_id = uuid4()
        bound = (digest, token_id, arguments.agent, arguments.organization, operator.now, expires)
        if await operator.connection.fetchval(_ACCOUNTS["add_token"], *bound) is None:
            raise CannotDo(f"The agent {arguments.agent} is not this organization's: give it a name of its own.")
        await operator.note("agent_token_added", arguments.agent, arguments.organization, token_id=str(token_id))
    return text


async def list_all(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("token id", "agent", "organization", "created", "expires", "revoked")
    return await listed(context, "agent_tokens", _ACCOUNTS["list_tokens"], titles)


async def revoke(context: Context, arguments: argparse.Namespace) -> str:
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["revoke_token"], arguments.token, operator.now)
        if row is None:
            raise CannotDo(f"There is no token {arguments.token} that is still valid.")
        await operator.note(
            "agent_token_revoked", row["agent_id"], row["organization_id"], token_id=str(arguments.token)
        )
    return f"The token of {row['agent_id']} is revoked."
