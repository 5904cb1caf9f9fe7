"""Who may come in: a token for each of the connector's agents, an account for whoever started `./run`, a link."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import asyncpg

from deploy.local.children import agent_id, token_file
from deploy.local.refusals import CannotRun
from deploy.local.world import World
from schemas.credentials import TOKEN_PREFIX, hash_of
from schemas.sql import named_queries
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, Organization
from services.query.commands import command_line

ACCOUNT: Final = "admin@localhost"
_SQL: Final = named_queries("deploy")
_HAS_ORGANIZATION: Final = named_queries("operations")["has_organization"]


async def ensure_tokens(world: World) -> None:
    """Give each organization's agent a token, kept in a file that only this user may read."""
    token_file(world, "any").parent.mkdir(mode=0o700, exist_ok=True)
    async with asyncio.TaskGroup() as tasks:
        for organization in ORGANIZATIONS:
            tasks.create_task(_ensure_token(world, organization))


async def sign_in_link(world: World) -> str:
    """Return a link that signs whoever started `./run` in, once."""
    if not await _value(world, _SQL["has_account"], ACCOUNT):
        await _commands(world, "accounts", "add", ACCOUNT, "--role", "platform_admin")
    return _found(r"https?://\S+", await _commands(world, "accounts", "link", ACCOUNT))


async def _ensure_token(world: World, organization: Organization) -> None:
    """Keep the token that is there, unless it is of another database, one that was made anew, say."""
    path = token_file(world, organization.slug)
    kept = hash_of(path.read_text(), TOKEN_PREFIX) if path.exists() else None
    if kept is not None and await _value(world, _SQL["has_token"], kept):
        return
    agent, owner = agent_id(organization.slug), str(organization.organization_id)
    if not await _value(world, _HAS_ORGANIZATION, organization.organization_id):
        await _commands(world, "organizations", "add", organization.name, "--id", owner)
    told = await _commands(world, "agents", "add", agent, "--organization", owner)
    _write_private(path, _found(rf"{TOKEN_PREFIX}\S+", told))


def _write_private(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


async def _value(world: World, statement: str, argument: object) -> Any:
    connection = await asyncpg.connect(world.owner_url, timeout=10)
    try:
        return await connection.fetchval(statement, argument)
    finally:
        await connection.close()


async def _commands(world: World, *arguments: str) -> str:
    """Do one of the operator's commands, which are audited, and return what it says."""
    code, said = await command_line.carry_out(command_line.parser().parse_args(arguments), world.operators())
    if code != 0:
        raise CannotRun(f"syncwatch {' '.join(arguments[:2])} failed: {said}")
    return said


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise CannotRun(f"The command line answered without what was asked for: {text.strip()[:200]}")
    return found[0]
