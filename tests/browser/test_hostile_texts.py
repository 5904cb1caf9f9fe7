"""Texts that others wrote, at their worst, in a real browser: shown as text, copied as they came."""

from __future__ import annotations

import json
from uuid import uuid4

from schemas.keys import session_key
from tests.browser.addresses import NORTHWIND, STATISTICS, USERS
from tests.browser.conftest import Browse, Site
from tests.browser.world import HOSTILE

# Markup, controls, a mark that turns the direction and is never ended, an emoji, and a very long word.
WORST = "<b>Bobby</b><script>Bobby</script> \x07\x1b[31m \u202eevil \U0001f98a " + "x" * 10_000
COPY = "INSERT INTO {0} SELECT (jsonb_populate_record(each, $3)).* FROM {0} each WHERE {1} = $1 AND {2} = $2 LIMIT 1"


async def test_c07_a_web_page_and_a_trace_as_the_error(browse: Browse) -> None:
    seen = browse("hostile", path=STATISTICS)
    assert seen["alive"] == 0, "markup in an error is text"
    assert seen["height"] == seen["other"], "the row keeps its height"
    assert seen["from_row"] == HOSTILE
    assert seen["from_dialog"] == HOSTILE
    assert seen["tip"].startswith("<!DOCTYPE html>")
    assert seen["tip_closed"]


async def test_what_others_write_is_text_and_turns_nothing_around(browse: Browse, site: Site) -> None:
    issue = (await site.fetch("SELECT * FROM sync_issue WHERE organization_id = $1 AND state = 'open'", NORTHWIND))[0]
    session, user = (issue["session_started_at"], issue["session_id"]), (NORTHWIND, issue["user_id"])
    worst = uuid4()
    texts = {"issue_id": str(worst), "object_name": f"object {WORST}", "error_text": f"text {WORST}"}
    changes = (
        ("sync_issue", "organization_id", "issue_id", NORTHWIND, issue["issue_id"], texts),
        ("issue_sighting", "started_at", "session_id", *session, texts),
    )
    renamed = "UPDATE sync_user SET display_name = $3 WHERE organization_id = $1 AND user_id = $2"
    (before,) = await site.fetch("SELECT display_name FROM sync_user WHERE user_id = $1", issue["user_id"])
    try:
        await site.fetch(renamed, *user, f"user {WORST}")
        for table, one, two, *bound, change in changes:
            await site.fetch(COPY.format(table, one, two), *bound, json.dumps(change))
        job, mine = f"/sessions/{session_key(*session)}", f"/users/{NORTHWIND}/{issue['user_id']}"
        only = f"user_id={issue['user_id']}"
        lists = [f"{USERS}&{only}", f"/organizations/{NORTHWIND}/issues?{only}", f"{mine}/issues"]
        paths = [*lists, mine, job, f"{job}/log"]
        pages = browse("texts", role="platform_admin", word="Bobby", paths=paths)["pages"]
    finally:
        await site.fetch(renamed, *user, before["display_name"])
        for table in ("sync_issue", "issue_sighting"):
            await site.fetch(f"DELETE FROM {table} WHERE issue_id = $1", worst)
    for path, told in pages.items():
        assert (told["alive"], told["turned"], told["sideways"]) == (0, [], 0), path
    assert [pages[path]["heights"] for path in lists] == [[32], [44], [44]]
    own, issue_texts = {"user"}, {"object", "text"}
    expected = (own, own | issue_texts, own | issue_texts, own, own | issue_texts, own)
    assert [set(pages[path]["shown"]) for path in paths] == [*expected]
