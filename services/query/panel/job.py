"""Job details and the log of one session, as pages of their own and as parts of a dialog."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from schemas import vocabulary
from schemas.kinds import COUNTS
from services.query import details
from services.query.logs import log_tail
from services.query.masking import NO_NAMES, Names
from services.query.names import names_in_time
from services.query.panel import logs, marks, pages, rows, words
from services.query.panel.facts import failing_href
from services.query.panel.frame import Frame, own_page
from services.query.panel.parts import outcome
from services.query.panel.render import html
from services.query.panel.rows import organization_path, session_path, user_path
from services.query.panel.ticket import ticket
from services.query.principal import Principal
from services.query.problems import NotFound
from services.query.scope import scope_of
from services.query.services import Services

TAIL: Final = 8
PART: Final = "Syncwatch-Part"
"""The header in which a script says which part of a page it takes."""
STANDING: Final = {"job": False, "standing": True}
"""The parts of job details, and whether they stand on a page of their own or in a dialog."""
SIDES: Final = (("mail_s", "acc", "accent"), ("crm_s", "acc-soft", "accent-soft"), ("engine_s", "", "mute"))
LITTLE: Final = 0.02
"""A share of a session that may be missing from its times by side."""
NOT_ARRIVED: Final = (
    "If an issue led here, the report of its session has not arrived: issues come by themselves, and a report that was "
    "refused does not come."
)
UNDER_WAY: Final = timedelta(minutes=1)
"""How long after a session's end more of it may come; what has not come by then is lost."""


