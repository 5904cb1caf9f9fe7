"""Whatever a connector says comes out fit to be sent: whole characters, within bytes, without NUL and secrets."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Failure
from services.ingest.agent import texts

ANY = st.text(alphabet=st.characters(exclude_categories=[]))


@given(ANY, st.integers(64, 300))
def test_c05_cutting_keeps_within_bytes_and_whole_characters(text: str, limit: int) -> None:
    cut = texts.cut_bytes(text * 5, limit)
    assert len(cut.encode()) <= limit
    assert "\0" not in cut


def test_c05_an_emoji_on_the_border_is_kept_whole_or_left_out() -> None:
    for room in range(90, 100):
        cut = texts.cut_bytes("😀" * 200, room)
        assert set(cut.split("…")[0]) <= {"😀"}
        assert cut.endswith("bytes cut]")
    assert texts.name("s" * 511 + "😀") == "s" * 511 + "😀"
    assert len(texts.name("s" * 511 + "😀😀")) <= 512


def test_c08_what_a_server_says_is_kept_as_it_said_it() -> None:
    words = "AADSTS700082: The refresh token has expired due to inactivity."
    ids = "Trace ID: 0b9d7f1e-3c58-4a6e-9a41-57c2d1e8f902\r\nCorrelation ID: f47ac10b-58cc&nbsp;\ufffd"
    for said in (f"{words}\r\n{ids}", json.dumps({"error": "invalid_grant", "error_description": f"{words}\r\n{ids}"})):
        sent = texts.failure(Failure(source="office365", code="AADSTS700082", message=said, exception=said))
        assert (sent.source, sent.code, sent.message, sent.exception) == ("office365", "AADSTS700082", said, said)


def test_c07_the_mark_says_how_much_is_missing() -> None:
    cut = texts.message("x" * 10_000)
    kept, _, rest = cut.partition("…")
    assert rest == f" [{10_000 - len(kept)} bytes cut]"
    assert texts.message("語" * 2730 + "ab") == "語" * 2730 + "ab"


def test_control_characters_cannot_blow_an_event_up() -> None:
    assert len(texts.exception("\x01" * 65_536).encode()) <= 65_536
    assert len(json.dumps(texts.exception("\x01" * 65_536))) <= 2 * 65_536 + 64


def test_c33_secrets_do_not_leave_the_agent() -> None:
    failure = texts.failure(Failure(message="client_secret=AAA", exception="Bearer eyJBBB"))
    assert "AAA" not in failure.message
    assert failure.exception is not None
    assert "BBB" not in failure.exception


def test_names_of_a_line_are_told_once_whole_or_in_pieces_and_without_secrets() -> None:
    assert texts.names(["Review", "", "Review", "a\0b"]) == (("Review", "a\ufffdb"), ())
    assert texts.names(["token=abc of Ann"]) == (("token=[redacted] of Ann",), ())
    long = "".join(chr(ord("a") + at % 26) for at in range(1_100))
    told, untold = texts.names([long])
    assert ("".join(told), untold) == (long, ())
    assert max(map(len, told)) == 512


def test_a_name_that_a_line_has_no_room_for_is_taken_out_of_it() -> None:
    many = [f"name {number}" for number in range(25)]
    told, untold = texts.names(many)
    assert told == tuple(many[:20])
    assert texts.without("of name 24, name 2 and name 20", untold) == "of [name], name 2 and [name]"
    _, untold = texts.names(["\x01" * 512] * 1 + [f"\x01{number}" + "\x02" * 500 for number in range(9)])
    assert untold, "as JSON they are six times as long"
