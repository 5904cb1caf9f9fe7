"""The log viewer: where lost parts stand, which window of lines is shown, where a search stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import zstandard

from schemas.retention import KEPT
from services.query.logs import Wanted, log_body, matches, numbered
from services.query.panel import logs
from services.query.panel.log_page import Look, window

START = datetime(2026, 11, 24, 13, 51, tzinfo=UTC)
SESSION = {"started_at": START, "attempt": 1, "log_chunks_sent": 5, "log_chunks_dropped": 0, "status": "finished"}


def chunk(number: int, lines: int = 10) -> dict[str, Any]:
    """Return one stored part of ten lines."""
    first = number * lines + 1
    body = [
        {"at": (START + timedelta(seconds=each)).isoformat(), "level": ("info", "error")[each % 5 == 0],
         "source": ("mail", "crm")[each % 2], "message": f"line {each}"}
        for each in range(first, first + lines)
    ]  # fmt: skip
    return {
        "attempt": 1, "chunk_no": number, "first_line": first, "dropped_lines": 0, "redactions": 0,
        "body": zstandard.ZstdCompressor().compress(orjson.dumps(body)),
    }  # fmt: skip


CHUNKS = [chunk(number) for number in (0, 1, 3)]
LINES = numbered(CHUNKS)


def body(**wanted: Any) -> dict[str, Any]:
    return log_body(SESSION, CHUNKS, LINES, None, Wanted(**wanted), START)


def positions(told: dict[str, Any]) -> list[int]:
    return [line["position"] for line in told["lines"]]


def test_lost_parts_stand_where_they_are_missing() -> None:
    shared = {"attempt": 1, "at": None, "level": "info", "source": "mail", "exception": None}
    lines = [
        shared | {"position": 1, "line": 20, "message": "a"},
        shared | {"position": 2, "line": 41, "message": "b"},
    ]
    gap = {"attempt": 1, "chunk": 1, "chunks": 1, "before_line": 41}
    drawn = logs.drawn(lines, [gap])
    assert ["gap" in each for each in drawn] == [False, True, False]


def test_a_lost_part_is_told_by_the_number_that_the_line_below_it_shows() -> None:
    chunks = [chunk(0), chunk(1), chunk(2) | {"attempt": 2, "chunk_no": 1, "first_line": 6}]
    session = SESSION | {"attempt": 2, "log_chunks_sent": 3}
    told = window(session, chunks, None, Look(Wanted(), False, 0), "/sessions/x", START)["lines"]
    gaps = [at for at, each in enumerate(told) if "gap" in each]
    assert [(told[at]["gap"]["before_line"], told[at]["before"]) for at in gaps] == [(6, 21), (None, 0)]
    assert told[gaps[0] + 1]["number"] == 21, "line 6 of the second attempt"


def test_to_clear_a_search_keeps_levels_and_sources() -> None:
    wanted = Wanted(text="line", level="info,error", source="crm", after=5)
    told = window(SESSION, CHUNKS, None, Look(wanted, False, 25), "/sessions/x", START)
    assert told["clear_href"] == "/sessions/x/log?level=info&level=error&source=crm"
    plain = window(SESSION, CHUNKS, None, Look(Wanted(text="line"), False, 25), "/sessions/x", START)
    assert plain["clear_href"] == "/sessions/x/log"


def test_a_lost_part_stands_on_the_one_page_where_it_is_missing() -> None:
    gaps = body()["gaps"]
    assert [(gap["chunk"], gap["before_line"]) for gap in gaps] == [(2, 31), (4, None)]
    pages = [(None, LINES[15]), (LINES[15], LINES[20]), (LINES[20], LINES[25]), (LINES[25], None)]
    told = [[gap["chunk"] for gap in logs.gaps_of_page(gaps, first, following)] for first, following in pages]
    assert told == [[], [], [2], [4]]
    assert [gap["chunk"] for gap in logs.gaps_of_page(gaps, None, None)] == [2, 4]


def test_dropped_lines_stand_where_the_agent_dropped_them() -> None:
    chunks = [CHUNKS[0], CHUNKS[1] | {"dropped_lines": 12}, CHUNKS[2]]
    drops = logs.drops(chunks)
    assert drops == [{"attempt": 1, "dropped": 12, "before_line": 11}]
    drawn = logs.drawn(LINES, drops)
    assert [each.get("number", each.get("gap")) for each in drawn[9:12]] == [10, drops[0], 11]
    assert {each["source"] for each in drawn if "source" in each} == {"mail", "CRM"}


def test_a_window_goes_on_both_ways_and_says_where_it_ends() -> None:
    first = body(limit=12)
    assert (positions(first), first["previous"], first["next"]) == (list(range(1, 13)), None, 12)
    second = body(limit=12, after=12)
    assert (positions(second)[0], second["previous"], second["next"]) == (13, 13, 34)
    last = body(limit=12, after=34)
    assert (positions(last)[-1], last["next"]) == (40, None)
    back = body(limit=12, before=last["previous"])
    assert positions(back) == positions(second)
    assert positions(body(tail=3)) == [38, 39, 40]
    assert positions(body(limit=12, before=5)) == [1, 2, 3, 4]
    beyond = body(after=99)
    assert (beyond["lines"], beyond["next"], beyond["previous"]) == ([], None, None)


def test_a_line_keeps_its_number_when_a_lost_part_arrives_late() -> None:
    late = numbered([*CHUNKS[:2], chunk(2), CHUNKS[2]])
    assert [line["position"] for line in LINES] == [*range(1, 21), *range(31, 41)]
    assert late[20:] == [*numbered([chunk(2)]), *LINES[20:]]
    anew = numbered([CHUNKS[2], chunk(0) | {"attempt": 2}])
    assert [line["position"] for line in anew] == [*range(31, 51)], "an agent that counts anew in each attempt"


def test_a_window_without_lines_says_why() -> None:
    nothing = window(SESSION, [], None, Look(Wanted(), False, 0), "/sessions/x", START)
    assert [each["gap"]["chunks"] for each in nothing["lines"]] == [5]
    for after in (40, 999):
        behind = window(SESSION, CHUNKS, None, Look(Wanted(after=after), False, 0), "/sessions/x", START)
        assert [each["gap"]["chunk"] for each in behind["lines"]] == [4], "what is missing at the end, and only that"
    running = SESSION | {"status": "running"}
    for chunks, after in ((CHUNKS, 40), (CHUNKS, 0), ([], 0)):
        told = window(running, chunks, None, Look(Wanted(after=after), False, 0), "/sessions/x", START, True)
        gaps = [each["gap"]["chunk"] for each in told["lines"] if "gap" in each]
        assert gaps == ([2] if chunks and not after else []), "the end of a running log is on its way"
    for at, past in ((START + KEPT.logs - timedelta(seconds=1), False), (START + KEPT.logs, True)):
        kept = window(SESSION, [], None, Look(Wanted(), False, 0), "/sessions/x", at)
        assert (kept["shown"]["past"], kept["lines"] == []) == (past, past)
        assert window(SESSION, CHUNKS, None, Look(Wanted(), False, 0), "/sessions/x", at)["shown"]["past"] is False
        none_sent = window(SESSION | {"log_chunks_sent": 0}, [], None, Look(Wanted(), False, 0), "/sessions/x", at)
        assert (none_sent["shown"]["past"], none_sent["lines"]) == (False, [])


def test_levels_and_sources_are_counted_over_the_whole_log() -> None:
    told = body(limit=2, level="error", source="crm")
    assert (told["levels"], told["sources"]) == ({"info": 24, "error": 6}, {"mail": 15, "crm": 15})
    assert told["matching"] == 3


def test_a_search_knows_which_match_is_at_hand() -> None:
    assert logs.hits([4, 9, 20], 9) == logs.Hits(2, 3, 9, 4, 20)
    assert logs.hits([4, 9, 20], 5) == logs.Hits(2, 3, 9, 4, 20)
    assert logs.hits([4, 9, 20], 99) == logs.Hits(3, 3, 20, 9, 0)
    assert logs.hits([], 9) == logs.Hits(0, 0, 0, 0, 0)


def test_each_line_that_a_search_finds_knows_its_number_whether_it_can_be_marked_or_not() -> None:
    lines = [LINES[0] | {"message": "Straße"}, LINES[1], LINES[2] | {"message": "İSTRASSE"}]
    for text in ("strasse", "nothing"):
        found = [line["position"] for line in lines if matches(line, Wanted(text=text), None)]
        drawn = logs.drawn(lines, [], text=text, matches=found)
        assert [line["hit"] and line["hit"].number for line in drawn] == ([1, None, 2] if found else [None] * 3)


def test_a_search_stands_at_the_match_named_else_at_the_first_of_the_window() -> None:
    def look(only: bool, at: int = 0, **wanted: Any) -> dict[str, Any]:
        return window(SESSION, CHUNKS, None, Look(Wanted(text="line", **wanted), only, at), "/sessions/x", START)

    for only in (False, True):
        told = [look(only), look(only, at=25), look(only, after=35), look(only, before=35)]
        here = [[line["number"] for line in each["lines"] if line.get("here")] for each in told]
        assert [each["hits"].number for each in told] == [1, 21, 26, 1]
        assert here == [[1], [], [], []], "line 25 is lost, and a window placed by hand has nothing at hand"
        assert "at=31#line-31" in look(only, at=20)["hit_after"]


def test_the_strip_shows_the_whole_log_and_frames_the_part_in_view() -> None:
    whole = logs.strip(LINES, LINES)
    assert whole
    assert whole["view"] is None
    part = logs.strip(LINES, LINES[10:20])
    assert part
    assert part["bars"] == whole["bars"]
    left, width = part["view"]
    assert 240 < left < 260
    assert left + width < 500
    assert logs.strip(LINES[:1], LINES[:1]) is None
    moments = [{"at": (START + timedelta(milliseconds=each)).isoformat(), "level": "info"} for each in (0, 60, 120)]
    short = logs.strip(moments, moments)
    assert short
    assert [x for _, x, _, _ in short["bars"]] == [1, 481, 951], "also a short log takes the whole width"


def test_a_search_marks_what_it_finds_in_an_exception_too() -> None:
    line = LINES[0] | {"message": "gave up", "exception": "Error: deadbeef"}
    (drawn,) = logs.drawn([line], [], text="DEADBEEF")
    assert drawn["pieces"] == [("gave up", False), ("\n", False), ("Error: ", False), ("deadbeef", True)]


def test_a_search_marks_what_it_finds_whatever_the_case() -> None:
    assert logs.marked("Server Busy, busy", "busy") == [
        ("Server ", False),
        ("Busy", True),
        (", ", False),
        ("busy", True),
    ]
