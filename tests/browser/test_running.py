"""Pages of a session that runs, in a real browser: they keep up to its end, and nothing moves under who reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from schemas.keys import session_key
from tests.browser.addresses import NORTHWIND
from tests.browser.conftest import Browse, Site, once_read

Happen = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the small world that is changed while somebody looks at it, as its topics change it."""

    site: Site
    row: dict[str, Any]
    chunks: tuple[dict[str, Any], ...]

    @property
    def path(self) -> str:
        """Return the address of its job details."""
        return f"/sessions/{session_key(self.row['started_at'], self.row['session_id'])}"

    async def set(self, **values: Any) -> None:
        """Set some of its columns."""
        names = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, 3))
        where = "WHERE started_at = $1 AND session_id = $2"
        key = self.row["started_at"], self.row["session_id"]
        await self.site.fetch(f"UPDATE sync_session SET {names} {where}", *key, *values.values())

    async def end(self, *, before: timedelta = timedelta(0), **values: Any) -> None:
        """Let it end, so long before what the page shows is of; it says that it sent three parts of a log."""
        at = datetime.fromisoformat(self.site.now) - before
        ended_at = self.row["started_at"] + timedelta(minutes=2)
        ending = {"status": "finished", "ended_at": ended_at, "appended_at": at, "log_chunks_sent": 3}
        await self.set(**(ending | values))

    async def arrive(self, number: int) -> None:
        """Let a part of its log arrive."""
        names = ", ".join(self.chunks[number])
        places = ", ".join(f"${at}" for at, _ in enumerate(self.chunks[number], 1))
        await self.site.fetch(f"INSERT INTO log_chunk ({names}) VALUES ({places})", *self.chunks[number].values())

    async def lose(self, *numbers: int) -> None:
        """Take parts of its log away."""
        where = "session_id = $1 AND chunk_no = ANY($2::int[])"
        await self.site.fetch(f"DELETE FROM log_chunk WHERE {where}", self.row["session_id"], list(numbers))

    def long(self, number: int, count: int) -> Session:
        """Return the session as one whose agent put so many lines into a part of its log."""
        parts = [dict(part) for part in self.chunks]
        lines = orjson.loads(zstandard.ZstdDecompressor().decompress(parts[number]["body"]))
        more = count - len(lines)
        body = zstandard.ZstdCompressor().compress(orjson.dumps(lines + lines[:1] * more))
        parts[number] |= {"line_count": count, "body": body}
        for part in parts[number + 1 :]:
            part["first_line"] += more
        return replace(self, chunks=tuple(parts))


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Session]:
    """A session that runs, with three parts of a log; afterwards it is as it was before."""
    (row,) = await site.fetch(
        "SELECT * FROM sync_session s WHERE organization_id = $1 AND status = 'running' AND report IS NOT NULL "
        "AND (SELECT count(*) FROM log_chunk l WHERE l.session_id = s.session_id) = 3 ORDER BY started_at LIMIT 1",
        NORTHWIND,
    )
    parts = await site.fetch("SELECT * FROM log_chunk WHERE session_id = $1 ORDER BY chunk_no", row["session_id"])
    session = Session(site, dict(row), tuple(map(dict, parts)))
    try:
        await session.set(log_chunks_sent=0)
        yield session
    finally:
        kept = ("status", "ended_at", "appended_at", "log_chunks_sent", "changes", "status_detail", "report")
        await session.set(**{name: session.row[name] for name in kept})
        await session.lose(0, 1, 2)
        for number in range(3):
            await session.arrive(number)


def follow(
    browse: Browse, folder: Path, session: Session, *steps: tuple[Happen, str, str], fails: str = ""
) -> dict[str, Any]:
    """Open the log; let one thing happen after another, each once the page says what the one before led to.

    `fails`: the line behind which lines are fetched in vain once.
    """
    told = [(str(folder / str(number)), at, words) for number, (_, at, words) in enumerate(steps)]
    with ExitStack() as stack:
        for (ready, _, _), (happen, _, _) in zip(told, steps, strict=True):
            stack.enter_context(once_read(Path(ready), happen))
        return browse("followed", path=f"{session.path}/log?tz=UTC", steps=told, fails=fails)


ALL = "Lines 1 to 60, the end"


async def test_a_log_is_followed_to_its_last_part_where_the_end_comes_first(
    browse: Browse, site: Site, tmp_path: Path
) -> None:
    async with running(site) as session:
        await session.lose(2)
        seen = follow(
            browse, tmp_path, session, (session.end, "#log-status", "finished"),
            (lambda: session.arrive(2), "#log-place", ALL),
        )  # fmt: skip
    assert (seen["before"]["status"], seen["before"]["heading"][-3:]) == ("running", "now")
    assert seen["before"]["foot"] == "Lines 1 to 40, the end"
    between, last = seen["steps"]
    assert between["heading"][-3:] != "now"
    assert "Parts2 of 3 arrived" in between["facts"]
    assert between["rows"] == seen["before"]["rows"], "what is under way is not called lost"
    assert last == seen["reloaded"]
    assert "Lines60Parts3 of 3 arrived" in last["facts"]
    assert len(last["rows"]) == 60
    assert seen["same"], "without a new page"
    assert seen["asked_on"] == 0, "once all has come, nothing more is asked of it"


