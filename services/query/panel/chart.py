"""The chart of the Overview and the table beside it: sessions by the hour of their start, over a chosen span. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.vocabulary import SESSION_STATUS
from services.query.nouns import times
from services.query.panel import facts, words
from services.query.panel.rows import asked, instant

STEPS: Final[Mapping[int, int]] = {24: 1, 72: 3, 168: 6}
"""Spans in hours, and how many hours a bar of each has: a week has hardly more bars than a day, and weighs no more."""
ORDER: Final = ("finished", "finished_with_issues", "errors", "timed_out", "cancelled")
UNCLEAN: Final = ORDER[1:]
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Total:
    """The sessions of one status in the whole span, and their list."""

    slug: str
    count: int
    href: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A dashed line in the chart with a few words, and the sentence that says the same below it."""

    at: int
    words: str
    sentence: str
    href: str


def words_of(span: int) -> str:
    """Return a span in words: `24 h`, `7 days`."""
    return f"{span} h" if span == min(STEPS) else f"{span // 24} days"


def per(span: int) -> str:
    """Return what a bar of a span is of: `hour`, `6 hours`."""
    return "hour" if STEPS[span] == 1 else f"{STEPS[span]} hours"


def bars(listed: Sequence[Mapping[str, Any]], zone: ZoneInfo, step: int = 1) -> list[dict[str, Any]]:
    """Return the bars of hours, so many in each, the oldest first; the last one has the hour in progress.

    A bar is watched if any of its hours is.
    """
    return [_bar(listed[at : at + step], at + step == len(listed), zone) for at in range(0, len(listed), step)]


def _bar(hours: Sequence[Mapping[str, Any]], is_last: bool, zone: ZoneInfo) -> dict[str, Any]:
    first, end = hours[0]["hour"], hours[-1]["hour"] + _HOUR
    sessions = {status: sum(each["sessions"][status] for each in hours) for status in SESSION_STATUS}
    span = f"{words.minute(first, zone)}–{words.minute(end, zone)}"
    return {
        "at": int(first.timestamp()),
        "hour": first,
        "end": end,
        "words": span if len(hours) == 1 else f"{words.day(first.astimezone(zone))}, {span}",
        "open": is_last,
        "watched": any(each["watched"] for each in hours),
        "sessions": sessions,
        "total": sum(sessions.values()),
        "href": asked("/sessions", run=f"{instant(first, zone)}..{instant(end, zone)}", tz=zone.key),
    }


def totals(found: Mapping[str, Any], zone: ZoneInfo) -> list[Total]:
    """Return the sessions of all hours by status, in the order of the chart."""
    run = f"{instant(found['hours'][0]['hour'], zone)}.."
    return [Total(slug, found["totals"][slug], asked("/sessions", status=slug, run=run, tz=zone.key)) for slug in ORDER]


def marks(drawn: Sequence[Mapping[str, Any]], causes: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> list[Mark]:
    """Return what the chart points at: when the greatest open cause began, and the bar with the most unclean ends."""
    found = []
    since = causes[0]["since"] if causes else None
    if since and drawn and since >= drawn[0]["hour"]:
        cause = facts.anywhere(causes[0])
        began = f"{_at(since, drawn, zone)} {words.straight(cause.title)}"
        sentence = f"{began}, {words.isolated(cause.where)}: {times(cause.users, 'user')}"
        found.append(Mark(int(since.timestamp()), began, sentence, cause.href))
    peak = max(drawn[:-1], key=unclean, default=None)  # the last one is not over yet
    if peak and unclean(peak):
        said = f"peak {unclean(peak):,}"
        middle = peak["hour"] + (peak["end"] - peak["hour"]) / 2
        sentence = f"{peak['words']} {said} not finished clean"
        found.append(Mark(int(middle.timestamp()), said, sentence, f"{peak['href']}&status={','.join(UNCLEAN)}"))
    return found


def _at(moment: datetime, drawn: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> str:
    """Return a moment by its time of day, with its day where bars have one: all one word, which is never cut."""
    clock = words.minute(moment, zone)
    if drawn[0]["end"] - drawn[0]["hour"] == _HOUR:
        return clock
    return f"{words.day(moment.astimezone(zone))}, {clock}".replace(" ", "\N{NO-BREAK SPACE}")


def unclean(bar: Mapping[str, Any]) -> int:
    """Return how many sessions of a bar did not finish clean."""
    return int(sum(bar["sessions"][status] for status in UNCLEAN))
