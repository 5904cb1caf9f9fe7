"""Lists and the pages around them: one organization, one user, their logs, and search."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar
from uuid import UUID

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas import vocabulary
from services.query import details
from services.query.exports.routes import LAST_OF_ORGANIZATION, LAST_OF_USER
from services.query.freshness import freshness_of
from services.query.lists import fetch_page
from services.query.panel import facts, lists_page, table, words
from services.query.panel.facts import Step
from services.query.panel.frame import Frame, frame, own_page
from services.query.panel.lists_page import Asked
from services.query.panel.parts import outcome
from services.query.panel.render import html
from services.query.panel.rows import asked as address_of
from services.query.panel.rows import organization_path, user_path
from services.query.panel.table import Tab
from services.query.parameters import Parameters
from services.query.principal import Principal
from services.query.problems import Busy, TooSlow
from services.query.scope import scope_of
from services.query.services import Services
from services.query.views.view import parse

T = TypeVar("T")
Show = Callable[[Services, Request, Principal], Awaitable[Response]]
ORGANIZATION_TABS: Final = {
    "organization_users": ("Users", ""), "statistics": ("Statistics", "/statistics"),
    "organization_issues": ("Issues", "/issues"), "logs": ("Logs", "/logs"),
}  # fmt: skip
USER_TABS: Final = {"user_sessions": ("Sessions", ""), "user_issues": ("Issues", "/issues"), "logs": ("Logs", "/logs")}
CSV: Final = {
    "organization_users": "/users.csv", "statistics": "/sessions.csv", "organization_issues": "/issues.csv",
    "user_sessions": "/sessions.csv", "user_issues": "/issues.csv",
}  # fmt: skip


async def framed(services: Services, request: Request, principal: Principal, title: str, section: str) -> Frame:
    """Return the frame of a page, as fresh as the tables are at this moment."""
    async with services.reading(scope_of(principal)) as connection:
        freshness = await freshness_of(connection, services.now())
    return frame(
        request, principal, freshness, title=title, section=section, now=services.now(), secret=services.secret
    )


async def in_time(part: Awaitable[T]) -> T | None:
    """Return a part of a page; None where the database is too slow or too busy for it, so that the rest is shown."""
    try:
        return await part
    except (Busy, TooSlow):
        return None


def listed(name: str, title: str) -> Show:
    """Return the handler of a top-level list."""

    async def show(services: Services, request: Request, principal: Principal) -> Response:
        page = await framed(services, request, principal, title, title)
        asked = Asked(name, f"/{name}", f"/api/v1/{name}.csv", scope_of(principal), principal, page)
        return await lists_page.answer(services, request, asked, "list_page.html")

    return show


# ---------------------------------------------------------------------------------------------- one organization
def organization_tab(name: str) -> Show:
    """Return the handler of one list of one organization."""

    async def show(services: Services, request: Request, principal: Principal) -> Response:
        organization_id: UUID = request.path_params["organization"]
        found = await details.organization(services, principal, organization_id)
        page = await framed(services, request, principal, found["name"], "Organizations")
        path = organization_path(organization_id)
        asked = Asked(
            name, path + ORGANIZATION_TABS[name][1], f"/api/v1{path}{CSV[name]}", scope_of(principal, organization_id),
            principal, page,
        )  # fmt: skip
        values = _organization_values(found, path, name)
        return await lists_page.answer(services, request, asked, "organization.html", **values)

    return show


async def organization_logs(services: Services, request: Request, principal: Principal) -> Response:
    """Show how to get the logs of an organization for a range of time."""
    organization_id: UUID = request.path_params["organization"]
    found = await details.organization(services, principal, organization_id)
    page = await framed(services, request, principal, found["name"], "Organizations")
    values = _organization_values(found, organization_path(organization_id), "logs")
    return HTMLResponse(html("organization.html", page=page, list=None, **values))


def _organization_values(found: Mapping[str, Any], path: str, current: str) -> dict[str, Any]:
    counts = {"organization_users": found["users"], "organization_issues": found["open_issues"]}
    return {
        "organization": found,
        "crumbs_": (Step("Organizations", "/organizations"), Step(found["name"])),
        "facts_": facts.of_organization(found, path),
        "chain_": facts.chain(found, path),
        "tabs": _tabs(ORGANIZATION_TABS, path, current, counts),
        "logs_href": f"/api/v1{path}/logs.zip",
        "logs_words": words.last(LAST_OF_ORGANIZATION),
        "causes": facts.causes(found, path),
        "more_causes_href": address_of(path, status="failing"),
    }


def _tabs(tabs: Mapping[str, tuple[str, str]], path: str, current: str, counts: Mapping[str, int]) -> list[Tab]:
    return [
        Tab(name, word, words.number(counts[name]) if name in counts else "", name == current, path + tail)
        for name, (word, tail) in tabs.items()
    ]


# ---------------------------------------------------------------------------------------------- one user
def user_tab(name: str) -> Show:
    """Return the handler of one list of one user."""

    async def show(services: Services, request: Request, principal: Principal) -> Response:
        organization_id, user_id = request.path_params["organization"], request.path_params["user"]
        found = await details.user(services, principal, organization_id, user_id)
        page = await framed(services, request, principal, found["name"], "Users")
        path = user_path(organization_id, user_id)
        asked = Asked(
            name, path + USER_TABS[name][1], f"/api/v1{path}{CSV[name]}",
            scope_of(principal, organization_id, user_id), principal, page,
        )  # fmt: skip
        changes = await _segments(services, request, asked, found) if name == "user_issues" else {}
        return await lists_page.answer(
            services, request, asked, "user.html", changes=changes, **_user_values(principal, found, path, name)
        )

    return show


async def user_logs(services: Services, request: Request, principal: Principal) -> Response:
    """Show how to get the logs of a user for a range of time."""
    organization_id, user_id = request.path_params["organization"], request.path_params["user"]
    found = await details.user(services, principal, organization_id, user_id)
    page = await framed(services, request, principal, found["name"], "Users")
    values = _user_values(principal, found, user_path(organization_id, user_id), "logs")
    return HTMLResponse(html("user.html", page=page, list=None, **values))


def _user_values(principal: Principal, found: Mapping[str, Any], path: str, current: str) -> dict[str, Any]:
    trail = (
        Step("Users", "/users"),
        Step(found["organization"], organization_path(found["organization_id"])),
        Step(found["name"]),
    )
    return {
        "user": found,
        "recent": [each | {"status": outcome(each["status"], each["report_complete"])} for each in found["recent"]],
        "crumbs_": () if own_page(principal) else trail,
        "facts_": facts.of_user(found),
        "chain_": facts.user_chain(found),
        "tabs": _tabs(USER_TABS, path, current, {"user_issues": found["open_issues"]}),
        "logs_href": f"/api/v1{path}/logs.zip",
        "logs_words": words.last(LAST_OF_USER),
    }


ISSUE_VIEWS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "open": (("state", "open,regressed"),),
    "last session": (("state", ""), ("in_last_session", "true")),
    "all": (("state", ""),),
}


async def _segments(services: Services, request: Request, asked: Asked, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the switch open / last session / all with its counts, and which one the view is."""
    view, _ = lists_page.understood(services, asked, lists_page.params_of(request, asked))
    state, last = view.filter_of("state"), view.filter_of("in_last_session")
    current = "last session" if last else "all" if state is None else "open" if state.text == "open,regressed" else ""
    segments = []
    for word, filters in ISSUE_VIEWS.items():
        params = [*filters, ("tz", view.zone.key), ("limit", "1")]
        part = parse(
            asked.list_name, params, scope=asked.scope, now=asked.frame.now, secret=services.secret, defaults=True
        )
        page = await fetch_page(services, part)
        wanted = {"state": None, "in_last_session": None, **dict(filters)}
        kept = view.query(drop=[name for name, value in wanted.items() if not value])
        changed = view.query(
            drop=[name for name, value in wanted.items() if not value],
            **{name: value for name, value in wanted.items() if value},
        )
        href = f"{asked.path}?{changed if any(wanted.values()) else kept}"
        count = words.capped(page.total, page.total_is_exact)
        segments.append(Tab(word, word, count, word == current, href))
    name = found["name"].strip().partition(" ")[0]
    note = "" if own_page(asked.principal) else f"{words.isolated(name)} sees the same issues in the User Dashboard"
    chips = tuple(chip for chip in table.chips(view, asked.path) if chip.title != "State" or not current)
    clear = {} if chips else {"clear_href": ""}
    return {"segments": tuple(segments), "segments_label": "Which issues", "foot_note": note, "chips": chips, **clear}


async def find(services: Services, request: Request, principal: Principal) -> Response:
    """Show the organizations and users that a word finds."""
    parameters = Parameters(request)
    text = parameters.text("q").strip()
    parameters.zone()
    parameters.done()
    page = await framed(services, request, principal, "Search", "")
    found = await details.search(services, principal, text)
    return HTMLResponse(html("find.html", page=page, text=text, found=found, vocabulary=vocabulary))


async def fresh(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with what an open page asks for every few seconds: mark, banners and whether names are masked; no more."""
    parameters = Parameters(request)
    parameters.zone()
    parameters.done()
    page = await framed(services, request, principal, "Freshness", "")
    return HTMLResponse(html("fresh.html", page=page))
