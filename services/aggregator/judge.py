"""Judging users: facts are merged, status is computed from them and stored, within the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.recent import Seen


@dataclass(frozen=True, slots=True)
class Touched:
    """A user whose facts may have changed: sessions as they now stand in `sync_session`, or none (a flag, a name)."""

    organization_id: UUID
    user_id: UUID
    partition: int
    """Of syncwatch.events: the one that brought the event."""
    agent_id: str | None
    """Who reported; None where it is not known or does not matter."""
    sessions: Sequence[Seen] = ()
