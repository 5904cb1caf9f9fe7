"""The Overview: counts, sessions per hour, silence, error cards, newest failures; each number opens its list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas import vocabulary
from schemas.columns import LISTS
from services.query import figures
from services.query.hours import DAY
from services.query.nouns import times
from services.query.panel import chart, facts, marks, pages, rows, silences
from services.query.panel.frame import Frame
from services.query.panel.render import html
from services.query.panel.rows import asked, instant
from services.query.parameters import Parameters
from services.query.principal import Principal
from services.query.services import Services

HEALTH_ORDER: Final = ("down", "degraded", "quiet", "ok")
USER_ORDER: Final = ("failing", "stuck", "late", "partial", "healthy", "new", "disabled")
CARDS: Final = 8
BY_ERROR: Final = "switched off after"
"""What the reasons begin with for which an error switched a user off, and no other."""
LOUD: Final = 2.0
HEALTH_FILLS: Final = (
    ("bad", "down"), ("warn", "degraded"), ("rest", "quiet"), ("ok-soft", "ok"), ("hatch", "disabled"),
)  # fmt: skip


class Note(NamedTuple):
    """What stands small under a number, and the list that proves it."""

    words: str
    href: str = ""


NO_NOTE: Final = Note("")


@dataclass(frozen=True, slots=True)
class Tally:
    """One number with its word and its list."""

    slug: str
    count: int
    href: str
    note: Note


async def show(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with the Overview; a part that takes too long says so in its place."""
    parameters = Parameters(request)
    every = parameters.choice("kinds", ("all",)) == "all"
    hours = int(parameters.choice("hours", tuple(map(str, chart.STEPS))) or DAY)
    parameters.zone()
    parameters.done()
    found, missing = await figures.overview_parts(services, principal, hours=hours)
    page = await pages.framed(services, request, principal, "Overview", "Overview")
    values: dict[str, Any] = {
        "missing": missing, "chart_order": chart.ORDER, "every": every, "per": chart.per(hours),
        "spans": [(_address(page, each, every), chart.words_of(each), each == hours) for each in chart.STEPS],
        "kinds_href": f"{_address(page, hours, not every)}#kinds-title",
        "failing_href": asked("/users", status="failing", tz=page.zone.key),
        "failures_href": asked("/sessions", status="errors,timed_out", tz=page.zone.key),
    }  # fmt: skip
    for part, drawn in _DRAWN.items():
        if part not in missing:
            values |= drawn(found, page)
    if "cards" in values and not every:
        values["cards"] = values["cards"][:CARDS]
    return HTMLResponse(html("overview.html", page=page, **values))


def _address(page: Frame, hours: int, every: bool) -> str:
    """Return the page's own address with a span of the chart, and all kinds of errors or a few."""
    choices = {"hours": str(hours) if hours != DAY else "", "kinds": "all" if every else ""}
    return asked("/", **{name: choice for name, choice in choices.items() if choice}, tz=page.zone.key)


def _tallies(found: Mapping[str, Any], page: Frame) -> dict[str, Any]:
    return {
        "organizations": organizations(found, page), "users": users(found, page), "flags": flags(found, page),
        "organizations_total": sum(found["organizations"].values()), "users_total": sum(found["users"].values()),
        "health_bar": marks.pieces([(fill, found["organizations"][slug]) for fill, slug in HEALTH_FILLS], 240),
        "user_bar_": marks.user_bar(found["users"], 1000),
    }  # fmt: skip


def _causes(found: Mapping[str, Any], page: Frame) -> dict[str, Any]:
    return {"causes": [facts.anywhere(cause) for cause in found["causes"]]}


def _silence(found: Mapping[str, Any], page: Frame) -> dict[str, Any]:
    return {"silences": silences.told(found["silence"], page.clock, page.fresh)}


def _hours(found: Mapping[str, Any], page: Frame) -> dict[str, Any]:
    listed = found["hours"]["hours"]
    zone, causes = page.zone, found.get("causes", ())
    drawn = chart.bars(listed, zone, chart.STEPS[len(listed)])
    return {"hours": drawn, "totals": chart.totals(found["hours"], zone), "marks": chart.marks(drawn, causes, zone)}


def _kinds(found: Mapping[str, Any], page: Frame) -> dict[str, Any]:
    return {
        "cards": cards(found, page), "kinds": len(found["kinds"]),
        "errors": sum(kind["errors"] for kind in found["kinds"]),
        "errors_href": asked("/sessions", status="errors,timed_out", run=day_of(found, page), tz=page.zone.key),
        "touched": found["touched"]["users"],
        "touched_href": asked("/users", failed_for="not:has:empty", tz=page.zone.key),
    }  # fmt: skip


