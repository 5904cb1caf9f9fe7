"""Widths of the lists: what is shown by default fits a common window."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from schemas.columns import LISTS
from schemas.vocabulary import USER_STATUS
from services.query.panel import looks
from services.query.panel.lists_page import with_drawn
from services.query.panel.render import STATIC
from services.query.views.view import All, parse

WINDOW = 1440 - 2 * 20 - 2 - 2 * 15  # padding, border, and the bars with which the page and the table scroll


@pytest.mark.parametrize("name", LISTS)
def test_all_default_columns_fit_a_window_of_1440_pixels(name: str) -> None:
    view = LISTS[name]
    drawn = [looks.look(view, column) for column in view.shown[1:]]
    assert looks.min_width(looks.FIRST[name], drawn, view.kind == "sessions") <= WINDOW


def test_the_stylesheet_knows_every_width() -> None:
    sheet = (STATIC / "css" / "table.css").read_text(encoding="utf-8")
    known = dict(re.findall(r"\.mw-(\d+) \{ min-width: (\d+)px", sheet))
    assert {int(width) for width in known} >= set(looks.MIN_WIDTHS)
    assert all(name == width for name, width in known.items())
    assert {f"first-{first}" for first in looks.FIRST.values()} <= set(re.findall(r"\.(first-\d+) ", sheet))


def test_a_mini_bar_knows_every_status_whichever_columns_are_shown() -> None:
    shown = [("columns", "name,users,failing")]
    view = parse("organizations", shown, scope=All(), now=datetime(2026, 11, 24, tzinfo=UTC), secret=b"")
    assert {column.name for column in with_drawn(view).columns} == {"name", "users", *USER_STATUS}
    narrow = replace(view, columns=view.columns[:1])
    assert with_drawn(narrow) is narrow
