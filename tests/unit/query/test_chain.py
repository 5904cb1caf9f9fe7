"""The words of an organization's chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.query import chain

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("running", "failing", "users", "agent_said", "users_said"),
    [
        (1, 1, 1, "east, 1 session running", "1 of 1 user failing"),
        (None, 1, 2, "east, 0 sessions running", "1 of 2 users failing"),
        (1_200, 1_000, 2_000, "east, 1,200 sessions running", "1,000 of 2,000 users failing"),
    ],
)
def test_one_is_singular_and_thousands_have_commas(
    running: int | None, failing: int, users: int, agent_said: str, users_said: str
) -> None:
    row: dict[str, Any] = {
        "sync_enabled": True, "flag_since": None, "disabled_reason": None, "flag_actor": None, "last_session_at": None,
        "failing": failing, "users": users, "late": 0, "stuck": 0, "partial": 0, "healthy": 0, "new": 0, "disabled": 0,
    }  # fmt: skip
    agent = {"agent_id": "east", "sessions_running": running, "heard_at": NOW}
    links = {link.name: link for link in chain.of_organization(row, agent, NOW, NOW)}
    assert (links["agent"].detail, links["failing"].words) == (agent_said, users_said)
