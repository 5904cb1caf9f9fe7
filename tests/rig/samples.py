"""What may be written as the filter of a column, by its type: every operator at least once."""

from collections.abc import Mapping
from typing import Final

from schemas.columns import CLOSED, Column, Type
from tests.rig.seed import user_id

SAMPLES: Final[Mapping[Type, tuple[str, ...]]] = {
    Type.TEXT: ("a", "eq:a", "not:a", "has:empty", "not:has:empty"),
    Type.OPEN_LIST: ("exch", "eq:exchange", "eq:a,b", "exchange,gmail", "not:exchange", "has:empty", "brand new"),
    Type.REPORT: ("appointment", "E-Mail", "eq:contact", "E-Mail,contact", "not:contact", "has:empty", "brand new"),
    Type.DIRECTION: ("mail_to_crm", "Exchange to", "not:Gmail", "has:empty"),
    Type.BOOLEAN: ("true", "FALSE", "not:true", "has:empty"),
    Type.NUMBER: ("1", "1..5", "2..", "..2", ">=1", "<3", "not:0", "has:empty", "1.5"),
    Type.SHARE: ("0..50", ">=33.3", "not:0"),
    Type.CODE: ("1", "0..3", "not:1"),
    Type.SECONDS: ("0..30", ">=10.5", "has:empty"),
    Type.TIME: ("2020-01-01..", "..2020-01-01", "today", "7d", "not:24h", "has:empty"),
    Type.PERIOD: ("2020-01-01..", "..2020-01-01", "today", "7d", "not:24h", "has:empty"),
    Type.ID: (str(user_id(0, 0)), f"not:{user_id(0, 0)},{user_id(0, 1)}"),
}


def samples(column: Column) -> tuple[str, ...]:
    """Return them; the first is a plain value."""
    if column.type in CLOSED and column.words:
        first = next(iter(column.words))
        return first, first[:2], f"not:{first}", ",".join(column.words), "has:empty", "not:has:empty"
    return SAMPLES.get(column.type, ())
