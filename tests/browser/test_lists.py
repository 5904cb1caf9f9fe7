"""Lists in a real browser: filter, sort, clear, export; on screen, in the file and in Postgres the same."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.vocabulary import SESSION_STATUS
from services.query.panel.parts import status_icon
from tests.browser.addresses import NORTHWIND, STATISTICS, USERS
from tests.browser.conftest import Browse, Site, once_read


def records(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV as a spreadsheet reads them."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


LONG_ISSUES = """
INSERT INTO sync_issue SELECT (jsonb_populate_record(each, jsonb_build_object(
         'issue_id', gen_random_uuid(), 'object_id', 'long', 'error_text', repeat('x', 60000)))).*
  FROM sync_issue each CROSS JOIN generate_series(1, 900) WHERE issue_id = (
       SELECT issue_id FROM sync_issue WHERE organization_id = $1 AND state = 'open' LIMIT 1)"""

LISTS = {
    "organizations": ("/organizations?tz=UTC", "synchronization_status", "enabled", "users", "Name"),
    "users": ("/users?tz=UTC", "status", "failing", "user", "User"),
    "organization_users": (USERS, "synchronization_disabled", "False", "user", "User"),
    "statistics": (STATISTICS, "failures", ">=1", "run", "User"),
    "sessions": ("/sessions?tz=UTC", "status", "timed out", "run", "User"),
    "issues": ("/issues?tz=UTC", "operation", "Create", "first_seen", "User"),
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_filters_sorts_and_exports_what_it_shows(browse: Browse, site: Site, name: str) -> None:
    path, box, text, sort, first_title = LISTS[name]
    seen = browse("list", path=path, box=box, text=text, sort=sort)
    rows = records(seen["csv"])
    assert seen["titles"][0] == first_title
    assert all(label and label.startswith("Filter by ") for label in seen["boxes"])
    assert len(rows) == int(seen["matches"].split()[0].replace(",", ""))
    assert seen["above"] <= 10, "Export to CSV stands above the second column"
    assert [row[0].split(" ")[0] for row in seen["filtered"]] == [
        (row[first_title] or "–").split(" ")[0] for row in rows[: len(seen["filtered"])]
    ]
    assert f"{len(rows):,} row" in seen["toast"]
    assert seen["kept"] == 0
    assert seen["sorted"]
    assert seen["order"] in {"ascending", "descending"}
    assert "%2B" not in seen["url"]


async def test_the_numbers_on_screen_are_those_in_postgres(browse: Browse, site: Site) -> None:
    seen = browse("list", path="/users?tz=UTC", box="status", text="failing", sort="user")
    found = await site.fetch("SELECT count(*) AS users FROM user_status WHERE status = 'failing'")
    assert len(records(seen["csv"])) == found[0]["users"]
    assert {row[3] for row in seen["filtered"]} == {"failing"}


async def test_the_box_of_a_list_shows_words_and_the_address_slugs(browse: Browse) -> None:
    slugs = {"not:timed out": "not:timed_out", "Cancelled, timed_out": "timed_out,cancelled"}
    seen = browse("box_words", path=STATISTICS, typed=list(slugs), slugs=slugs)
    steps = [
        ["errors, timed out", None, "errors, timed out", True],
        ["not:timed out", "not:timed_out", "not timed out", True],
        ["timed out, cancelled", "timed_out,cancelled", "timed out, cancelled", True],
    ]
    assert (seen["scripts"], seen["none"]) == (steps, steps)
    assert seen["suggested"] == ["not:timed out", "errors, timed out"]


async def test_the_users_file_holds_the_last_sessions_details(browse: Browse) -> None:
    seen = browse(
        "list", path=f"/organizations/{NORTHWIND}?tz=UTC&columns=user,status", box="status", text="failing", sort="user"
    )
    titles: list[Any] = list(records(seen["csv"])[0])
    assert titles[:2] == ["User", "Status"]
    assert {"Exception", "Error Source", "Error Category", "Total Changes", "Conflicts", "Issues"} <= set(titles)


async def test_a_file_says_how_far_it_is_and_why_it_did_not_come(browse: Browse) -> None:
    seen = browse("exports", statistics=STATISTICS, logs=f"/organizations/{NORTHWIND}/logs?tz=UTC")
    assert "'abc' is no number" in seen["refused"]
    assert seen["button"].strip() == "Export to CSV"
    assert seen["told"] == f"{seen['of_row']} saved"
    assert seen["missing"].endswith("There is nothing here that you may see.")
    assert seen["stayed"].endswith(STATISTICS)
    assert (seen["far"], seen["under_way"]) == ("Log archive: 2.5 MB…", 1)
    assert (seen["cut"], seen["ended"]) == ("The log archive was cut midway, so no file was kept", 0)
    assert "is not before the end of the range" in seen["backwards"]
    assert {name.rpartition(".")[2] for name in (seen["of_row"], seen["of_range"], seen["without_script"])} == {"zip"}
    assert seen["nothing"] == "There is nothing to export"


async def test_c20_an_export_cut_midway_says_so_and_leaves_no_file(browse: Browse, site: Site, tmp_path: Path) -> None:
    ready, cut = tmp_path / "ready", tmp_path / "cut"
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ~ $1"

    async def end_it() -> None:
        try:
            assert len(await site.fetch(ended, "^COPY ")) == 1
        finally:
            cut.touch()

    earlier = [row["export_id"] for row in await site.fetch("SELECT export_id FROM export")]
    await site.fetch(LONG_ISSUES, NORTHWIND)
    try:
        with once_read(ready, end_it):
            path = f"/organizations/{NORTHWIND}/issues?tz=UTC&limit=8"
            seen = browse("cut", path=path, cut=str(cut), ready=str(ready))
    finally:
        await site.fetch("DELETE FROM sync_issue WHERE object_id = 'long'")
    (export,) = await site.fetch("SELECT state FROM export WHERE export_id <> ALL ($1::uuid[])", earlier)
    assert "MB" in seen["midway"]
    assert seen["said"] == "The export was cut midway, so no file was kept"
    assert (seen["files"], seen["busy"]) == ([], None)
    assert export["state"] == "cut"


@pytest.fixture(scope="module")
def filtered(browse: Browse) -> dict[str, Any]:
    """What filters do, understood and not: looked at once."""
    return browse("filters", statistics=STATISTICS)


async def test_c23_a_plus_is_not_a_space(filtered: dict[str, Any]) -> None:
    seen = filtered
    assert len(seen["found"]) == 1
    assert "ann%2Bcrm@" in seen["plus_url"] or "ann%2Bcrm%40" in seen["plus_url"]
    assert seen["links"]
    assert all("ann%2Bcrm" in link for link in seen["links"])
    assert seen["by_hand"]["rows"] == 0
    assert "ann crm@" in seen["by_hand"]["chip"]
    assert "%2B" in seen["lost_plus"]


async def test_c24_a_filter_not_understood_is_not_a_filter_passed(filtered: dict[str, Any]) -> None:
    seen = filtered
    for query, told in seen["wrong"].items():
        assert (told["status"], told["rows"], told["exports"]) == (400, 0, 0), query
        assert told["said"], query
    assert seen["wrong"]["failures=abc"]["value"] == "abc"
    assert seen["wrong"]["status=eror"]["value"] == "eror"
    assert "late" in seen["choices"]
    assert seen["after_choice"]
    assert seen["empty_boxes"]["status"] == 200
    assert seen["empty_boxes"]["rows"] > 50


async def test_suggestions_say_how_many_rows_each_word_leaves(filtered: dict[str, Any]) -> None:
    assert {box for box, _, number, _ in filtered["suggested"] if number} == {"status", "error_category"}
    icons = {word: icon for box, word, _, icon in filtered["suggested"] if box == "status"}
    assert icons == {word.replace("_", " "): f"#i-{status_icon(word)}" for word in SESSION_STATUS}
    assert filtered["spoken"] == [["combobox", "true", "true"], [None, 0]] * 2
    assert len(filtered["proved"]) > 4
    assert [(word, number) for word, number, rows in filtered["proved"] if number != rows] == []


async def test_today_is_that_of_the_zone_that_the_page_names(browse: Browse) -> None:
    seen = browse("dates", path=STATISTICS.replace("tz=UTC", "tz=Pacific/Kiritimati"), browser="Pacific/Pago_Pago")
    today = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
    days = [today - timedelta(days=before) for before in (0, 1, 6, 29)]
    assert seen["offered"] == [f"{day}.." for day in days]


async def test_enter_shift_and_leaving_a_box_ask_for_what_they_say(browse: Browse) -> None:
    seen = browse(
        "enter", role="platform_admin", statistics=f"/organizations/{NORTHWIND}/statistics?tz=UTC",
        organizations="/organizations?tz=UTC", users="/users?tz=UTC",
    )  # fmt: skip
    default = "errors,timed_out"
    for way in ("enter", "plain"):
        assert seen[way] == {"user e": [default, 0], "failures >=0": [default, 0], "failures abc": [default, 1]}, way
    chosen, found, applied = seen["columns"]
    assert (found, applied) == ([chosen, 1], chosen), "finding a column applies nothing, and Enter on a box applies"
    assert seen["suggested"] >= 1
    assert seen["left"] == [0, 4], "what was sent while typing is not sent again"
    assert seen["orders"] == ["health,-users", "health,users", "health,users,-failing"]
    *forms, (first, kept), (second, cleared) = seen["ways"]
    assert [form for form, _ in forms] == ["5", "5..9", "5..", "..9", ">=5", "<=9", "has:empty"]
    assert seen["form"] == [">=5", ">=5", 0]
    assert (first, second) == ("Remove Failures", "Clear all filters")
    assert kept == "?status=finished&sort=-failures&tz=UTC"
    assert cleared == "?sort=-failures&status=&tz=UTC"
    assert seen["chips"] == ["Failures 0 or more"], "the default is not in force where another was asked for"
    assert seen["status_ways"] == [
        ["Remove Status", "?failures=0..&status=&tz=UTC"],
        ["Clear all filters", "?status=&tz=UTC"],
    ]
    assert seen["alone"] == ["Clear all filters"]
    assert seen["last_but_one"] != "Remove Status", "which is the same as to clear all"
