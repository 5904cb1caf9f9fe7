"""One list page: from a request to a `Table`; the only place where a list of the panel meets the list functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from schemas import vocabulary
from schemas.columns import LISTS, Column, ListView, Type
from services.query import remedies
from services.query.counting import StatusCounts, status_counts, total_of
from services.query.lists import Page, fetch_page
from services.query.nouns import times
from services.query.panel import looks, table, words
from services.query.panel.counts import value_counts
from services.query.panel.frame import Frame
from services.query.panel.parts import about_issues, error_kind
from services.query.panel.render import html
from services.query.panel.searched import ended
from services.query.panel.table import Act, Choice, Empty, Remedy, Tab, Table, Wrong
from services.query.principal import Principal
from services.query.problems import Busy, TooSlow, TooWide
from services.query.services import Services
from services.query.silence import last_heard
from services.query.views.filters import NotUnderstood, Problem, parse_filter
from services.query.views.view import BadQuery, One, Scope, View, encoded, parse

PANEL_ONLY: Final = frozenset({"toggle", "counts"})
Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A list page as asked for: which list, where, of whom, by whom."""

    list_name: str
    path: str
    csv_path: str
    scope: Scope
    principal: Principal
    frame: Frame


def params_of(request: Request, asked: Asked) -> Params:
    """Return the query as the parser takes it: zone and columns of the person where the address names none."""
    given = [(name, value) for name, value in request.query_params.multi_items() if name not in PANEL_ONLY]
    named = {name for name, _ in given}
    if "tz" not in named:
        given.append(("tz", asked.frame.zone.key))
    columns = chosen_columns(asked.principal, LISTS[asked.list_name])
    if "columns" not in named and columns:
        given.append(("columns", ",".join(columns)))
    return given


def chosen_columns(principal: Principal, view: ListView) -> list[str]:
    """Return the columns a person keeps for a list; those that no longer exist are left out."""
    kept = principal.preferences.get("columns")
    listed = kept.get(view.name) if isinstance(kept, Mapping) else None
    known = [name for name in listed or [] if isinstance(name, str) and view.column(name)]
    return known if known and known[0] == view.columns[0].name else []


def density_of(principal: Principal, view: ListView) -> str:
    """Return how tall the rows of a list are: as the person chose, else two lines where detail is worth it."""
    kept = principal.preferences.get("density")
    chosen = kept.get(view.name) if isinstance(kept, Mapping) else None
    return chosen if chosen in {"compact", "roomy"} else ("roomy" if view.kind in looks.ROOMY else "compact")


def understood(services: Services, asked: Asked, params: Params) -> tuple[View, tuple[Problem, ...]]:
    """Return the view asked for; where it is not understood, the view of the rest, and what was wrong."""
    now = asked.frame.now
    masked = asked.frame.masked
    try:
        return _parse(services, asked, params, now, masked), ()
    except BadQuery as bad:
        wrong = {problem.parameter for problem in bad.problems}
        kept = [(name, value) for name, value in params if name not in wrong]
        try:
            return _parse(services, asked, kept, now, masked), tuple(bad.problems)
        except BadQuery:
            return _parse(services, asked, [("tz", asked.frame.zone.key)], now, masked), tuple(bad.problems)


def _parse(services: Services, asked: Asked, params: Params, now: Any, masked: bool) -> View:
    return parse(
        asked.list_name, params, scope=asked.scope, now=now, secret=services.secret, defaults=True, masked=masked
    )


async def answer(services: Services, request: Request, asked: Asked, template: str, **values: Any) -> Response:
    """Answer with a list page; a count tab, and what was typed in words, go to their address; a box asks for counts."""
    if name := request.query_params.get("counts"):
        view, _ = understood(services, asked, params_of(request, asked))
        return JSONResponse(await value_counts(services, view, name))
    if slug := request.query_params.get("toggle"):
        view, _ = understood(services, asked, params_of(request, asked))
        return RedirectResponse(f"{asked.path}?{view.query(status=toggled(view, slug))}", 303)
    if address := _in_slugs(services, request, asked):
        return RedirectResponse(address, 303)
    changes = values.pop("changes", {})
    made, status = await build(services, request, asked, **changes)
    return HTMLResponse(html(template, page=asked.frame, list=made, **values), status)


def _in_slugs(services: Services, request: Request, asked: Asked) -> str:
    """Return the address of a list with slugs for the words that its filters were written in; empty without such."""
    view, problems = understood(services, asked, params_of(request, asked))
    wrong = {problem.parameter for problem in problems}  # in the place of which the default may be in force
    texts = {each.column.name: each.text for each in view.filters if each.column.name not in wrong}
    written = request.query_params.multi_items()
    in_slugs = [(name, texts.get(name, value)) for name, value in written]
    return "" if in_slugs == written else f"{asked.path}?{encoded(in_slugs)}"


