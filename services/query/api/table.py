"""The API's lists as data: which address shows which list. Routes, CSV, OpenAPI and tests are made from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STAFF: Final = ("platform_admin", "support", "organization_admin")
EVERYBODY: Final = (*STAFF, "end_user")
LAST_POSITION: Final = 2**32
"""Behind every line of a log: agents count up to 2³¹."""


@dataclass(frozen=True, slots=True)
class ListRoute:
    """One list. Its JSON is at `path`, its export at `path`.csv."""

    path: str
    list_name: str
    roles: tuple[str, ...] = STAFF


LIST_ROUTES: Final = (
    ListRoute("/organizations", "organizations"),
    ListRoute("/organizations/{organization:uuid}/users", "organization_users"),
    ListRoute("/organizations/{organization:uuid}/sessions", "statistics"),
    ListRoute("/organizations/{organization:uuid}/issues", "organization_issues"),
    ListRoute("/users", "users"),
    ListRoute("/users/{organization:uuid}/{user:uuid}/sessions", "user_sessions", EVERYBODY),
    ListRoute("/users/{organization:uuid}/{user:uuid}/issues", "user_issues", EVERYBODY),
    ListRoute("/sessions", "sessions"),
    ListRoute("/issues", "issues"),
)
