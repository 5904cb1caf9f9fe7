"""The Overview: counts, sessions per hour, silence, error cards, newest failures; each number opens its list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas import vocabulary
from schemas.columns import LISTS
from services.query import details
from services.query.panel import marks, pages, rows, words
from services.query.panel.frame import Frame, is_deaf
from services.query.panel.render import html
from services.query.panel.rows import Clock, asked
from services.query.principal import Principal
from services.query.services import Services

HEALTH_ORDER: Final = ("down", "degraded", "quiet", "ok", "disabled")
USER_ORDER: Final = ("failing", "stuck", "late", "partial", "healthy", "new", "disabled")
CHART_ORDER: Final = ("finished", "finished_with_issues", "errors", "timed_out", "cancelled")
CARDS: Final = 8
LOUD: Final = 2.0
HEALTH_FILLS: Final = (("bad", "down"), ("warn", "degraded"), ("rest", "quiet"), ("ok-soft", "ok"))


@dataclass(frozen=True, slots=True)
class Tally:
    """One number with its word and its list."""

    slug: str
    count: int
    href: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """One of the three silences: whose it is, how much, in a sentence."""

    icon: str
    tone: str
    title: str
    number: str
    text: str
    href: str = ""


async def show(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with the Overview."""
    found = await details.overview(services, principal)
    page = await pages.framed(services, request, principal, "Overview", "Overview")
    clock = Clock(page.zone, page.now)
    return HTMLResponse(
        html(
            "overview.html", page=page, organizations=organizations(found, page), users=users(found, page),
            organizations_total=sum(found["organizations"].values()), users_total=sum(found["users"].values()),
            health_bar=marks.pieces([(fill, found["organizations"][slug]) for fill, slug in HEALTH_FILLS], 240),
            user_bar_=marks.user_bar(found["users"], 1000),
            hours=hours(found["hours"], page), totals=found["hours"]["totals"], chart_order=CHART_ORDER,
            silences=silences(found, page), cards=cards(found["kinds"], page)[:CARDS], kinds=len(found["kinds"]),
            failures=[rows.row(LISTS["sessions"], each, clock) for each in found["failures"]],
            failures_href=asked("/sessions", status="errors,timed_out", tz=page.zone.key),
        )
    )  # fmt: skip


def organizations(found: Mapping[str, Any], page: Frame) -> list[Tally]:
    """Return the organizations by health, the most urgent first."""
    return [
        Tally(slug, found["organizations"][slug], asked("/organizations", health=slug, tz=page.zone.key))
        for slug in HEALTH_ORDER
    ]


def users(found: Mapping[str, Any], page: Frame) -> list[Tally]:
    """Return the users by status; what was switched off by an error is a number of its own."""
    total = sum(found["users"].values())
    by_error = found["disabled_by_error"]
    notes = {"disabled": f"{by_error:,} by error" if by_error else ""}
    if total:
        notes["healthy"] = f"{100 * found['users']['healthy'] / total:.1f} %"
    if page.fresh.tone and page.fresh.as_of:
        notes["late"] = f"as of {words.clock(page.fresh.as_of, page.zone)}"
    return [
        Tally(slug, found["users"][slug], asked("/users", status=slug, tz=page.zone.key), notes.get(slug, ""))
        for slug in USER_ORDER
    ]


def hours(found: Mapping[str, Any], page: Frame) -> list[dict[str, Any]]:
    """Return the hours of the chart and of the table beside it."""
    listed: Sequence[Mapping[str, Any]] = found["hours"]
    last = listed[-1]["hour"] if listed else None
    return [
        {
            "at": int(each["hour"].timestamp()),
            "hour": each["hour"],
            "words": span(each["hour"], page),
            "open": each["hour"] == last,
            "sessions": each["sessions"],
            "total": sum(each["sessions"].values()),
            "href": asked(
                "/sessions", run=f"{iso(each['hour'], page)}..{iso(each['hour'] + timedelta(hours=1), page)}",
                tz=page.zone.key,
            ),
        }
        for each in listed
    ]  # fmt: skip


def span(hour: datetime, page: Frame) -> str:
    """Return an hour in words: `10:00–11:00`."""
    return f"{words.minute(hour, page.zone)}–{words.minute(hour + timedelta(hours=1), page.zone)}"


def iso(at: datetime, page: Frame) -> str:
    """Return a moment as a filter takes it, with its offset."""
    return at.astimezone(page.zone).isoformat(timespec="seconds")


def silences(found: Mapping[str, Any], page: Frame) -> list[Silence]:
    """Tell the silences apart: users that are overdue, sessions that hang, and our own pipeline."""
    late, stuck, fresh = found["users"]["late"], found["users"]["stuck"], page.fresh
    at = words.clock(fresh.as_of, page.zone) if fresh.as_of else "an unknown time"
    behind = words.NONE if fresh.lag_s is None else words.rough(fresh.lag_s)
    heard = (
        "Nothing is heard at all: what stands still is ours, not theirs."
        if fresh.lag_s is None
        else f"All events up to {at} are applied. Nobody is called late beyond that time."
    )
    return [
        Silence("clock", "", "Users late", words.number(late), "Their sync is overdue by more than one interval.",
                asked("/users", status="late", tz=page.zone.key)),
        Silence("pause-ring", "", "Users stuck", words.number(stuck), "A session of theirs runs longer than it may.",
                asked("/users", status="stuck", tz=page.zone.key)),
        Silence("pulse", "loud" if fresh.tone else "calm", "Our pipeline", behind, heard),
    ]  # fmt: skip


def cards(kinds: Sequence[Mapping[str, Any]], page: Frame) -> list[dict[str, Any]]:
    """Return the error cards, the greatest growth first; red only above twice the usual."""
    return [
        {
            "source": vocabulary.words(vocabulary.ERROR_SOURCE, kind["source"]),
            "category": vocabulary.words(vocabulary.ERROR_CATEGORY, kind["category"]) or "without a category",
            "errors": kind["errors"],
            "users": kind["users"],
            "organizations": words.times(kind["organizations"], "organization"),
            "usual": usual(kind),
            "loud": (kind["times_usual"] or 0) > LOUD,
            "retryable": kind["retryable"],
            "bars": bars(kind["bars"]),
            "href": asked(
                "/sessions", status="errors,timed_out", run="24h", tz=page.zone.key,
                error_source="has:empty" if kind["source"] == "unknown" else f"eq:{kind['source']}",
                error_category=f"eq:{kind['category']}" if kind["category"] else "has:empty",
            ),
        }
        for kind in kinds
    ]  # fmt: skip


def usual(kind: Mapping[str, Any]) -> str:
    """Return the growth in words."""
    if kind["times_usual"] is None:
        return ""
    return "as usual" if 0.9 <= kind["times_usual"] <= 1.1 else f"{kind['times_usual']} × usual"


def bars(errors: Sequence[int]) -> list[tuple[int, float, float]]:
    """Return the bars of a card in a drawing of 96 by 28: x, y, height."""
    most = max(errors, default=0)
    heights = [0.0 if not each else max(1.5, round(28 * each / most, 1)) for each in errors[-24:]]
    return [(index * 4, round(28 - height, 1), height) for index, height in enumerate(heights) if height]


__all__ = ["is_deaf", "show"]
