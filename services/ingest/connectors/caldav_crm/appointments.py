"""Appointments: what the CRM keeps of an iCalendar object, and the way back without losing what it does not keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar

from icalendar import Calendar, Event

OBJECT_TYPE: Final = "appointment"

T = TypeVar("T")


class Unreadable(Exception):
    """A text that is no iCalendar object with an event in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """The fields both sides know. Times are UTC; an all-day appointment runs from midnight to midnight UTC."""

    uid: str
    subject: str
    starts_at: datetime
    ends_at: datetime
    all_day: bool = False
    location: str = ""
    description: str = ""
    private: bool = False


def parse(text: str) -> Appointment:
    """Read the appointment of an iCalendar object (of a series: its first, main event). Raises Unreadable."""
    return _read(_main_event(_calendar(text)))


def name_of(text: str) -> str:
    """Return the subject line, or nothing where the text cannot be read: a name is never a reason to fail."""
    try:
        return parse(text).subject
    except Unreadable:
        return ""


def write(appointment: Appointment, stamp: datetime) -> str:
    """Write a new iCalendar object. `stamp` is when the record was last changed."""
    calendar = Calendar()
    calendar.add("prodid", "-//Syncwatch//CalDAV CRM connector//EN")
    calendar.add("version", "2.0")
    event = Event()
    event.add("uid", appointment.uid)
    event.add("dtstamp", stamp.astimezone(UTC).replace(microsecond=0))
    _put_times(event, appointment)
    _put_texts(event, appointment)
    calendar.add_component(event)
    return _text(calendar)


def overlay(text: str, appointment: Appointment) -> str:
    """Return `text` with the fields of `appointment` put in, everything else kept.

    Where nothing differs the very same text comes back, so that an untouched record keeps its hash. `uid` and
    `private` are the calendar's own and never change.
    """
    calendar = _calendar(text)
    event = _main_event(calendar)
    old = _read(event)
    if _times(old) != _times(appointment):
        _put_times(event, appointment)
    if _texts(old) != _texts(appointment):
        _put_texts(event, appointment)
    same = _times(old) == _times(appointment) and _texts(old) == _texts(appointment)
    return text if same else _text(calendar)


def same(one: str, other: str) -> bool:
    """Whether two iCalendar objects say the same of one appointment, whoever wrote them down."""
    return parse(one) == parse(other)


def _calendar(text: str) -> Calendar:
    try:
        calendar = Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError) as problem:
        raise Unreadable(f"not an iCalendar object: {problem}") from problem
    if not isinstance(calendar, Calendar):
        raise Unreadable("not an iCalendar object: no VCALENDAR")
    return calendar


def _main_event(calendar: Calendar) -> Any:
    events = [part for part in calendar.walk("VEVENT") if "RECURRENCE-ID" not in part]
    if not events:
        raise Unreadable("no VEVENT in it")
    return events[0]


def _read(event: Any) -> Appointment:
    start = _decoded(event, "DTSTART", date)
    end = _decoded(event, "DTEND", date) if "DTEND" in event else start + _length(event, start)
    return Appointment(
        uid=str(event.get("UID", "")),
        subject=str(event.get("SUMMARY", "")),
        starts_at=_instant(start),
        ends_at=_instant(end),
        all_day=not isinstance(start, datetime),
        location=str(event.get("LOCATION", "")),
        description=str(event.get("DESCRIPTION", "")),
        private=str(event.get("CLASS", "PUBLIC")).upper() != "PUBLIC",
    )


def _decoded(event: Any, name: str, kind: type[T]) -> T:
    """Return one property, once and of the right kind, or raise Unreadable: anything may stand in a file."""
    try:
        found = event.decoded(name)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Unreadable(f"no usable {name}: {problem}") from problem
    if not isinstance(found, kind):
        raise Unreadable(f"no usable {name}: {str(event.get(name))[:100]}")
    return found


def _length(event: Any, start: date) -> timedelta:
    """RFC 5545: without DTEND the DURATION counts, else a whole day, or no time at all."""
    if "DURATION" in event:
        return _decoded(event, "DURATION", timedelta)
    return timedelta(0) if isinstance(start, datetime) else timedelta(days=1)


def _instant(moment: date) -> datetime:
    """A date is midnight UTC, a time without a zone is taken as UTC."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _times(appointment: Appointment) -> tuple[object, ...]:
    return appointment.starts_at, appointment.ends_at, appointment.all_day


def _texts(appointment: Appointment) -> tuple[str, ...]:
    return appointment.subject, appointment.location, appointment.description


def _put_times(event: Any, appointment: Appointment) -> None:
    for name in ("DTSTART", "DTEND", "DURATION"):
        event.pop(name, None)
    start, end = appointment.starts_at.astimezone(UTC), appointment.ends_at.astimezone(UTC)
    event.add("dtstart", start.date() if appointment.all_day else start)
    event.add("dtend", end.date() if appointment.all_day else end)


def _put_texts(event: Any, appointment: Appointment) -> None:
    for name, text in zip(("SUMMARY", "LOCATION", "DESCRIPTION"), _texts(appointment), strict=True):
        event.pop(name, None)
        if text:
            event.add(name.lower(), text)


def _text(calendar: Calendar) -> str:
    encoded = calendar.to_ical()
    assert isinstance(encoded, bytes)
    return encoded.decode()
