from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.connectors.caldav_crm.appointments import (
    Appointment,
    Unreadable,
    name_of,
    overlay,
    parse,
    same,
    write,
)

STAMP = datetime(2026, 11, 25, 9, 30, 15, tzinfo=UTC)
CALL = Appointment(
    uid="u1",
    subject="First call; price, terms",
    starts_at=STAMP.replace(hour=13, minute=0, second=0),
    ends_at=STAMP.replace(hour=14, minute=0, second=0),
    location="Room Oak",
)

MEETING = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "BEGIN:VEVENT",
        "UID:m1",
        "DTSTART;TZID=Europe/Berlin:20261201T100000",
        "DURATION:PT45M",
        "SUMMARY:Stand-up",
        "RRULE:FREQ=DAILY",
        "ATTENDEE:mailto:anna@northwind.example",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:m1",
        "RECURRENCE-ID:20261202T090000Z",
        "DTSTART:20261202T110000Z",
        "SUMMARY:Moved",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)


def event(*lines: str) -> str:
    """An object with one event of these lines."""
    return "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""])


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=60).map(str.strip)


@given(subject=texts, location=texts, all_day=st.booleans())
def test_what_is_written_reads_the_same(subject: str, location: str, all_day: bool) -> None:
    start = datetime(2026, 12, 1, tzinfo=UTC)
    made = Appointment(
        uid="u",
        subject=subject,
        starts_at=start,
        ends_at=start + timedelta(days=1),
        all_day=all_day,
        location=location,
    )
    assert parse(write(made, STAMP)) == made


def test_the_main_event_of_a_series_counts_with_its_duration_and_zone() -> None:
    found = parse(MEETING)
    assert found.subject == "Stand-up"
    assert found.starts_at == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert found.ends_at == datetime(2026, 12, 1, 9, 45, tzinfo=UTC)


def test_an_untouched_record_gives_the_very_same_text_back() -> None:
    assert overlay(MEETING, parse(MEETING)) is MEETING


def test_an_edit_keeps_what_the_crm_does_not_know() -> None:
    text = overlay(MEETING, dataclasses.replace(parse(MEETING), subject="Daily"))
    assert parse(text).subject == "Daily"
    for kept in ("TZID=Europe/Berlin", "RRULE:FREQ=DAILY", "ATTENDEE", "SUMMARY:Moved"):
        assert kept in text


def test_the_same_words_are_the_same_whoever_wrote_them() -> None:
    text = write(CALL, STAMP)
    assert same(text, write(CALL, STAMP + timedelta(days=1)))
    assert not same(text, text.replace("Room Oak", "Room Pine"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no calendar",
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:soon\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        "BEGIN:VEVENT\r\nDTSTART:20261201\r\nEND:VEVENT\r\n",
        event("DTSTART;VALUE=PERIOD:20261201T100000Z/PT1H"),
        event("DTSTART;VALUE=DATE:20261201", "DTSTART;VALUE=DATE:20261202"),
        event("DTSTART;VALUE=DATE:20261201", "DTEND:soon"),
        event("DTSTART;VALUE=DATE:20261201", "DURATION:PT1H", "DURATION:PT2H"),
    ],
)
def test_what_cannot_be_read_says_so_and_has_no_name(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)
    assert name_of(text) == ""
