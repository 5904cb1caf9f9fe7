"""Templates to HTML: one Jinja environment with escaping on, the words of the vocabulary and stamped addresses."""

import hashlib
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from schemas import vocabulary
from schemas.retention import KEPT
from services.query.nouns import times
from services.query.panel import marks, parts, words
from services.query.panel.cells import list_rows
from services.query.panel.parts import Clock
from services.query.panel.table import Table

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"


@cache
def asset(path: str, stamp: bool = True) -> str:
    """Return the address of a static file, stamped with its content so that it may be cached for ever."""
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:10] if stamp else ""
    return f"/static/{path}" + (f"?v={digest}" if stamp else "")


def _clock_of(context: Context) -> Clock:
    clock: Clock = context["page"].clock
    return clock


@pass_context
def _moment(context: Context, at: datetime | None, form: str = "when") -> str:
    return parts.moment(at, _clock_of(context), form)


@pass_context
def _user_status(context: Context, slug: str, alone: bool = False) -> str:
    return parts.status(slug, alone, parts.late_words(slug, _clock_of(context)))


@pass_context
def _list_rows(context: Context, table: Table) -> str:
    return list_rows(table, _clock_of(context))


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
def _day(context: Context, at: datetime) -> str:
    page = context["page"]
    return words.date(at, page.zone, page.now)


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
        when=_when, whole=_whole, clock=_clock, day=_day, minute=_minute, date=_date, milli=_milli,
        span=_span, iso=parts.iso,
        number=words.number, rough=words.rough,
        duration=words.duration, short_id=words.short_id,
    )  # fmt: skip
    made.globals.update(
        asset=asset, icon=parts.icon, status=parts.status, user_status=_user_status, moment=_moment,
        number=parts.number, figure=parts.figure, bar=parts.bar, strip=parts.strip, copy_button=parts.copy_button,
        tag=parts.tag, object_icon=parts.object_icon, list_rows=_list_rows, status_icon=parts.status_icon,
        status_words=parts.status_words, error_code_words=parts.error_code_words, about_issues=parts.about_issues,
        strip_words=marks.strip_words,
        times=times, kept=KEPT, vocabulary=vocabulary, say=vocabulary.words,
    )  # fmt: skip
    return made


ENVIRONMENT: Final = _environment()


def html(template: str, **values: Any) -> str:
    """Return a page or a part of one; a name a template does not get is an error, never an empty place."""
    return ENVIRONMENT.get_template(template).render(**values)
