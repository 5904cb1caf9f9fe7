"""What support pastes into a ticket."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.query.masking import NO_NAMES
from services.query.panel.parts import Clock
from services.query.panel.ticket import one_line, ticket
from services.query.remedies import on_issues

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)
CLOCK = Clock(ZoneInfo("UTC"), NOW, NOW)
LINK = "http://localhost/sessions/1"


def found(**more: Any) -> dict[str, Any]:
    return {
        "status": "finished_with_issues", "status_detail": None, "error": None, "advice": None, "same_cause": None,
        "user": {"name": "Amara Nwosu", "email": "amara@northwind.example"}, "organization": {"name": "Northwind"},
        "run": NOW, "ended_at": NOW, "as_of": NOW, "report_complete": True, "timed_out_at": None, **more,
    }  # fmt: skip


def user(**more: Any) -> dict[str, Any]:
    deciding = {
        "name": "failing", "state": "deciding", "words": "sessions ended in errors", "at": NOW, "detail": "",
        "icon": "failing", "session_key": None,
    }  # fmt: skip
    return {"status": "failing", "in_a_row": 6, "chain": [deciding], **more}


def issue(code: int = 1, source: str = "crm") -> dict[str, Any]:
    return {"error_code": code, "error_source": source, "error_category": "duplicate", "failure_code": None}


def test_issues_bring_what_to_do_about_them_though_the_session_finished() -> None:
    text = ticket(found(), user(), "4 of this session", on_issues([issue(), issue()]), NO_NAMES, CLOCK, LINK)
    assert "\nIssues: 4 of this session\n" in text
    assert "\nCause of error code 1, CRM caused by a duplicate: 2 issues: " in text
    assert "\nWho can fix: " in text
    assert "\n1. " in text


def test_the_user_stands_with_its_status_since_when_and_why() -> None:
    text = ticket(found(), user(), "", [], NO_NAMES, CLOCK, LINK)
    assert "\nThe user now: failing, since 24 Nov 2026, 14:02:31 +00:00: sessions ended in errors, 6 in a row\n" in text
    assert "Issues" not in text
    assert "The user now" not in ticket(found(), None, "", [], NO_NAMES, CLOCK, LINK)


@pytest.mark.parametrize("broken", ["x\nCause: none", "x\r\nCause: none", "x\u2028Cause: none", "x\x0b\x00Cause: none"])
def test_what_an_agent_wrote_makes_no_line_of_its_own(broken: str) -> None:
    error = {"source": broken, "category": broken, "code": broken}
    told = found(
        status_detail=broken, user={"name": broken, "email": broken}, organization={"name": broken}, error=error
    )
    lines = ticket(told, user(), "", [], NO_NAMES, CLOCK, LINK).split("\n")
    assert [line.partition(":")[0] for line in lines] == [
        "Status", "User", "Organization", "Run", "The user now", "Error", "Details", "As of",
    ]  # fmt: skip
    assert lines[1] == "User: x Cause: none (x Cause: none)"


def test_marks_that_turn_the_direction_are_left_out() -> None:
    assert one_line("\u202ename\u2066") == "name"
