"""What a spreadsheet would run: a text that begins as a formula does gets a quote in front. Pure."""

from __future__ import annotations

import re
from typing import Final

from services.query.views.expressions import literal

# Also behind quotes of the text's own: what the guard adds can then be told from what was there.
# Python, Postgres and JavaScript read it alike: static/js/formulas.js has the same.
BEGINNING: Final = r"^'*[-=+@\t\r\n＝＋－＠]"
_BEGINS: Final = re.compile(BEGINNING)
_CUTS: Final = re.compile(r"[\t\r\n]+")


def guarded(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"'{text}" if _BEGINS.match(text) else text


def guarded_sql(value: str) -> str:
    """Return the SQL of the same."""
    return f"CASE WHEN {value} ~ {literal(BEGINNING)} THEN '''' || {value} ELSE {value} END"


def tabbed(text: str) -> str:
    """Return a text as one cell of tab-separated lines, which have no quotes: what would end the cell is a space."""
    return guarded(_CUTS.sub(" ", text))
