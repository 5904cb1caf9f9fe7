"""What the commands do: each one transaction with its line in the audit trail."""

from __future__ import annotations

import argparse
import getpass
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
import orjson
from aiokafka import AIOKafkaProducer

from schemas.credentials import new_key, new_token
from schemas.folding import fold
from schemas.kinds import AGENT_NAME
from schemas.sql import named_queries
from services.common.kafka import producer_options
from services.query.audit import Audit, write
from services.query.controls import written_out
from services.query.principal import link_hash

if TYPE_CHECKING:
    from services.query.commands import Context

LINK_VALID: Final = timedelta(minutes=15)
_ACCOUNTS: Final = named_queries("accounts")
_SQL: Final = named_queries("operations")
_ACCEPT: Final = named_queries("positions")["accept_position"]
_BATCH: Final = 200
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_AGENT: Final = re.compile(AGENT_NAME)


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


# ---------------------------------------------------------------------------------------------- organizations, accounts
async def add_organization_command(context: Context, arguments: argparse.Namespace) -> str:
    organization, name = arguments.id or uuid4(), arguments.name.strip()
    if not name:
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


async def list_organizations_command(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("id", "name", "synchronization", "health", "users", "failing")
    return await _listed(context, "organizations", _SQL["list_organizations"], titles)


async def _listed(context: Context, what: str, sql: str, titles: Sequence[str], *bound: Any) -> str:
    """Return what was found as a table; that somebody looked is written down too."""
    async with operating(context.database_url) as operator:
        rows = await operator.connection.fetch(sql, *bound)
        await operator.note(f"{what}_listed", None, rows=len(rows))
    return table(titles, [tuple(row) for row in rows])


async def add_account_command(context: Context, arguments: argparse.Namespace) -> str:
    role, organization, user = arguments.role, arguments.organization, arguments.user
    _check_role(role, organization, user)
    email = _address(arguments.email)
    if not _EMAIL.fullmatch(email) or len(email) > 254:
        raise CannotDo(f"{email!r} is no e-mail address.")
    async with operating(context.database_url) as operator:
        await operator.check_organization(organization)
        if user is not None and not await operator.connection.fetchval(_SQL["has_user"], organization, user):
            raise CannotDo(f"There is no user {user} in this organization.")
        bound = (uuid4(), email, arguments.name, role, organization, user, operator.now)
        if await operator.connection.fetchval(_ACCOUNTS["add_account"], *bound) is None:
            raise CannotDo(f"There is an account {email} already.")
        await operator.note("account_added", email, organization, role=role)
    return f"{email} is {role}. Let them in with: syncwatch accounts link {email}"


def _address(email: str) -> str:
    """Return an e-mail address as accounts are kept and found by it."""
    return email.strip().lower()


def _check_role(role: str, organization: UUID | None, user: UUID | None = None) -> None:
    if (role in ("organization_admin", "end_user")) != (organization is not None):
        raise CannotDo("organization_admin and end_user need --organization; the other roles must not have one.")
    if (role == "end_user") != (user is not None):
        raise CannotDo("end_user needs --user; the other roles must not have one.")


async def list_accounts_command(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("email", "name", "role", "organization", "user", "created", "disabled")
    return await _listed(context, "accounts", _ACCOUNTS["list_accounts"], titles)


async def link_command(context: Context, arguments: argparse.Namespace) -> str:
    token = secrets.token_urlsafe(32)
    async with operating(context.database_url) as operator:
        account = await operator.connection.fetchrow(_ACCOUNTS["find_account"], _address(arguments.email))
        if account is None:
            raise CannotDo(f"There is no account {arguments.email}: add it with `syncwatch accounts add`.")
        if account["disabled_at"] is not None:
            raise CannotDo(f"The account {arguments.email} is disabled.")
        expires = operator.now + LINK_VALID
        await operator.connection.execute(_ACCOUNTS["add_link"], link_hash(token), account["account_id"], expires)
        await operator.note("link_made", account["email"], account["organization_id"])
    return f"{context.panel_url}/sign-in/{token}"


async def disable_command(context: Context, arguments: argparse.Namespace) -> str:
    email = _address(arguments.email)
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["disable_account"], email, operator.now)
        if row is None:
            raise CannotDo(f"There is no account {email} that may come in.")
        await operator.note("account_disabled", email, row["organization_id"])
    return f"{email} is signed out, and no link lets them in."


async def enable_command(context: Context, arguments: argparse.Namespace) -> str:
    email = _address(arguments.email)
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["enable_account"], email)
        if row is None:
            raise CannotDo(f"There is no account {email} that is disabled.")
        await operator.note("account_enabled", email, row["organization_id"])
    return f"{email} may come in again: syncwatch accounts link {email}"


# ---------------------------------------------------------------------------------------------- agents, keys
async def add_agent_command(context: Context, arguments: argparse.Namespace) -> str:
    if not _AGENT.fullmatch(arguments.agent):
        raise CannotDo("An agent's name stands behind /agents/ in `source`: 1 to 128 characters, and no / or blank.")
    text, digest = new_token()
    async with operating(context.database_url) as operator:
        await operator.check_organization(arguments.organization)
        expires = _until(operator.now, arguments.days)
        token_id = uuid4()
        bound = (digest, token_id, arguments.agent, arguments.organization, operator.now, expires)
        if await operator.connection.fetchval(_ACCOUNTS["add_token"], *bound) is None:
            raise CannotDo(f"The agent {arguments.agent} is not this organization's: give it a name of its own.")
        await operator.note("agent_token_added", arguments.agent, arguments.organization, token_id=str(token_id))
    return text


