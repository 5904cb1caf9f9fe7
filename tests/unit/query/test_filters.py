"""Filters are understood or refused, and never turn into other ones."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.columns import LISTS, Column, Type
from schemas.vocabulary import ERROR_SOURCE, SESSION_STATUS
from services.query.views.filters import (
    Among,
    Between,
    Contains,
    Empty,
    Exactly,
    Filter,
    Is,
    NotUnderstood,
    exactly,
    parse_filter,
)

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def column(list_name: str, name: str) -> Column:
    found = LISTS[list_name].column(name)
    assert found is not None
    return found


def understood(list_name: str, name: str, text: str) -> Filter:
    return parse_filter(column(list_name, name), text, BERLIN, NOW)


@pytest.mark.parametrize(
    ("text", "slugs"),
    [
        ("enabled", ("enabled",)),
        ("en", ("enabled",)),
        ("DISABLED", ("disabled",)),
        ("en,dis", ("enabled", "disabled")),
    ],
)
def test_r8_typing_the_beginning_of_a_word_keeps_the_matching_rows(text: str, slugs: tuple[str, ...]) -> None:
    assert understood("organizations", "synchronization_status", text).test == Among(slugs)


def test_a_word_that_begins_another_means_itself() -> None:
    assert understood("statistics", "status", "finished").test == Among(("finished",))
    assert understood("statistics", "status", "fin").test == Among(("finished_with_issues", "finished"))
    assert understood("users", "last_20", "timed out, err").test == Among(("errors", "timed_out"))
    assert understood("statistics", "status", "timed out, errors").test == Among(("errors", "timed_out"))


@pytest.mark.parametrize(
    ("name", "written", "text", "typed"),
    [
        ("status", "errors,timed_out", "errors,timed_out", "errors, timed out"),
        ("status", "Timed out, err", "errors,timed_out", "errors, timed out"),
        ("status", "not:timed out", "not:timed_out", "not:timed out"),
        ("status", "fin", "finished_with_issues,finished", "finished with issues, finished"),
        ("status", "not:has:empty", "not:has:empty", "not:has:empty"),
        ("error_source", "Microsoft Exchange", "exchange", "Microsoft Exchange"),
        ("error_source", "not:gmail,Exchange", "not:exchange,gmail", "not:Microsoft Exchange, Gmail"),
        ("error_category", "not:throttling", "not:throttling", "not:caused by throttling"),
        ("report", "task,e-mail", "email,task", "E-Mail, Task"),
        ("error_source", "micro", "micro", "micro"),
        ("error_source", "eq:gmail", "gmail", "Gmail"),
        ("error_source", "not:eq:Gmail", "not:eq:Gmail", "not:eq:Gmail"),
        ("agent", "timed_out", "timed_out", "timed_out"),
        ("failures", ">=5", ">=5", ">=5"),
    ],
)
def test_a_list_has_slugs_in_its_address_and_words_in_its_box(name: str, written: str, text: str, typed: str) -> None:
    each = understood("statistics", name, written)
    assert (each.text, each.typed) == (text, typed)


def test_behind_eq_stands_exactly_one_value() -> None:
    for text in ("a,b", "Gmail", " gmail", "eq:x", "not:x", "has:empty", "\u0301", "Microsoft Exchange"):
        for name in ("error_source", "report"):
            assert understood("statistics", name, f"eq:{text}").test == Among((text,))
        assert understood("issues", "direction", f"eq:{text}").test == Among((text,))
        assert understood("users", "user", f"eq:{text}").test == Exactly((text,))
    assert exactly(ERROR_SOURCE, "gmail") == "gmail"
    assert exactly(ERROR_SOURCE, "Gmail") == "eq:Gmail"
    for text, words in (("eq:Gmail", "“Gmail”"), ("eq:gmail", "Gmail"), ("not:eq:a,b", "not “a,b”")):
        assert understood("statistics", "error_source", text).words(BERLIN) == words
    assert understood("users", "failed_for", "eq:gmail: quota").words(BERLIN) == "Gmail caused by an exhausted quota"
    assert understood("users", "failed_for", "eq:Gmail: quota").words(BERLIN) == "“Gmail: quota”"
    with pytest.raises(NotUnderstood):
        understood("statistics", "error_source", "eq:")


@pytest.mark.parametrize("list_name", LISTS)
def test_what_a_box_shows_is_understood_as_what_it_was(list_name: str) -> None:
    for each in LISTS[list_name].columns:
        for slug in each.words or {}:
            for text in (slug, f"not:{slug}"):
                parsed = parse_filter(each, text, BERLIN, NOW)
                again = parse_filter(each, parsed.typed, BERLIN, NOW)
                assert (again, again.test) == (parsed, parsed.test)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("errors", ("errors",)),
        ("not:errors", ("timed_out", "finished_with_issues", "running", "cancelled", "finished")),
        ("not:fin,run", ("errors", "timed_out", "cancelled")),
        ("has:empty", ()),
        ("not:has:empty", tuple(SESSION_STATUS)),
        (f"not:{','.join(SESSION_STATUS)}", ()),
    ],
)
def test_not_some_words_of_a_closed_list_is_a_set_of_the_others(text: str, left: tuple[str, ...]) -> None:
    assert understood("statistics", "status", text).members == left


def test_what_is_no_closed_list_has_no_members() -> None:
    for name, text in (("agent", "x"), ("error_source", "not:exchange"), ("run", "24h"), ("report_complete", "false")):
        assert understood("statistics", name, text).members is None
    assert understood("users", "last_20", "not:errors").members is None, "a user has many of these"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("5", 5, 5),
        ("5..", 5, None),
        ("..9", None, 9),
        ("5..9", 5, 9),
        (">=5", 5, None),
        ("<=9", None, 9),
        ("-3..", -3, None),
    ],
)
def test_numbers(text: str, low: int | None, high: int | None) -> None:
    test = understood("statistics", "failures", text).test
    assert isinstance(test, Between)
    assert (test.low, test.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026-11-01", "2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z"),
        ("2026-11-01..2026-11-03", "2026-10-31T23:00:00Z", "2026-11-02T23:00:00Z"),
        ("2026-11-01T09:00..", "2026-11-01T08:00:00Z", None),
        ("..2026-11-01T00:00:00+05:30", None, "2026-10-31T18:30:00Z"),
        ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("today", "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
        ("24h", "2026-11-23T14:02:31Z", None),
    ],
)
def test_times_are_read_in_the_views_zone_and_ranges_exclude_their_end(text: str, low: str, high: str | None) -> None:
    test = understood("statistics", "run", text).test
    assert isinstance(test, Between)
    assert test.low == (datetime.fromisoformat(low) if low else None)
    assert test.high == (datetime.fromisoformat(high) if high else None)
    assert not test.high_included


def test_other_kinds_of_values() -> None:
    assert understood("users", "synchronization_disabled", "TRUE").test == Is(True)
    assert understood("users", "user", "a,b %_").test == Contains(("a,b %_",))
    assert understood("users", "user", "eq:Ann ").test == Exactly(("Ann ",))
    assert understood("statistics", "error_source", "not:Microsoft Exchange").test == Among(("exchange",))
    assert understood("statistics", "error_source", "micro").test == Among(("exchange",), ("micro",))
    assert understood("statistics", "report", "e-mail,task").test == Among(("email", "task"))
    assert understood("issues", "direction", "Exchange to").test == Among((), ("exchange to",))
    assert understood("users", "next_due", "not:has:empty") == Filter(
        column("users", "next_due"), "not:has:empty", True, Empty()
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("failures", "abc"), ("failures", "5...9"), ("failures", ".."), ("failures", "1e3"), ("failures", "9" * 30),
        ("status", "eror"), ("status", ","), ("status", "not:"), ("run", "2026-13-01.."), ("run", "2026-11-01.."
        "2026-99-01"), ("run", "0001-01-01"), ("run", "soon"), ("retryable", "maybe"), ("session_id", "12"),
        ("user", "a\x00b"), ("user", "x" * 1001), ("user", "not:"), ("report", ","),
    ],
)  # fmt: skip
def test_c24_what_is_not_understood_is_refused_with_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        understood("statistics", name, text)
    assert refusal.value.detail


def test_c23_a_lost_plus_is_hinted_at() -> None:
    with pytest.raises(NotUnderstood, match="%2B"):
        understood("statistics", "run", "2026-11-01T00:00:00 01:00..")


def test_chips_say_it_in_plain_words() -> None:
    for name, text, words in (
        ("status", "errors,timed_out", "errors, timed out"),
        ("status", "not:errors,timed_out", "not errors, timed out"),
        ("failures", ">=20", "20 or more"),
        ("failures", "2..5", "2 to 5"),
        ("run", "2026-11-01..", "from 2026-11-01"),
        ("exception", "Not:", "contains “Not:”"),
        ("exception", "not:401", "not contains “401”"),
        ("mode", "has:empty", "empty"),
    ):
        assert understood("statistics", name, text).words(BERLIN) == words


EVERY = [(view.name, each) for view in LISTS.values() for each in view.columns]


@given(st.sampled_from(EVERY), st.text(max_size=60))
def test_s26_no_text_breaks_a_filter(which: tuple[str, Column], text: str) -> None:
    try:
        parsed = parse_filter(which[1], text, BERLIN, NOW)
    except NotUnderstood:
        return
    assert parsed.words(BERLIN)
    assert parsed.column.type is not Type.STRIP


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1", "1 object is locked / an error in the operation"),
        ("3,0", "3 object is inaccessible / updated prematurely in a storage, 0 object is active / success result"),
        ("1 object is LOCKED / an error in the operation", "1 object is locked / an error in the operation"),
        ("locked", "1 object is locked / an error in the operation"),
        ("already", "2 object is already removed in a storage"),
        ("7", "7"), (">=1", "1 or more"), ("1..2", "1 to 2"), ("not:0", "not 0 object is active / success result"),
    ],
)  # fmt: skip
def test_codes_are_chosen_by_number_and_meaning_or_as_a_range(text: str, words: str) -> None:
    assert understood("issues", "error_code", text).words(BERLIN) == words


@pytest.mark.parametrize("text", ["1,zz", "1.5,2", "lucked", ",", "\u0301", "1.2.3", "<x"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        understood("issues", "error_code", text)


@pytest.mark.parametrize(
    ("list_name", "name"), [("users", "status"), ("sessions", "error_source"), ("issues", "direction")]
)
def test_an_accent_alone_names_nothing(list_name: str, name: str) -> None:
    for text in ("\u0301", "not:\u0301", "a,\u0301"):
        with pytest.raises(NotUnderstood, match="without accents"):
            understood(list_name, name, text)
