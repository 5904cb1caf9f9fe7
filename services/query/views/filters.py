"""One filter: what was written in a box or a URL, understood, or refused with what is allowed.

Pure. A filter that is not understood never becomes another one: it is a `Problem`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from schemas.columns import CLOSED, Column, Type
from schemas.folding import fold
from schemas.vocabulary import Words

LONGEST_TEXT: Final = 1_000
_LARGEST: Final = 2**63 - 1
_YEARS: Final = range(1970, 2201)
_LISTS: Final = CLOSED | {Type.OPEN_LIST, Type.REPORT, Type.DIRECTION}
"""Types whose filter names members of a list by slug or by word."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A parameter that cannot be used: what was written, why not, and what may stand there."""

    parameter: str
    value: str
    detail: str
    allowed: tuple[str, ...] = ()


class NotUnderstood(Exception):
    """What a value's own parser says; the caller adds the parameter's name."""

    def __init__(self, detail: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Empty:
    """Nothing there."""


@dataclass(frozen=True, slots=True)
class Contains:
    """The folded text holds one of these texts, every character literal."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exactly:
    """The text, number or id is one of these."""

    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Among:
    """The slug is one of these, or (open lists) the text holds one of `texts`."""

    slugs: tuple[str, ...]
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Between:
    """low ≤ value, and value ≤ high (numbers) or value < high (times); an end that is None is open."""

    low: Decimal | datetime | None
    high: Decimal | datetime | None
    high_included: bool
    low_included: bool = True


@dataclass(frozen=True, slots=True)
class Is:
    """True or false."""

    value: bool


Test = Empty | Contains | Exactly | Among | Between | Is


@dataclass(frozen=True, slots=True)
class Filter:
    """One column's filter in force. `text` is how a URL says it: words of a list by their slugs, else as written."""

    column: Column
    text: str
    negated: bool
    test: Test = field(compare=False)

    @property
    def members(self) -> tuple[str, ...] | None:
        """Return the words of a closed list that are left, however that was written; None where the column has no such.

        That holds of a column that is never empty: else a negated filter finds what is empty too.
        """
        if self.column.type is not Type.LIST or not isinstance(self.test, Among | Empty):
            return None
        named = self.test.slugs if isinstance(self.test, Among) else ()
        return tuple(slug for slug in self.column.words or {} if (slug in named) is not self.negated)

    @property
    def typed(self) -> str:
        """Return the filter as its box shows it, which is understood as well: a list's words for its slugs."""
        listed = _listed(self.column, self.test)
        return self.text if listed is None else _signed(", ".join(listed.values()), self.negated)

    def words(self, zone: ZoneInfo) -> str:
        """Return the filter in plain words, as a chip shows it."""
        written = self.text.removeprefix("not:")
        said = f"contains “{written}”" if isinstance(self.test, Contains) else _said(self.column, self.test, zone)
        return f"not {said}" if self.negated else said


def parse_filter(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Filter:
    """Understand `text` as a filter of `column`, or raise NotUnderstood."""
    if "\x00" in text:
        raise NotUnderstood("a NUL character cannot be searched for", column.operators)
    if len(text) > LONGEST_TEXT:
        raise NotUnderstood(f"at most {LONGEST_TEXT} characters", column.operators)
    rest, negated = (text[4:], True) if text.startswith("not:") else (text, False)
    rest = rest if column.type is Type.TEXT or rest.startswith("eq:") else rest.strip()
    if not rest:
        raise NotUnderstood("nothing stands behind not:", column.operators)
    if rest == "has:empty":
        return Filter(column, text, negated, Empty())
    test = _PARSERS[column.type](column, rest, zone, now)
    listed = _listed(column, test)
    return Filter(column, text if listed is None else _signed(",".join(listed), negated), negated, test)


def _listed(column: Column, test: Test) -> Words | None:
    """Return slug → words of what a filter of a list names; None where it is anything else than members of the list."""
    words = column.words or {}
    if column.type not in _LISTS or not isinstance(test, Among) or test.texts or not words.keys() >= set(test.slugs):
        return None
    return {slug: word for slug, word in words.items() if slug in test.slugs}


def _signed(text: str, negated: bool) -> str:
    return f"not:{text}" if negated else text


# ---------------------------------------------------------------------------------------------- values
_NOTHING_LEFT: Final = "nothing is left of it without accents"


def _text(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    if text.startswith("eq:"):
        return Exactly((text[3:],))
    folded = fold(text)
    if not folded:
        raise NotUnderstood(_NOTHING_LEFT, column.operators)
    return Contains((folded,))


def _tokens(text: str, column: Column) -> list[str]:
    tokens = [part.strip() for part in text.split(",") if part.strip()]
    if not tokens:
        raise NotUnderstood("there is nothing between the commas", column.operators)
    if not all(map(fold, tokens)):  # every word begins with nothing
        raise NotUnderstood(_NOTHING_LEFT, column.operators)
    return tokens


def _closed(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    words = column.words or {}
    chosen: set[str] = set()
    for token in _tokens(text, column):
        found = _exact(words, token) or _beginning(words, token)
        if not found:
            raise NotUnderstood(f"nothing in {column.title} begins with {token!r}", tuple(words.values()))
        chosen.update(found)
    return Among(tuple(slug for slug in words if slug in chosen))


def _exact(words: Mapping[str, str], token: str) -> list[str]:
    return [slug for slug, word in words.items() if fold(token) in (fold(slug), fold(word))]


def _beginning(words: Mapping[str, str], token: str) -> list[str]:
    start = fold(token)
    return [slug for slug, word in words.items() if fold(slug).startswith(start) or fold(word).startswith(start)]


def exactly(words: Words, slug: str) -> str:
    """Return the filter of an open list that finds a slug as it was sent, and no other."""
    return slug if slug in words else f"eq:{slug}"


def _as_sent(column: Column, text: str) -> Among:
    slug = text.removeprefix("eq:")
    if not slug:
        raise NotUnderstood("nothing stands behind eq:", column.operators)
    return Among((slug,))


def _open(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    if text.startswith("eq:"):
        return _as_sent(column, text)
    words = column.words or {}
    slugs: list[str] = []
    texts: list[str] = []
    for token in _tokens(text, column):
        if found := _exact(words, token):
            slugs += found
        else:
            slugs += [slug for slug, word in words.items() if fold(token) in fold(word)]
            texts.append(fold(token))
    return Among(tuple(dict.fromkeys(slugs)), tuple(dict.fromkeys(texts)))


def _direction(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    if text.startswith("eq:"):
        return _as_sent(column, text)
    words = column.words or {}
    slugs: list[str] = []
    texts: list[str] = []
    for token in _tokens(text, column):
        found = _exact(words, token) or _beginning(words, token)
        if found:
            slugs += found
        else:
            texts.append(fold(token))
    return Among(tuple(dict.fromkeys(slugs)), tuple(texts))


def _boolean(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    word = text.casefold()
    for value in (True, False):
        if str(value).casefold().startswith(word):
            return Is(value)
    raise NotUnderstood("expected true or false", column.operators)


def _decimal(text: str, column: Column) -> Decimal:
    try:
        if not re.fullmatch(r"-?[0-9]{1,19}(\.[0-9]{1,9})?", text):
            raise InvalidOperation
        value = Decimal(text)
    except InvalidOperation:
        raise NotUnderstood(f"{text!r} is no number", column.operators) from None
    if abs(value) > _LARGEST:
        raise NotUnderstood(f"{text!r} is too large", column.operators)
    return value


def _number(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    compact = text.replace(" ", "")
    if sign := re.match(r">=|<=|>|<|=", compact):
        value = _decimal(compact[sign.end() :], column)
        return {
            ">=": Between(value, None, True),
            "<=": Between(None, value, True),
            ">": Between(value, None, True, low_included=False),
            "<": Between(None, value, False),
            "=": Between(value, value, True),
        }[sign[0]]
    low, dots, high = compact.partition("..")
    if not dots:
        value = _decimal(compact, column)
        return Between(value, value, True)
    if not low and not high:
        raise NotUnderstood("a range needs at least one end", column.operators)
    return Between(_decimal(low, column) if low else None, _decimal(high, column) if high else None, True)


def _code(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    """Understand codes, by number or by words of their meaning, or a range as of any number."""
    words = {code: f"{code} {meaning}" for code, meaning in (column.words or {}).items()}
    tokens = _tokens(text, column)
    if len(tokens) == 1 and re.match(r"[<>=]|.*\.\.", tokens[0]):
        return _number(column, text, zone, now)
    chosen: list[str] = []
    for token in tokens:
        if re.fullmatch(r"-?[0-9.]+", token):
            chosen.append(f"{_whole(token, column)}")
        elif found := [code for code, word in words.items() if fold(token) in fold(word)]:
            chosen += found
        else:
            raise NotUnderstood(f"{token!r} is no code, and no meaning of one", tuple((column.words or {}).values()))
    return Among(tuple(dict.fromkeys(chosen)))


def _whole(text: str, column: Column) -> int:
    value = _decimal(text, column)
    if value != value.to_integral_value():
        raise NotUnderstood(f"{text!r} is no whole number", column.operators)
    return int(value)


# ---------------------------------------------------------------------------------------------- times
_INSTANT: Final = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d{1,6})?)?"
    r"(?P<offset>Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_LOST_PLUS: Final = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d+)?)? \d{2}:?\d{2}")
_AGO: Final = re.compile(r"(?P<count>\d{1,4})(?P<unit>[hd])", re.ASCII)


def _time(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    try:
        return _times(column, text, zone, now)
    except (ValueError, OverflowError):
        if _LOST_PLUS.search(text):
            raise NotUnderstood(
                f"{text!r} is no time; a + in a URL is a space, write it as %2B", column.operators
            ) from None
        raise NotUnderstood(f"{text!r} is no time or range of times", column.operators) from None


def _times(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    if text in ("today", "yesterday"):
        day = now.astimezone(zone).date() - timedelta(days=text == "yesterday")
        return _span(_midnight(day, zone), _midnight(day + timedelta(days=1), zone))
    if ago := _AGO.fullmatch(text):
        unit = timedelta(hours=1) if ago["unit"] == "h" else timedelta(days=1)
        return _span(now - int(ago["count"]) * unit, None)
    if sign := re.match(r">=|<", text):
        begin, _ = _instant(text[sign.end() :].strip(), zone)
        return _span(begin, None) if sign[0] == ">=" else _span(None, begin)
    low, dots, high = text.partition("..")
    if not dots:
        return _span(*_instant(text, zone))
    if not low and not high:
        raise NotUnderstood("a range needs at least one end", column.operators)
    return _span(_instant(low.strip(), zone)[0] if low else None, _instant(high.strip(), zone)[0] if high else None)


def _span(low: datetime | None, high: datetime | None) -> Between:
    return Between(low, high, high_included=False)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _instant(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the span that `text` names, as written: a day, a minute, a second."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day = date.fromisoformat(match["date"])
    if day.year not in _YEARS:
        raise ValueError(text)
    if match["hour"] is None:
        return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    second = int(match["second"] or 0)
    micros = int((match["fraction"] or ".0")[1:].ljust(6, "0"))
    at = datetime.combine(day, time(int(match["hour"]), int(match["minute"]), second, micros))
    begin = _placed(at, match["offset"], zone)
    return begin, begin + timedelta(seconds=1 if match["second"] else 60)


def _placed(at: datetime, offset: str | None, zone: ZoneInfo) -> datetime:
    if offset is None:
        return at.replace(tzinfo=zone).astimezone(UTC)
    return datetime.fromisoformat(f"{at.isoformat()}{'+00:00' if offset == 'Z' else offset}").astimezone(UTC)


def _id(column: Column, text: str, zone: ZoneInfo, now: datetime) -> Test:
    try:
        return Exactly(tuple(UUID(token) for token in _tokens(text.removeprefix("eq:"), column)))
    except ValueError:
        raise NotUnderstood(f"{text!r} is no id", column.operators) from None


_PARSERS: Final[Mapping[Type, Callable[[Column, str, ZoneInfo, datetime], Test]]] = MappingProxyType(
    {
        Type.TEXT: _text,
        Type.LIST: _closed,
        Type.OPEN_LIST: _open,
        Type.REPORT: _open,
        Type.STRIP: _closed,
        Type.DIRECTION: _direction,
        Type.BOOLEAN: _boolean,
        Type.NUMBER: _number,
        Type.SHARE: _number,
        Type.CODE: _code,
        Type.SECONDS: _number,
        Type.TIME: _time,
        Type.PERIOD: _time,
        Type.ID: _id,
    }
)


# ---------------------------------------------------------------------------------------------- words
def _said(column: Column, test: Test, zone: ZoneInfo) -> str:
    known = column.words or {}
    match test:
        case Empty():
            return "empty"
        case Is(value):
            return str(value)
        case Contains(texts):
            return f"contains “{texts[0]}”"
        case Exactly(values):
            return ", ".join(
                known.get(value, f"“{value}”") if isinstance(value, str) else str(value) for value in values
            )
        case Among(slugs, texts):
            if texts:
                return ", ".join(f"“{text}”" for text in texts)
            if column.type is Type.CODE:
                return ", ".join(f"{slug} {known[slug]}" if slug in known else slug for slug in slugs)
            return ", ".join(known.get(slug, f"“{slug}”") for slug in slugs)
        case Between():
            return _range_said(test, zone)


def _range_said(test: Between, zone: ZoneInfo) -> str:
    low, high = _end_said(test.low, zone), _end_said(test.high, zone)
    if isinstance(test.low, datetime) or isinstance(test.high, datetime):
        return f"{low} to {high}" if low and high else f"from {low}" if low else f"before {high}"
    if low == high:
        return low
    if low and high:
        return f"{low} to {high}"
    if low:
        return f"{low} or more" if test.low_included else f"more than {low}"
    return f"{high} or less" if test.high_included else f"less than {high}"


def _end_said(value: Decimal | datetime | None, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = value.astimezone(zone)
        return local.strftime("%Y-%m-%d" if local.time() == time() else "%Y-%m-%d %H:%M:%S")
    return f"{value:f}"
