"""Pages that are open, in a real browser: rows that change under whoever reads, and how fresh a page says it is."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tests.browser.addresses import NORTHWIND, STATISTICS, USERS, pages_of
from tests.browser.conftest import Browse, Site, once_read


async def test_c34_the_table_does_not_move_while_somebody_reads(browse: Browse, site: Site) -> None:
    stop = threading.Event()
    churn = threading.Thread(target=lambda: asyncio.run(_churn(site, stop)))
    churn.start()
    try:
        seen = browse("live", path=f"/organizations/{NORTHWIND}/statistics?status=&sort=-run&tz=UTC")
    finally:
        stop.set()
        churn.join(60)
    assert seen["selected"]
    assert seen["still_selected"] == seen["selected"] == seen["copied"]
    assert seen["opened"]
    assert seen["opened"] == seen["still_open"]
    assert seen["tabbed"] is True, "the focus is lost"
    assert seen["scroll"] == [120, 60]
    assert seen["unmoved"]
    assert "new · show" in seen["pill"]
    assert seen["menu_open"] == 1
    assert (seen["typed"], seen["caret"]) == ("qzx", 3)
    assert seen["focused"] == "user"


async def test_a_row_that_no_longer_matches_stays_and_says_so(browse: Browse, site: Site, tmp_path: Path) -> None:
    user = (
        await site.fetch("SELECT user_id FROM user_status WHERE organization_id = $1 AND status = 'stuck'", NORTHWIND)
    )[0]
    change = "UPDATE user_status SET status = $2, status_rank = $3 WHERE user_id = $1"
    of_one = (await pages_of(site))["user"]
    lists = [f"{path}limit=20" for path in (f"{USERS}&", "/users?", "/sessions?", f"{of_one}?", "/issues?")]
    ready = tmp_path / "ready"
    try:
        with once_read(ready, lambda: site.fetch(change, user["user_id"], "healthy", 5)):
            seen = browse("gone", path=f"{USERS}&status=stuck", ready=str(ready), lists=lists)
    finally:
        await site.fetch(change, user["user_id"], "stuck", 1)
        await site.fetch("UPDATE account SET preferences = preferences - 'density' WHERE role = 'support'")
    assert seen["word"] == "no longer matches"
    assert seen["seen"]
    assert seen["after"] == seen["before"], "nothing moved"
    assert seen["left"] == len(seen["before"][0]) - 1
    assert len(seen["covered"]) == 30
    assert [(where, faults) for where, faults in seen["covered"].items() if faults] == []


@pytest.mark.parametrize("page", ["users", "job", "find"])
async def test_a_page_without_answers_grows_old_and_one_signed_out_says_so(
    browse: Browse, site: Site, page: str
) -> None:
    seen = browse(
        "silence", role="organization_admin", path=f"{(await pages_of(site))[page]}?tz=UTC".replace("ra?", "ra&")
    )
    mark, tone = seen["before"]["mark"]
    assert (mark[:6], "behind" in tone, seen["before"]["banner"]) == ("as of ", False, "")
    assert re.fullmatch(r"no answer for 1\d s", seen["soon"]["mark"][0])
    assert seen["busy"]["banner"].startswith(f"Syncwatch cannot answer now: what you see is {mark}.")
    assert ("behind" in seen["soon"]["mark"][1], seen["soon"]["banner"]) == (True, "")
    assert seen["later"]["banner"].startswith(f"Syncwatch does not answer: what you see is {mark}.")
    assert seen["still"] == {"changes": 0, "focus": True}, "what is told already is told once"
    assert seen["again"] == seen["before"]
    assert seen["out"]["mark"][0] == "signed out"
    assert seen["out"]["banner"].startswith("You were signed out: what you see is no longer kept up to date.")
    assert [seen[step]["gone"] for step in ("soon", "later", "again", "out")] == [0] * 4, "no row stopped matching"
    assert seen["asked"] == 0


async def test_a_new_failure_is_counted_on_the_overview_not_pushed_in(
    browse: Browse, site: Site, tmp_path: Path
) -> None:
    failed = (await site.fetch("SELECT * FROM sync_session WHERE status = 'errors' ORDER BY started_at DESC LIMIT 1"))[
        0
    ]
    at = datetime.fromisoformat(site.now)
    row = dict(failed) | {"started_at": at, "began": at, "session_id": uuid4()}
    names, places = ", ".join(row), ", ".join(f"${number}" for number in range(1, len(row) + 1))
    insert = f"INSERT INTO sync_session ({names}) VALUES ({places})"
    count = "UPDATE organization SET failing = failing + $2 WHERE organization_id = $1"

    async def happen() -> None:
        await site.fetch(insert, *row.values())
        await site.fetch(count, NORTHWIND, 1)

    ready = tmp_path / "ready"
    try:
        with once_read(ready, happen):
            seen = browse("newest", ready=str(ready))
    finally:
        await site.fetch("DELETE FROM sync_session WHERE session_id = $1", row["session_id"])
        await site.fetch(count, NORTHWIND, -1)
    assert seen == {"words": "1 new · show", "unmoved": True, "moved_on": True, "gone": 0}


async def _churn(site: Site, stop: threading.Event) -> None:
    """Change twenty rows a second, and let a new session begin every second."""
    connection = await asyncpg.connect(site.owner_url)
    user = await connection.fetchrow("SELECT * FROM sync_session WHERE organization_id = $1 LIMIT 1", NORTHWIND)
    assert user is not None
    for beat in range(10_000):
        if stop.is_set():
            break
        await connection.execute(
            "UPDATE sync_session SET changes = changes + 1 WHERE (started_at, session_id) IN ("
            "SELECT started_at, session_id FROM sync_session "
            "WHERE organization_id = $1 ORDER BY started_at DESC LIMIT 20)",
            NORTHWIND,
        )  # fmt: skip
        if beat % 10 == 0:
            at = datetime.now(UTC) + timedelta(seconds=beat)
            row = dict(user) | {
                "started_at": at,
                "began": at,
                "session_id": uuid4(),
                "ended_at": None,
                "status": "running",
            }
            names = ", ".join(row)
            places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
            await connection.execute(f"INSERT INTO sync_session ({names}) VALUES ({places})", *row.values())
        await asyncio.sleep(0.1)
    await connection.execute(
        "DELETE FROM sync_session WHERE organization_id = $1 AND started_at > $2",
        NORTHWIND,
        datetime.fromisoformat(site.now),
    )
    await connection.close()


async def test_a_monitor_that_is_behind_says_so_on_every_page(browse: Browse, site: Site) -> None:
    await site.fetch("UPDATE kafka_position SET applied_to = applied_to - interval '4 minutes' WHERE partition = 3")
    try:
        for path in ("/", "/organizations", STATISTICS):
            seen = browse("look", path=path)
            assert "4 min behind" in seen["fresh"]
            assert seen["tone"] == "fresh behind"
            assert seen["banner"].startswith("Monitoring is 4 min behind: nobody is called late meanwhile.")
        await site.fetch("UPDATE kafka_position SET halted = 'hash' WHERE partition = 3")
        seen = browse("look", path="/users")
        assert seen["tone"] == "fresh stopped"
        assert "What is reported of 1/12 of the users is not applied" in seen["banner"]
    finally:
        await site.fetch(
            "UPDATE kafka_position SET halted = NULL, applied_to = applied_to + interval '4 minutes' "
            "WHERE partition = 3"
        )
    assert browse("look", path="/users")["banner"] == ""


async def test_a_monitor_that_falls_behind_is_told_by_each_page_that_is_open_already(
    browse: Browse, site: Site, tmp_path: Path
) -> None:
    move = "UPDATE kafka_position SET applied_to = applied_to + $1::int * interval '1 minute' WHERE partition = 3"
    behind, over = tmp_path / "behind", tmp_path / "over"
    pages = await pages_of(site)
    kinds = ("overview", "organization", "user's issues", "organization's logs", "job", "log", "find", "monitoring",
             "filter not understood", "no such page")  # fmt: skip
    paths = [pages[kind] for kind in kinds]
    try:
        with once_read(behind, lambda: site.fetch(move, -4)), once_read(over, lambda: site.fetch(move, 4)):
            steps = [["behind", str(behind), "Monitoring is 4 min behind: nobody"], ["over", str(over), ""]]
            opened = browse("open_pages", paths=paths, list=STATISTICS, steps=steps)
    finally:
        await site.fetch("UPDATE kafka_position SET applied_to = $1", datetime.fromisoformat(site.now))
    seen = opened["seen"]
    assert set(seen["behind"]) == {*paths, "dialog", "menu", "suggestions", "tip"}
    assert opened["open_still"] == {"menu": 1, "suggestions": 1, "tip": 1}
    told = {path: (tone, "4 min behind" in mark, bool(banner)) for path, (tone, mark, banner) in seen["behind"].items()}
    assert told == dict.fromkeys(told, ("fresh behind", True, True))
    quiet = {path: (tone.strip(), "behind" in mark, banner) for path, (tone, mark, banner) in seen["over"].items()}
    assert quiet == dict.fromkeys(quiet, ("fresh", True, "")), "the error pages too: they are answered"


async def test_a_banner_whose_words_change_leaves_the_focus_on_its_link(
    browse: Browse, site: Site, tmp_path: Path
) -> None:
    move = "UPDATE kafka_position SET applied_to = applied_to + $1::int * interval '1 minute' WHERE partition = 3"
    five, six = tmp_path / "five", tmp_path / "six"
    await site.fetch(move, -4)
    try:
        with once_read(five, lambda: site.fetch(move, -1)), once_read(six, lambda: site.fetch(move, -1)):
            steps = [[str(five), "5 min behind"], [str(six), "6 min behind"]]
            seen = browse("banner", path=STATISTICS, steps=steps)
    finally:
        await site.fetch("UPDATE kafka_position SET applied_to = $1", datetime.fromisoformat(site.now))
    assert seen["kept"] == [True, True]
