"""The log viewer: a window of lines over a log of any length, its search, and the way to what lies outside it."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas import vocabulary
from services.query.logs import Wanted, check, log_body, matches, numbered, read_log
from services.query.masking import Names
from services.query.panel import logs, pages, words
from services.query.panel.facts import Step
from services.query.panel.frame import Frame, own_page
from services.query.panel.job import PART, is_coming, session_of
from services.query.panel.parts import outcome
from services.query.panel.render import html
from services.query.panel.rows import organization_path, session_path, user_path
from services.query.principal import Principal
from services.query.problems import LogTooLong
from services.query.services import Services

WINDOW: Final = 500


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: `wanted` as searched; `only` what matches, or all, this marked; `at`: the line at hand."""

    wanted: Wanted
    only: bool
    at: int

    @property
    def placed(self) -> bool:
        """Whether the address says where the window begins or ends; else the line at hand does."""
        return bool(self.wanted.after or self.wanted.before)

    def lines(self, positions: Sequence[int]) -> Wanted:
        """Return which lines the window holds; `positions` are those of the matches, or none without a search."""
        if not self.at or self.placed:
            after = self.wanted.after
        elif not (self.only and positions):
            after = max(0, self.at - 1 - WINDOW // 2)
        else:
            after = positions[max(0, bisect_left(positions, self.at) - WINDOW // 2)] - 1
        return replace(self.wanted, text=self.wanted.text if self.only else "", after=after)

    def href(self, path: str, **place: int | str) -> str:
        """Return the address of another place of the same look."""
        query = _query(self.wanted, **({"show": "matching"} if self.only else {}), **place)
        return f"{path}/log" + (f"?{query}" if query else "")


def _query(wanted: Wanted, **changes: int | str) -> str:
    """Return the address of another part of the same search; a change of nothing is left out."""
    values = [("text", wanted.text), *(("level", each) for each in wanted.level.split(",")),
              *(("source", each) for each in wanted.source.split(",")),
              *((name, str(value or "")) for name, value in changes.items())]  # fmt: skip
    return urlencode([(name, value) for name, value in values if value], quote_via=quote)


def look_of(params: QueryParams) -> Look:
    """Return what the address asks for; without a search there is nothing to narrow the lines to."""
    wanted = Wanted(
        after=_number(params.get("after")), before=_number(params.get("before")), limit=WINDOW,
        text=params.get("text", ""), level=",".join(params.getlist("level")),
        source=",".join(params.getlist("source")),
    )  # fmt: skip
    return Look(wanted, bool(wanted.text) and params.get("show") == "matching", _number(params.get("at")))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) <= 10 else 0


async def show(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with the log viewer; its facts alone where the log is too long, or where a live page asks for them."""
    key, look, now = request.path_params["key"], look_of(request.query_params), services.now()
    check(look.wanted)
    found = await session_of(services, principal, key)
    path, coming = session_path(key), is_coming(found, now)

    def read(row: Any, chunks: Sequence[Any], names: Names | None) -> dict[str, Any]:
        return window(row, chunks, names, look, path, now, coming)

    drawn: dict[str, Any] = {"lines": None}
    too_long = ""
    if request.headers.get(PART) != "live":
        try:
            drawn = await read_log(services, principal, key, read)
        except LogTooLong as refusal:
            too_long = refusal.detail
    page = await pages.framed(services, request, principal, "Log", "Sessions")
    values = {
        "job": found, "outcome": outcome(found["status"], found["report_complete"]),
        "path": path, "coming": coming, "crumbs_": _trail(found, principal, page), "too_long": too_long,
        "levels": logs.LEVELS, "sources": vocabulary.LOG_SOURCE,
        "logs_href": f"/api/v1{path}/logs.zip",
    }  # fmt: skip
    answer = HTMLResponse(html("log.html", page=page, **values, **drawn))
    answer.headers.add_vary_header(PART)
    return answer


def window(
    row: Any, chunks: Sequence[Any], names: Names | None, look: Look, path: str, now: datetime, coming: bool = False
) -> dict[str, Any]:
    """Return the window, its search and the ways out of it; a long log takes a while, so not in the event loop."""
    lines = numbered(chunks)
    positions = [line["position"] for line in lines if matches(line, look.wanted, names)] if look.wanted.text else []
    if positions and not (look.at or look.placed):
        look = replace(look, at=positions[0])
    held = look.lines(positions)
    shown = log_body(row, chunks, lines, names, held, now)
    first = shown["lines"][0]["position"] if shown["lines"] else 0
    hits = logs.hits(positions, look.at or first)
    return {
        "look": look, "shown": shown, "wanted": look.wanted, "hits": hits,
        "lines": logs.drawn(
            shown["lines"], _gaps(shown, chunks, lines, held, coming),
            text=look.wanted.text, matches=positions, at=look.at,
        ),
        "strip_": logs.strip(lines, shown["lines"]),
        "later_href": look.href(path, after=shown["next"]) if shown["next"] else "",
        "earlier_href": look.href(path, before=shown["previous"]) if shown["previous"] else "",
        "first_href": look.href(path, at=1 if look.wanted.text and not look.only else "") if shown["previous"] else "",
        "last_href": look.href(path, before=lines[-1]["position"] + 1) if shown["next"] else "",
        "clear_href": Look(replace(look.wanted, text="", after=0, before=0), False, 0).href(path),
        "hit_before": hits.before and _hit_href(look, path, hits.before),
        "hit_after": hits.after and _hit_href(look, path, hits.after),
    }  # fmt: skip


def _hit_href(look: Look, path: str, at: int) -> str:
    """Return the address of a look at one match; 0: there is none."""
    return look.href(path, at=at) + (f"#line-{at}" if at else "")


def _gaps(
    shown: Mapping[str, Any], chunks: Sequence[Any], lines: Sequence[Mapping[str, Any]], held: Wanted, coming: bool
) -> Sequence[Mapping[str, Any]]:  # fmt: skip
    """Return the gaps that have a place in the window: none where lines are left out on purpose."""
    if held.text or held.level or held.source:
        return ()
    first = shown["lines"][0] if shown["previous"] else None
    if held.after and not shown["lines"] and lines:  # behind the end: what is missing there, and nothing else
        first = {"attempt": lines[-1]["attempt"], "line": lines[-1]["line"] + 1}
    following = lines[bisect_right(lines, shown["next"], key=itemgetter("position"))] if shown["next"] else None
    gaps = sorted([*shown["gaps"], *logs.drops(chunks)], key=logs.place_of)
    if coming:  # what is missing at the end is on its way
        gaps = [gap for gap in gaps if gap["before_line"] is not None]
    return logs.gaps_of_page(gaps, first, following)


def _trail(found: Mapping[str, Any], principal: Principal, page: Frame) -> tuple[Step, ...]:
    organization, user, at = found["organization"], found["user"], found["run"]
    start = f"{words.date(at, page.zone, page.now)}, {words.minute(at, page.zone)}"
    trail = (
        Step("Organizations", "/organizations"),
        Step(organization["name"], organization_path(organization["organization_id"])),
        Step(user["name"], user_path(organization["organization_id"], user["user_id"])),
        Step(f"Session {start}", session_path(found["key"])),
        Step("Log"),
    )
    return trail[2:] if own_page(principal) else trail
