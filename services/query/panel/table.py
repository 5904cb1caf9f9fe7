"""A list as its template wants it: from a view and a page of rows to titles, boxes, chips, cells and links. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from schemas.columns import Column, Type
from services.query.panel import looks, rows, words
from services.query.panel.parts import Clock
from services.query.panel.rows import Row
from services.query.views.filters import Between, Filter
from services.query.views.view import SortKey, View

KIND_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "organizations": ("organization", "organizations"),
    "users": ("user", "users"),
    "sessions": ("session", "sessions"),
    "issues": ("issue", "issues"),
}
HINTS: Final[Mapping[str, str]] = {
    "number": "5, >=5, 5..9",
    "time": "2026-11-01, 2026-11-01.., 24h",
}
CSV_ROWS_OF_EXCEL: Final = 1_048_575


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One column as shown: title, search box, sort link, and how its cells are drawn."""

    name: str
    title: str
    heading: str
    type: str
    kind: str
    number: bool
    width: int
    phone: str = ""
    stress: bool = False
    wide: bool = False
    sorted: str = ""
    sort_href: str = ""
    explanation: str = ""
    copied: bool = False
    value: str = ""
    asked: str = ""
    """The value as the address has it, where that is another."""
    broken: bool = False
    choices: str = ""
    statuses: tuple[str, ...] = ()
    """The slugs of its choices, one by one, where they are statuses: each is drawn with its icon."""
    hint: str = ""
    remove_href: str = ""
    heard: str = ""
    """What tells its title from another that reads the same, for those who do not see the icon."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter in force, in plain words, with the way out of it."""

    title: str
    words: str
    remove_href: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the picklist, or one word that a box would have understood."""

    name: str
    title: str
    shown: bool = False
    always: bool = False
    href: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why the rows are not shown: what was not understood or not possible, and what is allowed."""

    title: str
    text: str
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about errors that a list shows: about which, and the advice."""

    title: str
    advice: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """A way on from an empty list."""

    word: str
    href: str


@dataclass(frozen=True, slots=True)
class Empty:
    """What an empty list says."""

    sign: str
    title: str
    text: str
    acts: tuple[Act, ...] = ()
    connect: str = ""
    """The organization that nothing was reported of yet: how an agent of it is connected."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A count tab or a part of a switch."""

    slug: str
    word: str
    count: str
    current: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything `_list.html` shows."""

    name: str
    label: str
    path: str
    here: str
    noun: tuple[str, str]
    density: str
    first: int
    min_width: int
    two_titles: bool
    actions: int
    dense: bool
    shown: tuple[Head, ...]
    choices: tuple[Choice, ...]
    hidden: tuple[tuple[str, str], ...]
    keep: str = ""
    chips: tuple[Chip, ...] = ()
    clear_href: str = ""
    rows: tuple[Row, ...] = ()
    matches: str = ""
    matches_rest: str = ""
    matches_noun: str = ""
    export_href: str = ""
    export_note: str = ""
    counts: tuple[Tab, ...] = ()
    counts_note: str = ""
    counts_add: Tab | None = None
    segments: tuple[Tab, ...] = ()
    segments_label: str = ""
    holds_names: bool = False
    remedies: tuple[Remedy, ...] = ()
    problem: Wrong | None = None
    empty: Empty | None = None
    limit: int = 100
    foot: str = ""
    foot_note: str = ""
    order: str = ""
    sort_words: str = ""
    orders: tuple[Choice, ...] = ()
    previous_href: str = ""
    next_href: str = ""


def heads(view: View, path: str, broken: Mapping[str, str] | None = None) -> tuple[Head, ...]:
    """Return the shown columns; `broken` holds what was typed into boxes that were not understood."""
    typed = {each.column.name: each.typed for each in view.filters} | dict(broken or {})
    asked = {each.column.name: each.text for each in view.filters if each.text != each.typed}
    order = {key.column.name: key.descending for key in view.sort}
    drawn = [(column, looks.look(view.list, column)) for column in view.columns]
    flexible = any(not look.width for _, look in drawn[1:])
    last = len(drawn) - 1
    return tuple(
        _head(view, path, column, look, typed, asked, order, broken or {}, stretch=not flexible and index == last)
        for index, (column, look) in enumerate(drawn)
    )


def _head(
    view: View, path: str, column: Column, look: looks.Look, typed: Mapping[str, str], asked: Mapping[str, str],
    order: Mapping[str, bool], broken: Mapping[str, str], *, stretch: bool,
) -> Head:  # fmt: skip
    down = order.get(column.name)
    explained = column.name in {"changes", "total_changes", "health", "why", "last_20", "failing_share"}
    return Head(
        name=column.name, title=column.title, heading=column.heading,
        heard=column.heading.removeprefix(column.title) if _shares_title(view, column) else "",
        type=_box_kind(column), kind=look.kind,
        number=column.type in {Type.NUMBER, Type.SHARE, Type.SECONDS} and look.kind != "users-bar",
        width=0 if stretch else look.width, phone=look.phone, stress=look.stress,
        wide=looks.FIRST[view.list.name] >= 170, sorted="" if down is None else ("descending" if down else "ascending"),
        sort_href=f"{path}?{view.query(sort=turned(column, down))}" if column.sorts(view.masked) else "",
        explanation=column.description if explained else "",
        copied=column.name in {"report"} or (column.name == "exception" and view.list.kind == "sessions"),
        value=typed.get(column.name, ""), asked=asked.get(column.name, ""), broken=column.name in broken,
        choices="|".join(choices_of(column)), statuses=looks.statuses_of(view.list, column),
        hint=HINTS.get(_box_kind(column), ""),
        remove_href=f"{path}?{view.query(drop=column.name)}" if column.name in typed else "",
    )  # fmt: skip


def turned(column: Column, descending: bool | None) -> str:
    """Return the sort a click on a title asks for: figures and times start with the greatest, and each click turns."""
    greatest_first = column.type in {Type.NUMBER, Type.SHARE, Type.SECONDS, Type.TIME, Type.PERIOD}
    down = greatest_first if descending is None else not descending
    return ("-" if down else "") + column.name


def _box_kind(column: Column) -> str:
    if column.type in {Type.TIME, Type.PERIOD}:
        return "time"
    if column.type is Type.BOOLEAN:
        return "boolean"
    return "number" if column.type in {Type.NUMBER, Type.SHARE, Type.SECONDS, Type.CODE} else "text"


def choices_of(column: Column) -> list[str]:
    """Return the words that the search box of a column suggests; none where anything may be typed."""
    if column.type is Type.BOOLEAN:
        return ["True", "False"]
    if column.type is Type.CODE:
        return [f"{code} {meaning}" for code, meaning in (column.words or {}).items()]
    if column.type in {Type.LIST, Type.OPEN_LIST, Type.REPORT, Type.STRIP} and column.words:
        return list(column.words.values())
    return []


def chips(view: View, path: str, broken: Collection[str] = ()) -> tuple[Chip, ...]:
    """Return one chip per filter in force; that of a hidden column says so by being there.

    Of a column in `broken` none is: what was asked for is not understood, and its default is not what was asked for.
    """
    return tuple(
        Chip(each.column.title, _said(view, each), f"{path}?{view.query(drop=each.column.name)}")
        for each in view.filters
        if each.column.name not in broken
    )


def _said(view: View, each: Filter) -> str:
    """Return a filter in plain words, times as they stand in rows."""
    match each.test:
        case Between(low=datetime() | None as low, high=datetime() | None as high):
            said = words.within(low, high, view.zone, view.now)
            return f"not {said}" if each.negated else said
        case _:
            return each.words(view.zone)


def picklist(view: View) -> tuple[Choice, ...]:
    """Return all columns, the shown ones first and in their order."""
    shown = [column.name for column in view.columns]
    rest = [column for column in view.list.columns if column.name not in shown]

    def title(column: Column) -> str:
        return column.heading if _shares_title(view, column) else column.title

    first = [Choice(column.name, title(column), True, index == 0) for index, column in enumerate(view.columns)]
    return (*first, *(Choice(column.name, title(column)) for column in rest))


def _shares_title(view: View, column: Column) -> bool:
    return [each.title for each in view.list.columns].count(column.title) > 1


def hidden_fields(view: View) -> tuple[tuple[str, str], ...]:
    """Return what the filter form must carry besides its boxes: zone, sort, columns, filters of hidden columns."""
    boxes = {column.name for column in view.columns}
    kept = parse_qsl(view.query(), keep_blank_values=True)
    return tuple((name, value) for name, value in kept if name not in boxes and name != "cursor")


def sort_words(view: View) -> str:
    """Return the order in words: `Errors 24 h, most first`."""
    return ", then ".join(_key_words(view, key) for key in view.sort)


def _key_words(view: View, key: SortKey) -> str:
    column = key.column
    if column.name == "status" and view.list.kind == "sessions":
        return "status, errors first, then newest start"
    if column.name in {"status", "health"}:
        return f"{column.title}, {'least' if key.descending else 'most'} urgent first"
    if column.type in {Type.TIME, Type.PERIOD}:
        return f"{column.title}, {'newest' if key.descending else 'oldest'} first"
    if column.type in {Type.NUMBER, Type.SHARE, Type.SECONDS}:
        return f"{column.title}, {'most' if key.descending else 'least'} first"
    return column.title + (", Z to A" if key.descending else "")


def orders(view: View) -> tuple[Choice, ...]:
    """Return the orders of a list in words, for where no title can be pressed; the default one has no name."""
    default = view.list.default_sort
    keys = [
        SortKey(column, down) for column in view.list.columns for down in (False, True)
        if (column in view.columns or column.name == default.removeprefix("-"))
        and column.sorts(view.masked)
        and not (down and column.name == "status" and view.list.kind == "sessions")
    ]  # fmt: skip
    offered = {str(key): _key_words(view, key) for key in keys}
    current = ",".join(map(str, view.sort))
    offered = {current: sort_words(view)} | offered
    return tuple(
        Choice("" if name == default else name, words, shown=name == current) for name, words in offered.items()
    )


def matches(total: int | None, exact: bool, rest: int | None, noun: tuple[str, str]) -> tuple[str, str, str]:
    """Return the match count, what stands greyed behind it, or else its noun: `1,187` `of 2,418`, or `23` `issues`."""
    if total is None:
        return "", "not counted", ""
    count = words.capped(total, exact)
    if rest is not None and rest != total:
        return count, f"of {rest:,}", ""
    return count, "", noun[0 if total == 1 and exact else 1]


def export_note(some: bool, exact: bool) -> str:
    """Return what is to be known before an export; `exact` counts end far below what Excel shows."""
    if not some:
        return "There is nothing to export"
    return "" if exact else f"Excel shows the first {CSV_ROWS_OF_EXCEL:,} rows only; this view may have more"


def draw(view: View, found: Sequence[Mapping[str, Any]], clock: Clock) -> tuple[Row, ...]:
    """Return the rows of a page with their links, second lines and texts to copy."""
    return tuple(rows.row(view.list, each, clock) for each in found)
