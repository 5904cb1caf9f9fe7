"""Line ends and cells of CSV, names and lines of log archives, keys of sessions."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas.keys import session_key, session_of
from schemas.retention import KEPT
from services.query.exports.crlf import Crlf
from services.query.exports.zips import entry_name, line_text
from services.query.logs import Gap, all_gaps

NOW = datetime(2026, 11, 24, 14, 2, tzinfo=UTC)
CELLS = st.lists(
    st.lists(st.text(st.sampled_from('ab",\n\r;é'), max_size=6), min_size=2, max_size=2), min_size=1, max_size=6
)


@given(CELLS, st.integers(1, 9))
def test_record_ends_are_crlf_and_cells_keep_their_own(rows: list[list[str]], size: int) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    whole = written.getvalue().encode()
    turn = Crlf()
    sent = b"".join(turn(whole[at : at + size]) for at in range(0, len(whole), size))
    assert list(csv.reader(io.StringIO(sent.decode(), newline=""))) == rows
    assert sent.count(b"\r\n") >= len(rows)
    assert sent.endswith(b"\r\n")


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), st.uuids())  # noqa: DTZ001
def test_s14_entry_names_are_safe_everywhere(at: datetime, session: UUID) -> None:
    name = entry_name(at, session)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,120}", name)
    assert session_of(session_key(at, session)) == (at, session)


@given(st.text(max_size=60))
def test_no_text_but_a_key_is_one(text: str) -> None:
    found = session_of(text)
    assert found is None or session_key(*found) == text


def test_control_characters_of_a_log_are_written_out() -> None:
    said = line_text(
        {"at": "2026-11-24T14:02:29Z", "level": "error", "message": "\x1b[2J\x9bred", "exception": "a\nb\x07"}
    )
    assert said == "2026-11-24T14:02:29Z ERROR   agent  \\x1b[2J\\x9bred\n    a\n    b\\x07"
    turned = line_text({"message": "a\tb \u202ecod.exe\u202c"})
    assert turned == " INFO    agent  a\tb \\u202ecod.exe\\u202c"


def test_what_one_line_of_a_log_holds_never_looks_like_another() -> None:
    at, other = "2026-11-24T14:02:29Z", "2026-11-24T14:02:30Z ERROR   engine nobody wrote this"
    said = line_text({
        "at": at, "level": "info", "source": "mail\n==== attempt 2 ====",
        "message": f"a\r\n{other}\r{other}\u2028{other}", "exception": f"b\n{other}\x0c{other}\n",
    })  # fmt: skip
    first, *further = said.splitlines()
    assert first == f"{at} INFO    mail"
    assert further == [f"    {part}" for part in ("==== attempt 2 ==== a", *[other] * 3, "b", f"{other}\\x0c{other}")]


def test_gaps_are_named_between_parts_and_at_the_end() -> None:
    def chunk(attempt: int, number: int, first: int) -> dict[str, int]:
        return {"attempt": attempt, "chunk_no": number, "first_line": first}

    session = {"started_at": NOW, "attempt": 2, "log_chunks_sent": 5}
    chunks = [chunk(1, 0, 1), chunk(2, 1, 40), chunk(2, 3, 90)]
    assert all_gaps(session, chunks, NOW) == [Gap(2, 0, 1, 40), Gap(2, 2, 1, 90), Gap(2, 4, 1, None)]
    assert all_gaps({"started_at": NOW, "attempt": 1, "log_chunks_sent": 3}, [], NOW) == [Gap(1, 0, 3, None)]
    past = {"started_at": NOW - KEPT.logs, "attempt": 1, "log_chunks_sent": 3}
    assert all_gaps(past, [], NOW) == [], "kept no longer is not lost"
    assert all_gaps(past, [chunk(1, 0, 1)], NOW) == [Gap(1, 1, 2, None)], "its day is still there"