def _failures(found: Mapping[str, Any], page: Frame) -> dict[str, Any]:
    return {"failures": [rows.row(LISTS["sessions"], each, page.clock) for each in found["failures"]]}


_DRAWN: Final[Mapping[str, Callable[[Mapping[str, Any], Frame], dict[str, Any]]]] = {
    "tallies": _tallies, "causes": _causes, "silence": _silence, "hours": _hours, "kinds": _kinds,
    "failures": _failures,
}  # fmt: skip


def organizations(found: Mapping[str, Any], page: Frame) -> list[Tally]:
    """Return the organizations by health, the most urgent first."""
    fresh = found["fresh_organizations"]
    return [
        Tally(
            slug, found["organizations"][slug], asked("/organizations", health=slug, tz=page.zone.key),
            _new(fresh[slug], page, "/organizations", health=slug, health_since=_last_hour(page)),
        )
        for slug in HEALTH_ORDER
    ]  # fmt: skip


def flags(found: Mapping[str, Any], page: Frame) -> list[Tally]:
    """Return the organizations by Synchronization Status."""
    return [
        Tally(slug, found["synchronization_status"][slug],
              asked("/organizations", synchronization_status=slug, tz=page.zone.key), NO_NOTE)
        for slug in ("enabled", "disabled")
    ]  # fmt: skip


def users(found: Mapping[str, Any], page: Frame) -> list[Tally]:
    """Return the users by status; what was switched off by an error is a number of its own.

    Who is new, or not judged, is told where the silences were read in time.
    """
    silence = found.get("silence")
    total = sum(found["users"].values())
    by_error = found["disabled_by_error"]
    new = silence["fresh"] if silence else {}
    since = _last_hour(page)
    notes = {slug: _new(count, page, "/users", status=slug, status_since=since) for slug, count in new.items()}
    if by_error:
        href = asked("/users", status="disabled", why=BY_ERROR, tz=page.zone.key)
        notes["disabled"] = Note(f"{by_error:,} by error", href)
    if total:
        notes["healthy"] = Note(f"{100 * found['users']['healthy'] / total:.1f} %")
    if silence and silence["partitions"]["behind"]:
        notes["late"] = Note(silences.not_judged(silence["partitions"], page.zone))
    return [
        Tally(slug, found["users"][slug], asked("/users", status=slug, tz=page.zone.key), notes.get(slug, NO_NOTE))
        for slug in USER_ORDER
    ]


def _new(count: int, page: Frame, path: str, **filters: str) -> Note:
    """Return how many are new under a number, and the list of them."""
    return Note(f"{count:,} new in 1 h", asked(path, **filters, tz=page.zone.key)) if count else NO_NOTE


def _last_hour(page: Frame) -> str:
    return f"{instant((page.fresh.as_of or page.now) - timedelta(hours=1), page.zone)}.."


def day_of(found: Mapping[str, Any], page: Frame) -> str:
    """Return the filter of Run that finds the sessions of all hours."""
    return f"{instant(found['since'], page.zone)}.."


def cards(found: Mapping[str, Any], page: Frame) -> list[dict[str, Any]]:
    """Return the error cards, the greatest growth first; red only above twice the usual."""
    day = day_of(found, page)
    return [_card(kind, day, page) for kind in found["kinds"]]


def _card(kind: Mapping[str, Any], day: str, page: Frame) -> dict[str, Any]:
    exact, zone = facts.exactly(kind), page.zone.key
    failed_for = f"eq:{vocabulary.error_kind(kind['source'], kind['category'])}"
    return {
        "source": vocabulary.words(vocabulary.ERROR_SOURCE, kind["source"]),
        "category": vocabulary.words(vocabulary.ERROR_CATEGORY, kind["category"]),
        "errors": kind["errors"],
        "href": asked("/sessions", status="errors,timed_out", run=day, **exact, tz=zone),
        "users": kind["users"],
        "users_href": asked("/users", failed_for=failed_for, tz=zone),
        "organizations": times(kind["organizations"], "organization"),
        "organizations_href": asked("/organizations", failed_for=failed_for, tz=zone) if kind["organizations"] else "",
        "failing": f"{kind['failing']:,} failing for it now" if kind["failing"] else "nobody fails for it now",
        "failing_href": asked("/users", status="failing", **exact, tz=zone) if kind["failing"] else "",
        "usual": usual(kind),
        "loud": (kind["times_usual"] or 0) > LOUD,
        "retryable": kind["retryable"],
        "bars": bars(kind["bars"]),
    }


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
