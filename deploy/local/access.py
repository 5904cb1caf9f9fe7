"""Who may come in: a token for each of the connector's agents, an account for whoever started `./run`, a link."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from deploy.local.children import World, base_environment, query_environment, token_file
from deploy.local.oneshots import output_of
from deploy.local.processes import Command

ACCOUNT: Final = "admin@localhost"


async def ensure_tokens(world: World) -> None:
    """Give each organization's agent a token, kept in a file that only this user reads."""
    await asyncio.to_thread(token_file(world, "x").parent.mkdir, mode=0o700, exist_ok=True)


async def sign_in_link(world: World) -> str:
    """Return a link that signs the operator in once."""
    return await _commands(world, "accounts", "link", ACCOUNT)


async def _commands(world: World, *arguments: str) -> str:
    environment = base_environment() | query_environment(world) | {"DATABASE_URL": world.owner_url}
    argv = [sys.executable, "-P", "-m", "services.query.commands", *arguments]
    return await output_of(Command(name=f"syncwatch {arguments[0]}", argv=argv, environment=environment))
