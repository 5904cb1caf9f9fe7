"""What is folded, as rows: the figures that nobody sends."""

from __future__ import annotations

from uuid import uuid4

from schemas.events import Failure
from services.aggregator.rows import SESSION_COLUMNS, session_row
from tests.rig.stream import FakeLog, counts, session


def test_c15_the_figures_of_a_session_are_the_sums_of_its_report() -> None:
    line = counts(fetched=10, created=1, updated=2, deleted=3, skipped=4, failed=5, conflicts=6)
    log = FakeLog()
    log.append(session(uuid4(), user_id=uuid4(), organization_id=uuid4(), status="finished", objects=line + line))
    (folded,) = log.work().fold.sessions.values()
    row = dict(zip(SESSION_COLUMNS, session_row(folded, {}), strict=True))
    figures = ("objects", "changes", "failures", "conflicts", "total_changes")
    assert [row[name] for name in figures] == [20, 12, 10, 12, 42]


def test_an_error_without_a_code_has_none() -> None:
    """Else the sessions without a code would stand at both ends of a list by code."""
    log = FakeLog()
    log.append(session(uuid4(), user_id=uuid4(), organization_id=uuid4(), status="errors", error=Failure(code="")))
    (folded,) = log.work().fold.sessions.values()
    assert dict(zip(SESSION_COLUMNS, session_row(folded, {}), strict=True))["error_code"] is None
