"""Whose rows somebody may see of those asked for, and whether they exist at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from schemas.keys import Key, session_of
from schemas.sql import named_queries
from services.query.principal import Principal
from services.query.problems import NotFound
from services.query.views.view import All, One, OneUser, Scope, View

_SQL: Final = named_queries("details")


def scope_of(principal: Principal, organization_id: UUID | None = None, user_id: UUID | None = None) -> Scope:
    """Return what this principal may see of what is asked for; what is foreign is not found."""
    if principal.organization_id is not None and organization_id not in (None, principal.organization_id):
        raise NotFound
    if principal.user_id is not None and user_id not in (None, principal.user_id):
        raise NotFound
    organization = organization_id or principal.organization_id
    user = user_id or principal.user_id
    if organization is None:
        return All()
    return One(organization) if user is None else OneUser(organization, user)


def address_of(key: str) -> Key:
    """Return the session that an address names: (started_at, session_id). Raises NotFound for what is no key."""
    address = session_of(key)
    if address is None:
        raise NotFound
    return address


def ensure_own(principal: Principal, row: Mapping[str, Any] | None) -> None:
    """Raise NotFound unless the row is there and this principal's to see; a second look after row-level security."""
    if row is None:
        raise NotFound
    if principal.organization_id is not None and row["organization_id"] != principal.organization_id:
        raise NotFound
    if principal.user_id is not None and row["user_id"] != principal.user_id:
        raise NotFound


async def needs_existing(connection: Any, view: View) -> None:
    """Raise NotFound where the list is of one organization or user that does not exist."""
    if isinstance(view.scope, OneUser) or view.list.name in ("organization_users", "statistics", "organization_issues"):
        await ensure(connection, view.scope)


async def ensure(connection: Any, scope: Scope) -> None:
    """Raise NotFound unless the organization or user of a scope exists."""
    match scope:
        case One(organization_id):
            exists = await connection.fetchval(_SQL["organization_exists"], organization_id)
        case OneUser(organization_id, user_id):
            exists = await connection.fetchval(_SQL["user_exists"], organization_id, user_id)
        case All():
            return
    if not exists:
        raise NotFound
