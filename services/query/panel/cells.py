"""The cells of a list as HTML: by far the most of a page, so functions make them and no template. Pure.

Whatever a row holds is escaped here; what `parts` makes is HTML already.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from markupsafe import Markup, escape

from services.query.nouns import unit
from services.query.panel import marks, words
from services.query.panel.parts import (
    NONE,
    Clock,
    copy_button,
    error_code_words,
    figure,
    icon,
    iso,
    late_words,
    moment,
    object_icon,
    outcome,
    status,
    strip,
    tag,
    timed,
)
from services.query.panel.parts import bar as drawn_bar
from services.query.panel.rows import Row
from services.query.panel.table import Head, Table


class Cell(NamedTuple):
    """What a cell is drawn from: its column, its row and its value in words; where it stands, and who reads it."""

    column: Head
    row: Row
    value: Any
    first: bool
    roomy: bool
    clock: Clock


def list_rows(table: Table, clock: Clock) -> Markup:
    """Return the rows of a list; the first cell of each is its head, the last one holds its actions, if it has some."""
    roomy = table.density == "roomy"
    columns = [
        (column, index == 0, _KINDS.get(column.kind, _text), *_tags(column, first=index == 0))
        for index, column in enumerate(table.shown)
    ]
    made = []
    for row in table.rows:
        key = escape(row.key)
        cells = "".join([
            f"{opening}{draw(Cell(column, row, row.values[column.name], first, roomy, clock))}{closing}"
            for column, first, draw, opening, closing in columns
        ])  # fmt: skip
        made.append(
            f'<tr id="r-{key}" role="row" data-key="{key}" class="{"red" if row.red else ""}" tabindex="-1">'
            f"{cells}{_actions(row) if table.actions else ''}</tr>\n"
        )
    return Markup("".join(made))


def _tags(column: Head, *, first: bool) -> tuple[str, str]:
    """Return what stands around each cell of a column."""
    whole = " data-full" if column.kind in _NAMES else ""
    if first:
        return f'<th scope="row" role="rowheader"{whole}>', "</th>"
    if column.phone or column.number:
        return f'<td role="cell" class="{column.phone}{" num" if column.number else ""}"{whole}>', "</td>"
    return f'<td role="cell"{whole}>', "</td>"


def _actions(row: Row) -> str:
    details, logs = escape(row.details_href), escape(row.logs_href)
    return (
        f'<td role="cell" class="acts">'
        f'<a class="icon-btn" href="{details}" data-job aria-label="Job details" title="Job details">{icon("info")}</a>'
        f'<a class="icon-btn" href="{logs}" data-download aria-label="Download logs" title="Download logs">'
        f"{icon('download')}</a></td>"
    )


def _name_link(row: Row, text: str) -> str:
    if row.href:
        return f'<a class="name" href="{escape(row.href)}"><bdi>{escape(text)}</bdi></a>'
    return f"<bdi>{escape(text)}</bdi>"


def _cut(text: Any, form: str = "line", whole: str = "") -> str:
    """Return a text that is shown as far as there is room, and whole where one points at it."""
    return f'<span class="{form} full" tabindex="0" data-full="{escape(whole) if whole else ""}">{escape(text)}</span>'


def _person(cell: Cell) -> str:
    row = cell.row
    shown = cell.value or row.email or words.short_id(row.slugs["user_id"])
    email = escape(row.email) if row.email != shown else ""
    beside = f' <span class="beside">{email}</span>' if email and not cell.roomy and cell.column.wide else ""
    below = f'<span class="sub">{email}</span>' if email and cell.roomy else ""
    return f'<span class="line">{_name_link(row, shown)}{beside}</span>{below}'


def _name(cell: Cell) -> str:
    text = cell.value or words.short_id(cell.row.slugs["organization_id"])
    return f'<span class="line">{_name_link(cell.row, text)}</span>'


def _organization(cell: Cell) -> str:
    text = cell.value or words.short_id(cell.row.slugs["organization_id"])
    href = escape(cell.row.links["organization"])
    return f'<span class="line"><a class="name" href="{href}">{escape(text)}</a></span>'


def _flag(cell: Cell) -> str:
    if cell.value:
        return f'<span class="st s-disabled">{icon("slash-ring", 14)}True</span>'
    return NONE if cell.value is None else '<span class="kept">False</span>'


def _status(cell: Cell) -> str:
    if word := late_words(cell.value, cell.clock):
        return f'<span class="status-two">{status(cell.value, word=word)}</span>'
    return f'<span class="line">{status(cell.value)}</span>'


def _status_two(cell: Cell) -> str:
    return f'<span class="status-two">{status(cell.value)}</span>'


def _session_status(cell: Cell) -> str:
    detail = cell.row.second.get("status") if cell.roomy else ""
    return _status(cell) + (_cut(detail, "sub") if detail else "")


def _number(cell: Cell) -> str:
    column = cell.column
    behind = _unit(column.title, cell.value == 1) if column.phone else ""
    return f"{figure(cell.value, cell.row.links.get(column.name), column.stress)}{behind}"


@lru_cache(256)
def _unit(title: str, is_one: bool) -> str:
    return f'<span class="unit"> {escape(unit(1 if is_one else None, title))}</span>'


def _share(cell: Cell) -> str:
    return NONE if cell.value is None else f"{cell.value:.1f} %"


def _seconds(cell: Cell) -> str:
    return NONE if cell.value is None else words.duration(cell.value)


def _users_bar(cell: Cell) -> str:
    shown = figure(cell.value, cell.row.links["users"])
    drawn = drawn_bar(marks.user_bar(cell.row.slugs), hatched=cell.row.red)
    return f'<span class="num-bar"><span>{shown}</span>{drawn}</span>'


def _strip(cell: Cell) -> str:
    return strip(tuple(outcome(each["status"], each["report_complete"]) for each in cell.value))


def _time(cell: Cell) -> str:
    return f'<span class="line{"" if cell.row.red else " t2"}">{moment(cell.value, cell.clock)}</span>'


def _run(cell: Cell) -> str:
    """Return from when to when; on one line when it began, and the whole where one points at it."""
    start, end, zone, now = cell.value, cell.row.slugs["ended_at"], cell.clock.zone, cell.clock.now
    if not cell.roomy:
        stop = "" if cell.first else ' tabindex="0"'  # its link is one
        shown = _run_link(cell, f'<time datetime="{iso(start)}">{words.start(start, zone, now)}</time>')
        return f'<span class="line full"{stop} title="{words.whole_run(start, end, zone)}" data-full>{shown}</span>'
    shown = _run_link(cell, timed(start, words.run(start, end, zone), zone))
    took = f" · {words.duration((end - start).total_seconds())}" if end else ""
    return f'<span class="line">{shown}</span><span class="sub">{words.date(start, zone, now)}{took}</span>'


def _run_link(cell: Cell, shown: str) -> str:
    return f'<a class="name" href="{escape(cell.row.details_href)}" data-job>{shown}</a>' if cell.first else shown


def _report(cell: Cell) -> str:
    lines = cell.row.second["report"]
    if not lines:
        said = "none yet" if cell.row.slugs["status"] == "running" else "none reached"
        return f'<span class="line t3">{said}</span>'
    counted = [_counted(*line) for line in lines[:2]]
    whole = escape("\n".join(" ".join(line) for line in lines))
    more = ", …" if len(lines) > 2 else ""
    rest = f'<span class="sub counted">{counted[1]}{more}</span>' if cell.roomy and len(lines) > 1 else ""
    button = copy_button(cell.row.copies["report"], "Objects, detailed report")
    first = f'<span class="line full counted" tabindex="0" data-full="{whole}">{counted[0]}</span>'
    return f'<span class="with-copy"><span>{first}{rest}</span>{button}</span>'


def _counted(word: str, number: str) -> str:
    """Return a word and its number, of which a narrow cell cuts the word."""
    return f"<span>{escape(word)}</span> {escape(number)}"


def _exception(cell: Cell) -> str:
    if not cell.value:
        return NONE
    button = copy_button(cell.value, "Exception", cell.row.exception_href)
    return f'<span class="with-copy">{_cut(cell.value, "two mono")}{button}</span>'


def _long(cell: Cell) -> str:
    return _cut(cell.value, "two") if cell.value else NONE


def _why(cell: Cell) -> str:
    return _cut(words.straight(cell.value), "two" if cell.row.red else "two t2") if cell.value else ""


def _object_type(cell: Cell) -> str:
    return f'<span class="line">{object_icon(cell.row.slugs["type"])} {escape(cell.value)}</span>'


def _object_name(cell: Cell) -> str:
    state = cell.row.slugs.get("state")
    mark = tag(state) if state in {"regressed", "resolved"} else ""
    name = escape(cell.value or words.NONE)
    return f'<span class="named"><span class="line stress full" tabindex="0" data-full="">{name}</span>{mark}</span>'


def _code(cell: Cell) -> str:
    if cell.value is None:
        return NONE
    told = _cut(error_code_words(cell.value), "two")
    return f'<span class="named"><span class="code">{escape(cell.value)}</span>{told}</span>'


def _session_link(cell: Cell) -> str:
    shown, href = moment(cell.value, cell.clock), cell.row.links.get("session")
    return f'<span class="line">{f"""<a href="{escape(href)}" data-job>{shown}</a>""" if href else shown}</span>'


def _id(cell: Cell) -> str:
    return f'<span class="line mono">{escape(cell.value or words.NONE)}</span>'


def _text(cell: Cell) -> str:
    return NONE if cell.value is None or cell.value == "" else _cut(cell.value)


_KINDS: Final[Mapping[str, Callable[[Cell], str]]] = {
    "person": _person, "name": _name, "organization": _organization, "flag": _flag, "status": _status,
    "status-two": _status_two, "session-status": _session_status, "number": _number, "share": _share,
    "seconds": _seconds, "users-bar": _users_bar, "strip": _strip, "time": _time, "run": _run, "report": _report,
    "exception": _exception, "long": _long, "why": _why, "object-type": _object_type, "object-name": _object_name,
    "code": _code, "session-link": _session_link, "id": _id,
}  # fmt: skip
"""By the kind of a column's look (`looks`); every other kind is a text."""
_NAMES: Final = frozenset({"person", "name", "organization"})
"""Kinds that are links: shown whole where one points at the cell or at its link."""
