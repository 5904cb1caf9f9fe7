"""Times, durations and numbers as people read them. Pure: the moment that counts as now is an argument."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.recent import UNHEARD
from schemas.vocabulary import direction_words

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NONE: Final = "–"
_TURNS: Final = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
"""Marks that turn the direction of what stands behind them, until they are ended."""


def day(at: datetime, *, year: bool = False) -> str:
    """Return a date in words: `24 Nov`, or `24 Nov 2026`."""
    return f"{at.day} {MONTHS[at.month - 1]}" + (f" {at.year}" if year else "")


def date(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return the day of a moment, with its year where that is not this one."""
    here = at.astimezone(zone)
    return day(here, year=here.year != now.astimezone(zone).year)


def when(at: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """Return a moment as short as it stays clear: `14:02:29` today, `23 Nov, 17:44` this year, `23 Nov 2025` before."""
    if at is None:
        return NONE
    here, today = at.astimezone(zone), now.astimezone(zone)
    if here.date() == today.date():
        return _time(here)
    return f"{day(here)}, {_time(here)[:5]}" if here.year == today.year else day(here, year=True)


def _time(here: datetime) -> str:
    """Return the time of day; a page has hundreds, and `strftime` takes four times as long."""
    return f"{here.hour:02}:{here.minute:02}:{here.second:02}"


def closing(status: str, timed_out_at: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """Return that the service closed a session, and when, also of one that was heard of again; empty of the others."""
    if timed_out_at is None:
        return ""
    is_today = timed_out_at.astimezone(zone).date() == now.astimezone(zone).date()
    closed = f"{'at' if is_today else 'on'} {when(timed_out_at, zone, now)}"
    if status == "timed_out":
        silence = interval(int(UNHEARD.total_seconds()))
        return f"closed by the service {closed}: nothing heard of it for {silence} or more"
    return f"the service had closed it {closed}, before it was heard of again"


def whole(at: datetime | None, zone: ZoneInfo) -> str:
    """Return a moment in full, with its offset: `24 Nov 2026, 14:02:29 +01:00`."""
    if at is None:
        return ""
    here = at.astimezone(zone)
    return f"{day(here, year=True)}, {_time(here)} {offset(here)}"


def clock(at: datetime | None, zone: ZoneInfo) -> str:
    """Return only the time of day: `14:02:29`."""
    return NONE if at is None else _time(at.astimezone(zone))


def minute(at: datetime | None, zone: ZoneInfo) -> str:
    """Return the time of day to the minute: `14:02`."""
    return NONE if at is None else _time(at.astimezone(zone))[:5]


def offset(at: datetime) -> str:
    """Return the offset of an aware moment as ISO 8601 writes it: `+01:00`."""
    return at.isoformat(timespec="seconds")[19:25]


def zone_words(zone: ZoneInfo, now: datetime) -> str:
    """Return a zone by its town and offset: `Berlin, UTC+1`."""
    shift = now.astimezone(zone).utcoffset() or timedelta()
    if zone.key == "UTC":
        return "UTC"
    minutes = int(shift.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes >= 0 else "−"
    town = zone.key.rsplit("/", 1)[-1].replace("_", " ")
    return f"{town}, UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


def run(start: datetime | None, end: datetime | None, zone: ZoneInfo) -> str:
    """Return a range of two times of day with an en dash; a running one is open at its end."""
    return f"{clock(start, zone)}–{clock(end, zone) if end else ''}"


def whole_run(start: datetime, end: datetime | None, zone: ZoneInfo) -> str:
    """Return a run in full: `24 Nov 2026, 14:02:29 +01:00 – 14:07:10, 4 min 41 s`; its end with a date of its own."""
    if end is None:
        return f"{whole(start, zone)} – now"
    is_same_day = start.astimezone(zone).date() == end.astimezone(zone).date()
    until = clock(end, zone) if is_same_day else whole(end, zone)
    return f"{whole(start, zone)} – {until}, {duration((end - start).total_seconds())}"


def start(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return when a run began, on one line: `23 Nov, 17:44:12` this year, `23 Nov 2025` before."""
    here = at.astimezone(zone)
    return f"{day(here)}, {_time(here)}" if here.year == now.astimezone(zone).year else day(here, year=True)


def duration(seconds: float | None) -> str:
    """Return a duration by its two greatest units: `180 ms`, `3 s`, `4 min 41 s`, `5 h 12 min`, `2 d 4 h`."""
    if seconds is None:
        return NONE
    if 0 < seconds < 0.9995:
        return f"{max(1, round(seconds * 1000))} ms"
    total = max(0, round(seconds))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02} s"
    if total < 86400:
        return f"{total // 3600} h {total % 3600 // 60:02} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"


def rough(seconds: float) -> str:
    """Return a duration by its greatest unit, for sentences: `0.8 s`, `12 s`, `4 min`, `3 h`."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    for limit, unit, size in ((60, "s", 1), (3600, "min", 60), (86400, "h", 3600)):
        if seconds < limit:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86400)} d"


def interval(seconds: int | None) -> str:
    """Return how often something runs: `30 min`, `1 h`, `by push only`."""
    if seconds is None:
        return NONE
    if seconds == 0:
        return "by push only"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def last(span: timedelta) -> str:
    """Return a range of time up to now: `last 7 days`, `last 24 h`."""
    return f"last {span.days} days" if span.days > 1 else f"last {int(span.total_seconds() // 3600)} h"


def number(value: float | None) -> str:
    """Return a number with commas for thousands; what is not known is a dash."""
    return NONE if value is None else f"{value:,}"


def capped(total: int | None, exact: bool) -> str:
    """Return a count that may have been capped: `10,000+`."""
    return NONE if total is None else f"{total:,}" + ("" if exact else "+")


def short_id(text: object) -> str:
    """Return both ends of a long id: `0192f6c4-…-9b1e`."""
    full = str(text)
    return full if len(full) < 16 else f"{full[:8]}-…-{full[-4:]}"


def initials(name: str) -> str:
    """Return up to two letters that stand for a person: of `Nadia Kessler` NK, of an address its first letter."""
    parts = name.split("@")[0].replace(".", " ").replace("-", " ").split()
    return "".join(part[0] for part in parts[:2]).upper() or "?"


def straight(text: str) -> str:
    """Return a sentence with words of others in it, without marks that would turn the rest of it around."""
    return text.translate(_TURNS)


def isolated(name: str) -> str:
    """Return a name for a sentence of ours: whatever direction it is written in, the sentence goes on in its own."""
    return f"\N{FIRST STRONG ISOLATE}{straight(name)}\N{POP DIRECTIONAL ISOLATE}"


def direction(slug: str, mail_system: str | None, crm_system: str | None) -> str:
    """Return a direction in the names of that session's systems: "Exchange to Salesforce"."""
    return straight(direction_words(slug, mail_system, crm_system))


def within(low: datetime | None, high: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """Return a range of time, its end excluded: `24 Nov`, `1 Nov – 7 Nov`, `since 23 Nov, 17:44`."""
    if high is None:
        return f"since {_point(low, zone, now)}" if low else ""
    if low is None:
        return f"before {_point(high, zone, now)}"
    if _is_midnight(low, zone) and _is_midnight(high, zone):
        first, last = date(low, zone, now), date(high - timedelta(hours=1), zone, now)
        return first if first == last else f"{first} – {last}"
    return f"{_point(low, zone, now)} – {_point(high, zone, now)}"


def _is_midnight(at: datetime, zone: ZoneInfo) -> bool:
    return at.astimezone(zone).time() == time()


def _point(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    said = date(at, zone, now)
    if _is_midnight(at, zone):
        return said
    shown = _time(at.astimezone(zone))
    return f"{said}, {shown.removesuffix(':00')}"
