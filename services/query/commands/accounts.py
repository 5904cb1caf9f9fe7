"""People who sign in to the panel."""

from __future__ import annotations

import argparse
import re
import secrets
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from schemas.sql import named_queries
from services.query.commands.context import Context
from services.query.commands.operating import CannotDo, listed, operating
from services.query.commands.words import uuid, verb
from services.query.principal import ROLES, link_hash

LINK_VALID: Final = timedelta(minutes=15)
_SQL: Final = named_queries("operations")
_ACCOUNTS: Final = named_queries("accounts")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")


def words(actions: Any) -> None:
    """Add the verbs."""
    adding = verb(actions, "add", "add a person; `accounts link` then lets them in", add)
    adding.add_argument("email", metavar="EMAIL")
    adding.add_argument("--role", required=True, choices=ROLES)
    adding.add_argument("--name", help="as shown in the panel")
    adding.add_argument("--organization", type=uuid, metavar="ID", help="needed for organization_admin and end_user")
    adding.add_argument("--user", type=uuid, metavar="ID", help="needed for end_user: whose page it is")
    verb(actions, "list", "list them", list_all)
    linking = verb(actions, "link", "print a link that signs the person in once, within 15 minutes", link)
    linking.add_argument("email", metavar="EMAIL")
    disabling = verb(actions, "disable", "sign a person out at once and let nobody in by it", disable)
    disabling.add_argument("email", metavar="EMAIL")
    enabling = verb(actions, "enable", "let a person come in again", enable)
    enabling.add_argument("email", metavar="EMAIL")


async def add(context: Context, arguments: argparse.Namespace) -> str:
    role, organization, user = arguments.role, arguments.organization, arguments.user
    check_role(role, organization, user)
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


def check_role(role: str, organization: UUID | None, user: UUID | None = None) -> None:
    """Raise CannotDo where a role does not go with whom it is bound to."""
    if (role in ("organization_admin", "end_user")) != (organization is not None):
        raise CannotDo("organization_admin and end_user need --organization; the other roles must not have one.")
    if (role == "end_user") != (user is not None):
        raise CannotDo("end_user needs --user; the other roles must not have one.")


async def list_all(context: Context, arguments: argparse.Namespace) -> str:
    titles = ("email", "name", "role", "organization", "user", "created", "disabled")
    return await listed(context, "accounts", _ACCOUNTS["list_accounts"], titles)


async def link(context: Context, arguments: argparse.Namespace) -> str:
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


async def disable(context: Context, arguments: argparse.Namespace) -> str:
    email = _address(arguments.email)
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["disable_account"], email, operator.now)
        if row is None:
            raise CannotDo(f"There is no account {email} that may come in.")
        await operator.note("account_disabled", email, row["organization_id"])
    return f"{email} is signed out, and no link lets them in."


async def enable(context: Context, arguments: argparse.Namespace) -> str:
    email = _address(arguments.email)
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_ACCOUNTS["enable_account"], email)
        if row is None:
            raise CannotDo(f"There is no account {email} that is disabled.")
        await operator.note("account_enabled", email, row["organization_id"])
    return f"{email} may come in again: syncwatch accounts link {email}"
