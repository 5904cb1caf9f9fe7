"""Signing in: nobody gets in without, a link works once."""

from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from schemas.keys import session_key
from tests.browser.conftest import Browse, Site, once_read


async def test_a_one_time_link_signs_in_once(browse: Browse) -> None:
    seen = browse("sign_in")
    assert seen["sent_to"] == "/sign-in"
    assert seen["heading"] == "Overview"
    assert seen["rows"] == 20
    assert "no longer works" in seen["refused"]
    assert seen["after"] == "/sign-in"


async def test_a_page_that_nobody_uses_signs_its_reader_out(browse: Browse, site: Site, tmp_path: Path) -> None:
    now = datetime.fromisoformat(site.now)
    cookie_hash = sha256(site.people["support"]["cookie"].encode()).digest()
    seen_at = "UPDATE web_session SET seen_at = $2 WHERE cookie_hash = $1"
    running = (await site.fetch("SELECT started_at, session_id FROM sync_session WHERE status = 'running' LIMIT 1"))[0]
    job = f"/sessions/{session_key(*running)}"
    ready = tmp_path / "ready"
    try:
        with once_read(ready, lambda: site.fetch(seen_at, cookie_hash, now - timedelta(minutes=31))):
            told = browse("idle", paths={"users": "/users", "job": job, "log": f"{job}/log"}, ready=str(ready))
    finally:
        await site.fetch(seen_at, cookie_hash, now)
    for page, asked in told["seen"].items():
        for step, idle in asked.items():
            assert idle, (page, step, "nothing was asked")
            assert set(idle) == {step in {"unused", "moved_by_itself"}}, (page, step)
    assert len(told["seen"]["job"]["unused"]) == len(told["seen"]["log"]["unused"]) == 2, "mark and session"
    assert told["out"]["kept"] is True
    assert told["out"]["banner"].startswith("You were signed out: what you see is no longer kept up to date.")
    assert told["sent_to"].startswith("You were signed out. That happens after 30 minutes without use")
