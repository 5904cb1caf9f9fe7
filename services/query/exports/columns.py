"""The columns of a CSV: a title and the SQL of its cells. Pure.

For people: words, times in the view's zone that sort as dates, and a guard in front of texts that a spreadsheet would
run. With `raw`: names as titles, slugs, ISO 8601, texts as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.columns import Column, Type
from schemas.kinds import COUNTS
from schemas.vocabulary import OBJECT_TYPE
from services.query.formulas import guarded_sql
from services.query.views.expressions import LAST_20_SLUGS, LAST_20_WORDS, OF_KIND, Sql, direction, literal, said
from services.query.views.masked import seen
from services.query.views.view import View

_ISO: Final = """'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'"""
_ALIAS: Final[Mapping[str, str]] = MappingProxyType({"sessions": "s", "issues": "i"})


def columns_of(view: View) -> tuple[Column, ...]:
    """Return the columns of the view's CSV: those of the view, hidden ones that its rows show beside another, and those
    that this list's CSV always ends with.
    """
    tail = [each for each in view.list.columns if each.name in view.list.csv_tail]
    own = [each for each in view.columns if each.name not in view.list.csv_tail]
    beside = [each for each in view.list.columns if each.name in view.list.csv_beside and each not in own]
    return (*own, *beside, *tail)


def csv_columns(view: View) -> dict[str, str]:
    """Return title → SQL for each column of the CSV, in order; titles are unique."""
    cells: dict[str, str] = {}
    for column in columns_of(view):
        sql = OF_KIND[view.list.kind][column.name]
        cells[_title(view, column, "")] = _cell(view, column, sql)
        if column.type is Type.PERIOD:
            cells[_title(view, column, "end")] = _time(view, sql.until)
    return cells


def _title(view: View, column: Column, part: str) -> str:
    if view.csv.raw:
        return f"{column.name}_{part}" if part else column.name
    title = f"{column.heading}, {part}" if part else column.heading
    return f"{title} ({view.zone.key})" if column.type in (Type.TIME, Type.PERIOD) else title


def _time(view: View, value: str) -> str:
    if view.csv.raw:
        return f"to_char({value} AT TIME ZONE 'UTC', {_ISO})"
    return f"date_trunc('second', {value} AT TIME ZONE {literal(view.zone.key)})"


def _cell(view: View, column: Column, sql: Sql) -> str:
    value = seen(view, column.name, sql).value
    match column.type:
        case Type.TIME | Type.PERIOD:
            return _time(view, value)
        case Type.BOOLEAN:
            yes, no = ("'true'", "'false'") if view.csv.raw else ("'True'", "'False'")
            return f"CASE WHEN {value} THEN {yes} WHEN NOT ({value}) THEN {no} END"
        case Type.SECONDS | Type.SHARE:
            return f"round(({value})::numeric, {6 if view.csv.raw else 1})"
        case Type.NUMBER:
            return value
        case Type.ID:
            return f"({value})::text"
        case Type.STRIP:
            return LAST_20_SLUGS if view.csv.raw else LAST_20_WORDS
        case _ if view.csv.raw:
            return f"({value})::text"
        case Type.LIST | Type.OPEN_LIST:
            return said(value, column.words or {}, guarded_sql(value) if column.type is Type.OPEN_LIST else value)
        case Type.DIRECTION:
            return guarded_sql(f"({sql.words})")
        case Type.CODE:
            return _code(column, value)
        case Type.REPORT:
            return _report(_ALIAS[view.list.kind], value)
        case _:
            return guarded_sql(f"({value})")


def _code(column: Column, value: str) -> str:
    arms = " ".join(f"WHEN {int(code)} THEN {literal(' ' + words)}" for code, words in (column.words or {}).items())
    return f"{value} || CASE {value} {arms} ELSE '' END"


def _report(alias: str, value: str) -> str:
    counts = ", ".join(
        f"CASE WHEN (line ->> '{name}')::bigint <> 0 THEN '{name} ' || (line ->> '{name}') END" for name in COUNTS
    )
    what = said("line ->> 'type'", OBJECT_TYPE, "line ->> 'type'")
    way = direction(alias, "line ->> 'direction'")
    line = f"{what} || ', ' || {way} || ': ' || coalesce(nullif(concat_ws(', ', {counts}), ''), 'none')"
    whole = (
        f"(SELECT string_agg({line}, '; ' ORDER BY place) "
        f"FROM jsonb_array_elements({value}) WITH ORDINALITY AS report (line, place))"
    )
    return guarded_sql(whole)
