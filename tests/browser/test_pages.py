"""Pages in a real browser: dialog, columns, colours, logs, the Overview, without JavaScript."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from schemas.keys import session_key
from tests.browser.addresses import NORTHWIND, STATISTICS, USERS, pages_of
from tests.browser.conftest import Browse, Site, once_read


async def test_job_details_open_step_copy_and_close(browse: Browse, site: Site) -> None:
    seen = browse("job", path=STATISTICS)
    assert seen["focused"] == "Close"
    assert seen["place"] == f"{seen['nth']} of {seen['matches']}"
    assert seen["shown"] == [True, ""], "a way within the details does not leave them"
    assert seen["link"] == seen["job_url"]
    assert seen["job_url"].endswith("?tz=UTC")
    assert seen["toast"] == {"on_top": True, "heard": True}, "behind the veil nothing is seen or heard"
    assert "this user's usual" in seen["run"]
    assert seen["issues"] in ([0, None], [seen["issues"][0], f"{seen['issues'][0]} of this session"])
    assert "/sessions/" in seen["job_url"]
    assert seen["stepped"] != seen["job_url"]
    assert seen["marked"] == 1
    assert seen["kept_inside"]
    assert seen["after_back"] == seen["list_url"]
    assert seen["returned"] == "Job details"
    assert seen["standing"] == "Synchronization job details"
    assert {"Run", "Status", "Objects", "Changes", "Failures", "Total Changes", "Error Source", "Error Category",
            "Issues", "Conflicts"} <= set(seen["terms"])  # fmt: skip
    assert {"Objects", "Exception", "What to do", "Log"} <= set(seen["headings"])
    assert seen["said"] == "Exception copied"
    assert seen["exception"].count("\n") >= 2
    assert "Who can fix" in seen["ticket"]
    assert f"Details: {seen['job_url']}\n" in seen["ticket"]


async def test_the_file_of_the_objects_holds_plain_numbers(browse: Browse, site: Site) -> None:
    session = (await site.fetch("SELECT started_at, session_id FROM sync_session WHERE objects > 999 LIMIT 1"))[0]
    seen = browse("report", path=f"/sessions/{session_key(*session)}")
    rows = list(csv.reader(io.StringIO(seen["file"].removeprefix("\ufeff"))))
    assert rows == [[cell.replace(",", "") for cell in row] for row in seen["seen"]]
    assert int(rows[-1][2]) > 999
    assert "," in seen["seen"][-1][2]
    assert f",{rows[-1][2]}," in seen["file"], "a number stands without quotes"


async def test_an_error_page_gives_the_id_of_its_request(browse: Browse) -> None:
    seen = browse("error")
    assert (seen["status"], seen["said"]) == (404, "Request id copied")
    assert seen["copied"] == seen["id"] != ""
    assert re.match(r"as of \d\d:\d\d:\d\d, .* behind", seen["fresh"])
    assert seen["menu"] == ["Overview", "Organizations", "Users", "Sessions", "Issues"]


async def test_an_address_names_the_zone_of_its_page_and_means_the_same_times_elsewhere(
    browse: Browse, site: Site
) -> None:
    log = f"{(await pages_of(site))['job']}/log"
    seen = browse("zones", role="platform_admin", here="Asia/Tokyo", there="America/New_York", log=log)
    assert seen["first"] is None, "the browser's zone was not known yet: the next page has it"
    steps = "menu", "filtered", "cleared", "row", "job", "back", "log", "line", "copied", "reloaded"
    assert seen["named"] == {step: ["Asia/Tokyo"] for step in steps}
    assert seen["kept"] == seen["list"], "job details lead back to the address that they were opened from"
    assert seen["elsewhere"] == {
        "zone": "Asia/Tokyo", "run": seen["run"], "job": ["+09:00"], "menu": ["America/New_York"],
    }  # fmt: skip


async def test_columns_counts_colours_theme_and_zone(browse: Browse, site: Site) -> None:
    seen = browse("columns", statistics=STATISTICS, users=USERS)
    assert [(size, told) for size, told in seen["sights"].items() if not all(told)] == [], (
        "Add, Apply and Reset in sight, of the columns some, to be scrolled"
    )
    assert len(seen["sights"]) == 5
    assert seen["before"] == [
        "User", "Run", "Status", "Objects, detailed report", "Objects", "Changes", "Failures", "Total Changes",
        "Error Source", "Error Category", "Exception", "Issues", "Conflicts", "Actions",
    ]  # fmt: skip
    assert seen["pressed"] == ["errors", "timed_out"]
    assert "errors, timed out" in seen["chip"]
    assert seen["added"] == "errors,timed_out,finished_with_issues"
    counted = await site.fetch(
        "SELECT status, count(*) FROM sync_session WHERE organization_id = $1 GROUP BY status", NORTHWIND
    )
    assert {row["status"]: f"{row['count']:,}" for row in counted}.items() <= seen["counts"].items()
    assert seen["chosen"] == seen["kept"]
    assert seen["chosen"].count("Objects") == 1
    assert "Duration" in seen["chosen"]
    assert seen["chosen"].index("Duration") < seen["chosen"].index("Conflicts")
    assert seen["reset"] == seen["before"]
    for theme, bad in (("light", "rgb(179, 29, 35)"), ("dark", "rgb(255, 146, 138)")):
        told = seen["colours"][theme]
        assert {told["red"], told["red_name"], told["user"]} == {bad}, theme
        assert told["black"] == told["word"] == told["text"]
        assert told["red_word"].strip() == "disabled"
    assert seen["zone"].endswith("Tokyo, UTC+9")


async def test_everything_works_without_javascript(browse: Browse) -> None:
    seen = browse("plain", statistics=STATISTICS)
    assert seen["first"] == 100
    assert 0 < seen["filtered"]["rows"] <= 100
    assert "failures=" in seen["filtered"]["url"]
    assert seen["filtered"]["chips"] == 2
    assert seen["sorted"] == 1
    assert "finished" in seen["toggled"].split(",")
    assert seen["second_page"] > 0
    assert seen["back"] == 100
    assert seen["hidden"] == 0
    assert seen["csv"] > 1000
    assert seen["job"] == "Synchronization job details"
    assert (seen["dead"], seen["log"] > 0, seen["out"]) == ([], True, True), "what needs a script is not offered"
    assert seen["table"]


async def test_a_long_log_is_a_window_that_moves(browse: Browse, site: Site) -> None:
    long = (await site.fetch(
        "SELECT started_at, session_id FROM log_chunk GROUP BY 1, 2 ORDER BY sum(line_count) DESC LIMIT 1"
    ))[0]  # fmt: skip
    seen = browse("log", path=f"/sessions/{session_key(*long)}/log", short=f"{(await pages_of(site))['job']}/log")
    assert seen["counts"] == [
        "error 8", "warning 0", "info 1,900", "debug 1,892", "mail 950", "CRM 950", "engine 950", "agent 950",
    ]  # fmt: skip
    assert seen["windows"][0]["place"] == "Lines 1 to 500, 3,800 in all"
    assert max(each["count"] for each in seen["windows"]) <= 1500
    assert all(each["sorted"] for each in [*seen["windows"], seen["back"]])
    for each in (*seen["windows"], seen["back"]):
        left, right = ((each[end] - 1) / 3999 * 960 for end in ("first", "last"))
        framed = pytest.approx([left, min(right + 10, 960) - left], abs=0.2)
        assert each["framed"] == framed, "the strip frames what the window holds"
    assert seen["windows"][-1]["last"] == 4000
    assert seen["back"]["last"] < 4000
    assert any(each["lost"] == 1 for each in seen["windows"])
    assert seen["errors"] == ["line-500", "line-1000", "line-1500", "line-2000"]
    assert (seen["hits"].strip(), seen["second"]["hits"].strip()) == ("1 of 5", "2 of 5")
    assert (seen["second"]["marked"], seen["second"]["seen"]) == ("busy", True)
    assert (seen["marked"]["count"] >= 500, seen["marked"]["last"] > 800) == (True, True), "a search leaves out no line"
    assert (seen["narrowed"]["count"], seen["narrowed"]["lost"]) == (5, 0)
    assert (seen["tools"], seen["labels"]) == (1, [["Level", True], ["Source", True]]), "one row at 1,440 pixels"
    start = long["started_at"]
    session, log = seen["crumbs"][-2:]
    assert re.fullmatch(rf"Session \d+ \w+, \d\d:{start:%M}", session), "in whichever zone it is read"
    assert log == "Log"
    assert len(seen["walked"]) == 8
    assert seen["walked"][-1] == "Lines 3,701 to 4,000, 3,800 in all, the end"
    assert seen["lost"] == 0, "the lost part stands on its own page alone"
    assert seen["before_end"] == "Lines 3,201 to 3,700, 3,800 in all"
    lost = "Part 11 of the log did not arrive. 19 of 20 parts arrived. Lines are missing before line 2201."
    assert seen["told"] == lost
    assert seen["sources"] == ["CRM", "agent", "engine", "mail"]
    assert seen["searched"] == "?text=batch&show=matching&level=error", "a search can be narrowed without a script"
    assert seen["dropped"] == [["12 lines dropped by the agent", "lost", "line-41"]]


async def test_a_log_that_grows_too_long_while_it_is_followed_leads_to_its_file(
    browse: Browse, site: Site, tmp_path: Path
) -> None:  # fmt: skip
    (session,) = await site.fetch(
        "SELECT s.started_at, s.session_id, s.status, s.ended_at, l.line_count FROM sync_session s JOIN log_chunk l"
        " USING (started_at, session_id) WHERE l.chunk_no = 0 ORDER BY s.started_at DESC LIMIT 1"
    )
    key = session["started_at"], session["session_id"]
    where = "WHERE started_at = $1 AND session_id = $2"
    set_session = f"UPDATE sync_session SET status = $3, ended_at = $4 {where}"
    set_lines = f"UPDATE log_chunk SET line_count = $3 {where} AND chunk_no = 0"

    async def grow() -> None:
        await site.fetch(set_lines, *key, 1_000_000)

    async def grow_again() -> None:
        await site.fetch(set_lines, *key, 2_000_000)

    ready, again = tmp_path / "ready", tmp_path / "again"
    try:
        await site.fetch(set_session, *key, "running", None)
        with once_read(ready, grow), once_read(again, grow_again):
            seen = browse("too_long", path=f"/sessions/{session_key(*key)}/log", ready=str(ready), again=str(again))
    finally:
        await site.fetch(set_session, *key, session["status"], session["ended_at"])
        await site.fetch(set_lines, *key, session["line_count"])
    assert seen["lines"] > 0
    assert seen["before"].startswith("1,000,")
    assert seen["after"].startswith("2,000,")
    assert seen["said"].startswith("This log is too long to be read here")
    assert "up to 250,000 lines or 64 MB" in seen["said"]
    assert (seen["file"][:22], seen["tools"]) == ("syncwatch-session-logs", 0)


async def test_counter_and_arrows_go_along_with_the_keys_of_a_search(browse: Browse, site: Site) -> None:
    long = (await site.fetch(
        "SELECT started_at, session_id FROM log_chunk GROUP BY 1, 2 ORDER BY sum(line_count) DESC LIMIT 1"
    ))[0]  # fmt: skip
    seen = browse("matches", path=f"/sessions/{session_key(*long)}/log")
    lines = ["", "800", "1600", "2400", "3200", "4000", ""]
    for way in seen["ways"].values():
        stands = [
            {"hits": f"{number} of 5", "before": lines[number - 1], "after": lines[number + 1], "at": [lines[number]],
             "seen": True}
            for number in (1, 2, 3, 2, 3, 4, 5)
        ]  # fmt: skip
        assert way["walked"] == stands
        assert (way["end"], way["stands"], way["again"]) == ("No further match", stands[-1], stands[-1])
        assert way["back"] == way["other"] == stands[-2], "the other lines are shown at the match at hand"
        debug = way["debug"]
        assert {name: debug[name] for name in ("hits", "at", "seen", "levels")} == {
            "hits": "4 of 4", "at": ["3200"], "seen": True, "levels": ["debug"],
        }, "so are those of a level"  # fmt: skip
    both, one = seen["ways"][""], seen["ways"]["&show=matching"]
    assert (both["only"], both["lines"], both["debug"]["asked"]) == (
        "matching", 5, "?text=busy&show=matching&level=debug&at=3200",
    )  # fmt: skip
    assert (one["only"], one["lines"] >= 500, one["debug"]["asked"]) == (
        None,
        True,
        "?text=busy&level=debug&at=3200",
    )
    assert both["anew"] == "?text=busy&show=matching&level=debug", "a search begins at its first match"
    assert {told["hits"] for told in (seen["middle"], seen["narrow"][0])} == {"2,798 of 3,795"}
    assert {told["seen"] for told in (seen["middle"], seen["narrow"][0])} == {True}
    assert seen["narrow"][1] <= 500 * 3
    assert (seen["none"]["hits"], seen["none"]["before"], seen["none"]["after"]) == ("no match", "", "")
    assert [stands["seen"] for stands in seen["named"]] == [True] * 3, "line and tools are both in view"
    assert seen["named"][0]["at"] == 0, "a link to a line scrolls the lines, not the page"
    assert seen["first"].startswith("Lines 1 to 500"), "the first lines are those of the log, not of the first match"


async def test_an_organization_without_sessions_says_how_to_connect_an_agent(browse: Browse, site: Site) -> None:
    new = uuid4()
    await site.fetch(
        "INSERT INTO organization (organization_id, name, name_key, first_seen_at) VALUES ($1, $2, lower($2), now())",
        new, "Whitlock Orchards",
    )  # fmt: skip
    try:
        seen = browse("connect", path=f"/organizations/{new}/statistics")
    finally:
        await site.fetch("DELETE FROM organization WHERE organization_id = $1", new)
    assert seen["title"] == "No sync session has been reported yet"
    assert seen["copied"] == f"syncwatch agents add NAME --organization {new}"
    assert seen["sideways"] == 0
    assert len(seen["steps"]) == 3


async def test_an_end_user_sees_the_page_of_itself_and_nothing_else(browse: Browse, site: Site) -> None:
    mine = f"/users/{NORTHWIND}/{site.people['end_user']['user_id']}"
    other = (await site.fetch("SELECT * FROM sync_session WHERE organization_id <> $1 LIMIT 1", NORTHWIND))[0]
    seen = browse(
        "own", role="end_user", organization=f"/organizations/{NORTHWIND}",
        other_user=f"/users/{other['organization_id']}/{other['user_id']}",
        other_job=f"/sessions/{session_key(other['started_at'], other['session_id'])}",
    )  # fmt: skip
    assert seen["home"] == mine
    assert seen["nav"] == ["User Dashboard"]
    assert "Failing" in seen["chain"]
    assert seen["advice"] == 1
    assert seen["issues"][:5] == ["Type", "Name", "Direction", "Operation name", "Error Code"]
    assert set(seen["elsewhere"].values()) == {mine}
    assert seen["foreign"] == 404


async def test_every_number_of_the_overview_opens_the_list_that_proves_it(browse: Browse, site: Site) -> None:
    seen = browse("overview")
    healths = await site.fetch("SELECT health, count(*) AS n FROM organization WHERE state = 'present' GROUP BY health")
    fills = {"down": "bad", "degraded": "warn", "quiet": "rest", "ok": "ok-soft", "disabled": "hatch"}
    counted = {f"f-{fills[row['health']]}": row["n"] for row in healths}
    room = sum(width for _, width in seen["bar"])
    drawn = {fill: round(sum(counted.values()) * width / room) for fill, width in seen["bar"]}
    assert (drawn, seen["bar"][-1][0]) == (counted, "f-hatch"), (
        "the bar is of all organizations, also of those disabled"
    )
    assert [(href, number) for href, number, proof in seen["proved"] if number != proof] == []
    assert (
        len(seen["proved"]) == 13 + 5 + 1 + 3 + 3 * 4 + 2 + 1
    )  # tallies, notes on them, the cause, silences, cards, the line above them, late users
    assert all(int(number) for href, number, _ in seen["proved"] if "why=" in href), "the world has each silence"
    assert seen["agents"] == "1"
    assert seen["listed"] == [["eu-fairlight", "silent"]]
    assert seen["partitions"] == ["applied"] * 12
    assert any("peak" in mark for mark in seen["marks"])
    newest = await site.fetch(
        "SELECT started_at FROM sync_session WHERE status IN ('errors', 'timed_out') ORDER BY started_at DESC LIMIT 10"
    )
    assert [datetime.fromisoformat(at) for at in seen["failures"]] == [row["started_at"] for row in newest]
    assert seen["chart"] == 2
    assert seen["table"]
    assert seen["on_one_line"], "a million users is one number"


async def test_the_chart_of_the_overview_is_of_the_span_that_is_chosen(browse: Browse) -> None:
    seen = browse("span")
    assert seen["title"] == "Sessions per 6 hours"
    assert seen["query"] == "?hours=168&kinds=all&tz=UTC"
    assert len(seen["bars"]) == seen["rows"] == 28, "what the page asks for later is of this span too"
    shown = [[words, "not watched yet" if number == "–" else number] for words, number in seen["bars"]]
    assert seen["told"] == [shown[at] for at in (0, 13, 26)]
    assert shown[0][1] == "not watched yet"
    assert all("," in words and "–" in words for words, _ in shown)
    assert shown[27][1] not in {"0", "not watched yet"}


async def test_names_are_shown_and_hidden_where_they_stand_also_in_other_texts(browse: Browse, site: Site) -> None:
    (row,) = await site.fetch(
        "SELECT i.* FROM sync_issue i JOIN issue_sighting g ON (g.started_at, g.session_id, g.issue_id) = "
        "(i.session_started_at, i.session_id, i.issue_id) JOIN log_chunk c ON (c.started_at, c.session_id) = "
        "(g.started_at, g.session_id) WHERE i.state = 'open' AND g.error_code > 0 LIMIT 1"
    )
    name = row["object_name"]
    said = f"locked: {name}"
    await site.fetch("UPDATE sync_issue SET error_text = $2 WHERE issue_id = $1", row["issue_id"], said)
    await site.fetch("UPDATE issue_sighting SET error_text = $2 WHERE issue_id = $1", row["issue_id"], said)
    job = f"/sessions/{session_key(row['session_started_at'], row['session_id'])}"
    issues = f"/users/{row['organization_id']}/{row['user_id']}/issues"
    seen = browse("reveal", paths=[issues, job, f"{job}/log"], list=STATISTICS, looks=6000)
    for path, (before, revealed, hidden) in seen["pages"].items():
        assert [each["path"] for each in (before, revealed, hidden)] == [path] * 3
        assert (before["words"], hidden["words"]) == ("Names are masked", "Names are masked")
        assert re.fullmatch(r"Names shown to you until .*, recorded in the audit trail", revealed["words"])
        if path != f"{job}/log":
            assert said in revealed["text"]
        for each in (before, hidden):
            assert name not in each["text"], path
    dialog = seen["dialog"]
    assert (dialog["stays"], dialog["focus"]) == (True, "Hide names"), "revealed where one reads, over the list"
    assert dialog["typed"] == [">=", 1], "what one types is not taken away"
    assert dialog["same"] == [True, True], "the list follows without a new page, and the focus stays in its row"
    assert dialog["covered"] == []
    assert (dialog["list"]["path"], dialog["list"]["words"][:11]) == (STATISTICS.partition("?")[0], "Names shown")
    actions = await site.fetch("SELECT action FROM audit_event WHERE action LIKE 'names%' ORDER BY id")
    assert [each["action"] for each in actions][-10:] == ["names_revealed", "names_hidden"] * 5
    assert name not in seen["elsewhere"]["text"], "what was hidden in another tab is hidden here too"


async def test_what_to_do_stands_wherever_an_error_is(browse: Browse, site: Site) -> None:
    pages = await pages_of(site)
    kind = "error_source=eq:crm&error_category=eq:validation"
    paths = {
        name: pages[name] for name in ("user's issues", "organization's issues", "issues", "organizations", "sessions")
    }
    seen = browse("remedies", paths=paths | {"one kind": f"/sessions?{kind}"})["seen"]
    for way in ("desk", "plain", "phone"):
        told = seen[way]
        assert told.pop("organizations") is told.pop("sessions") is None, "they are of many errors"
        assert told.pop("one kind") == {"titles": ["CRM caused by invalid data"], "steps": 1, "within": True}
        for name, menu in told.items():
            assert menu["within"], (way, name)
            assert menu["steps"] == len(menu["titles"]) > 0
            assert all(re.fullmatch(r"Error code [1-3], .+: \d+ issues?", title) for title in menu["titles"]), name
    assert len(seen["of_card"]) == 1
    assert seen["closed"] == 0


async def test_a_session_that_never_arrived_is_told_apart_from_an_answer_that_did_not_come(browse: Browse) -> None:
    seen = browse("absent", path=f"/sessions/{session_key(datetime(2026, 1, 1, tzinfo=UTC), UUID(int=7))}")
    assert seen["toast"] == "The report of this session has not arrived"
    assert "the report of its session has not arrived" in seen["told"]
