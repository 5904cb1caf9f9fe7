"""Small parts of a page as HTML, for templates and cells: icons, statuses, moments, figures, drawings. Pure.

A page has thousands of them: as functions they take a fifth of the time that macros of a template take. Whatever is not
ours is escaped here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from schemas import vocabulary
from services.query.nouns import times
from services.query.panel import marks, words
from services.query.panel.marks import Piece

NONE: Final = Markup('<span class="none">–</span>')
STATUS_ICON: Final = {
    "enabled": "check-ring", "ok": "check-ring", "healthy": "check-ring", "finished": "check-ring",
    "disabled": "slash-ring", "partial": "half-ring", "finished_with_issues": "half-ring", "degraded": "half-ring",
    "report_incomplete": "half-ring",
    "failing": "octagon-x", "errors": "octagon-x", "down": "octagon-x", "late": "clock", "stuck": "pause-ring",
    "timed_out": "hourglass", "running": "running", "new": "dashed-ring", "quiet": "dashed-ring",
    "cancelled": "minus-ring",
}  # fmt: skip
_OBJECT_ICON: Final = {"email": "mail", "appointment": "calendar", "contact": "person", "task": "task"}


class Clock(NamedTuple):
    """In which zone, and at which moment, a page is read; up to when the last 24 hours are counted.

    `behind_at`: as of when its data is, where that is so long ago that nobody new is called late.
    """

    zone: ZoneInfo
    now: datetime
    counted_to: datetime
    behind_at: datetime | None = None


def outcome(status: str, report_complete: bool) -> str:
    """Return how a session is drawn: what finished is only green where all that its agent told of has arrived."""
    return "report_incomplete" if status == "finished" and not report_complete else status


def status_icon(slug: str) -> str:
    """Return the icon of a status of a session, a user or an organization, or of an `outcome`."""
    return STATUS_ICON.get(slug, "ring")


def status_words(slug: str) -> str:
    """Return the words of a status of a session, a user or an organization, or of an `outcome`."""
    return vocabulary.words(vocabulary.SESSION_STATUS, slug).replace("_", " ")


def about_issues(told: Mapping[str, Any]) -> str:
    """Return which issues an advice is on: `error code 1, Salesforce caused by throttling: 3 issues`."""
    code = told["error_code"]
    kind = error_kind(told["error_source"], told["error_category"], told["failure_code"]) or error_code_words(code)
    return f"error code {code}, {kind}: {times(told['issues'], 'issue')}"


def error_kind(source: str | None, category: str | None, code: str | None) -> str:
    """Return an error in words: `Office 365 caused by authentication issues, code AADSTS700082`; empty of none."""
    said = (vocabulary.words(vocabulary.ERROR_SOURCE, source), vocabulary.words(vocabulary.ERROR_CATEGORY, category))
    kind = " ".join(filter(None, said))
    return words.straight(f"{kind}, code {code}" if code else kind)


def error_code_words(code: int) -> str:
    """Return what an error code means; one outside the list has no meaning of its own."""
    return vocabulary.ERROR_CODE.get(code, "not in the list")


@cache
def icon(name: str, size: int = 16) -> Markup:
    """Return an icon of the sprite, `size` px wide."""
    return Markup('<svg class="i{}" aria-hidden="true"><use href="#i-{}"/></svg>').format(
        f" s{size}" if size != 16 else "", name
    )


@lru_cache(256)
def status(slug: str | None, alone: bool = False, word: str | None = None) -> Markup:
    """Return a status as icon and word; `alone`: on a ground of its own colour."""
    if slug is None:
        return NONE
    return Markup('<span class="st s-{}{}">{}{}</span>').format(
        slug, " alone" if alone else "", icon(status_icon(slug), 14), word or status_words(slug)
    )


def late_words(slug: str | None, clock: Clock) -> str | None:
    """Return `late, as of 13:58` for who is late by data that is behind; None where the status says it all."""
    if slug != "late" or clock.behind_at is None:
        return None
    return f"{status_words(slug)}, as of {words.minute(clock.behind_at, clock.zone)}"


def moment(at: datetime | None, clock: Clock, form: str = "when") -> Markup:
    """Return a moment in the reader's zone, in full where one points at it; `form` "clock": the time of day alone."""
    if at is None:
        return NONE
    shown = words.clock(at, clock.zone) if form == "clock" else words.when(at, clock.zone, clock.now)
    return timed(at, shown, clock.zone)


def timed(at: datetime, shown: str, zone: ZoneInfo) -> Markup:
    """Return words for a moment, in full where one points at them."""
    return Markup(f'<time datetime="{iso(at)}" title="{words.whole(at, zone)}">{escape(shown)}</time>')


def iso(at: datetime) -> str:
    """Return a moment as ISO 8601 writes it, in UTC."""
    return at.astimezone(UTC).isoformat()


def number(value: float | None, stress: bool = False) -> Markup:
    """Return a figure; zero is pale, and one under `stress` asks for attention."""
    if value is None:
        return NONE
    if value == 0:
        return Markup('<span class="zero">0</span>')
    return Markup(f'<span class="stress">{value:,}</span>' if stress else f"{value:,}")


def figure(value: float | None, href: str | None, stress: bool = False) -> Markup:
    """Return a figure that leads to the list that proves it, where there is one; zero needs no proof."""
    shown = number(value, stress)
    return Markup(f'<a class="plain" href="{escape(href)}">{shown}</a>') if href and value else shown


def bar(
    drawn: Sequence[Piece], width: int = 118, height: int = 6, hatched: bool = False, label: str | None = None
) -> Markup:
    """Return a mini bar; `hatched`: of something switched off. Without a label it stands beside its numbers."""
    told = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    if hatched:
        inside = f'<rect class="f-hatch" width="{width}" height="{height}"/>'
    else:
        inside = "".join(
            f'<rect class="f-{piece.fill}" x="{piece.x}" width="{piece.width}" height="{height}"/>' for piece in drawn
        )
    return Markup(
        f'<svg class="bar" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'preserveAspectRatio="none" {told}>{inside}</svg>'
    )


@lru_cache(1024)
def strip(statuses: tuple[str, ...]) -> Markup:
    """Return the strip of a user's last sessions, oldest left, with its sentence for those who do not see it.

    Most users' sessions end alike, so that most strips of a page are the same.
    """
    paths = "".join(f'<path class="p-{escape(slug)}" d="{path}"/>' for slug, path in marks.strip_paths(statuses))
    return Markup(
        '<svg class="strip" viewBox="0 0 140 19" width="140" height="19" role="img" '
        f'aria-label="{escape(marks.strip_words(statuses))}">{paths}</svg>'
    )


def copy_button(text: str, what: str, whole: str = "") -> Markup:
    """Return the button that copies a text; `whole`: the address of the whole one, where the page has but a part."""
    held = f'data-copy-whole="{escape(whole)}"' if whole else f'data-copy="{escape(text)}"'
    named = escape(what)
    return Markup(
        f'<button type="button" class="icon-btn" {held} data-what="{named}" aria-label="Copy {named}" '
        f'title="Copy {named}">{icon("copy", 14)}</button>'
    )


def tag(word: str) -> Markup:
    """Return a word in a frame."""
    return Markup(f'<span class="tag">{escape(word)}</span>')


def object_icon(slug: str) -> Markup:
    """Return the icon of a type of objects."""
    return icon(_OBJECT_ICON.get(slug, "file"))
