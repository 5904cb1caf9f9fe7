"""What a URL asks of a list: columns, filters, sort and place, understood or refused. Pure.

`parse` is used by page, JSON and CSV alike, so that the three cannot disagree about what was meant.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.columns import LISTS, Column, ListView
from services.query.views.filters import Filter, NotUnderstood, Problem, parse_filter

T = TypeVar("T")

DEFAULT_LIMIT: Final = 100
LARGEST_LIMIT: Final = 500
PARAMETERS: Final = ("sort", "columns", "limit", "cursor", "tz")
CSV_PARAMETERS: Final = ("sep", "bom", "raw")
_SIGNATURE: Final = 16
_ZONE: Final = re.compile(r"[A-Z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+){0,2}", re.ASCII)
"""A key of the IANA database. What else stands in a folder of zones begins small, and Postgres knows none of it."""


@dataclass(frozen=True, slots=True)
class All:
    """Every organization: another database role, no predicate."""


@dataclass(frozen=True, slots=True)
class One:
    """One organization's rows."""

    organization_id: UUID


@dataclass(frozen=True, slots=True)
class OneUser:
    """One user's rows."""

    organization_id: UUID
    user_id: UUID


Scope = All | One | OneUser


class BadQuery(Exception):
    """A query that cannot be meant: one `Problem` for each parameter, each naming what is allowed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.parameter}: {problem.detail}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of the order."""

    column: Column
    descending: bool

    def __str__(self) -> str:
        return f"-{self.column.name}" if self.descending else self.column.name


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows: the branch and order keys (as text) of the row before it, and which way to read."""

    backwards: bool
    branch: int
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How a CSV is written: separator, byte order mark, and `raw` for machines."""

    separator: str = ","
    bom: bool = True
    raw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One list as asked for: everything that its page, count and CSV depend on."""

    list: ListView
    scope: Scope
    zone: ZoneInfo
    filters: tuple[Filter, ...]
    sort: tuple[SortKey, ...]
    columns: tuple[Column, ...]
    now: datetime
    limit: int = DEFAULT_LIMIT
    cursor: Cursor | None = None
    masked: bool = False
    csv: CsvOptions = CsvOptions()
    chosen_columns: bool = False

    def filter_of(self, name: str) -> Filter | None:
        """Return the filter of a column, if one is in force."""
        return next((each for each in self.filters if each.column.name == name), None)

    def query(self, *, drop: str | Sequence[str] = (), **changes: str | None) -> str:
        """Return this view as a query string that always names its zone; `changes` replace parameters, `drop` removes.

        The cursor is dropped unless given: another filter or order has other places.
        """
        values: dict[str, str] = {each.column.name: each.text for each in self.filters}
        for name in self.list.default_filter:  # which is only off when the URL says so
            values.setdefault(name, "")
        if self.sort and ",".join(map(str, self.sort)) != self.list.default_sort:
            values["sort"] = ",".join(map(str, self.sort))
        if self.chosen_columns:
            values["columns"] = ",".join(each.name for each in self.columns)
        if self.limit != DEFAULT_LIMIT:
            values["limit"] = str(self.limit)
        values |= {name: value for name, value in changes.items() if value is not None}
        for name in (drop,) if isinstance(drop, str) else drop:
            values.pop(name, None)
            if name in self.list.default_filter:
                values[name] = ""
        values.setdefault("tz", self.zone.key)
        return encoded(values.items())

    def identity(self) -> str:
        """Return what a cursor is bound to: the list, whose rows, the filters and the order."""
        filters = sorted((each.column.name, each.text) for each in self.filters)
        return json.dumps([self.list.name, repr(self.scope), filters, [str(key) for key in self.sort], self.zone.key])


def encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """Return parameters as a query string in which filters can be read: commas and colons stay what they are."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe=':,.-_~')}" for name, value in pairs)


