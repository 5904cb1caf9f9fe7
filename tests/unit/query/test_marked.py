"""What a search found in a line of a log is marked, whatever its letters fold to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.folding import fold
from services.query.panel.logs import marked


@pytest.mark.parametrize(("message", "text", "found"), [
    ("one batch, two BATCHES", "batch", ["batch", "BATCH"]),
    ("12 Straße groß", "groß", ["groß"]),
    ("12 Straße groß", "gross", ["groß"]),
    ("Cafe\u0301 im Café", "cafe", ["Cafe\u0301", "Café"]),
    ("\U0001f469\u200d\U0001f467 \u2764\ufe0f line 29", "line 29", ["line 29"]),
    ("aß", "as", ["aß"]),
    ("ßß", "s", ["ß", "ß"]),
    ("nothing", "else", []),
    ("nothing", "", []),
])  # fmt: skip
def test_what_was_found_is_marked_in_whole_letters(message: str, text: str, found: list[str]) -> None:
    assert [piece for piece, is_hit in marked(message, text) if is_hit] == found


@given(message=st.text("aAßsé\u0301\u200d ﬁi", max_size=12), text=st.text("asßéi", min_size=1, max_size=3))
def test_no_letter_is_lost_and_a_line_that_matches_has_a_mark(message: str, text: str) -> None:
    pieces = marked(message, text)
    assert "".join(piece for piece, _ in pieces) == message
    assert any(is_hit for _, is_hit in pieces) == (fold(text) in fold(message))