async def build(services: Services, request: Request, asked: Asked, **changes: Any) -> tuple[Table, int]:
    """Return the table of a list page and the HTTP status it answers with."""
    view, problems = understood(services, asked, params_of(request, asked))
    if problems:
        return replace(refused(asked, view, problems), **changes), 400
    try:
        page = await fetch_page(services, with_drawn(view), counting=not added(view))
    except TooWide as wide:
        return replace(_bare(asked, view), problem=_too_wide(asked, view, wide.detail), **changes), 400
    except (Busy, TooSlow):
        return replace(_bare(asked, view), problem=_too_slow(asked, view), **changes), 503
    made = await _filled(services, asked, view, page)
    return replace(made, **changes), 200


def with_drawn(view: View) -> View:
    """Return a view that also reads what its drawings need: the mini bar of users needs every status, shown or not."""
    if view.list.kind != "organizations" or all(column.name != "users" for column in view.columns):
        return view
    drawn = (view.list.column(status) for status in vocabulary.USER_STATUS)
    missing = tuple(column for column in drawn if column and column not in view.columns)
    return replace(view, columns=(*view.columns, *missing))


def _bare(asked: Asked, view: View, broken: Mapping[str, str] | None = None) -> Table:
    heads = table.heads(view, asked.path, broken)
    actions = looks.ACTIONS_WIDTH if view.list.kind == "sessions" else 0
    first = looks.FIRST[view.list.name]
    drawn = [looks.look(view.list, column) for column in view.columns[1:]]
    return Table(
        name=view.list.name, label=view.list.title, path=asked.path, here=asked.frame.here,
        noun=table.KIND_WORDS[view.list.kind], density=density_of(asked.principal, view.list), first=first,
        min_width=looks.min_width(first, drawn, bool(actions)),
        two_titles=view.list.kind in {"users", "sessions"}, actions=actions, dense=looks.is_dense(view.list),
        shown=heads, choices=table.picklist(view), hidden=table.hidden_fields(view),
        keep=" ".join(view.list.default_filter),
        chips=table.chips(view, asked.path, broken or ()), clear_href=_clear(asked, view), matches_rest="not counted",
        export_note="There is nothing to export", limit=view.limit, order=",".join(map(str, view.sort)),
        sort_words=table.sort_words(view),
        orders=table.orders(view), holds_names=any(each.personal or each.holds_names for each in view.columns),
    )  # fmt: skip


def _clear(asked: Asked, view: View) -> str:
    return _cleared(asked, view) if view.filters else ""


def _cleared(asked: Asked, view: View) -> str:
    """Return the address of the whole list in the order in force."""
    return f"{asked.path}?{view.query(drop=[each.column.name for each in view.filters])}"


async def _filled(services: Services, asked: Asked, view: View, page: Page) -> Table:
    counts = await status_counts(services, view) if view.list.name == "statistics" else {}
    if added(view) and not page.total_is_exact and not page.searched:
        number, exact = total_of(counts, added(view))
        page = replace(page, total=max(number, page.total), total_is_exact=exact)
    bare = _bare(asked, view)
    noun = table.KIND_WORDS[view.list.kind]
    rest = await _unfiltered(services, asked, view)
    count, behind, counted = table.matches(page.total, page.total_is_exact, rest, noun)
    shown = len(page.rows)
    some = bool(shown or page.searched)  # a file has the time to look at every row
    made = replace(
        bare,
        rows=table.draw(view, page.rows, asked.frame.clock),
        matches=count, matches_rest=behind, matches_noun=counted,
        export_href=f"{asked.csv_path}?{view.query()}" if some else "",
        export_note=table.export_note(some, page.total_is_exact),
        previous_href=f"{asked.path}?{view.query(cursor=page.previous_cursor)}" if page.previous_cursor else "",
        next_href=f"{asked.path}?{view.query(cursor=page.next_cursor)}" if page.next_cursor else "",
        remedies=_remedies(view, page.rows),
        foot=f"All {count} shown" if shown == page.total else f"{times(view.limit, 'row')} a page",
        empty=None if shown or page.searched else await _empty(services, asked, view),
    )  # fmt: skip
    made = ended(made, page.searched, view) if page.searched else made
    return _with_counts(view, made, counts) if counts else made


