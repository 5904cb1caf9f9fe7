"""What to do, by the rows of a list and by what it is narrowed to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.remediation import advice
from services.query.remedies import on_filters, on_issues
from services.query.views.view import All, parse

NOW = datetime(2026, 11, 24, 14, tzinfo=UTC)
KIND = "office365: throttling"


def issue(error_code: int, source: str | None, category: str | None, code: str | None = None) -> dict[str, Any]:
    return {"error_code": error_code, "error_source": source, "error_category": category, "failure_code": code}


def test_issues_of_one_code_and_cause_have_one_answer() -> None:
    rows = [
        issue(1, "crm", "validation"),
        issue(1, "crm", "validation"),
        issue(3, "crm", "validation"),
        issue(2, None, None),
    ]
    told = on_issues(rows)
    assert [(each["error_code"], each["issues"]) for each in told] == [(1, 2), (3, 1), (2, 1)]
    assert told[0]["cause"] == advice("crm", "validation").cause


def test_the_code_of_a_failure_has_its_own_answer() -> None:
    (one, other) = on_issues([issue(1, "office365", "authentication", code) for code in ("AADSTS700082", None)])
    assert one["cause"] == advice("office365", "authentication", "AADSTS700082").cause != other["cause"]


@pytest.mark.parametrize(("view", "filters", "kind"), [
    ("sessions", {"error_source": "eq:office365", "error_category": "eq:throttling"},
     ("office365", "throttling", None)),
    ("sessions", {"error_source": "office365", "error_category": "throttling", "error_code": "eq:429"},
     ("office365", "throttling", "429")),
    ("users", {"failed_for": f"eq:{KIND}"}, ("office365", "throttling", None)),
    ("organizations", {"failing_for": f"eq:{KIND}"}, ("office365", "throttling", None)),
    ("sessions", {"error_source": "eq:office365"}, None),
    ("sessions", {"error_source": "office365,gmail", "error_category": "throttling"}, None),
    ("sessions", {"error_source": "not:office365", "error_category": "throttling"}, None),
    ("users", {"failed_for": "throttling"}, None),
    ("users", {}, None),
])  # fmt: skip
def test_a_list_that_is_narrowed_to_one_kind_says_what_to_do_about_it(
    view: str, filters: dict[str, str], kind: tuple[str, ...] | None
) -> None:
    told = on_filters(parse(view, list(filters.items()), scope=All(), now=NOW, secret=b"secret"))
    assert (told and (told["source"], told["category"], told["code"])) == kind
    if told and kind:
        assert told["steps"] == advice(*kind).steps