async def test_a_log_whose_end_and_last_part_come_together_is_followed_to_both(
    browse: Browse, site: Site, tmp_path: Path
) -> None:
    async with running(site) as session:
        await session.lose(2)

        async def both() -> None:
            await session.arrive(2)
            await session.end()

        seen = follow(browse, tmp_path, session, (both, "#log-status", "finished"))
    assert seen["steps"][-1] == seen["reloaded"]
    assert seen["steps"][-1]["foot"] == ALL
    assert (seen["same"], seen["asked_on"]) == (True, 0)


async def test_a_part_of_a_log_that_comes_late_goes_where_it_was_missing(
    browse: Browse, site: Site, tmp_path: Path
) -> None:
    async with running(site) as session:
        await session.lose(1, 2)
        seen = follow(
            browse, tmp_path, session, (lambda: session.arrive(2), "#log-place", ALL),
            (session.end, "#log-status", "finished"), (lambda: session.arrive(1), "#log-facts", "3 of 3 arrived"),
        )  # fmt: skip
    assert "lost-1-1" in seen["steps"][1]["rows"]
    assert seen["steps"][-1] == seen["reloaded"]
    assert seen["steps"][-1]["rows"] == [f"line-{number}" for number in range(1, 61)]
    assert (seen["same"], seen["asked_on"]) == (True, 0)


@pytest.mark.parametrize("fails", ["", "20", "520"])
async def test_a_late_part_of_700_lines_goes_in_its_place_at_the_latest_with_the_next_look(
    browse: Browse, site: Site, tmp_path: Path, fails: str
) -> None:
    async with running(site) as session:
        long = session.long(1, 700)
        await session.lose(1, 2)
        seen = follow(
            browse, tmp_path, long, (lambda: long.arrive(2), "#log-place", "Lines 1 to 740, the end"),
            (long.end, "#log-status", "finished"), (lambda: long.arrive(1), "#line-720", "720"), fails=fails,
        )  # fmt: skip
    assert seen["steps"][-1]["rows"] == [f"line-{number}" for number in range(1, 741)]
    assert "3 of 3 arrived" in seen["steps"][-1]["facts"]
    assert (seen["same"], seen["asked_on"], seen["failed"] > 1) == (True, 0, bool(fails))


async def test_a_part_of_a_log_that_does_not_come_is_lost_a_minute_after_the_end(
    browse: Browse, site: Site, tmp_path: Path
) -> None:
    async with running(site) as session:
        await session.lose(2)
        seen = follow(
            browse, tmp_path, session, (session.end, "#log-status", "finished"),
            (lambda: session.end(before=timedelta(seconds=61)), "#log-lines", "Lines are missing at the end."),
        )  # fmt: skip
    assert seen["steps"][-1] == seen["reloaded"]
    assert seen["steps"][-1]["rows"][-1] == "lost-1-2"
    assert (seen["same"], seen["asked_on"]) == (True, 0)


@pytest.mark.parametrize("form", ["page", "dialog"])
async def test_job_details_keep_up_with_a_session_that_runs_and_move_nothing(
    browse: Browse, site: Site, tmp_path: Path, form: str
) -> None:
    async with running(site) as session:
        grown = "batch 14 of 31 " * 40
        happen = (
            lambda: session.set(changes=987_654), lambda: session.set(status_detail=grown),
            lambda: session.end(report=None),
        )  # fmt: skip
        ready = [tmp_path / str(number) for number, _ in enumerate(happen)]
        given: dict[str, Any] = {"path": session.path}
        if form == "dialog":
            user = f"/users/{session.row['organization_id']}/{session.row['user_id']}"
            given = {"path": user, "opener": f'#rows a[data-job][href*="{session.path}"]'}
        with ExitStack() as stack:
            for file, each in zip(ready, happen, strict=True):
                stack.enter_context(once_read(file, each))
            seen = browse(
                "running",
                steps=list(map(str, ready)),
                changes="987,654",
                detail="batch 14 of 31",
                ended="2 min",
                picture=str(tmp_path / "pill.png"),
                **given,
            )
    assert seen["in_place"] == {"moved": 0, "pill": 0, "menu": 1, "focus": "SUMMARY"}
    assert seen["under"] == [[], []], "the pill covers nothing at the top, at a desk and on a phone"
    assert seen["waits"] == {"moved": 0, "said": False, "words": "Changed · show"}
    assert seen["shown"] == {"said": True, "pill": 0}
    assert seen["held"] == {"now": True, "ended": False, "objects": 1}, (
        "nothing changes under the pointer, nor beside it"
    )
    assert seen["agreed"] == 0, "and all of it once the pointer has gone"
    assert seen["last"] == seen["again"], "as a new look at it"
    assert seen["ticket"].startswith("Status: finished")
    assert (seen["same"], seen["asked_on"]) == (True, 0)


async def test_a_step_to_the_next_job_leaves_the_session_before_alone(browse: Browse, site: Site) -> None:
    async with running(site) as session:
        user = f"/users/{session.row['organization_id']}/{session.row['user_id']}"
        seen = browse("stepped", path=user, opener=f'#rows a[data-job][href*="{session.path}"]')
    assert (seen["after"], seen["pill"]) == (seen["before"], 0)
    assert session.path not in seen["asks"]
