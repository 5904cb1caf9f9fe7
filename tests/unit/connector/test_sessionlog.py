from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator

import pytest

from schemas.events import LogLevel
from services.ingest.connectors.caldav_crm.sessionlog import (
    at_hand,
    level_of,
    listening,
    logged_to,
    nameless,
    source_of,
)

OURS = "services.ingest.connectors.caldav_crm"


class Lines:
    """A session that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[LogLevel, str, str, str | None]] = []
        self.names: list[list[str]] = []

    def log(
        self, level: LogLevel, source: str, message: str, exception: str | None = None, *, names: Iterable[str] = ()
    ) -> None:
        self.lines.append((level, source, message, exception))
        self.names.append(list(names))


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


def test_a_line_tells_which_names_at_hand_it_holds_whoever_logs_it() -> None:
    lines = Lines()
    with logged_to(lines):
        at_hand("Review")
        at_hand('it\'s "off"')
        logging.getLogger("vdirsyncer.sync").info("nothing to do")
        logging.getLogger(f"{OURS}.crm").warning("Not done: %r, then Review", 'it\'s "off"')
        try:
            raise ValueError("Key (subject)=(Review) already exists.")
        except ValueError:
            logging.getLogger("vdirsyncer.sync").exception("It broke")
        assert nameless("Failed: Review, 'it\\'s \"off\"'") == "Failed: [name], '[name]'"
    assert lines.names == [[], ["Review", 'it\'s "off"'], ["Review"]]


def test_only_the_names_last_at_hand_are_looked_for() -> None:
    lines = Lines()
    with logged_to(lines):
        for number in range(300):
            at_hand(f"Lunch {number:03}")
        at_hand("Lunch 100")
        logging.getLogger(f"{OURS}.crm").info("Lunch 050, Lunch 100, Lunch 299")
    assert lines.names == [["Lunch 299", "Lunch 100"]]
    at_hand("outside of a session")
    assert nameless("outside of a session") == "outside of a session"
