"""The audit trail: who did what, written in the transaction that does it, before any data leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from schemas.sql import named_queries

_SQL: Final = named_queries("audit")


@dataclass(frozen=True, slots=True)
class Audit:
    """One line of the trail. `action` is a stable slug, `object` what it was done to."""

    actor: str
    action: str
    object: str | None = None
    organization_id: UUID | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


async def write(connection: Any, audit: Audit, now: datetime) -> None:
    """Add a line. `connection` is in the transaction of what is done, and knows jsonb."""
    await connection.execute(
        _SQL["add"], now, audit.actor, audit.action, audit.object, audit.organization_id, audit.before, audit.after
    )
