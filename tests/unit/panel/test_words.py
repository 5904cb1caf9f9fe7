"""Times, durations, numbers and drawings as the panel shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.columns import LISTS
from services.query.panel import marks, rows, words
from services.query.panel.compress import takes_gzip
from services.query.views.filters import Between, parse_filter

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 13, 2, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW, "14:02:31"),
        (NOW - timedelta(days=1), "23 Nov, 14:02"),
        (NOW - timedelta(days=365), "24 Nov 2025"),
        (None, "–"),
    ],
)
def test_a_moment_is_as_short_as_it_stays_clear(at: datetime | None, said: str) -> None:
    assert words.when(at, BERLIN, NOW) == said


def test_a_range_of_time_is_named_by_its_length() -> None:
    assert [words.last(timedelta(days=7)), words.last(timedelta(days=1))] == ["last 7 days", "last 24 h"]


def test_c14_a_closing_by_the_service_is_told_also_of_what_was_heard_of_later() -> None:
    closed = "closed by the service at 13:32:31: nothing heard of it for 30 min or more"
    assert words.closing("timed_out", NOW - timedelta(minutes=30), BERLIN, NOW) == closed
    heard_again = "the service had closed it on 23 Nov, 14:02, before it was heard of again"
    assert words.closing("finished", NOW - timedelta(days=1), BERLIN, NOW) == heard_again
    assert words.closing("finished", None, BERLIN, NOW) == ""


def test_a_moment_in_full_names_its_offset() -> None:
    assert words.whole(NOW, BERLIN) == "24 Nov 2026, 14:02:31 +01:00"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.18, "180 ms"),
        (0, "0 s"),
        (3, "3 s"),
        (281, "4 min 41 s"),
        (1800, "30 min 00 s"),
        (18720, "5 h 12 min"),
        (187200, "2 d 4 h"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("zone", "said"), [("Europe/Berlin", "Berlin, UTC+1"), ("UTC", "UTC"), ("Asia/Kolkata", "Kolkata, UTC+5:30")]
)
def test_a_zone_is_named_by_its_town(zone: str, said: str) -> None:
    assert words.zone_words(ZoneInfo(zone), NOW) == said


def test_numbers_and_capped_counts() -> None:
    assert (words.number(1187), words.number(0), words.number(None)) == ("1,187", "0", "–")
    assert (words.capped(10_000, False), words.capped(3961, True)) == ("10,000+", "3,961")


def test_a_bar_shows_what_is_not_zero_by_two_pixels_at_least_and_fills_its_width() -> None:
    drawn = marks.user_bar({"failing": 1, "late": 0, "healthy": 4000, "disabled": 2}, 118)
    assert [piece.fill for piece in drawn] == ["bad", "ok-soft", "rest"]
    assert min(piece.width for piece in drawn) == 2
    assert drawn[-1].x + drawn[-1].width == pytest.approx(118)


def test_a_strip_says_status_by_height_and_pads_missing_sessions_at_the_left() -> None:
    paths = dict(marks.strip_paths(["finished", "errors"]))
    assert paths["none"].count("M") == 18
    assert paths["errors"].startswith("M133.5 ")
    assert marks.strip_words(["finished", "errors", "finished"]) == "2 finished, 1 errors"


def test_the_report_is_copied_as_tab_separated_lines() -> None:
    report = [{"type": "email", "direction": "mail_to_crm", "fetched": 226, "created": 3, "failed": 1}]
    assert rows.report_lines(report) == [("E-Mail", "226")]
    lines = rows.report_text(report, "exchange", "salesforce").split("\n")
    assert lines[0].split("\t")[:3] == ["Type", "Direction", "Fetched"]
    assert lines[1].split("\t")[:4] == ["E-Mail", "Exchange to Salesforce", "226", "3"]


def test_a_filter_in_a_link_keeps_its_plus() -> None:
    assert rows.asked("/users", email="ann+crm@example.org") == "/users?email=ann%2Bcrm%40example.org"


@pytest.mark.parametrize(
    ("header", "takes"),
    [("gzip, br", True), ("br;q=1, gzip;q=0", False), ("*", True), ("", False), ("identity", False)],
)
def test_pages_are_gzipped_only_where_that_is_taken(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes


@pytest.mark.parametrize(("text", "said"), [
    ("2026-11-01..", "since 1 Nov"), ("..2025-11-01", "before 1 Nov 2025"), ("2026-11-23", "23 Nov"),
    ("2026-11-01..2026-11-08", "1 Nov – 7 Nov"), ("2026-11-23T17:44..", "since 23 Nov, 17:44"),
    ("2026-11-23T17:44:05..2026-11-24", "23 Nov, 17:44:05 – 24 Nov"), ("24h", "since 23 Nov, 14:02:31"),
])  # fmt: skip
def test_a_range_of_time_reads_as_times_do_in_rows(text: str, said: str) -> None:
    now, column = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC), LISTS["sessions"].column("run")
    assert column is not None
    test = parse_filter(column, text, ZoneInfo("UTC"), now).test
    assert isinstance(test, Between)
    assert words.within(test.low, test.high, ZoneInfo("UTC"), now) == said


def test_a_run_is_told_whole_by_its_start_and_its_end() -> None:
    start, zone = datetime(2026, 11, 23, 23, 50, tzinfo=UTC), ZoneInfo("UTC")
    assert words.whole_run(start, None, zone) == "23 Nov 2026, 23:50:00 +00:00 – now"
    assert words.whole_run(start, start + timedelta(minutes=5), zone) == (
        "23 Nov 2026, 23:50:00 +00:00 – 23:55:00, 5 min 00 s"
    )
    assert words.whole_run(start, start + timedelta(hours=1), zone) == (
        "23 Nov 2026, 23:50:00 +00:00 – 24 Nov 2026, 00:50:00 +00:00, 1 h 00 min"
    )
