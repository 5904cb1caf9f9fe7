"""The log of a session: lines logged while it runs, by whatever module, go to it.

Each tells the side it came from, and which names of the appointments last at hand it holds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
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

    def log(
        self, level: LogLevel, source: str, message: str, exception: str | None = None, *, names: Iterable[str] = ()
    ) -> None: ...


@dataclass(slots=True)
class _Heard:
    """A session that runs and the names of the appointments that were at hand last, the newest at the end."""

    session: TakesLines
    names: dict[str, None] = field(default_factory=dict)


_current: ContextVar[_Heard | None] = ContextVar("session", default=None)
_LAST: Final = 200
"""An appointment is spoken of while it is at hand; to look for each of a great calendar's in each line takes long."""


class SessionHandler(logging.Handler):
    """Hands each record to the session of the task that logged it; records of no session are none of its business."""

    def emit(self, record: logging.LogRecord) -> None:
        heard = _current.get()
        source = source_of(record.name)
        if heard is None or source is None:
            return
        error = record.exc_info[1] if record.exc_info else None
        exception = None if error is None else trace_of(error)
        message = record.getMessage()
        names = [name for name in heard.names if any(form in f"{message}\n{exception}" for form in _forms(name))]
        heard.session.log(level_of(record.levelno), source, message, exception, names=names)


def at_hand(name: str) -> None:
    """Say what an appointment is called that this session has to do with from now on."""
    heard = _current.get()
    if heard is not None and name:
        heard.names.pop(name, None)
        heard.names[name] = None
        if len(heard.names) > _LAST:
            del heard.names[next(iter(heard.names))]


def nameless(text: str) -> str:
    """Return a text without the names of the appointments last at hand."""
    heard = _current.get()
    forms = {form for name in heard.names for form in _forms(name)} if heard is not None else set()
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "[name]")
    return text


def _forms(name: str) -> tuple[str, str]:
    return name, repr(name)[1:-1]


@contextmanager
def logged_to(session: TakesLines) -> Iterator[None]:
    """Send to `session` what this task logs meanwhile."""
    token = _current.set(_Heard(session))
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
