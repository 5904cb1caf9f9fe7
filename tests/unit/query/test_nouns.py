"""Counts with their nouns: one, many, none, and a noun that carries its verb."""

from schemas.columns import LISTS
from services.query.nouns import times, unit
from services.query.panel.looks import look


def test_a_count_has_its_noun_in_the_number_it_needs() -> None:
    assert [times(count, "user") for count in (0, 1, 2, 1187)] == ["0 users", "1 user", "2 users", "1,187 users"]
    assert [times(count, "line was", "lines were") for count in (1, 2)] == ["1 line was", "2 lines were"]


def test_a_count_on_a_phone_has_its_columns_title_behind_it() -> None:
    counts = {
        column.title for view in LISTS.values() for column in view.columns
        if (drawn := look(view, column)).kind == "number" and drawn.phone
    }  # fmt: skip
    assert {unit(1, title) for title in counts} == {
        "object", "change", "failure", "issue", "time", "failing", "late", "error 24 h",
    }  # fmt: skip
    assert [unit(count, "Times") for count in (0, 1, 2, None)] == ["times", "time", "times", "times"]
