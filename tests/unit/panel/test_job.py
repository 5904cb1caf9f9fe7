"""Words of the job details that compare: a duration with the user's own, what is listed with what there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.query.panel.job import UNDER_WAY, is_coming, issues_words, usual_words

ENDED = datetime(2026, 11, 24, 13, 51, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "usual_s", "said"),
    [
        (281.0, 90.0, "3.1 times this user's usual 1 min 30 s"),
        (92.0, 90.0, "like this user's usual 1 min 30 s"),
        (45.0, 90.0, "0.5 times this user's usual 1 min 30 s"),
        (None, 90.0, ""),
        (281.0, None, ""),
        (0.0, 90.0, ""),
    ],
)
def test_a_duration_is_compared_with_the_users_own(seconds: float | None, usual_s: float | None, said: str) -> None:
    assert usual_words(seconds, usual_s) == said


def test_issues_that_are_not_listed_are_counted() -> None:
    counted = {"counts": True, "state": "opened"}
    resolved, harmless = {"counts": False, "state": "resolved"}, {"counts": False, "state": "opened"}
    assert issues_words([counted] * 4, 4) == "4 of this session"
    assert issues_words([counted] * 1000, 2310) == "the first 1,000 of 2,310"
    told = issues_words([counted, resolved, harmless, harmless], 1)
    assert told == "1 of this session, 1 resolved in it, 2 of code 0, no issue"


@pytest.mark.parametrize(
    ("told", "applied_to", "coming"),
    [
        ({"status": "running"}, ENDED + 99 * UNDER_WAY, True),
        ({}, ENDED, False),
        ({"log": {"chunks_missing": 1}}, ENDED, True),
        ({"log": {"chunks_missing": 1}}, ENDED + UNDER_WAY, False),
        ({"issues_sent": 3}, ENDED, True),
        ({"issues_sent": 3}, ENDED + UNDER_WAY, False),
        ({"log": {"chunks_missing": 1}}, None, False),
    ],
)
def test_more_comes_until_all_is_here_or_a_minute_after_the_end_is_applied(
    told: dict[str, Any], applied_to: datetime | None, coming: bool
) -> None:
    ended = {"status": "finished", "log": {"chunks_missing": 0}, "issues_sent": 2, "issues_arrived": 2}
    found = ended | {"appended_at": ENDED, "as_of": applied_to} | told
    assert is_coming(found, ENDED + timedelta(hours=1)) is coming
