"""How each column of a list is drawn: kind of cell, width, and where it goes on a phone. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.columns import Column, ListView, Type


@dataclass(frozen=True, slots=True)
class Look:
    """One column's look. `width` in px, 0: it takes what is left; `least` is what it needs at least then.

    `phone` names its place in the block a row becomes on a phone: ph1 beside the name, ph2 a line of its own,
    ph3 among the small figures, ph4 beside what can be pressed; empty: not shown there. `stress`: a value above zero
    asks for attention.
    """

    kind: str
    width: int = 0
    least: int = 0
    phone: str = ""
    stress: bool = False


_BY_TYPE: Final[Mapping[Type, Look]] = {
    Type.TEXT: Look("text", 150),
    Type.LIST: Look("status", 130),
    Type.OPEN_LIST: Look("text", 120),
    Type.DIRECTION: Look("text", 150),
    Type.BOOLEAN: Look("boolean", 96),
    Type.NUMBER: Look("number", 80),
    Type.SHARE: Look("share", 100),
    Type.CODE: Look("code", 190),
    Type.SECONDS: Look("seconds", 100),
    Type.TIME: Look("time", 112),
    Type.PERIOD: Look("time", 112),
    Type.ID: Look("id", 150),
    Type.REPORT: Look("report", 128),
    Type.STRIP: Look("strip", 158),
}
_SAME: Final[Mapping[str, Look]] = {
    "organization": Look("organization", 150, phone="ph3"),
    "email": Look("text", 210),
    "organization_id": Look("id", 290),
    "user_id": Look("id", 290),
    "mail_system": Look("text", 112),
}
_BY_KIND: Final[Mapping[str, Mapping[str, Look]]] = {
    "organizations": {
        "name": Look("name"),
        "synchronization_status": Look("status", 172, phone="ph1"),
        "health": Look("status", 104),
        "mail_system": Look("text", 110),
        "users": Look("users-bar", 0, least=170, phone="ph2"),
        "healthy": Look("number", 84),
        "failing": Look("number", 78, phone="ph3", stress=True),
        "late": Look("number", 70, phone="ph3"),
        "disabled": Look("number", 80),
        "last_session": Look("time", 120, phone="ph3"),
        "errors_24h": Look("number", 100, phone="ph3"),
    },
    "users": {
        "user": Look("person"),
        "synchronization_disabled": Look("flag", 110),
        "status": Look("status", 94, phone="ph1"),
        "why": Look("why", 0, least=100, phone="ph2"),
        "last_20": Look("strip", 152, phone="ph2"),
        "last_session": Look("time", 102, phone="ph3"),
        "session_status": Look("status", 152),
        "objects": Look("number", 58),
        "changes": Look("number", 68),
        "failures": Look("number", 64, stress=True),
        "total_changes": Look("number", 68),
        "error_source": Look("long", 80),
        "error_category": Look("long", 102),
        "issues": Look("number", 52, phone="ph3"),
        "next_due": Look("time", 82),
        "exception": Look("exception", 230),
        "conflicts": Look("number", 74),
    },
    "sessions": {
        "user": Look("person"),
        "run": Look("run", 138, phone="ph3"),
        "status": Look("session-status", 150, phone="ph1"),
        "report": Look("report", 114),
        "objects": Look("number", 62, phone="ph3"),
        "changes": Look("number", 68, phone="ph3"),
        "failures": Look("number", 66, phone="ph3", stress=True),
        "total_changes": Look("number", 68),
        "error_source": Look("long", 82),
        "error_category": Look("long", 138, phone="ph4"),
        "exception": Look("exception", 0, least=138),
        "issues": Look("number", 56),
        "conflicts": Look("number", 70),
        "status_detail": Look("long", 220),
        "session_id": Look("id", 290),
    },
    "issues": {
        "user": Look("person"),
        "type": Look("object-type", 118, phone="ph3"),
        "name": Look("object-name", 0, least=190, phone="ph2"),
        "direction": Look("long", 172, phone="ph3"),
        "operation": Look("text", 118, phone="ph3"),
        "error_code": Look("code", 240, phone="ph2"),
        "error_text": Look("long", 0, least=200, phone="ph2"),
        "session": Look("session-link", 110),
        "first_seen": Look("time", 112, phone="ph3"),
        "times": Look("number", 64, phone="ph3"),
        "state": Look("text", 96),
        "issue_id": Look("id", 290),
    },
}
# Lists of many columns, whose cells have less room at their sides: all of the default ones fit a window of 1,440 px.
_DENSE_USERS: Final[Mapping[str, Look]] = {
    "organization": Look("organization", 112, phone="ph3"),
    "synchronization_disabled": Look("flag", 102),
    "status": Look("status", 86, phone="ph1"),
    "why": Look("why", 0, least=82, phone="ph2"),
    "last_20": Look("strip", 108, phone="ph2"),
    "last_session": Look("time", 102, phone="ph3"),
    "session_status": Look("status-two", 96),
    "objects": Look("number", 56),
    "changes": Look("number", 62),
    "failures": Look("number", 60, stress=True),
    "error_source": Look("long", 76),
    "error_category": Look("long", 122),
    "issues": Look("number", 50, phone="ph3"),
    "next_due": Look("time", 102),
}
_DENSE_ISSUES: Final[Mapping[str, Look]] = {
    "organization": Look("organization", 120, phone="ph3"),
    "type": Look("object-type", 114, phone="ph3"),
    "name": Look("object-name", 0, least=150, phone="ph2"),
    "direction": Look("long", 100, phone="ph3"),
    "operation": Look("text", 100, phone="ph3"),
    "error_code": Look("code", 206, phone="ph2"),
    "error_text": Look("long", 0, least=160, phone="ph2"),
    "session": Look("session-link", 102),
    "first_seen": Look("time", 102, phone="ph3"),
    "times": Look("number", 50, phone="ph3"),
}
_DENSE: Final[Mapping[str, Mapping[str, Look]]] = {
    "users": _DENSE_USERS,
    "organization_users": _DENSE_USERS,
    "issues": _DENSE_ISSUES,
    "organization_issues": _DENSE_ISSUES,
    "sessions": {
        "organization": Look("organization", 120, phone="ph3"),
        "run": Look("run", 136, phone="ph3"),
        "status": Look("session-status", 146, phone="ph1"),
        "report": Look("report", 100),
        "objects": Look("number", 56, phone="ph3"),
        "changes": Look("number", 62, phone="ph3"),
        "failures": Look("number", 60, phone="ph3", stress=True),
        "total_changes": Look("number", 62),
        "error_source": Look("long", 76),
        "error_category": Look("long", 122, phone="ph4"),
        "exception": Look("exception", 0, least=104),
        "issues": Look("number", 50),
        "conflicts": Look("number", 66),
    },
}
FIRST: Final[Mapping[str, int]] = {
    "organizations": 270, "users": 150, "organization_users": 200, "sessions": 140, "statistics": 150,
    "user_sessions": 150, "issues": 150, "organization_issues": 170, "user_issues": 150,
}  # fmt: skip
_OF_STATUSES: Final = frozenset({"status", "status-two", "session-status", "strip"})
ROOMY: Final = frozenset({"sessions", "issues"})
ACTIONS_WIDTH: Final = 66
MIN_WIDTHS: Final = (
    600, 700, 800, 900, 1000, 1100, 1200, 1300, 1366, 1500, 1600, 1700, 1800, 2000, 2200, 2400, 2600, 3000, 3400, 4000,
)  # fmt: skip


def is_dense(view: ListView) -> bool:
    """Whether a list has so many columns that its cells have less room at their sides."""
    return view.name in _DENSE


def look(view: ListView, column: Column) -> Look:
    """Return how a column is drawn in a list."""
    dense = _DENSE.get(view.name, {}).get(column.name)
    return dense or _BY_KIND[view.kind].get(column.name) or _SAME.get(column.name) or _BY_TYPE[column.type]


def statuses_of(view: ListView, column: Column) -> tuple[str, ...]:
    """Return the slugs of a column's words where they are statuses, which have icon and colour; else none."""
    return tuple(column.words or ()) if look(view, column).kind in _OF_STATUSES else ()


def min_width(first: int, looks: list[Look], actions: bool) -> int:
    """Return the width below which the table scrolls sideways, as one of those the stylesheet knows."""
    wanted = first + sum(each.width or each.least for each in looks) + (ACTIONS_WIDTH if actions else 0)
    return next((width for width in MIN_WIDTHS if width >= wanted), MIN_WIDTHS[-1])
