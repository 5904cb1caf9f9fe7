"""The id of an issue that names none: the same trouble of one object is one issue."""

from typing import Final
from uuid import UUID, uuid5

from schemas.kinds import Direction, IssueData, Operation

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
