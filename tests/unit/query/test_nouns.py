"""Counts with their nouns: one, many, none, and a noun that carries its verb."""

from services.query.nouns import times


def test_a_count_has_its_noun_in_the_number_it_needs() -> None:
    assert [times(count, "user") for count in (0, 1, 2, 1187)] == ["0 users", "1 user", "2 users", "1,187 users"]
    assert [times(count, "line was", "lines were") for count in (1, 2)] == ["1 line was", "2 lines were"]
