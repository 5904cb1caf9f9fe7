"""What a person keeps of how the panel looks: which preferences there are, and what each may hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from schemas.columns import LISTS
from services.query.views.filters import NotUnderstood, Problem
from services.query.views.view import zone_of

THEMES: Final = ("system", "light", "dark")
DENSITIES: Final = ("compact", "roomy")
_SHOWN: Final = 100
"""So many characters of a value that is refused are told back."""


def problems_of(given: Mapping[str, Any]) -> list[Problem]:
    """Return why these preferences cannot be kept, empty where they can."""
    return [problem for name, value in given.items() if (problem := _problem(name, value))]


def _problem(name: str, value: Any) -> Problem | None:
    if name not in _KNOWN:
        return Problem(name[:_SHOWN], "", "there is no such preference", tuple(_KNOWN))
    is_good, expected, allowed = _KNOWN[name]
    return None if is_good(value) else Problem(name, str(value)[:_SHOWN], f"expected {expected}", allowed)


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(zone_of(value))
    except NotUnderstood:
        return False


def _by_list(is_good: Callable[[str, Any], bool]) -> Callable[[Any], bool]:
    """Return the check of an object that holds one choice a list, under the list's name."""
    return lambda value: (
        isinstance(value, dict) and all(name in LISTS and is_good(name, choice) for name, choice in value.items())
    )


def _are_columns(list_name: str, value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return len(set(value)) == len(value) and all(LISTS[list_name].column(name) for name in value)


_KNOWN: Final[Mapping[str, tuple[Callable[[Any], bool], str, tuple[str, ...]]]] = MappingProxyType(
    {
        "theme": (lambda value: value in THEMES, "a theme", THEMES),
        "zone": (_is_zone, "an IANA time zone", ("Europe/Berlin", "UTC")),
        "density": (_by_list(lambda _, value: value in DENSITIES), "one density a list", DENSITIES),
        "columns": (_by_list(_are_columns), "the columns of each list, each once", tuple(LISTS)),
    }
)
