"""`./run`: true sessions come out as lists, CSV and zip; a crash is mended; a restart forgets nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.local.children import WORKER_NICENESS
from tests.rig.launch import children, launcher, read_until, still_there

UP = "Ctrl-C stops everything"
ENDED = {"finished", "finished_with_issues", "errors"}


@contextmanager
def signed_in(said: str) -> Iterator[httpx.Client]:
    """Lend a client that used the one-time link which `./run` printed."""
    link = re.search(r"Admin Panel +(http://\S+)", said)
    assert link is not None, said
    with httpx.Client(base_url=httpx.URL(link[1]).copy_with(raw_path=b"/"), timeout=60) as client:
        assert client.post(link[1]).status_code == 303
        yield client


def poll(ask: Callable[[], Any], good: Callable[[Any], bool], within_s: float) -> Any:
    """Ask until the answer is good, and return it."""
    limit = time.monotonic() + within_s
    while not good(answer := ask()):
        assert time.monotonic() < limit, f"still {answer!r}"
        time.sleep(0.5)
    return answer


def sessions(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/sessions", params={"limit": "500", "columns": "organization,run,status"})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def niceness(pid: int) -> set[int]:
    """Return how far a process steps back: its own niceness, and that of its session where Linux knows one."""
    session = Path(f"/proc/{pid}/autogroup")
    told = {int(session.read_text().rpartition(" ")[2])} if session.exists() else set()
    return {os.getpriority(os.PRIO_PROCESS, pid)} | told


def test_real_sessions_come_out_everywhere_and_survive_a_crash_and_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "a state"
    with launcher(state) as process:
        said = read_until(process, UP)
        assert "Northwind Traders, Harbour Legal" in said
        with signed_in(said) as client:
            rows = poll(lambda: sessions(client), lambda rows: {row["status"] for row in rows} >= ENDED, 180)
            assert {row["organization"] for row in rows} == {"Northwind Traders", "Harbour Legal"}
            check_files(client, rows[-1]["key"])

            found = children(state)
            assert niceness(found["aggregator-1"][0]) == {WORKER_NICENESS}
            os.kill(found["aggregator-1"][0], signal.SIGKILL)
            told = read_until(process, "aggregator-1 is started again")
            assert "aggregator-1 was killed by signal 9" in told
            newest = max(row["run"] for row in sessions(client))
            poll(lambda: sessions(client), lambda rows: max(row["run"] for row in rows) > newest, 120)
            kept = {row["key"] for row in sessions(client) if row["status"] in ENDED}

        found = children(state)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=180)
        assert process.returncode == 0, said
        assert still_there(found) == []
        stopped = re.findall(r"(\S+) is stopped", said)
        assert set(stopped) == set(found)
        assert stopped.index("query") < stopped.index("postgres")
        assert stopped.index("gateway") < stopped.index("kafka")

    ports = json.loads((state / "ports.json").read_text())
    with launcher(state) as process:
        said = read_until(process, UP)
        assert json.loads((state / "ports.json").read_text()) == ports
        with signed_in(said) as client:
            assert kept <= {row["key"] for row in sessions(client)}


def check_files(client: httpx.Client, key: str) -> None:
    """The CSV holds the rows of the list; the zip of a session opens and holds its manifest."""
    view = {"columns": "user,run,status", "run": "..2100-01-01", "tz": "UTC", "sort": "run", "limit": "50"}
    listed = client.get("/api/v1/sessions", params=view).json()
    with client.stream("GET", "/api/v1/sessions.csv", params=view) as answer:
        assert answer.status_code == 200
        text = answer.read().decode("utf-8-sig")
    title, *lines = list(csv.reader(io.StringIO(text)))
    assert len(title) >= 3
    shown = [row["user"] for row in listed["rows"]]
    assert [line[0] for line in lines][: len(shown)] == shown

    archive = client.get(f"/api/v1/sessions/{key}/logs.zip")
    assert archive.status_code == 200
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert "manifest.json" in opened.namelist()
        assert opened.testzip() is None