def _until(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


async def list_agents_command(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("token id", "agent", "organization", "created", "expires", "revoked")
    return await _listed(context, "agent_tokens", _ACCOUNTS["list_tokens"], titles)


async def revoke_agent_command(context: Context, arguments: argparse.Namespace) -> str:
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["revoke_token"], arguments.token, operator.now)
        if row is None:
            raise CannotDo(f"There is no token {arguments.token} that is still valid.")
        await operator.note(
            "agent_token_revoked", row["agent_id"], row["organization_id"], token_id=str(arguments.token)
        )
    return f"The token of {row['agent_id']} is revoked."


async def add_key_command(context: Context, arguments: argparse.Namespace) -> str:
    _check_role(arguments.role, arguments.organization)
    text, digest = new_key()
    async with operating(context.database_url) as operator:
        await operator.check_organization(arguments.organization)
        expires = _until(operator.now, arguments.days)
        key_id = uuid4()
        bound = (digest, key_id, arguments.name, arguments.role, arguments.organization, operator.now, expires)
        await operator.connection.execute(_ACCOUNTS["add_key"], *bound)
        after = {"role": arguments.role, "key_id": str(key_id)}
        await operator.note("key_added", arguments.name, arguments.organization, **after)
    return text


async def list_keys_command(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("key id", "name", "role", "organization", "created", "expires", "revoked")
    return await _listed(context, "keys", _ACCOUNTS["list_keys"], titles)


async def revoke_key_command(context: Context, arguments: argparse.Namespace) -> str:
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["revoke_key"], arguments.key, operator.now)
        if row is None:
            raise CannotDo(f"There is no key {arguments.key} that is still valid.")
        await operator.note("key_revoked", row["name"], row["organization_id"], key_id=str(arguments.key))
    return f"The key {row['name']} is revoked."


# ---------------------------------------------------------------------------------------------- rejects, positions
async def list_rejects_command(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("topic", "epoch", "partition", "offset", "appended", "organization", "reason", "detail", "replayed")
    return await _listed(context, "rejects", _SQL["list_rejects"], titles, arguments.reason, arguments.limit)


async def replay_command(context: Context, arguments: argparse.Namespace) -> str:
    """Publish kept events again. Each is marked in the transaction that publishes it; a second copy does no harm.

    What was appended after the newest event kept at the start waits for the next replay: an event that is rejected
    again comes back as a new one, and would be published without end.
    """
    bootstrap = context.setting("kafka_bootstrap", "where Kafka is, as host:port")
    producer = AIOKafkaProducer(**producer_options(bootstrap))
    replayed = 0
    try:
        await producer.start()
        newest = await _newest_reject(context)
        while batch := await _replay_batch(context, producer, arguments, newest):
            replayed += batch
    finally:
        await producer.stop()
    if not replayed:
        async with operating(context.database_url) as operator:
            await operator.note("rejects_replayed", None, count=0, reason=arguments.reason, topic=arguments.topic)
    return f"{replayed} replayed."


async def _newest_reject(context: Context) -> datetime | None:
    """Return when the newest kept event was appended, by the broker's clock: it dates what is published again too."""
    async with operating(context.database_url) as operator:
        newest: datetime | None = await operator.connection.fetchval(_SQL["newest_reject"])
    return newest


async def _replay_batch(
    context: Context, producer: AIOKafkaProducer, arguments: argparse.Namespace, newest: datetime | None
) -> int:
    async with operating(context.database_url) as operator:
        rows = await operator.connection.fetch(
            _SQL["take_rejects"], arguments.reason, arguments.topic, _BATCH, operator.now, newest
        )
        sent = [
            await producer.send(
                row["topic"], row["payload"], key=row["key"], headers=_headers(row["headers"]),
            )
            for row in rows
        ]  # fmt: skip
        for each in sent:
            await each
        if rows:
            await operator.note(
                "rejects_replayed", None, count=len(rows), reason=arguments.reason, topic=arguments.topic
            )
    return len(rows)


def _headers(packed: bytes | None) -> list[tuple[str, bytes]]:
    return [(name, value) for name, value in msgspec.msgpack.decode(packed)] if packed else []


async def list_positions_command(context: Context, arguments: argparse.Namespace) -> str:
    titles = (
        "topic", "partition", "epoch", "next offset", "applied to", "halted", "since", "expected", "found", "lost",
        "last lost",
    )  # fmt: skip
    return await _listed(context, "positions", _SQL["list_positions"], titles)


async def accept_command(context: Context, arguments: argparse.Namespace) -> str:
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_SQL["halted_position"], arguments.topic, arguments.partition)
        if row is None:
            raise CannotDo(
                f"There is no partition {arguments.topic}/{arguments.partition}: see `syncwatch positions list`."
            )
        if row["halted"] is None:
            raise CannotDo(f"{arguments.topic}/{arguments.partition} is not halted.")
        at = arguments.at
        if at is None:
            at = 0 if arguments.new_log else row["next_offset"] if row["halted_found"] is None else row["halted_found"]
        if at < 0:
            raise CannotDo("An offset is not negative.")
        moved = await operator.connection.fetchrow(_ACCEPT, arguments.topic, arguments.partition, at, arguments.new_log)
        before = {"halted": row["halted"], "next_offset": row["next_offset"], "epoch": row["epoch"]}
        after = {"next_offset": moved["next_offset"], "epoch": moved["epoch"]}
        what = f"{arguments.topic}/{arguments.partition}"
        audit = Audit(operator.actor, "position_accepted", what, before=before, after=after)
        await write(operator.connection, audit, operator.now)
    return f"{what} reads on at {moved['next_offset']}, epoch {moved['epoch']}."