async def show(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with the job details; a dialog asks only for their part. What takes too long says so in its place."""
    key = request.path_params["key"]
    found = await session_of(services, principal, key)
    user = found["organization"]["organization_id"], found["user"]["user_id"]
    issues = await pages.in_time(details.session_issues(services, principal, key))
    tail = await pages.in_time(log_tail(services, principal, key, TAIL))
    who = await pages.in_time(details.user(services, principal, *user))
    page = await pages.framed(services, request, principal, "Synchronization job details", "Sessions")
    link = services.settings.public_url + rows.asked(session_path(key), tz=page.zone.key)
    names: Names | None = NO_NAMES  # only what the agent said of the status can hold one
    if found["status_detail"]:
        names = await names_in_time(services, scope_of(principal), (found["run"], found["session_id"]))
    values = _values(found, issues, tail, who, page, bool(own_page(principal)))
    values["ticket"] = ticket(found, who, values["issues_words"], values["issues_advice"], names, page.clock, link)
    values["coming"] = is_coming(found, services.now())
    part = request.headers.get(PART)
    template = "_job.html" if part in STANDING else "job.html"
    answer = HTMLResponse(html(template, page=page, job=found, standing=STANDING.get(part or "", True), **values))
    answer.headers.add_vary_header(PART)
    return answer


async def session_of(services: Services, principal: Principal, key: str) -> dict[str, Any]:
    """Return a session for a page of it. Raises NotFound, which says why a link may lead to none."""
    try:
        return await details.session(services, principal, key)
    except NotFound:
        raise NotFound(NOT_ARRIVED) from None


def is_coming(found: Mapping[str, Any], now: datetime) -> bool:
    """Return whether more of a session may come: it runs, or has just ended and not all that it sent is here.

    Logs and issues have topics of their own, so that an end often arrives before the last of them. The minute after it
    is counted in what is applied, not by the clock on the wall: while monitoring is behind, nothing is lost yet.
    """
    if found["status"] == "running":
        return True
    missing = found["log"]["chunks_missing"] or found["issues_arrived"] < found["issues_sent"]
    return bool(missing) and (found["as_of"] or now) < found["appended_at"] + UNDER_WAY


def _values(
    found: Mapping[str, Any], issues: Mapping[str, Any] | None, tail: Sequence[Mapping[str, Any]] | None,
    who: Mapping[str, Any] | None, page: Frame, own: bool,
) -> dict[str, Any]:  # fmt: skip
    path = session_path(found["key"])
    organization = organization_path(found["organization"]["organization_id"])
    return {
        "path": path,
        "user_href": user_path(found["organization"]["organization_id"], found["user"]["user_id"]),
        "organization_href": organization,
        "previous_href": session_path(found["previous_key"]) if found["previous_key"] else "",
        "next_href": session_path(found["next_key"]) if found["next_key"] else "",
        "logs_href": f"/api/v1{path}/logs.zip",
        "objects": objects(found),
        "objects_total": total(found["report"]),
        "objects_text": rows.report_text(found["report"], found["mail_system"], found["crm_system"]),
        "status_detail": rows.status_detail(found, page.clock),
        "found_words": found_words(found),
        "sides": sides(found),
        "issues": None if issues is None else issues_of(issues, found),
        "issues_advice": [] if issues is None else issues["advice"],
        "issues_words": issues_words(issues["rows"], issues["total"]) if issues and issues["rows"] else "",
        "usual_words": usual_words(found["duration_s"], found["usual_duration_s"]),
        "tail": None if tail is None else logs.drawn(tail, []),
        "log_lines": found["log"]["lines"] if tail else 0,
        "recent": None if who is None else tuple(outcome(at["status"], at["report_complete"]) for at in who["recent"]),
        "outcome": outcome(found["status"], found["report_complete"]),
        "cause_href": failing_href(organization, found["error"]) if found["error"] else "",
        "own": own,
    }  # fmt: skip


def objects(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the report by type and direction, in the order of the vocabulary; a type is named once."""
    order = list(vocabulary.OBJECT_TYPE)
    report = sorted(
        found["report"], key=lambda each: (order.index(each["type"]) if each["type"] in order else 99, each["type"])
    )  # fmt: skip
    listed, before = [], None
    for each in report:
        listed.append({
            "type": vocabulary.words(vocabulary.OBJECT_TYPE, each["type"]),
            "repeated": each["type"] == before,
            "direction": words.direction(each["direction"], found["mail_system"], found["crm_system"]),
            "counts": [each.get(name) or 0 for name in COUNTS],
            "total": _total(each),
        })  # fmt: skip
        before = each["type"]
    return listed


def _total(each: Mapping[str, Any]) -> int:
    return sum(each.get(name) or 0 for name in COUNTS[1:])


def total(report: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the sums of the report's columns, total changes last."""
    return [*(sum(each.get(name) or 0 for each in report) for name in COUNTS), sum(map(_total, report))]


def found_words(found: Mapping[str, Any]) -> str:
    """Return what Total Changes is made of: `applied 275, failed 10, conflicted 5, skipped 66`."""
    sums = dict(zip(COUNTS, total(found["report"]), strict=False))
    said = (("applied", found["changes"]), ("failed", found["failures"]), ("conflicted", found["conflicts"]),
            ("skipped", sums.get("skipped", 0)))  # fmt: skip
    return ", ".join(f"{word} {number:,}" for word, number in said if number)


def issues_of(issues: Mapping[str, Any], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a session's issues, their direction in the names of its own systems."""
    systems = found["mail_system"], found["crm_system"]
    return [dict(each) | {"direction": words.direction(each["direction"], *systems)} for each in issues["rows"]]


def issues_words(rows: Sequence[Mapping[str, Any]], total: int) -> str:
    """Return how many issues are listed: `4 of this session, 1 resolved in it`, or `the first 1,000 of 2,310`."""
    shown = sum(row["counts"] for row in rows)
    told = [f"{total:,} of this session" if shown == total else f"the first {shown:,} of {total:,}"]
    resolved = sum(row["state"] == "resolved" for row in rows)
    harmless = len(rows) - shown - resolved
    told += [f"{resolved:,} resolved in it"] * bool(resolved) + [f"{harmless:,} of code 0, no issue"] * bool(harmless)
    return ", ".join(told)


def usual_words(seconds: float | None, usual_s: float | None) -> str:
    """Return a duration against the user's own: `3.1 times this user's usual 1 min 30 s`; empty without a habit."""
    if not seconds or not usual_s:
        return ""
    ratio = round(seconds / usual_s, 1)
    usual = f"this user's usual {words.duration(usual_s)}"
    return f"like {usual}" if 0.9 <= ratio <= 1.1 else f"{ratio:,} times {usual}"


def sides(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the time spent by side, and what the agent spent otherwise, as a bar and in words."""
    spent = found["durations"]
    names = {
        "mail_s": vocabulary.words(vocabulary.MAIL_SYSTEM, found["mail_system"]) or "mail",
        "crm_s": vocabulary.words(vocabulary.CRM_SYSTEM, found["crm_system"]) or "CRM",
        "engine_s": "engine",
    }
    shown = [(name, spent[name], dot, fill) for name, dot, fill in SIDES if spent[name]]
    if not shown:
        return None
    whole = found["duration_s"] or 0.0
    rest = whole - sum(seconds for _, seconds, _, _ in shown)
    if rest > whole * LITTLE:
        names["rest"] = "the rest"
        shown.append(("rest", rest, "rest", "rest"))
    return {
        "bar": marks.pieces([(fill, seconds) for _, seconds, _, fill in shown], 840),
        "parts": [(names[name], words.duration(seconds), dot) for name, seconds, dot, _ in shown],
    }


async def exception(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with a session's whole exception as text, byte for byte."""
    found = await session_of(services, principal, request.path_params["key"])
    return PlainTextResponse(found["exception"] or "", headers={"X-Content-Type-Options": "nosniff"})
