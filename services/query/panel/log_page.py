"""The log viewer: a window of lines over a log of any length, its search, and the way to what lies outside it."""

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas import vocabulary
from services.query import details
from services.query.logs import Wanted, check, log_body, log_rows, matches, numbered
from services.query.masking import Names
from services.query.panel import logs, pages
from services.query.panel.facts import Step
from services.query.panel.frame import own_page
from services.query.panel.parts import outcome
from services.query.panel.render import html
from services.query.panel.rows import organization_path, session_path, user_path
from services.query.principal import Principal
from services.query.services import Services

WINDOW: Final = 500


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: `wanted` as searched; `whole`: all lines, the matches marked; `at`: the line at hand."""

    wanted: Wanted
    whole: bool
    at: int

    @property
    def lines(self) -> Wanted:
        """Return which lines the window holds."""
        if not self.whole:
            return self.wanted
        around = self.at and not self.wanted.after and not self.wanted.before
        after = max(0, self.at - 1 - WINDOW // 2) if around else self.wanted.after
        return replace(self.wanted, text="", after=after)

    def href(self, path: str, **place: int | str) -> str:
        """Return the address of another place of the same look."""
        query = logs.query(self.wanted, **({"show": "all"} if self.whole else {}), **place)
        return f"{path}/log" + (f"?{query}" if query else "")


def look_of(params: QueryParams) -> Look:
    """Return what the address asks for; without a search there is nothing to narrow the lines to."""
    wanted = Wanted(
        after=_number(params.get("after")), before=_number(params.get("before")), limit=WINDOW,
        text=params.get("text", ""), level=",".join(params.getlist("level")),
        source=",".join(params.getlist("source")),
    )  # fmt: skip
    return Look(wanted, bool(wanted.text) and params.get("show") == "all", _number(params.get("at")))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) <= 10 else 0


async def show(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with the log viewer."""
    key, look = request.path_params["key"], look_of(request.query_params)
    check(look.wanted)
    found = await details.session(services, principal, key)
    row, chunks, names = await log_rows(services, principal, key)
    drawn = await asyncio.to_thread(window, row, chunks, names, look, session_path(key), services.now())
    page = await pages.framed(services, request, principal, "Log", "Sessions")
    values = {
        "job": found, "outcome": outcome(found["status"], found["report_complete"]),
        "path": session_path(key), "crumbs_": _trail(found, principal),
        "levels": logs.LEVELS, "sources": vocabulary.LOG_SOURCE,
        "logs_href": f"/api/v1{session_path(key)}/logs.zip",
    }  # fmt: skip
    return HTMLResponse(html("log.html", page=page, **values, **drawn))


def window(
    row: Any, chunks: Sequence[Any], names: Names | None, look: Look, path: str, now: datetime
) -> dict[str, Any]:
    """Return the window, its search and the ways out of it; a long log takes a while, so not in the event loop."""
    lines = numbered(chunks)
    positions = [line["position"] for line in lines if matches(line, look.wanted, names)] if look.wanted.text else []
    if look.whole and not (look.at or look.wanted.after or look.wanted.before) and positions:
        look = replace(look, at=positions[0])
    shown = log_body(row, chunks, lines, names, look.lines, now)
    hits = logs.hits(positions, look.at)
    return {
        "look": look, "shown": shown, "wanted": look.wanted, "hits": hits,
        "lines": logs.drawn(shown["lines"], _gaps(shown, chunks, lines, look), text=look.wanted.text),
        "strip_": logs.strip(lines, shown["lines"]),
        "later_href": look.href(path, after=shown["next"]) if shown["next"] else "",
        "earlier_href": look.href(path, before=shown["previous"]) if shown["previous"] else "",
        "first_href": look.href(path) if shown["previous"] else "",
        "last_href": look.href(path, before=lines[-1]["position"] + 1) if shown["next"] else "",
        "narrow_href": replace(look, whole=False).href(path), "whole_href": _whole_href(look, positions, path),
        "hit_before": f"{look.href(path, at=hits.before)}#line-{hits.before}" if hits.before else "",
        "hit_after": f"{look.href(path, at=hits.after)}#line-{hits.after}" if hits.after else "",
    }  # fmt: skip


def _whole_href(look: Look, positions: Sequence[int], path: str) -> str:
    """Return the address of all lines, at the match at hand, else at the first."""
    at = look.at or (positions[0] if positions else 0)
    return replace(look, whole=True).href(path, at=at) + (f"#line-{at}" if at else "")


def _gaps(
    shown: Mapping[str, Any], chunks: Sequence[Any], lines: Sequence[Mapping[str, Any]], look: Look
) -> Sequence[Mapping[str, Any]]:  # fmt: skip
    """Return the gaps that have a place in the window: none where lines are left out on purpose."""
    if look.lines.text or look.lines.level or look.lines.source:
        return ()
    first = shown["lines"][0] if shown["previous"] else None
    if look.lines.after and not shown["lines"] and lines:  # behind the end: what is missing there, and nothing else
        first = {"attempt": lines[-1]["attempt"], "line": lines[-1]["line"] + 1}
    following = lines[bisect_right(lines, shown["next"], key=itemgetter("position"))] if shown["next"] else None
    gaps = sorted([*shown["gaps"], *logs.drops(chunks)], key=logs.place_of)
    if shown["running"]:  # what is missing at the end is on its way
        gaps = [gap for gap in gaps if gap["before_line"] is not None]
    return logs.gaps_of_page(gaps, first, following)


def _trail(found: Mapping[str, Any], principal: Principal) -> tuple[Step, ...]:
    organization, user = found["organization"], found["user"]
    trail = (
        Step("Organizations", "/organizations"),
        Step(organization["name"], organization_path(organization["organization_id"])),
        Step(user["name"], user_path(organization["organization_id"], user["user_id"])),
        Step("Job details", session_path(found["key"])),
        Step("Log"),
    )
    return trail[2:] if own_page(principal) else trail
