"""Templates to HTML: one Jinja environment with escaping on, the words of the vocabulary and stamped addresses."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from schemas import vocabulary
from services.query.panel import marks, words

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

STATUS_ICON: Final = {
    "enabled": "check-ring", "ok": "check-ring", "healthy": "check-ring", "finished": "check-ring",
    "disabled": "slash-ring", "partial": "half-ring", "finished_with_issues": "half-ring", "degraded": "half-ring",
    "failing": "octagon-x", "errors": "octagon-x", "down": "octagon-x", "late": "clock", "stuck": "pause-ring",
    "timed_out": "hourglass", "running": "running", "new": "dashed-ring", "quiet": "dashed-ring",
    "cancelled": "minus-ring",
}  # fmt: skip


def status_icon(slug: str) -> str:
    """Return the icon of a status of a session, a user or an organization."""
    return STATUS_ICON.get(slug, "ring")


def status_words(slug: str) -> str:
    """Return the words of a status of a session, a user or an organization."""
    return vocabulary.words(vocabulary.SESSION_STATUS, slug).replace("_", " ")


def error_code_words(code: int) -> str:
    """Return what an error code means; one outside the list has no meaning of its own."""
    return vocabulary.ERROR_CODE.get(code, "not in the list")


@cache
def asset(path: str, stamp: bool = True) -> str:
    """Return the address of a static file, stamped with its content so that it may be cached for ever."""
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:10] if stamp else ""
    return f"/static/{path}" + (f"?v={digest}" if stamp else "")


@pass_context
def _when(context: Context, at: datetime | None) -> str:
    page = context["page"]
    return words.when(at, page.zone, page.now)


@pass_context
def _whole(context: Context, at: datetime | None) -> str:
    return words.whole(at, context["page"].zone)


@pass_context
def _clock(context: Context, at: datetime | None) -> str:
    return words.clock(at, context["page"].zone)


@pass_context
def _run(context: Context, span: tuple[datetime | None, datetime | None]) -> str:
    return words.run(*span, context["page"].zone)


@pass_context
def _day(context: Context, at: datetime) -> str:
    page = context["page"]
    here = at.astimezone(page.zone)
    return words.day(here, year=here.year != page.now.astimezone(page.zone).year)


@pass_context
def _minute(context: Context, at: datetime | None) -> str:
    return words.minute(at, context["page"].zone)


@pass_context
def _date(context: Context, at: datetime, days: int = 0) -> str:
    return (at.astimezone(context["page"].zone).date() + timedelta(days=days)).isoformat()


@pass_context
def _milli(context: Context, at: datetime) -> str:
    return f"{at.astimezone(context['page'].zone):%H:%M:%S.%f}"[:-3]


@pass_context
def _span(context: Context, start: datetime, end: datetime | None) -> str:
    zone = context["page"].zone
    until = words.clock(end, zone) if end else "now"
    return f"{words.day(start.astimezone(zone), year=True)}, {words.clock(start, zone)} – {until}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        when=_when, whole=_whole, clock=_clock, run=_run, day=_day, minute=_minute, date=_date, milli=_milli,
        span=_span, iso=_iso,
        number=words.number, rough=words.rough,
        duration=words.duration, short_id=words.short_id,
    )  # fmt: skip
    made.globals.update(
        asset=asset, status_icon=status_icon, status_words=status_words, error_code_words=error_code_words,
        strip_paths=marks.strip_paths, strip_words=marks.strip_words, user_bar=marks.user_bar, pieces=marks.pieces,
        vocabulary=vocabulary, say=vocabulary.words, direction_words=vocabulary.direction_words,
    )  # fmt: skip
    return made


ENVIRONMENT: Final = _environment()


def html(template: str, **values: Any) -> str:
    """Return a page or a part of one; a name a template does not get is an error, never an empty place."""
    return ENVIRONMENT.get_template(template).render(**values)
