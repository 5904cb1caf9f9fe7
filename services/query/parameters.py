"""The few parameters of what is no list: the same strictness, the same kind of refusal."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request

from schemas.columns import Column, Type
from services.query.views.filters import Between, NotUnderstood, Problem, parse_filter
from services.query.views.view import BadQuery, zone_asked

_LONGEST = 200


class Parameters:
    """Takes parameters one by one; `done` raises BadQuery with everything that could not be used."""

    def __init__(self, request: Request) -> None:
        self._given: dict[str, str] = {}
        self._known: list[str] = []
        self._problems: list[Problem] = []
        for name, value in request.query_params.multi_items():
            if name in self._given:
                self._problems.append(Problem(name, value, "is given twice"))
            self._given[name] = value

    def text(self, name: str) -> str:
        """Return a text, empty where it is not given."""
        text = self._take(name)
        if len(text) > _LONGEST or "\x00" in text:
            self._problems.append(Problem(name, text[:_LONGEST], f"at most {_LONGEST} characters, no NUL"))
            return ""
        return text

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Return one of the allowed words, empty where it is not given."""
        text = self._take(name)
        if not text or text in allowed:
            return text
        self._problems.append(Problem(name, text, "is not one of the allowed", allowed))
        return ""

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        text = self._take(name)
        if not text:
            return default
        if text.isascii() and text.isdecimal() and len(text) < 12 and low <= int(text) <= high:
            return int(text)
        self._problems.append(Problem(name, text, f"is no whole number from {low} to {high}", (f"{low}..{high}",)))
        return default

    def uuid(self, name: str) -> UUID | None:
        """Return an id, None where it is not given."""
        text = self._take(name)
        try:
            return UUID(text) if text else None
        except ValueError:
            self._problems.append(Problem(name, text, "is no id"))
            return None

    def zone(self) -> ZoneInfo:
        """Return the zone that times are read in."""
        return zone_asked(self._take("tz"), self._problems)

    def instant(self, name: str, zone: ZoneInfo, now: datetime) -> datetime | None:
        """Return a time (a day is its beginning), None where it is not given."""
        text = self._take(name)
        if not text:
            return None
        column = Column(name=name, title=name, type=Type.TIME, description="")
        try:
            test = parse_filter(column, text, zone, now).test
        except NotUnderstood as refusal:
            self._problems.append(Problem(name, text, refusal.detail, refusal.allowed))
            return None
        if isinstance(test, Between) and isinstance(test.low, datetime):
            return test.low
        self._problems.append(Problem(name, text, "is no point in time", column.operators))
        return None

    def done(self) -> None:
        """Raise BadQuery if anything was wrong, or anything else was given."""
        for name, value in self._given.items():
            if name not in self._known:
                self._problems.append(Problem(name, value, "there is no such parameter", tuple(self._known)))
        if self._problems:
            raise BadQuery(self._problems)

    def _take(self, name: str) -> str:
        self._known.append(name)
        return self._given.get(name, "")
