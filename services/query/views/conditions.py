"""From one filter to one SQL condition. Pure: values are bound, members of closed lists are constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from schemas.columns import CLOSED, Type
from services.query.views.expressions import Sql, literal
from services.query.views.filters import Among, Between, Contains, Empty, Exactly, Filter, Is, Test

# As schemas.folding.fold does it, for texts that have no folded column beside them.
# Most are ASCII, for which lower-case letters are all that it comes to, at a tenth of the cost.
_FOLDED: Final = (
    "CASE WHEN octet_length(({0})::text) = char_length(({0})::text) THEN lower(({0})::text) "
    "ELSE replace(casefold(regexp_replace(normalize(({0})::text, NFD), '[\u0300-\u036f]', '', 'g')), 'ß', 'ss') END"
)
_INTEGERS: Final = (Type.NUMBER, Type.CODE)


class Args(list[object]):
    """What is bound to a statement, in order."""

    def add(self, value: object, type_name: str) -> str:
        """Bind a value and return its place in the SQL, typed."""
        self.append(value)
        return f"${len(self)}::{type_name}"


def constants(column: str, members: Sequence[str | int]) -> str:
    """Return membership in a closed list as constants, so that a partial index is provable."""
    if not members:
        return "false"
    listed = ", ".join(literal(member) if isinstance(member, str) else str(member) for member in members)
    return f"{column} = {listed}" if len(members) == 1 else f"{column} IN ({listed})"


def condition(sql: Sql, each: Filter, args: Args) -> str:
    """Return the condition of a filter on the column that is `sql`. Negated, it holds for nulls too."""
    if each.members is not None and not sql.nullable:  # the other words are a set as well, and read as one
        return f"({constants(sql.value, each.members)})"
    is_empty = isinstance(each.test, Empty)
    if sql.element and is_empty:  # that a column holds no rows at all is told by the column itself, or none is found
        test = f"NOT {sql.via.format('true')}" if each.column.type is Type.TEXT else _empty(sql, each)
    elif sql.via and is_empty:  # so is a value of a row that is not there
        test = f"NOT {sql.via.format(f'({_empty(sql, each)}) IS NOT TRUE')}"
    else:
        test = _test(replace(sql, value=sql.element or sql.value), each, each.test, args)
        test = sql.via.format(test) if sql.via else test
    if each.negated:
        return f"({test}) IS NOT TRUE"
    return f"({test}) AND {sql.implies}" if sql.implies and not is_empty else f"({test})"


def _test(sql: Sql, each: Filter, test: Test, args: Args) -> str:
    match test:
        case Empty():
            return _empty(sql, each)
        case Is(value):
            if sql.nullable:
                return f"({sql.value}) IS {'TRUE' if value else 'FALSE'}"
            return f"({sql.value})" if value else f"NOT ({sql.value})"
        case Contains(texts):
            return " OR ".join(_contains(sql, text, args) for text in texts)
        case Exactly(values):
            return _exactly(sql, values, args)
        case Among(slugs, texts):
            return _among(sql, each, slugs, texts, args)
        case Between():
            return _between(sql, each, test, args)


def _empty(sql: Sql, each: Filter) -> str:
    if each.column.type is Type.TEXT:
        return " AND ".join(f"coalesce({column}, '') = ''" for column in sql.exact or (sql.value,))
    return f"({sql.value}) IS NULL"


def _contains(sql: Sql, text: str, args: Args) -> str:
    if sql.keys:
        # LIKE is what a trigram index answers; its two wildcards and its escape are letters here.
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        place = args.add(pattern, "text")
        return " OR ".join(f"{key} LIKE {place}" for key in sql.keys)
    return f"position({args.add(text, 'text')} in ({_FOLDED.format(sql.words or sql.value)})) > 0"


def _exactly(sql: Sql, values: Sequence[object], args: Args) -> str:
    if isinstance(values[0], UUID):
        if len(values) == 1:
            return f"{sql.value} = {args.add(values[0], 'uuid')}"
        return f"{sql.value} = ANY({args.add(list(values), 'uuid[]')})"
    place = args.add(values[0], "text")
    return " OR ".join(f"{column} = {place}" for column in sql.exact or (sql.value,))


def _among(sql: Sql, each: Filter, slugs: Sequence[str], texts: Sequence[str], args: Args) -> str:
    if each.column.type in CLOSED:
        return constants(sql.value, slugs)
    if each.column.type is Type.CODE:
        return f"{sql.value} = ANY({args.add(list(map(int, slugs)), 'bigint[]')})"
    parts = [f"{sql.value} = ANY({args.add(list(slugs), 'text[]')})"] if slugs else []
    return " OR ".join(parts + [_contains(sql, text, args) for text in texts])


def _between(sql: Sql, each: Filter, test: Between, args: Args) -> str:
    parts = []
    if test.low is not None:
        parts.append(f"{sql.value} {'>=' if test.low_included else '>'} {_bound(each, test.low, args)}")
    if test.high is not None:
        parts.append(f"{sql.value} {'<=' if test.high_included else '<'} {_bound(each, test.high, args)}")
    return " AND ".join(parts)


def _bound(each: Filter, value: Decimal | datetime, args: Args) -> str:
    if isinstance(value, datetime):
        return args.add(value, "timestamptz")
    if each.column.type in _INTEGERS and value == value.to_integral_value():
        return args.add(int(value), "bigint")
    return args.add(value, "numeric") if each.column.type in _INTEGERS else args.add(float(value), "float8")
