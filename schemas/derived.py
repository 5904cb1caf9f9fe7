"""What follows from one event alone: the figures nobody sends, the status as stored, the id of an issue."""

from typing import Final, NamedTuple
from uuid import UUID, uuid5

from schemas.kinds import Direction, IssueData, Operation, SessionData, SessionStatus


class Derived(NamedTuple):
    """The figures of one session that nobody sends."""

    objects: int
    changes: int
    failures: int
    conflicts: int
    total_changes: int


def derived(data: SessionData) -> Derived:
    """Sum up the report: objects fetched; changes made; failures; conflicts; and with those skipped, total changes."""
    objects = changes = failures = conflicts = skipped = 0
    for row in data.objects:
        objects += row.fetched
        changes += row.created + row.updated + row.deleted
        failures += row.failed
        conflicts += row.conflicts
        skipped += row.skipped
    return Derived(objects, changes, failures, conflicts, changes + failures + conflicts + skipped)


def stored_status(data: SessionData) -> str:
    """Return the status as stored: a `finished` with failures, conflicts or an error is `finished_with_issues`.

    The rule about issues needs the issues, so it is the aggregator's.
    """
    if data.status is SessionStatus.FINISHED and (
        data.error is not None or any(row.failed or row.conflicts for row in data.objects)
    ):
        return SessionStatus.FINISHED_WITH_ISSUES.value
    return data.status.value


_ISSUES: Final = UUID("5b1d6f1e-6f0a-5f0c-9d53-7d6c1f6f3a51")


def issue_identity(
    organization_id: UUID, user_id: UUID, *, object_type: str, object_id: str | None, object_name: str,
    direction: Direction, operation: Operation,
) -> UUID:  # fmt: skip
    """Return the id under which the same trouble of one user's object is one issue, run after run.

    Hashed (uuid5), joined by U+001F: organization, user, object type, the object, direction, operation. The object is
    its id when it has one, else its name; the two are told apart. Error code and text are left out: they vary.
    """
    named = f"id:{object_id}" if object_id else f"name:{object_name}"
    parts = (str(organization_id), str(user_id), object_type, named, direction.value, operation.value)
    return uuid5(_ISSUES, "\x1f".join(parts))


def issue_id_of(data: IssueData) -> UUID:
    """Return the id of the issue: as sent, else by `issue_identity`."""
    return data.issue_id or issue_identity(
        data.organization_id, data.user_id, object_type=data.object_type, object_id=data.object_id,
        object_name=data.object_name, direction=data.direction, operation=data.operation,
    )  # fmt: skip
