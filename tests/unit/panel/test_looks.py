"""Widths of the lists: what is shown by default fits a common window."""

from __future__ import annotations

import re

import pytest

from schemas.columns import LISTS
from services.query.panel import looks
from services.query.panel.render import STATIC

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
