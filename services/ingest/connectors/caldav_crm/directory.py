"""The directory: who is to be synchronized, as the CRM has it, and what of it Syncwatch has not been told yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg

from schemas.events import Actor
from services.ingest.connectors.caldav_crm.crm import SQL
from services.ingest.connectors.caldav_crm.world import Person

TELL_ALL_EVERY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Flag:
    """Whether something is synchronized, and who decided it. `revision` rises with every change."""

    sync_enabled: bool
    disabled_reason: str | None
    changed_by: str
    revision: int

    @property
    def actor(self) -> Actor:
        """Who changed it last: the set-up and the CRM itself are the system."""
        return Actor(type="admin", id=self.changed_by) if self.changed_by == "admin" else Actor(type="system")


@dataclass(frozen=True, slots=True)
class Seat:
    """A person with a flag."""

    person: Person
    flag: Flag


@dataclass(frozen=True, slots=True)
class Directory:
    """One organization and its seats at one moment."""

    organization_id: UUID
    name: str
    flag: Flag
    seats: tuple[Seat, ...]

    @property
    def to_synchronize(self) -> tuple[Person, ...]:
        """Who is switched on, nobody while the organization is off."""
        return tuple(seat.person for seat in self.seats if self.flag.sync_enabled and seat.flag.sync_enabled)


@dataclass(slots=True)
class Told:
    """What was announced last, and when everything was: once a day all of it is told again."""

    revisions: dict[UUID, int] = field(default_factory=dict)
    all_at: float | None = None

    def is_news(self, object_id: UUID, flag: Flag) -> bool:
        """Whether this revision was not told yet."""
        return self.revisions.get(object_id) != flag.revision

    def tell_all_if_due(self, now_s: float) -> None:
        """Forget what was told when it was a day ago."""
        if self.all_at is None or now_s - self.all_at >= TELL_ALL_EVERY_S:
            self.revisions.clear()
            self.all_at = now_s


async def read_directory(crm: asyncpg.Pool, organization_id: UUID) -> Directory:
    """Read an organization and its seats from the CRM; raises LookupError where the CRM was never set up."""
    found = await crm.fetchrow(SQL["read_organization"], organization_id)
    if found is None:
        raise LookupError(f"The CRM has no organization {organization_id}: run setup first.")
    rows = await crm.fetch(SQL["read_seats"], organization_id)
    return Directory(organization_id, found["name"], _flag(found), tuple(_seat(row) for row in rows))


def _seat(row: asyncpg.Record) -> Seat:
    person = Person(
        user_id=row["user_id"],
        email=row["email"],
        display_name=row["display_name"],
        external_id=row["external_id"],
        organization_id=row["organization_id"],
    )
    return Seat(person, _flag(row))


def _flag(row: asyncpg.Record) -> Flag:
    return Flag(row["sync_enabled"], row["disabled_reason"], row["changed_by"], row["revision"])
