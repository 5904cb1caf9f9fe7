from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from schemas.events import LogLevel
from services.ingest.connectors.caldav_crm.sessionlog import level_of, listening, logged_to, source_of

OURS = "services.ingest.connectors.caldav_crm"


class Lines:
    """A session that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[LogLevel, str, str, str | None]] = []

    def log(self, level: LogLevel, source: str, message: str, exception: str | None = None) -> None:
        self.lines.append((level, source, message, exception))


@pytest.fixture(autouse=True)
def ears() -> Iterator[None]:
    with listening():
        yield


async def test_sessions_that_run_at_once_get_their_own_lines_only() -> None:
    async def run(name: str) -> Lines:
        lines = Lines()
        with logged_to(lines):
            for number in range(3):
                logging.getLogger("vdirsyncer.sync").info("%s %d", name, number)
                await asyncio.sleep(0)
        return lines

    one, other = await asyncio.gather(run("one"), run("other"))
    assert [line[2] for line in one.lines] == ["one 0", "one 1", "one 2"]
    assert [line[2] for line in other.lines] == ["other 0", "other 1", "other 2"]


def test_lines_outside_of_a_session_and_debug_lines_go_nowhere() -> None:
    lines = Lines()
    logging.getLogger("vdirsyncer").warning("before")
    with logged_to(lines):
        logging.getLogger("vdirsyncer.http").debug("headers and passwords")
    assert lines.lines == []


def test_a_line_carries_its_level_its_side_and_its_exception() -> None:
    lines = Lines()
    with logged_to(lines):
        try:
            raise ValueError("boom")
        except ValueError:
            logging.getLogger(f"{OURS}.passes").exception("It broke")
    ((level, source, message, exception),) = lines.lines
    assert (level, source, message) == (LogLevel.ERROR, "engine", "It broke")
    assert (exception or "").startswith('ValueError: boom\n  File "')


@pytest.mark.parametrize(
    ("logger", "source"),
    [
        ("vdirsyncer.storage.dav", "mail"),
        ("vdirsyncer.http", "mail"),
        ("vdirsyncer.sync", "engine"),
        (f"{OURS}.crm", "crm"),
        (f"{OURS}.agent", "agent"),
        ("vdirsyncerish", None),
        ("asyncio", None),
    ],
)
def test_the_logger_names_the_side(logger: str, source: str | None) -> None:
    assert source_of(logger) == source


def test_levels_in_between_count_as_the_one_below() -> None:
    assert [level_of(number) for number in (5, 10, 25, 35, 50)] == [
        LogLevel.DEBUG,
        LogLevel.DEBUG,
        LogLevel.INFO,
        LogLevel.WARNING,
        LogLevel.ERROR,
    ]
