"""The chart of the Overview: its bars over each span, and what it points at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from services.query.panel import chart
from services.query.panel.words import isolated

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)
START = NOW.replace(minute=0, second=0)
UTC_ZONE = ZoneInfo("UTC")
CAUSE = {
    "organization_id": "5f", "organization": "Northwind Traders", "source": "exchange", "code": None,
    "category": "authentication", "users": 240, "since": NOW - timedelta(minutes=90), "grown": 0, "changed": None,
}  # fmt: skip


def hour(back: int, errors: int = 0, *, watched: bool = True) -> dict[str, Any]:
    """Return the hour that began so many hours before the one in progress."""
    statuses = ("finished", "finished_with_issues", "errors", "timed_out", "cancelled", "running")
    sessions = dict.fromkeys(statuses, 0) | {"errors": errors}
    return {"hour": START - timedelta(hours=back), "watched": watched, "sessions": sessions}


def test_the_chart_points_at_the_greatest_cause_and_at_the_peak_among_hours_that_are_over() -> None:
    drawn = chart.bars([hour(2, 3), hour(1, 7), hour(0, 90)], UTC_ZONE)
    marks = chart.marks(drawn, [CAUSE], UTC_ZONE)
    assert [mark.words for mark in marks] == ["12:32 Microsoft Exchange, caused by authentication issues", "peak 7"]
    assert marks[0].sentence.endswith(f"{isolated('Northwind Traders')}: 240 users")
    assert marks[1].at == int((START - timedelta(minutes=30)).timestamp())
    assert marks[1].sentence == "13:00–14:00 peak 7 not finished clean"
    alone = chart.marks(drawn, [CAUSE | {"users": 1}], UTC_ZONE)
    assert alone[0].sentence.endswith(f"{isolated('Northwind Traders')}: 1 user")
    older = CAUSE | {"since": NOW - timedelta(days=3)}
    assert [mark.words for mark in chart.marks(drawn, [older], UTC_ZONE)] == ["peak 7"]


def test_a_bar_of_several_hours_has_their_sums_their_day_and_their_list() -> None:
    listed = [hour(back, errors=back, watched=back < 11) for back in reversed(range(12))]
    before, now = chart.bars(listed, UTC_ZONE, 6)
    assert (before["words"], now["words"]) == ("24 Nov, 03:00–09:00", "24 Nov, 09:00–15:00")
    assert (before["sessions"]["errors"], before["total"], now["total"]) == (51, 51, 15)
    assert (before["open"], now["open"], before["watched"], now["watched"]) == (False, True, True, True)
    run = "run=2026-11-24T03:00:00+00:00..2026-11-24T09:00:00+00:00&tz=UTC"
    assert unquote(before["href"]) == f"/sessions?{run}"
    cause, peak = chart.marks([before, now], [CAUSE], UTC_ZONE)
    when = "24 Nov, 12:32".replace(" ", "\N{NO-BREAK SPACE}")
    assert cause.words.split(" ")[:2] == [when, "Microsoft"], "when, where there is no room for what"
    assert peak.sentence == "24 Nov, 03:00–09:00 peak 51 not finished clean"
    assert peak.at == int((START - timedelta(hours=8)).timestamp()), "the middle of the bar"


def test_each_span_is_drawn_in_whole_bars_hardly_more_than_a_day_has() -> None:
    assert [(chart.words_of(span), chart.per(span)) for span in chart.STEPS] == [
        ("24 h", "hour"), ("3 days", "3 hours"), ("7 days", "6 hours"),
    ]  # fmt: skip
    assert [divmod(span, step) for span, step in chart.STEPS.items()] == [(24, 0), (24, 0), (28, 0)]
