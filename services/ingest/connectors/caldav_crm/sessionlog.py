"""The log of a session: lines logged while it runs, by whatever module, go to it, each with the side it came from."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

from schemas.events import LogLevel
from services.ingest.agent import trace_of

_OURS: Final = __name__.rpartition(".")[0]

# The first prefix that fits names the source. vdirsyncer talks to the calendar by these two modules.
_SOURCES: Final = (
    ("vdirsyncer.storage", "mail"),
    ("vdirsyncer.http", "mail"),
    ("vdirsyncer", "engine"),
    (f"{_OURS}.calendar", "mail"),
    (f"{_OURS}.crm", "crm"),
    (f"{_OURS}.passes", "engine"),
    (_OURS, "agent"),
)


class TakesLines(Protocol):
    """The part of a session that takes log lines."""

    def log(self, level: LogLevel, source: str, message: str, exception: str | None = None) -> None: ...


_current: ContextVar[TakesLines | None] = ContextVar("session", default=None)


class SessionHandler(logging.Handler):
    """Hands each record to the session of the task that logged it; records of no session are none of its business."""

    def emit(self, record: logging.LogRecord) -> None:
        session = _current.get()
        source = source_of(record.name)
        if session is None or source is None:
            return
        error = record.exc_info[1] if record.exc_info else None
        exception = None if error is None else trace_of(error)
        session.log(level_of(record.levelno), source, record.getMessage(), exception)


@contextmanager
def logged_to(session: TakesLines) -> Iterator[None]:
    """Send to `session` what this task logs meanwhile."""
    token = _current.set(session)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def listening() -> Iterator[None]:
    """Hear vdirsyncer and this connector from INFO up.

    What a session hears the process's own log keeps quiet about: it would fill with every object that is copied.
    """
    handler = SessionHandler(logging.INFO)
    loggers = [logging.getLogger(name) for name in ("vdirsyncer", _OURS)]
    levels = [logger.level for logger in loggers]
    outlets = list(logging.getLogger().handlers)
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    for outlet in outlets:
        outlet.addFilter(_is_for_the_process)
    try:
        yield
    finally:
        for outlet in outlets:
            outlet.removeFilter(_is_for_the_process)
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


def _is_for_the_process(record: logging.LogRecord) -> bool:
    return _current.get() is None


def source_of(logger_name: str) -> str | None:
    """The side a logger speaks for: mail, crm, engine or agent; None for anybody else's."""
    for prefix, source in _SOURCES:
        if logger_name == prefix or logger_name.startswith(f"{prefix}."):
            return source
    return None


def level_of(number: int) -> LogLevel:
    """The nearest level of the events below a level of `logging`."""
    if number >= logging.ERROR:
        return LogLevel.ERROR
    if number >= logging.WARNING:
        return LogLevel.WARNING
    return LogLevel.INFO if number >= logging.INFO else LogLevel.DEBUG
