"""Texts of which nothing is seen."""

from __future__ import annotations

import pytest

from schemas.folding import is_blank


@pytest.mark.parametrize(
    "text", ["", " \t\n", "\u200b\u2060", "\u202e\u2069", "\xa0\u2003", "\x00\x1b", "\u3164", "\ufe0f"]
)
def test_nothing_is_seen_of_blanks_controls_and_what_has_no_width(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", " . ", "\u202eevil", "東京", "\U0001f98a\ufe0f", "-"])
def test_whatever_has_a_sign_is_seen(text: str) -> None:
    assert not is_blank(text)
