"""Control characters of a text, written out."""

from __future__ import annotations

import pytest

from services.query.commands.operating import table
from services.query.controls import written_out


@pytest.mark.parametrize(("text", "said"), [
    ("Müller & Söhne, 東京 שלום 🙂", "Müller & Söhne, 東京 שלום 🙂"),
    ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ("a\tb\r\nc\x85\u2028d", "a\\tb\\r\\nc\\x85\\u2028d"),
    ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
    ("\u202eevil\u2069\u200f\u061c", "\\u202eevil\\u2069\\u200f\\u061c"),
])  # fmt: skip
def test_what_a_terminal_would_obey_is_written_out(text: str, said: str) -> None:
    assert written_out(text) == said


def test_what_is_kept_stays() -> None:
    assert written_out("a\tb\n\x1b", keep="\t\n") == "a\tb\n\\x1b"


def test_a_name_makes_no_line_and_no_column_of_a_table() -> None:
    told = table(("name", "health"), [("x\ny\x1b[31m", "healthy"), ("z", None)])
    assert told.splitlines() == [
        "name          health", "------------  -------", "x\\ny\\x1b[31m  healthy", "z             -",
    ]  # fmt: skip
