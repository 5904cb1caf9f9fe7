"""Settings: one frozen dataclass per service, read once at start, complaining about everything at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

REQUIRED: Final = MISSING
"""The default of a setting that has none: leaving it out is a problem."""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a setting says about itself: for people, and for reading it."""

    description: str
    parse: Callable[[str], Any]
    secret: bool


class BadSettings(Exception):
    """Settings that cannot be used; `problems` holds one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def setting(
    description: str, *, parse: Callable[[str], Any] = str, default: Any = REQUIRED, secret: bool = False
) -> Any:
    """Declare one field of a settings dataclass (frozen, slots, kw_only). A secret is kept out of the repr."""
    meaning = Meaning(description, parse, secret)
    return field(default=default, repr=not secret, metadata={"setting": meaning})


def names(field_name: str, prefix: str) -> tuple[str, ...]:
    """Return the variables that may carry a field, the first that is set wins: AGGREGATOR_PORT, then PORT."""
    own = field_name.upper()
    return (f"{prefix.upper()}_{own}", own) if prefix else (own,)


def read(cls: type[S], environ: Mapping[str, str], prefix: str) -> S:
    """Build `cls` from `environ`, or raise BadSettings that names every problem.

    Each variable may also be given as NAME_FILE, whose content, without the line end, is the value. An empty
    variable counts as not set, so that a compose file can pass one on that may be absent.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for each in fields(cls):  # type: ignore[arg-type]  # every settings class is a dataclass
        try:
            found = _find(environ, names(each.name, prefix))
            if found is not None:
                values[each.name] = _parse(each, *found)
            elif each.default is MISSING:
                problems.append(f"{names(each.name, '')[0]} is not set: {_meaning(each).description}")
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise BadSettings(problems)
    return cls(**values)


def _meaning(each: Field[Any]) -> Meaning:
    meaning = each.metadata["setting"]
    assert isinstance(meaning, Meaning)
    return meaning


def _find(environ: Mapping[str, str], candidates: tuple[str, ...]) -> tuple[str, str] | None:
    """Return (variable, text) of the first candidate that is set, or None."""
    for name in candidates:
        if environ.get(name):
            return name, environ[name]
        if path := environ.get(f"{name}_FILE"):
            return f"{name}_FILE", _content(f"{name}_FILE", path)
    return None


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"{name} names a file that cannot be read: {problem}") from problem


def _parse(each: Field[Any], name: str, text: str) -> Any:
    """Parse one value; the complaint shows the text only where it is no secret."""
    meaning = _meaning(each)
    try:
        return meaning.parse(text)
    except ValueError as problem:
        shown = "its value" if meaning.secret else repr(text)
        raise ValueError(f"{name}: {shown} is not usable ({problem}): {meaning.description}") from problem