def _remedies(view: View, rows: Sequence[Mapping[str, Any]]) -> tuple[Remedy, ...]:
    """Return what to do about the issues of the page, or about the error that the list is narrowed to."""
    if view.list.kind == "issues":
        open_now = (row for row in rows if row["state"] != "resolved" and row["error_code"])
        titled = ((about_issues(told), told) for told in remedies.on_issues(open_now))
        return tuple(Remedy(title[:1].upper() + title[1:], told) for title, told in titled)
    told = remedies.on_filters(view)
    if told is None:
        return ()
    return (Remedy(error_kind(told["source"], told["category"], told["code"]), told),)


async def _unfiltered(services: Services, asked: Asked, view: View) -> int | None:
    """Count the list without filters, where that is cheap: organizations and users."""
    if not view.filters or view.list.kind not in {"organizations", "users"}:
        return None
    whole = _parse(services, asked, [("tz", view.zone.key), ("limit", "1")], asked.frame.now, asked.frame.masked)
    page = await fetch_page(services, whole)
    return page.total if page.total_is_exact else None


async def _empty(services: Services, asked: Asked, view: View) -> Empty:
    """Say why there is nothing, and the way on: the filter whose removal brings the most rows."""
    many = table.KIND_WORDS[view.list.kind][1]
    if view.cursor is not None:  # behind a search that went on, or behind rows that are gone by now
        first = Act("First page", f"{asked.path}?{view.query()}")
        return Empty("filter", f"No more {many} found", "Everything up to the end was looked through.", (first,))
    if not view.filters:
        return await _none_yet(services, asked, view, f"No {many} yet")
    without = []
    for each in view.filters[:4]:
        shown = view.query(drop=each.column.name, limit="1")  # what its link leads to, no default in force again
        params = parse_qsl(shown, keep_blank_values=True)
        found = await fetch_page(services, _parse(services, asked, params, asked.frame.now, view.masked))
        without.append((found.total, found.total_is_exact, each))
    total, exact, narrowest = max(without, key=lambda each: each[0])
    count = f"{words.capped(total, exact)} {table.KIND_WORDS[view.list.kind][0 if total == 1 else 1]}"
    verb = "matches" if total == 1 else "match"
    href = f"{asked.path}?{view.query(drop=narrowest.column.name)}"
    if all(each.text == view.list.default_filter.get(each.column.name) for each in view.filters):
        quiet = NOTHING_LOUD[view.list.kind]
        if not total:
            return await _none_yet(services, asked, view, quiet)
        return Empty("filter", quiet, f"{count} {verb} in all.", (Act("Show all", href),))
    title = narrowest.column.title
    acts = (Act(f"Remove {title}", href), Act("Clear all filters", _clear(asked, view)))
    return Empty("filter", f"No {many} match these filters", f"{count} {verb} without {title}.", acts)


NOTHING_LOUD: Final = {"sessions": "No session ended in errors or timed out", "issues": "No issue is open"}


async def _none_yet(services: Services, asked: Asked, view: View, title: str) -> Empty:
    """Say what will appear here, and of one organization whether its agent is there at all and how it is connected."""
    kind = view.list.kind
    title = "No sync session has been reported yet" if kind == "sessions" else title
    if not isinstance(view.scope, One):
        return Empty("running", title, NOT_YET[kind])
    found = await last_heard(services, asked.principal, view.scope.organization_id)
    said = "No agent of this organization has been heard yet."
    if found is not None:
        agent_id, heard_at = found
        ago = words.rough((asked.frame.now - heard_at).total_seconds())
        said = f"Its agent {words.isolated(agent_id)} was last heard {ago} ago."
    connect = str(view.scope.organization_id) if kind in {"users", "sessions"} else ""  # no issue is good news
    return Empty("check-ring" if kind == "issues" else "running", title, f"{said} {NOT_YET[kind]}", connect=connect)


NOT_YET: Final = {
    "organizations": "An organization appears here as soon as its agent reports it.",
    "users": "Users appear here as soon as an agent reports them, before their first session.",
    "sessions": "A session appears here within seconds of its start.",
    "issues": "An issue appears here when an object could not be created, updated or deleted.",
}


def _with_counts(view: View, made: Table, counts: StatusCounts) -> Table:
    pressed = pressed_statuses(view)
    tabs = tuple(
        Tab(slug, slug, words.capped(*counts.get(slug, (0, True))), slug in pressed)
        for slug in ("errors", "timed_out", "finished_with_issues", "finished", "running", "cancelled")
    )
    default = pressed == {"errors", "timed_out"}
    more = next((tab for tab in tabs if tab.slug == "finished_with_issues" and not tab.current), None)
    add = Tab(more.slug, "finished with issues", more.count) if more and pressed and more.count != "0" else None
    note = "Shown by default: errors and timed out" if default else ""
    return replace(made, counts=tabs, counts_add=add, counts_note=note)


