"""Cells of lists: what a row holds is shown as text, whatever it is, and one kind of cell says what it is asked for."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.columns import LISTS
from services.query.panel import cells, looks, parts
from services.query.panel.parts import Clock
from services.query.panel.rows import Row
from services.query.panel.table import Head, Table

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CLOCK = Clock(ZoneInfo("Europe/Berlin"), NOW, NOW)
HOSTILE = "<script>\"'&"
SHOWN: dict[str, Any] = {
    "flag": True, "number": 1234, "share": 12.34, "seconds": 61, "users-bar": 5,
    "strip": [{"status": HOSTILE, "report_complete": True}], "time": NOW, "run": NOW - timedelta(minutes=5), "code": 1,
    "session-link": NOW, "report": [(HOSTILE, HOSTILE)] * 2,
}  # fmt: skip


def drawn(
    kind: str, value: Any, *, density: str = "roomy", first: bool = False, clock: Clock = CLOCK, **more: Any
) -> str:
    """Return a cell of a row all of whose texts are hostile."""
    held = defaultdict(lambda: HOSTILE, ended_at=NOW, healthy=1, **more)
    for status in ("failing", "late", "stuck", "partial", "new", "disabled"):
        held[status] = 0
    row = Row(
        key="k", values={"one": value, "two": value}, slugs=held, href=HOSTILE, details_href=HOSTILE,
        links=defaultdict(lambda: HOSTILE, two=HOSTILE), second={"status": HOSTILE, "report": value or []},
        copies={"report": HOSTILE},
    )  # fmt: skip
    heads = [Head(name=name, title=HOSTILE, heading="", type="text", kind=kind, number=False, width=0, phone="ph1")
             for name in ("one", "two")]  # fmt: skip
    whole: dict[str, Any] = dict.fromkeys(Table.__dataclass_fields__, "")
    made = cells.list_rows(Table(**{**whole, "density": density, "shown": tuple(heads), "rows": (row,)}), clock)
    head, _, rest = made.partition("</th>")
    return head if first else rest


@pytest.mark.parametrize("density", ["compact", "roomy"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("kind", sorted({*cells._KINDS, "text"}))
def test_what_a_row_holds_is_shown_as_text(kind: str, density: str, first: bool) -> None:
    made = drawn(kind, SHOWN.get(kind, HOSTILE), density=density, first=first)
    assert "<script" not in made
    assert "\"'" not in made
    assert "&amp;lt;" not in made  # nor is it escaped twice


def test_every_kind_of_a_column_is_drawn_by_its_own() -> None:
    kinds = {looks.look(view, column).kind for view in LISTS.values() for column in view.columns}
    assert kinds - set(cells._KINDS) == {"text", "boolean"}


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("number", 0, '<span class="zero">0</span>'),
        ("number", 1234, "1,234</a>"),
        ("number", None, "–</span>"),
        ("share", 12.34, "12.3 %"),
        ("flag", False, "False"),
        ("text", "", "–</span>"),
        ("code", 1, '<span class="code">1</span>'),
        ("time", NOW, ">13:00:00</time>"),
        ("run", NOW - timedelta(minutes=5), ">12:55:00–13:00:00</time>"),
    ],
)
def test_a_cell_says_what_it_holds(kind: str, value: object, shown: str) -> None:
    assert shown in drawn(kind, value)


def test_a_run_on_one_line_has_its_date_and_its_start() -> None:
    began = NOW - timedelta(minutes=5)
    assert ">12:55:00–13:00:00</time>" in drawn("run", began)
    assert '<span class="sub">30 Nov · 5 min' in drawn("run", began)
    one = drawn("run", began, density="compact")
    assert ">30 Nov, 12:55:00</time>" in one
    assert "sub" not in one
    assert 'tabindex="0" title="30 Nov 2026, 12:55:00 +01:00 – 13:00:00, 5 min 00 s" data-full>' in one
    assert ">31 Dec 2025</time>" in drawn("run", datetime(2025, 12, 31, 12, tzinfo=UTC), density="compact")


def test_a_report_that_is_empty_may_still_come_while_the_session_runs() -> None:
    assert "none yet</span>" in drawn("report", [], status="running")
    assert "none reached</span>" in drawn("report", [], status="errors")


def test_a_report_begins_with_the_word_as_its_column_does_in_the_job() -> None:
    lines = [("E-Mail", "226"), ("Appointment", "137"), ("Task", "1")]
    shown = drawn("report", lines)
    assert "<span>E-Mail</span> 226</span>" in shown
    assert "<span>Appointment</span> 137, …</span>" in shown
    assert 'data-full="E-Mail 226\nAppointment 137\nTask 1"' in shown


def test_a_status_is_an_icon_and_a_word() -> None:
    assert parts.status("finished_with_issues") == (
        '<span class="st s-finished_with_issues"><svg class="i s14" aria-hidden="true"><use href="#i-half-ring"/></svg>'
        "finished with issues</span>"
    )
    assert parts.status(None) == parts.NONE


def test_while_the_data_is_behind_late_is_told_as_of_when() -> None:
    behind = CLOCK._replace(behind_at=NOW - timedelta(minutes=4))
    assert "late, as of 12:56</span>" in drawn("status", "late", clock=behind)
    assert "as of" not in drawn("status", "late")
    assert "as of" not in drawn("status", "failing", clock=behind)
