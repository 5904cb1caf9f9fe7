"""Names of objects in texts: masked as in their own column, however they were written, cut or stand in each other."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.masking import NO_NAMES, mask, mask_in, mask_line, names_of

NAME = "Budget review"
LETTERS = st.text(st.sampled_from("ab R•\n\\'\"[é"), max_size=30)


def test_masked_names_keep_the_first_letter_of_each_word() -> None:
    assert mask("Roadmap draft") == "R•••••• d••••"
    assert mask(None) is None


def test_a_name_is_masked_in_a_text_as_in_its_own_column() -> None:
    names = names_of([NAME, None, ""])
    assert mask_in("No access to Budget review.", names) == f"No access to {mask(NAME)}."
    assert mask_in("Budget review, Budget reviews", names) == "B••••• r•••••, B••••• r•••••s"
    assert mask_in("budget review", names) == "budget review", "letter by letter"
    assert mask_in(None, names) is None
    assert mask_in("", names) == ""


def test_a_name_of_one_letter_hides_nothing_and_none_masks_nothing() -> None:
    assert mask_in("a bare text", names_of(["a", " ", ""])) == "a bare text"
    assert names_of([" a "]) is NO_NAMES
    assert mask_in("HR and 4HR", names_of(["HR"])) == "H• and 4H•"


def test_names_within_and_across_each_other_are_masked_whole() -> None:
    names = names_of(["Review", "Review of plan", "plan B team"])
    assert mask_in("Review of plan B team, Review", names) == "R••••• o• p••• B t•••, R•••••"


def test_many_names_are_found_as_few_are() -> None:
    few = ["Review", "Review of plan", "plan B team"]
    many = names_of([*few, *(f"Subject {number}" for number in range(100))])
    assert many.index is not None
    for text in ("Review of plan B team, Review", "ReReview", "Subject 1, Subject 10", "none", "cut Rev…"):
        shown = mask_in(text, many)
        assert shown == mask_in(text, *(names_of([name]) for name in [*few, "Subject 10", "Subject 1"])), text


@pytest.mark.parametrize("name", ['say "off"', 'it\'s "off"', "a\\b tab\there", "Müller, Zoë", "line\nend"])
def test_a_name_is_found_as_repr_and_json_write_it(name: str) -> None:
    names = names_of([name])
    for text in (name, repr(name), json.dumps({"subject": name}), json.dumps({"subject": name}, ensure_ascii=False)):
        shown = mask_in(f"x {text}", names)
        assert name not in shown
        assert repr(name)[1:-1] not in shown
        assert json.dumps(name)[1:-1] not in shown


def test_of_a_name_that_was_cut_in_the_text_what_is_left_is_masked() -> None:
    names = names_of([NAME])
    assert mask_in("update Budget rev… [70 bytes cut]", names) == "update B••••• r••… [70 bytes cut]"
    assert (
        mask_in("update Bud\n… [70 bytes cut]\nreview failed", names) == "update B••\n… [70 bytes cut]\nr••••• failed"
    )
    assert mask_in("Failing row contains (7, Budget re...).", names) == "Failing row contains (7, B••••• r•...)."
    assert mask_in("token=[redacted] review", names) == "token=[redacted] r•••••"
    assert mask_in("ends with Budget r", names, is_cut=True) == "ends with B••••• r"
    assert mask_in("ends with Budget r", names) == "ends with Budget r"


def test_a_name_that_was_cut_itself_masks_what_is_left_of_it_and_one_with_a_secret_its_rest() -> None:
    assert mask_in("create Agenda in full", names_of(["Agenda in… [88 more]"])) == "create A••••• i• full"
    names = names_of(["password: hunter2 for Ann"])
    assert mask_in("create 'password: [redacted] for Ann'", names) == "create 'p•••••••• [••••••••• f•• A••'"
    assert mask_in("[redacted] alone", names_of(["eyJabcdefgh"])) == "[redacted] alone"


def test_a_line_is_masked_by_its_own_names_and_those_of_its_session() -> None:
    line = {"level": "info", "message": "Lunch and Budget review", "exception": "E: Lunch", "names": ["Lunch"]}
    shown = mask_line(line, names_of([NAME]))
    assert (shown["message"], shown["exception"]) == ("L•••• and B••••• r•••••", "E: L••••")
    assert mask_line({"message": "Lunch"}, NO_NAMES) == {"message": "Lunch", "exception": None}


@given(st.lists(LETTERS, max_size=4), LETTERS, LETTERS)
def test_nothing_of_a_name_is_left_in_a_text_but_what_its_column_shows(names: list[str], head: str, tail: str) -> None:
    known = names_of(names)
    for name in names:
        shown = mask_in(head + name + tail, known)
        assert len(shown) == len(head + name + tail)
        kept = name.strip()
        at = len(head) + name.find(kept)
        for own, letter in zip(mask(kept) or "", shown[at : at + len(kept)], strict=True):
            assert letter == own or (letter == "•" and own != " "), (names, head, tail, shown)