def added(view: View) -> set[str]:
    """Return the statuses whose counts, which the page shows, add up to its own; none where it counts for itself."""
    if view.list.name != "statistics":
        return set()
    return pressed_statuses(view) if view.filter_of("status") else set(vocabulary.SESSION_STATUS)


def pressed_statuses(view: View) -> set[str]:
    """Return the statuses a view is narrowed to; none means all."""
    each = view.filter_of("status")
    return set() if each is None else set(each.members or ())


def toggled(view: View, slug: str) -> str:
    """Return the status filter after one count tab was pressed; empty means all."""
    pressed = pressed_statuses(view) ^ {slug}
    return ",".join(name for name in vocabulary.SESSION_STATUS if name in pressed)


# ---------------------------------------------------------------------------------------------- what is wrong
def refused(asked: Asked, view: View, problems: tuple[Problem, ...]) -> Table:
    """Return a list that shows no rows, keeps what was typed and says what is allowed."""
    broken = {problem.parameter: problem.value for problem in problems if view.list.column(problem.parameter)}
    first = problems[0]
    column = view.list.column(first.parameter)
    wrong = Wrong(*_told(column.title if column else "", first), _ways_on(asked, view, first))
    return replace(_bare(asked, view, broken), problem=wrong, clear_href=_cleared(asked, view), matches="")


def _told(title: str, problem: Problem) -> tuple[str, str]:
    allowed = ", ".join(problem.allowed)
    detail = problem.detail[:1].upper() + problem.detail[1:] + "."
    if title:
        words = _allowed_words(allowed)
        return f"{title} cannot be “{problem.value}”", f"{detail} {words}".strip()
    what = "This order" if problem.parameter == "sort" else problem.parameter
    return f"{what} cannot be used", f"{detail} {_allowed_words(allowed)}".strip()


def _allowed_words(allowed: str) -> str:
    return f"Allowed: {allowed}." if allowed else ""


def _ways_on(asked: Asked, view: View, problem: Problem) -> tuple[Choice, ...]:
    """Return what the filter may be instead, and how to be rid of it."""
    column = view.list.column(problem.parameter)
    offered = () if column is None else _forms(asked, view, column, problem.allowed)
    if problem.parameter == "sort":
        return (_in_default_order(asked, view),)
    if column is not None and any(each.column is not column for each in view.filters):
        href = f"{asked.path}?{view.query(drop=column.name)}"
        offered += (Choice("", f"Remove {column.title}", href=href),)
    return (*offered, Choice("", "Clear all filters", href=_cleared(asked, view)))


_CONTAINING: Final = frozenset({Type.TEXT, Type.OPEN_LIST, Type.DIRECTION, Type.REPORT})
"""Types whose filter is any text: how it may be written is no example of one."""


def _forms(asked: Asked, view: View, column: Column, allowed: tuple[str, ...]) -> tuple[Choice, ...]:
    """Return each allowed form that is a filter as it stands: a word of a closed list, or an example like `>=5`."""
    if column.type in _CONTAINING:
        return ()
    slugs = {words: slug for slug, words in (column.words or {}).items()}
    statuses = looks.statuses_of(view.list, column)
    offered = []
    for form in allowed:
        written = slugs.get(form, form.partition(" (")[0])
        try:
            parse_filter(column, written, view.zone, asked.frame.now)
        except NotUnderstood:
            continue
        href = f"{asked.path}?{view.query(**{column.name: written})}"
        offered.append(Choice(column.name, form, href=href, status=slugs.get(form, "") if statuses else ""))
    return tuple(offered)


def _too_wide(asked: Asked, view: View, detail: str) -> Wrong:
    return Wrong("This view is too wide", detail, (_in_default_order(asked, view),))


def _in_default_order(asked: Asked, view: View) -> Choice:
    return Choice("", "Default order", href=f"{asked.path}?{view.query(sort=view.list.default_sort)}")


def _too_slow(asked: Asked, view: View) -> Wrong:
    ways = [Choice("", "Try again", href=f"{asked.path}?{view.query()}")]
    example = ""
    if view.list.column("run") is not None and all(each.column.name != "run" for each in view.filters):
        example = ", for example the last 24 hours,"
        ways.append(Choice("", "Last 24 hours only", href=f"{asked.path}?{view.query(run='24h')}"))
    detail = (
        f"The query was ended so that it cannot slow others. A narrower filter{example} makes it fast. "
        "Nothing was changed."
    )
    return Wrong("This list took too long and was stopped", detail, tuple(ways))