def seal(cursor: Cursor, view: View, secret: bytes) -> str:
    """Return `cursor` as text that only `parse` of the same view accepts."""
    body = json.dumps([int(cursor.backwards), cursor.branch, cursor.values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_sign(body, view, secret) + body).decode().rstrip("=")


def unseal(text: str, view: View, secret: bytes) -> Cursor | None:
    """Return the cursor, or None for one that is damaged, forged or of another view."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _sign(body, view, secret)):
        return None
    backwards, branch, values = json.loads(body)
    return Cursor(bool(backwards), branch, tuple(values))


def _sign(body: bytes, view: View, secret: bytes) -> bytes:
    bound = b"cursor\x00" + view.identity().encode() + b"\x00" + body
    return hmac.new(secret, bound, hashlib.sha256).digest()[:_SIGNATURE]


def parse(
    list_name: str,
    params: Sequence[tuple[str, str]],
    *,
    scope: Scope,
    now: datetime,
    secret: bytes,
    defaults: bool = False,
    masked: bool = False,
    csv: bool = False,
) -> View:
    """Understand the parameters of a list, or raise BadQuery that names every one that cannot be used.

    `defaults`: what a first visit gets applies where the URL does not name its column at all. An empty value is no
    filter. `masked`: names of objects are hidden from whoever asks, so they cannot be searched either.
    """
    return _Parse(LISTS[list_name], scope, now, secret, defaults, masked, csv).view(params)


def zone_of(text: str) -> ZoneInfo:
    """Return the IANA zone called `text`, or raise NotUnderstood."""
    try:
        if not _ZONE.fullmatch(text):
            raise ValueError(text)
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NotUnderstood(f"{text!r} is no IANA time zone", ("UTC", "Europe/Berlin", "America/New_York")) from None


def zone_asked(text: str, problems: list[Problem]) -> ZoneInfo:
    """Return the zone that `tz` names, UTC where it is empty; one that there is none of is a problem."""
    return _guard(problems, "tz", text, lambda text: zone_of(text or "UTC")) or ZoneInfo("UTC")


@dataclass(slots=True)
class _Parse:
    """One parse: collects problems, so that all are told at once."""

    shape: ListView
    scope: Scope
    now: datetime
    secret: bytes
    defaults: bool
    masked: bool
    csv: bool
    written: dict[str, str] = field(default_factory=dict)
    """The column's name → the parameter as it was written, which may be an alias."""

    def view(self, params: Sequence[tuple[str, str]]) -> View:
        problems: list[Problem] = []
        given = self._given(params, problems)
        zone = zone_asked(given.get("tz", ""), problems)
        filters = self._filters(given, zone, problems)
        sort = self._sort(given.get("sort", ""), problems)
        columns = self._columns(given.get("columns", ""), problems)
        limit = _guard(problems, "limit", given.get("limit", ""), _limit) or DEFAULT_LIMIT
        options = self._options(given, problems)
        view = View(
            list=self.shape,
            scope=self.scope,
            zone=zone,
            filters=filters,
            sort=sort,
            columns=columns,
            now=self.now,
            limit=limit,
            masked=self.masked,
            csv=options,
            chosen_columns=bool(given.get("columns")),
        )
        cursor = self._cursor(given.get("cursor", ""), view, problems)
        if problems:
            raise BadQuery(problems)
        return replace(view, cursor=cursor) if cursor else view

    def _given(self, params: Sequence[tuple[str, str]], problems: list[Problem]) -> dict[str, str]:
        known = (*PARAMETERS, *(CSV_PARAMETERS if self.csv else ()))
        given: dict[str, str] = {}
        for name, value in params:
            column = self.shape.column(name)
            if column is None and name not in known:
                allowed = tuple(each.name for each in self.shape.columns) + PARAMETERS
                problems.append(Problem(name, value, "there is no such parameter", allowed))
                continue
            own = name if column is None else column.name
            if own in given:
                problems.append(Problem(name, value, "is given twice"))
            given[own] = value
            self.written[own] = name
        if self.defaults:
            for name, value in self.shape.default_filter.items():
                given.setdefault(name, value)
        return given

    def _filters(self, given: Mapping[str, str], zone: ZoneInfo, problems: list[Problem]) -> tuple[Filter, ...]:
        filters = []
        for name, text in given.items():
            column = self.shape.column(name)
            if column is None or not text.strip():
                continue
            said = self.written.get(name, name)
            if column.personal and self.masked:
                problems.append(Problem(said, text, f"{column.title} is masked for your role until it is revealed"))
                continue
            try:
                filters.append(parse_filter(column, text, zone, self.now))
            except NotUnderstood as refusal:
                problems.append(Problem(said, text, refusal.detail, refusal.allowed))
        return tuple(filters)

    def _sort(self, text: str, problems: list[Problem]) -> tuple[SortKey, ...]:
        allowed = tuple(each.name for each in self.shape.columns if each.sorts(self.masked))
        keys: list[SortKey] = []
        for part in (text or self.shape.default_sort).split(","):
            descending = part.startswith("-")
            column = self.shape.column(part.removeprefix("-"))
            if column is not None and self.masked and column.sorts(masked=False) and not column.sorts(masked=True):
                problems.append(Problem("sort", text, f"{column.title} is masked for your role until it is revealed"))
            elif column is None or column.name not in allowed:
                problems.append(Problem("sort", text, f"cannot sort by {part!r}; - in front turns the order", allowed))
            elif all(key.column is not column for key in keys):
                keys.append(SortKey(column, descending))
        if len(keys) > 3:
            problems.append(Problem("sort", text, "at most three columns"))
        return tuple(keys)

    def _columns(self, text: str, problems: list[Problem]) -> tuple[Column, ...]:
        if not text.strip():
            return self.shape.shown
        chosen: list[Column] = []
        for name in text.split(","):
            column = self.shape.column(name.strip())
            if column is None:
                allowed = tuple(each.name for each in self.shape.columns)
                problems.append(Problem("columns", text, f"there is no column {name.strip()!r}", allowed))
            elif column not in chosen:
                chosen.append(column)
        return tuple(chosen)

    def _options(self, given: Mapping[str, str], problems: list[Problem]) -> CsvOptions:
        separators = {"": ",", "comma": ",", "semicolon": ";", "tab": "\t"}
        sep, bom, raw = given.get("sep", ""), given.get("bom", ""), given.get("raw", "")
        switch = ("", "0", "1")
        for name, value, allowed in (("sep", sep, tuple(separators)), ("bom", bom, switch), ("raw", raw, switch)):
            if value not in allowed:
                problems.append(Problem(name, value, "is not one of the allowed", tuple(filter(None, allowed))))
        return CsvOptions(separator=separators.get(sep, ","), bom=bom != "0", raw=raw == "1")

    def _cursor(self, text: str, view: View, problems: list[Problem]) -> Cursor | None:
        if not text:
            return None
        cursor = unseal(text, view, self.secret)
        if cursor is None:
            problems.append(
                Problem(
                    "cursor", text, "is no place in this view: filters or order changed; start without it", ("none",)
                )
            )
        return cursor


def _limit(text: str) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= LARGEST_LIMIT:
        raise NotUnderstood(f"{text!r} is not from 1 to {LARGEST_LIMIT}", (f"1..{LARGEST_LIMIT}",))
    return int(text)


def _guard(problems: list[Problem], name: str, text: str, read: Callable[[str], T]) -> T | None:
    try:
        return read(text)
    except NotUnderstood as refusal:
        problems.append(Problem(name, text, refusal.detail, refusal.allowed))
        return None
