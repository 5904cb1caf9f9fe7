"""The words of an organization's chain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
    row = _row(failing=failing, users=users)
    agent = {"agent_id": "east", "sessions_running": running, "heard_at": NOW}
    links = {link.name: link for link in chain.of_organization(row, agent, NOW, NOW)}
    assert (links["agent"].detail, links["failing"].words) == (agent_said, users_said)


def test_behind_an_organization_that_is_off_nothing_decides() -> None:
    silent = {"agent_id": "east", "sessions_running": 0, "heard_at": NOW - timedelta(hours=1)}
    row = _row(failing=1, users=2, sync_enabled=False, disabled_reason="manual", last_session_at=NOW)
    drawn = [(link.state, link.icon) for link in chain.of_organization(row, silent, NOW, NOW)]
    assert drawn == [("deciding", "disabled"), *[("open", "")] * 4]


def test_nothing_is_said_of_a_time_that_is_not_known() -> None:
    links = {link.name: link for link in chain.of_organization(_row(failing=1, users=2), None, None, NOW)}
    assert (links["failing"].at, links["failing"].detail) == (None, "")
    links = {link.name: link for link in chain.of_organization(_row(failing=1, users=2), None, NOW, NOW)}
    assert links["failing"].detail == "the first of them since then"


@pytest.mark.parametrize(
    ("actor", "said"),
    [
        ("admin admin", "switched on by admin"), ("admin ilse@example.org", "switched on by admin ilse@example.org"),
        ("directory", "switched on by directory"), (None, "switched on"),
    ],
)  # fmt: skip
def test_an_actor_named_like_its_kind_is_named_once(actor: str | None, said: str) -> None:
    assert chain.of_organization(_row(flag_actor=actor), None, None, NOW)[0].detail == said


def _row(**values: Any) -> dict[str, Any]:
    statuses = dict.fromkeys(("failing", "late", "stuck", "partial", "healthy", "new", "disabled"), 0)
    flag = {"sync_enabled": True, "flag_since": None, "disabled_reason": None, "flag_actor": None}
    return {**flag, "last_session_at": None, "users": 0, **statuses, **values}
