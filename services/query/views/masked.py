"""What a column is in SQL to whoever may not read names of objects: names in their own column, and in texts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from services.query.masking import HIDDEN, LEAST
from services.query.views.expressions import Sql
from services.query.views.view import View

_SIGHTED: Final = "SELECT g.object_name FROM issue_sighting g WHERE g.started_at = {} AND g.session_id = {}"
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "users": _SIGHTED.format("us.last_started_at", "us.last_session_id"),
        "sessions": _SIGHTED.format("s.started_at", "s.session_id"),
        "issues": f"SELECT i.object_name UNION {_SIGHTED.format('i.session_started_at', 'i.session_id')}",
    }
)
"""The names known to stand in the texts of one row: those of the issues of its session."""


def masked(value: str) -> str:
    """Return the SQL that keeps the first letter of each word: R••••••• d••••."""
    return f"regexp_replace({value}, '(?<=\\S)\\S', '{HIDDEN}', 'g')"


def seen(view: View, name: str, sql: Sql) -> Sql:
    """Return a column as whoever asks may read it; the very same where nothing of it is masked."""
    column = view.list.column(name)
    if not view.masked or column is None:
        return sql
    if column.personal:
        return replace(sql, value=masked(sql.value))
    return replace(sql, value=_masked_in(sql.value, _NAMES[view.list.kind])) if column.holds_names else sql


def shown_once(view: View, name: str, sql: Sql) -> Sql:
    """Return a column as whoever asks may read it, for a test that names its value more than once; or the very same.

    Written out each time, all days of sightings would be planned as often.
    """
    shown = seen(view, name, sql)
    if shown is sql:
        return sql
    once = f"EXISTS (SELECT FROM (SELECT {shown.value} OFFSET 0) masked (shown) WHERE {{}})"
    return replace(shown, value="masked.shown", via=sql.via.format(once) if sql.via else once)


def _masked_in(text: str, names: str) -> str:
    """Return the SQL that masks names in a text one after the other, the longest first.

    Only names that stand in it are looked at further. What a cut left of one it does not find: see `masking`.
    """
    plain = "btrim(regexp_replace(object_name, '… \\[[0-9]+ more\\]$', ''))"
    quoted = f"to_json({plain})::text"
    forms = f"VALUES ({plain}), (substring({quoted} FROM 2 FOR char_length({quoted}) - 2))"
    found = (
        f"SELECT DISTINCT form FROM ({names}) told (object_name) CROSS JOIN LATERAL ({forms}) forms (form) "
        f"WHERE char_length(form) >= {LEAST} AND position(form IN {text}) > 0"
    )
    return (
        f"CASE WHEN {text} <> '' THEN (WITH RECURSIVE named AS ("
        "SELECT row_number() OVER (ORDER BY char_length(form) DESC, form) AS place, form "
        f"FROM ({found}) found), replaced AS (SELECT 0::bigint AS place, {text} AS shown UNION ALL "
        f"SELECT named.place, replace(replaced.shown, named.form, {masked('named.form')}) "
        "FROM replaced JOIN named ON named.place = replaced.place + 1) "
        f"SELECT shown FROM replaced ORDER BY place DESC LIMIT 1) ELSE {text} END"
    )
