"""Texts that others wrote, at their worst, in a real browser: shown as text, copied as they came."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from uuid import uuid4

import zstandard

from schemas.events import LogEvent, decode
from schemas.keys import session_key
from services.aggregator.fold import Chunk
from services.aggregator.rows import CHUNK_COLUMNS, chunk_row
from tests.browser.addresses import NORTHWIND, STATISTICS, USERS, pages_of
from tests.browser.conftest import Browse, Site
from tests.browser.world import HOSTILE
from tests.corpus import poison

# Markup, controls, a mark that turns the direction and is never ended, an emoji, and a very long word.
WORST = "<b>Bobby</b><script>Bobby</script> \x07\x1b[31m \u202eevil \U0001f98a " + "x" * 10_000
# A mark that turns the direction and is never ended, in a name that is short enough for a sentence.
TURNING = "Bobby \u202eevil"
TURNED = {
    "organization": (["organization_id"], ["name"]),
    "sync_user": (["organization_id", "user_id"], ["display_name"]),
    "user_status": (["organization_id", "user_id"], ["error_source", "error_category"]),
    "sync_session": (
        ["started_at", "session_id"],
        ["trigger", "mode", "agent_version", "mail_system", "error_source", "error_category"],
    ),
}  # fmt: skip
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


async def test_a_mark_of_direction_ends_with_the_text_it_came_with(browse: Browse, site: Site) -> None:
    paths = await pages_of(site)
    try:
        for table, (_, columns) in TURNED.items():
            turned = ", ".join(f"{column} = $2" for column in columns)
            await site.fetch(f"CREATE TABLE was_{table} AS SELECT * FROM {table} WHERE organization_id = '{NORTHWIND}'")
            await site.fetch(f"UPDATE {table} SET {turned} WHERE organization_id = $1", NORTHWIND, TURNING)
        pages = browse("texts", role="platform_admin", word="Bobby", ending="evil", paths=list(paths.values()))["pages"]
    finally:
        for table, (keys, columns) in TURNED.items():
            back = ", ".join(f"{column} = was.{column}" for column in columns)
            same = " AND ".join(f"now.{key} = was.{key}" for key in keys)
            await site.fetch(f"UPDATE {table} now SET {back} FROM was_{table} was WHERE {same}")
            await site.fetch(f"DROP TABLE was_{table}")
    assert {name: pages[path]["turned"] for name, path in paths.items() if pages[path]["turned"]} == {}


async def test_s17_a_line_of_a_log_is_text_wherever_it_is_shown(browse: Browse, site: Site, tmp_path: Path) -> None:
    (session,) = await site.fetch(
        "SELECT started_at, session_id, user_id FROM sync_session WHERE organization_id = $1 AND log_chunks_sent = 0 "
        "AND ended_at IS NOT NULL ORDER BY started_at DESC LIMIT 1", NORTHWIND,
    )  # fmt: skip
    at, forged = "2026-11-24T14:02:29Z", "2026-11-24T14:02:30Z ERROR   engine nobody wrote this"
    ends = "</td></tr></tbody></table><img src=x onerror=alert(1)>"
    worst = {
        "at": at, "level": "warning", "source": f"source {WORST}"[:64],
        "message": f"message {WORST}{ends}\n{forged}", "exception": f"exception {WORST}{ends}\r\n{forged}",
    }  # fmt: skip
    plain = {"at": at, "level": "info", "source": "mail", "message": "ten found"}
    lines = [worst, *[plain] * 500, worst]
    whose = {"user_id": str(session["user_id"]), "session_id": str(session["session_id"])}
    started_at = session["started_at"]
    event = decode(poison.text(poison.log(NORTHWIND, started_at, **whose, lines=lines, final=True)))
    assert isinstance(event, LogEvent)
    row = chunk_row(Chunk(event, int(started_at.timestamp() * 1000)), zstandard.ZstdCompressor())
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    job = f"/sessions/{session_key(started_at, session['session_id'])}"
    try:
        await site.fetch(f"INSERT INTO log_chunk ({', '.join(CHUNK_COLUMNS)}) VALUES ({places})", *row)
        seen = browse(
            "hostile_log", path=f"{job}/log", job=job, word="Bobby", found="message", last=len(lines),
            folder=str(tmp_path),
        )  # fmt: skip
    finally:
        await site.fetch("DELETE FROM log_chunk WHERE session_id = $1", session["session_id"])
    shown = [worst["source"], f"{worst['message']}\n{worst['exception']}".replace("\r\n", "\n")]
    for name, told in seen["pages"].items():
        assert (told["alive"], told["turned"], told["sideways"]) == (0, [], 0), name
        assert told["lines"] == [shown] * (1 if name in {"job", "phone"} else 2), name
    assert (seen["wrapped"], seen["marked"]) == (0, ["message"] * 2)

    with zipfile.ZipFile(tmp_path / "log.zip") as archive:
        (name,) = set(archive.namelist()) - {"manifest.json"}
        text = archive.read(name).decode()
    first = f"{at} WARNING {worst['source']} message {WORST}{ends}\n    {forged}\n"
    written = f"{first}    exception {WORST}{ends}\n    {forged}\n"
    for character in "\x07\x1b\u202e":
        written = written.replace(character, ascii(character)[1:-1])
    assert text == "==== attempt 1 ====\n" + written + f"{at} INFO    mail   ten found\n" * 500 + written
